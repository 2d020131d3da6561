#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGINT and SIGTERM in the middle: exit code 130 soon, nothing half-written, no temporary left; what was
# calibrated is kept beside the output, and the same command goes on from it.
. "$SOURCE/tests/lib/cli.sh" || exit 1

# started JOB: until it catches SIGINT, which shells make their background jobs ignore.
started() {
    until grep -q '^SigCgt:.*[2367abef]$' /proc/$1/status 2>/dev/null; do
        kill -0 $1 2>/dev/null || return 0
        sleep 0.05
    done
}

for signal in INT TERM; do
    for wait in 0.3 1.5; do
        what="ptq quantize, SIG$signal after $wait s"
        "$PTQ" quantize "$model" --data "$demo/shapes.yaml" -o q.onnx >out 2>err &
        job=$!
        started $job
        sleep $wait
        kill -s $signal $job
        wait $job
        code=$?
        expect_code 130
        expect_no_out
        ! ls q.onnx* 2>/dev/null || fail 'something was left'
    done
done

run calibrate "$model" --data "$demo/shapes.yaml" --imgsz 320 -o whole.json
expect_code 0
for wait in 0.4 0.7 0.7 1; do
    what="ptq calibrate, interrupted after $wait s"
    "$PTQ" calibrate "$model" --data "$demo/shapes.yaml" --imgsz 320 -o ranges.json >out 2>err &
    job=$!
    started $job
    sleep $wait
    kill -s INT $job 2>/dev/null
    wait $job
    code=$?
    [ "$code" != 0 ] || break # it was faster
    expect_code 130
    [ ! -e ranges.json ] || fail 'ranges of too few images'
done
[ -e ranges.json ] || run calibrate "$model" --data "$demo/shapes.yaml" --imgsz 320 -o ranges.json
expect_code 0
[ ! -e .ranges.json.partial ] || fail 'the kept state was left'
cmp -s whole.json ranges.json || fail 'the ranges differ from those without interruption'
