#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A quantization that is stopped behind its calibration - while it searches ranges, fits weights, keeps
# layers, writes, measures - goes on from what it kept, and writes the bits that it writes undisturbed.
. "$SOURCE/tests/lib/cli.sh" || exit 1
options="--data $demo/shapes.yaml --effort default --imgsz 64 --limit 8 --calib-images 4 --keep16 2 --json"

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
        sleep 0.02
    done
    kill -s "$signal" $job 2>/dev/null
    wait $job 2>/dev/null
    code=$?
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

run quantize "$model" $options -o q.onnx
need_json
facts out >want.txt
mv q.onnx want.onnx
[ ! -e .q.onnx.journal ] && [ ! -e .q.onnx.partial ] || fail 'what was kept is left behind'

signals=(KILL TERM INT)
i=0
for bytes in 500 5000 200000 666000 675000 685000; do
    kept=$(size_of .q.onnx.journal)
    stopped_at "${signals[i++ % 3]}" "$bytes" quantize "$model" $options -o q.onnx
    [ "$code" != 0 ] || break
    [ "$kept" -lt 200 ] || expect_err "going on from what '.q.onnx.journal' holds"
    [ "$(size_of .q.onnx.journal)" -ge "$kept" ] || fail 'less is kept than before'
    [ ! -e q.onnx ] || cmp -s q.onnx want.onnx || fail 'half of a model, or another'
done
[ "$code" != 0 ] || fail 'the journal never grew so large: choose other sizes'
stopped_at KILL written quantize "$model" $options -o q.onnx
[ "$code" != 0 ] || fail 'it was faster'
cmp -s q.onnx want.onnx || fail 'half of a model, or another'
run quantize "$model" $options -o q.onnx
need_json
expect_err "going on from what '.q.onnx.journal' holds"
cmp -s q.onnx want.onnx || fail 'another model after interruptions'
facts out | cmp -s - want.txt || fail 'another report after interruptions'
[ ! -e .q.onnx.journal ] && [ ! -e .q.onnx.partial ] || fail 'what was kept is left behind'

# Another option, another picture: begun anew.
rm q.onnx
quick="--data $demo/shapes.yaml --imgsz 64 --limit 8 --calib-images 4 --keep16 1 --json"
run quantize "$model" $quick -o want-quick.onnx
need_json
stopped_at KILL 400 quantize "$model" $quick -o q.onnx
[ "$code" != 0 ] || fail 'it was faster'
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
stopped_at KILL 400 quantize "$model" $own -o q.onnx
[ "$code" != 0 ] || fail 'it was faster'
[ -e .q.onnx.partial ] && was_kept=1 || was_kept=0 # what takes less than a second is not
touch own/images/train2017/*
run quantize "$model" $own -o q.onnx
need_json
[ $was_kept = 0 ] || expect_err "'.q.onnx.partial' is of another calibration; beginning anew"
expect_err "what '.q.onnx.journal' holds is of another model, other images or other options; beginning anew"
cmp -s q.onnx want-quick.onnx || fail 'another model of the same pictures'
rm q.onnx

# Stopped while it measures: its own file is replaced, one that is another's or was changed is not.
stopped_at KILL written quantize "$model" $quick -o q.onnx
[ "$code" != 0 ] || fail 'it was faster'
refuse 3 "'q.onnx' exists; use --force" quantize "$model" $quick --target tensorrt11 -o q.onnx
rm -f q.onnx .q.onnx.journal
stopped_at KILL written quantize "$model" $quick -o q.onnx
[ "$code" != 0 ] || fail 'it was faster'
echo changed >>q.onnx
refuse 3 "'q.onnx' exists; use --force" quantize "$model" $quick -o q.onnx
cp want-quick.onnx q.onnx
refuse 3 "'q.onnx' exists; use --force" quantize "$model" $quick -o q.onnx
