#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package: builds, installs into a root of its own, runs, and leaves nothing when removed.
. "$SOURCE/tests/lib/cli.sh" || exit 1
build=$(dirname "$PTQ")
[ -f "$build/CPackConfig.cmake" ] || skip "'$build' is no build folder"
! grep -q '^PTQ_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" || skip 'a build with sanitizers is not for installing'
for tool in cpack dpkg-deb dpkg-shlibdeps file; do
    command -v "$tool" >tools.txt || skip "$tool is not installed (tools/packages.sh check)"
done

step() {
    what="$*"
    "$@" >out 2>err </dev/null
    code=$?
    expect_code 0
}

step cpack --config "$build/CPackConfig.cmake" -B "$scratch/made"
package=$(find made -maxdepth 1 -name 'ptq_*.deb')
[ -s "$package" ] || fail 'no package'
step dpkg-deb --field "$package" Depends
for library in libc6 libzip libjansson libyaml libprotobuf-c libpng; do
    expect_out "$library"
done

root=$scratch/root
mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers}
: >"$root/var/lib/dpkg/status"
# Its scripts run here, and would tell the machine's own linker of the library.
mkdir tools
printf '#!/bin/sh\n' >tools/ldconfig
chmod +x tools/ldconfig
PATH=$scratch/tools:$PATH
handle() {
    step dpkg --root="$root" --log=/dev/null --force-not-root --force-depends --force-script-chrootless "$@"
}
handle --install "$package"
step "$root/usr/bin/ptq" --version
step "$root/usr/bin/ptq" info "$model"
[ -s "$root/usr/share/man/man1/ptq.1" ] && [ -s "$root/usr/include/ptq/ptq.h" ] || fail 'it is not whole'
handle --purge ptq
[ -z "$(find "$root" -path "$root/var" -prune -o -type f -print)" ] || fail 'files are left'
