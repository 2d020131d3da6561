#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGINT and SIGTERM in the middle: exit code 130 soon, nothing half-written, no temporary left.
. "$SOURCE/tests/lib/cli.sh" || exit 1

for signal in INT TERM; do
    for wait in 0.3 1.5; do
        what="ptq quantize, SIG$signal after $wait s"
        "$PTQ" quantize "$model" --data "$demo/shapes.yaml" -o q.onnx >out 2>err &
        job=$!
        sleep $wait
        kill -s $signal $job
        wait $job
        code=$?
        expect_code 130
        expect_no_out
        ! ls q.onnx* 2>/dev/null || fail 'something was left'
    done
done
