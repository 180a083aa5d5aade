# shellcheck shell=bash
# To be sourced: install PACKAGE… installs Debian packages, as root or by sudo
# without a password, and fails where it cannot.
install() {
	local root=() log
	command -v apt-get >/dev/null || return
	if [ "$(id -u)" != 0 ]; then
		root=(sudo -n)
		"${root[@]}" true 2>/dev/null || return
	fi
	echo "== installing: $*"
	log=$(dirname "${BASH_SOURCE[0]}")/../.cache/apt.log
	mkdir -p "${log%/*}"
	{
		"${root[@]}" apt-get update &&
			"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
	} </dev/null >"$log" 2>&1 || { tail -n 5 "$log" && return 1; }
}
