#!/bin/bash
# Is Node.js here, and new enough for the console? "ok" answers by its exit
# status, "why" in words.
set -u

# Vite's least version.
readonly least=20.19

have=$(node --version 2>/dev/null) && command -v npm >/dev/null || have=none
have=${have#v}
enough() { [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" = "$least" ]; }

case ${1-} in
ok) [ "$have" != none ] && enough ;;
why)
	if [ "$have" = none ]; then
		echo "Node.js $least or later with npm was not found"
	else
		echo "Node.js is $have, $least or later is needed"
	fi
	;;
*)
	echo "usage: $0 ok|why" >&2
	exit 2
	;;
esac
