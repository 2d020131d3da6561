#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A quantization that is stopped behind its calibration - while it searches ranges, fits weights, keeps
# layers, writes, measures - goes on from what it kept, and writes the bits that it writes undisturbed.
. "$SOURCE/tests/lib/cli.sh" || exit 1
# Layers enough to search among, few enough to be soon done.
options="--data $demo/shapes.yaml --effort default --imgsz 64 --limit 8 --calib-images 4 --keep16 2 --json
    --exclude model\\.(1[2-9]|[2-9][0-9]|10[0-9])\\."

size_of() {
    stat -c %s "$1" 2>/dev/null || echo 0
}

# Whether the journal has $1 bytes; "written": whether it grew after the model was written, to $written.
has_come() {
    if [ "$1" != written ]; then
        [ "$(size_of .q.onnx.journal)" -ge "$1" ]
    elif [ "$written" = 0 ]; then
        [ ! -e q.onnx ] || written=$(size_of .q.onnx.journal)
        false
    else
        [ "$(size_of .q.onnx.journal)" -gt "$written" ]
    fi
}

# stopped_at SIGNAL BYTES|written ARGS...: as soon as the journal has grown, and to so much; $code is 0 when
# it was done first.
stopped_at() {
    local signal=$1 bytes=$2 kept
    shift 2
    written=0
    kept=$(size_of .q.onnx.journal)
    [ "$bytes" = written ] || [ "$kept" -lt "$bytes" ] || bytes=$((kept + 1))
    what="ptq $*, SIG$signal at $bytes of the journal"
    "$PTQ" "$@" >out 2>err </dev/null &
    local job=$!
    while kill -0 $job 2>/dev/null && ! has_come "$bytes"; do
        sleep 0.005
    done
    kill -s "$signal" $job 2>/dev/null
    wait $job 2>/dev/null
    code=$?
}

# The same from the beginning; a machine that was busy elsewhere may look too late, but not always.
stopped_anew_at() {
    local tries
    for tries in 1 2 3 4 5 6 7 8 9 10; do
        rm -f q.onnx .q.onnx.journal .q.onnx.partial
        stopped_at "$@"
        [ "$code" = 0 ] || return 0
    done
    fail "it was done first $tries times"
}

# What decides of a run, without its times.
facts() {
    python3 - "$1" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))["result"]
for key in "front", "elapsed_ms":
    r.pop(key, None)
for row in "fp32", "bf16", "int8":
    for key in "latency_ms", "speedup":
        r[row].pop(key)
print(json.dumps(r, sort_keys=True))
PY
}

# Undisturbed, and how large the journal gets.
"$PTQ" quantize "$model" $options -o q.onnx >out 2>err </dev/null &
job=$!
largest=0
while kill -0 $job 2>/dev/null; do
    size=$(size_of .q.onnx.journal)
    largest=$((size > largest ? size : largest))
    sleep 0.005
done
wait $job
code=$?
need_json
facts out >want.txt
mv q.onnx want.onnx
[ ! -e .q.onnx.journal ] && [ ! -e .q.onnx.partial ] || fail 'what was kept is left behind'

signals=(KILL TERM INT)
stops=0
for percent in 1 10 25 50 75 95; do
    kept=$(size_of .q.onnx.journal)
    stopped_at "${signals[stops % 3]}" $((largest * percent / 100)) quantize "$model" $options -o q.onnx
    [ "$code" != 0 ] || break
    stops=$((stops + 1))
    [ "$kept" -lt 200 ] || expect_err "going on from what '.q.onnx.journal' holds"
    [ "$(size_of .q.onnx.journal)" -ge "$kept" ] || fail 'less is kept than before'
    [ ! -e q.onnx ] || cmp -s q.onnx want.onnx || fail 'half of a model, or another'
done
[ $stops -ge 3 ] || fail "only $stops stops before it was done"
if [ "$code" != 0 ]; then
    stopped_at KILL written quantize "$model" $options -o q.onnx
    cmp -s q.onnx want.onnx || fail 'half of a model, or another'
fi
if [ "$code" != 0 ]; then
    run quantize "$model" $options -o q.onnx
    expect_err "going on from what '.q.onnx.journal' holds"
fi
need_json
cmp -s q.onnx want.onnx || fail 'another model after interruptions'
facts out | cmp -s - want.txt || fail 'another report after interruptions'
[ ! -e .q.onnx.journal ] && [ ! -e .q.onnx.partial ] || fail 'what was kept is left behind'

# Another option, another picture: begun anew.
rm q.onnx
quick="--data $demo/shapes.yaml --imgsz 64 --limit 8 --calib-images 4 --keep16 1 --json"
run quantize "$model" $quick -o want-quick.onnx
need_json
stopped_anew_at KILL 400 quantize "$model" $quick -o q.onnx
run quantize "$model" $quick --target tensorrt11 -o q.onnx
need_json
expect_err "what '.q.onnx.journal' holds is of another model, other images or other options; beginning anew"
[ "$(grep -c "what '.q.onnx.journal'" err)" = 1 ] || fail 'it is said more than once'
mv q.onnx other.onnx
run quantize "$model" $quick --target tensorrt11 -o q.onnx
cmp -s q.onnx other.onnx || fail 'another model than that without a journal'
rm q.onnx

cp -r "$demo" own
own="${quick/$demo/own}"
stopped_anew_at KILL 400 quantize "$model" $own -o q.onnx
[ -e .q.onnx.partial ] && was_kept=1 || was_kept=0 # what takes less than a second is not
touch own/images/train2017/*
run quantize "$model" $own -o q.onnx
need_json
[ $was_kept = 0 ] || expect_err "'.q.onnx.partial' is of another calibration; beginning anew"
expect_err "what '.q.onnx.journal' holds is of another model, other images or other options; beginning anew"
cmp -s q.onnx want-quick.onnx || fail 'another model of the same pictures'
rm q.onnx

# Stopped while it measures: its own file is replaced, one that is another's or was changed is not.
stopped_anew_at KILL written quantize "$model" $quick -o q.onnx
refuse 3 "'q.onnx' exists; use --force" quantize "$model" $quick --target tensorrt11 -o q.onnx
stopped_anew_at KILL written quantize "$model" $quick -o q.onnx
echo changed >>q.onnx
refuse 3 "'q.onnx' exists; use --force" quantize "$model" $quick -o q.onnx
cp want-quick.onnx q.onnx
refuse 3 "'q.onnx' exists; use --force" quantize "$model" $quick -o q.onnx
