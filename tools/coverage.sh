#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The share of lines that the tests have run, per room, and the files that fall short; fails where a room
# below cli/ has less than 85 %. Vector kernels of other processors than this one cannot run here.
#
# usage: tools/coverage.sh BUILD [run]   a build with --coverage whose tests have run, or are run first
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:?usage: tools/coverage.sh BUILD [run]}

# A share of the tests per core, which they do not leave: threads that count in the same place from two cores
# are many times slower. A test that fails says so, and what it ran counts.
run_tests() {
    local n core
    n=$(nproc)
    for ((core = 0; core < n; core++)); do
        taskset -c "$core" ctest --test-dir "$build" -I $((core + 1)),,"$n" -L 'quick|cli|examples' \
            --output-log "$build/tests-$core.log" >"$build/tests-$core.out" || true &
    done
    wait
    tail -n 12 "$build"/tests-*.out
}

[ "${2:-}" != run ] || run_tests
# Two threads that count at once may leave a branch with less than nothing.
gcovr -r . --filter src/ --exclude-unreachable-branches --gcov-ignore-parse-errors --csv "$build/lines.csv" "$build"
awk -F, '
    NR == 1 { next }
    {
        split($1, at, "/")
        room = at[2]
        lines[room] += $2
        run[room] += $3
        if ($3 < 0.85 * $2)
            short[++n_short] = sprintf("  %-42s %5d of %5d", $1, $3, $2)
    }
    END {
        print "files below 85 %:"
        for (i = 1; i <= n_short; i++)
            print short[i]
        print "| room | lines | run | share |\n| --- | --- | --- | --- |"
        n_rooms = split("base formats graph kernels model passes data engine report eval lint quant api cli", rooms, " ")
        for (i = 1; i <= n_rooms; i++) {
            room = rooms[i]
            share = 100 * run[room] / lines[room]
            printf "| %s | %d | %d | %.1f %% |\n", room, lines[room], run[room], share
            is_short = is_short || (room != "cli" && share < 85)
        }
        exit is_short
    }' "$build/lines.csv"
