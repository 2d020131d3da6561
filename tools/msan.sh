#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Decisions by values that were never set, under MemorySanitizer: the tests of the rooms that need no
# library of others but libc, with the scalar kernels.
#
# usage: tools/msan.sh BUILD      made by clang with -DPTQ_SANITIZE=memory -DPTQ_ONEDNN=OFF
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:?usage: tools/msan.sh BUILD}
tests=()
# These read and write files, or run OpenMP: libraries that are not instrumented.
foreign='kernels/test_peak|passes/test_passes|passes/test_recognise_decode'
for file in tests/unit/{base,graph,kernels,passes}/test_*.c; do
    name=${file#tests/unit/}
    name=${name%.c}
    tests+=("${name/\//_}")
done
ninja -C "$build" "${tests[@]}"
ctest --test-dir "$build" -R '^(base|graph|kernels|passes)/' -E "^($foreign)\$" --output-on-failure
