#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` leaves is enough for a program of somebody else: headers, library, pkg-config.
. "$SOURCE/tests/lib/cli.sh" || exit 1
build=$(dirname "$PTQ")
[ -f "$build/cmake_install.cmake" ] || skip "'$build' is no build folder"
! grep -q '^PTQ_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" || skip 'a build with sanitizers is not for installing'

step() {
    what="$*"
    "$@" >out 2>err
    code=$?
    expect_code 0
}

step cmake --install "$build" --prefix "$scratch/usr"
for page in man/man1/ptq.1 man/man1/ptq-quantize.1 bash-completion/completions/ptq; do
    [ -s "usr/share/$page" ] || fail "$page is not installed"
done
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find usr -name ptq.pc)")
for header in usr/include/ptq/*.h; do
    step cc -std=c17 -Wall -Wextra -Werror -Iusr/include -fsyntax-only "$header"
done
sed -i "s|^prefix=.*|prefix=$scratch/usr|" "$PKG_CONFIG_PATH/ptq.pc"
step cc -std=c17 "$SOURCE/examples/evaluate_detector.c" -o evaluate $(pkg-config --cflags --libs ptq)
libdir=$(pkg-config --variable=libdir ptq)
step env LD_LIBRARY_PATH="$libdir" ./evaluate "$model" "$demo/shapes.yaml" 320
grep -qE '^mAP@.5:.95 is 0\.2[0-9]+$' out || fail 'no mAP'
step usr/bin/ptq --version
