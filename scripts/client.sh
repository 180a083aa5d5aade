#!/bin/bash
# Is the console's client the one that the server's OpenAPI document gives?
set -eu
cd "$(dirname "$0")/../web"

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
npx --no-install openapi-typescript ../internal/api/openapi.json -o "$fresh" >/dev/null
cmp "$fresh" src/api/schema.d.ts || {
	echo "web/src/api/schema.d.ts is stale: make generate" >&2
	exit 1
}
