#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages of a section of tools/packages.txt that are missing; does nothing, and needs
# no rights, when all are there.
#
# usage: tools/packages.sh build|check ...
set -euo pipefail

list=$(dirname "$0")/packages.txt

section() {
    sed -n "/^\[$1\]\$/,/^\[/p" "$list" | grep -E '^[a-z0-9]' || {
        echo "no section [$1] in $list" >&2
        exit 2
    }
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for name in "$@"; do
    packages=$(section "$name")
    for package in $packages; do
        is_installed "$package" || missing+=("$package")
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install what these Debian packages hold, then try again: ${missing[*]}" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    root=()
elif command -v sudo >/dev/null; then
    root=(sudo)
else
    echo "packages are missing, and installing them takes root or sudo; as root, then try again:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "installing, for a minute or so: ${missing[*]}"
"${root[@]}" apt-get update -qq || echo "the package lists could not be renewed; going on with those that are here" >&2
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}"
