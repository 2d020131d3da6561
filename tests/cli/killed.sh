#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL at random moments: outputs are whole or absent, the next run is not disturbed, a ranking goes
# on from its journal to the same bits, and one journal serves one process.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 64 --calib-images 4"
RANDOM=${SEED:-$$}
echo "SEED=$RANDOM"

# killed_at SECONDS ARGS...: starts it and kills it then, unless it has ended.
killed_at() {
    local wait=$1
    shift
    what="ptq $*, killed after $wait s"
    "$PTQ" "$@" >out 2>err </dev/null &
    local job=$!
    sleep "$wait"
    kill -KILL $job 2>/dev/null
    wait $job 2>/dev/null
    code=$?
}

moment() {
    printf '0.%03d' $((RANDOM % 1000))
}

run quantize "$model" $data --no-eval -o want.onnx
expect_code 0
run calibrate "$model" $data -o want.json
expect_code 0
for _ in 1 2 3 4 5 6; do
    killed_at "$(moment)" quantize "$model" $data --no-eval -o q.onnx --force
    [ ! -e q.onnx ] || cmp -s q.onnx want.onnx || fail 'half of a model'
    killed_at "$(moment)" calibrate "$model" $data -o c.json --force
    [ ! -e c.json ] || cmp -s c.json want.json || fail 'half of a calibration'
done
run quantize "$model" $data --no-eval -o q.onnx --force
expect_code 0
cmp -s q.onnx want.onnx || fail 'another model after all'

# A ranking, whole and in pieces.
rank="sensitivity $model $data --limit 6 --json"
scores() {
    python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))["result"]
del r["elapsed_ms"]
print(json.dumps(r, sort_keys=True))' "$1"
}
for mode in '' --exhaustive; do
    [ -z "$mode" ] || rank="$rank --exhaustive --exclude model\.([1-9]|10[0-4]) --metric sqnr"
    rm -f j.json
    run $rank
    need_json
    scores out >want.txt
    for _ in 1 2 3 4 5 6 7 8; do
        killed_at "1.$((RANDOM % 10))" $rank --journal j.json
        [ "$code" != 0 ] || break
        [ ! -e j.json ] || python3 -m json.tool j.json >/dev/null || fail 'half of a journal'
    done
    run $rank --journal j.json
    need_json
    scores out | cmp -s - want.txt || fail 'another ranking after interruptions'
    [ ! -e j.json.lock ] || fail 'the lock is left'
done

# Stopped while it holds the journal.
rm -f j.json
what='two rankings on one journal'
"$PTQ" $rank --journal j.json >first 2>err </dev/null &
job=$!
for _ in $(seq 600); do
    [ ! -e j.json.lock ] || break
    sleep 0.05
done
kill -STOP $job
refuse 3 "'j.json' is in use by another run" $rank --journal j.json
kill -CONT $job
wait $job || fail 'the first one was disturbed'
scores first | cmp -s - want.txt || fail 'another ranking beside another process'
