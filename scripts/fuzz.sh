#!/bin/bash
# Runs each fuzz test for the time given, one after the other.
set -eu
cd "$(dirname "$0")/.."

grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u | while read -r package; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$package"/*_test.go | while read -r name; do
		echo "$package $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$1" "$package" </dev/null
	done
done
