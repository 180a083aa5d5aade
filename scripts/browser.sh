# shellcheck shell=bash
# To be sourced: finds a Chromium and exports its path as CHROMIUM; fails if
# there is none.
for name in "${CHROMIUM-}" chromium chromium-browser google-chrome google-chrome-stable; do
	if [ -n "$name" ] && CHROMIUM=$(command -v "$name"); then
		export CHROMIUM
		break
	fi
	CHROMIUM=
done
[ -n "$CHROMIUM" ]
