#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Looks for inputs that harm, with libFuzzer: every target in turn, or those named. What is found is
# kept in BUILD/corpus and added to tests/fuzz/corpus only by --keep, as few as cover all.
#
# usage: tools/fuzz.sh BUILD SECONDS [TARGET ...]
#        tools/fuzz.sh BUILD --keep [TARGET ...]
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:?usage: tools/fuzz.sh BUILD SECONDS|--keep [TARGET ...]}
what=${2:?usage: tools/fuzz.sh BUILD SECONDS|--keep [TARGET ...]}
shift 2
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz && ls fuzz_*.c | sed 's/fuzz_\(.*\)\.c/\1/')
limits=(-rss_limit_mb=4096 -timeout=25 -max_len=16384)
export OMP_NUM_THREADS=1

for target in "${targets[@]}"; do
    seeds=tests/fuzz/corpus/$target
    found=$build/corpus/$target
    mkdir -p "$found" "$seeds"
    if [ "$what" = --keep ]; then
        rm -rf "$found.least"
        mkdir "$found.least"
        "$build/fuzz/fuzz_$target" "${limits[@]}" -set_cover_merge=1 "$found.least" "$seeds" "$found"
        cp -n "$found.least"/* "$seeds"
    else
        echo "== $target, $what s"
        "$build/fuzz/fuzz_$target" "${limits[@]}" -max_total_time="$what" -print_final_stats=1 \
            -artifact_prefix="$build/$target-" "$found" "$seeds"
    fi
done
