#!/bin/bash
# Tests everything and closes with a summary whose last line is
# "N passed, N failed, N skipped". Installs what is missing where it can:
# on Debian, as root or by sudo without a password.
#
# What cannot be tested here is named as skipped, and is a failure if CI=true.
set -u
cd "$(dirname "$0")/.." || exit

out=$PWD/.cache/test
tools=$PWD/tools/go.mod
rm -rf "$out"
mkdir -p "$out"
suites=() # what scripts/testsum takes

# suite NAME FORMAT COMMAND… runs a suite; its results go to $out/NAME.json.
suite() {
	local name=$1 format=$2
	shift 2
	echo "== $name"
	"$@" </dev/null
	suites+=("$name,$format,$?")
}

# skip NAME REASON [PATTERN…] leaves out a suite; each file counts as one test.
skip() {
	local name=$1 reason=$2 file
	shift 2
	echo "== $name: skipped: $reason"
	for file in "${@:-all of it}"; do
		printf '%s\t%s\n' "$file" "$reason"
	done >"$out/$name.json"
	suites+=("$name,skipped,0")
}

. scripts/install.sh

# gotest NAME ARGUMENTS OF go test
# shellcheck disable=SC2317 # suite calls it
gotest() {
	local name=$1
	shift
	go tool -modfile="$tools" gotestsum --format pkgname --format-hide-empty-pkg --hide-summary=skipped \
		--jsonfile "$out/$name.json" -- "$@"
}

# A test whose server is missing skips itself too.
. scripts/services.sh
while IFS=$'\t' read -r name reason; do
	[ -z "$name" ] || skip "services-$name" "$reason"
done <<<"$services_missing"

suite vet exit go vet ./...

# The race detector where goroutines meet; it needs a C compiler. The torture is
# of processes, which it slows down until little happens.
module=$(go list -m)
racy=$(go list ./... | grep -E "^$module(\$|/(jobstore|executor|task|internal)(/|\$))" | grep -vxF "$module/internal/torture")
calm=$(go list ./... | grep -vxF "$racy")
race=-race
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC)" >/dev/null; then
	install gcc libc6-dev && export CGO_ENABLED=1 || race=
fi
# shellcheck disable=SC2086 # one word a package
{
	suite "go" go gotest go $calm
	suite "go${race:+-race}" go gotest "go${race:+-race}" $race $racy
}

# Beside the peers: that the module builds, and that our answers are right.
# shellcheck disable=SC2317 # suite calls it
beside() { (cd bench && gotest bench ./...); }
suite bench go beside

scripts/node.sh ok || install nodejs npm
if ! scripts/node.sh ok; then
	# shellcheck disable=SC2046 # one word a file
	skip console-unit "$(scripts/node.sh why)" $(find web/src -name '*.test.ts*')
	skip console-browser "$(scripts/node.sh why)" web/e2e/*.spec.ts
else
	suite console-build exit make --no-print-directory build
	suite console-client exit scripts/client.sh
	suite console-unit vitest npm --prefix web run --silent test:unit -- \
		--reporter=default --reporter=json --outputFile.json="$out/console-unit.json"
	. scripts/browser.sh || { install chromium fonts-noto-cjk && . scripts/browser.sh; }
	if [ -n "$CHROMIUM" ]; then
		export PLAYWRIGHT_JSON_OUTPUT_FILE=$out/console-browser.json JOBCENTER_BIN=$PWD/bin/jobcenter
		suite console-browser playwright npm --prefix web run --silent test:e2e -- --reporter=line,json
	else
		skip console-browser "Chromium was not found and could not be installed" web/e2e/*.spec.ts
	fi
fi

go build -o "$out/testsum" ./scripts/testsum || exit
"$out/testsum" "$out" "${suites[@]}" | tee "$out/summary"
exit "${PIPESTATUS[0]}"
