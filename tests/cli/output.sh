#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Streams: one JSON document on standard output, plain text everywhere else, a full disk is no success.
. "$SOURCE/tests/lib/cli.sh" || exit 1

run info "$model" --json
need_json
json 'd["command"] == "info" and r["parameters"] == 2350290 and r["parameters_fused"] == 2300618'
json 'set(r["ops"]) and all(isinstance(n, int) for n in r["ops"].values())'

run info "$model"
expect_code 0
expect_out 'yolov7-shapes.pt'
expect_out '2350290'
! grep -q "$(printf '[\033\r]')" out err || fail 'escapes without a terminal'

run info "$model" --color always -vv
expect_code 0
NO_COLOR=1 run info "$model" -q
expect_code 0
expect_no_err

# As wide as the terminal, which COLUMNS says where there is none.
for columns in 60 80 120; do
    export COLUMNS=$columns
    for command in 'info --kernels' "info $model --nodes" "eval $model --data $demo/shapes.yaml --imgsz 64 --limit 4 --per-class" \
        "bench $model --imgsz 64 --runs 2 --layers"; do
        # shellcheck disable=SC2086
        run $command
        expect_code 0
        [ "$(wc -L <out)" -le $columns ] || fail "a line is wider than $columns columns"
    done
done
unset COLUMNS

run info --kernels --json
need_json
run info --kernels --cpu ref
expect_code 0
expect_out ref

what='ptq info > /dev/full'
"$PTQ" info "$model" --json >/dev/full 2>err
code=$?
expect_code 3
expect_err 'cannot write to standard output'
