#!/usr/bin/env bash
# Fetches the packages of extracted.txt and unpacks them into .cache/peers, where they exclude nobody.
set -euo pipefail
cd "$(dirname "$0")/../.."
place=.cache/peers
wanted=$(grep -Ev '^[[:space:]]*(#|$)' tests/peers/extracted.txt)
if [ "$(cat "$place/complete" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
rm -rf "$place"
mkdir -p "$place/packages"
(cd "$place/packages" && apt-get download -qq $wanted 2>/dev/null)
for package in "$place"/packages/*.deb; do
    dpkg-deb -x "$package" "$place"
done
rm -rf "$place/packages"
printf '%s\n' "$wanted" >"$place/complete"
