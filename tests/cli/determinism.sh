#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same bits for any number of threads, any batch size and every time; instruction sets agree.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 64"
picture=$demo/images/val2017/000000000152.jpg

run quantize "$model" $data --calib-images 4 --no-eval -o q.onnx --threads 1
expect_code 0

# Histograms, and all that is found from them.
run calibrate "$model" $data --calib-images 6 -o c.json --threads 1
expect_code 0
for options in '--threads 1' '--threads 3' '--calib-batch 1' '--calib-batch 5 --threads 2'; do
    run calibrate "$model" $data --calib-images 6 -o other.json --force $options
    expect_code 0
    python3 - <<'PY' || fail "other histograms with $options"
import json, sys
a, b = (json.load(open(f)) for f in ("c.json", "other.json"))
sys.exit(a["tensors"] != b["tensors"])
PY
done

# Integers.
for threads in 1 2 3 5; do
    run run q.onnx --input "$picture" --out-dir "t$threads" --threads $threads -q
    expect_code 0
    cmp -s t1/output.npy "t$threads/output.npy" || fail "other bits with $threads threads"
done
for batch in 1 3 4; do
    run eval q.onnx $data --limit 8 --batch $batch --save-detections "d$batch.json" -q
    expect_code 0
    cmp -s d1.json "d$batch.json" || fail "other detections in batches of $batch"
done

# Instruction sets: the same integers; float layers differ in the order of sums, and native may
# compute them in bf16.
case $(uname -m) in
aarch64) export LEVELS='neon dotprod native' ;;
*) export LEVELS='avx2 avx512 avx512vnni native' ;;
esac
for level in ref $LEVELS; do
    run run q.onnx --input "$picture" --out-dir "int8-$level" --cpu $level -q
    expect_code 0
    run run "$model" --imgsz 64 --input "$picture" --out-dir "fp32-$level" --cpu $level -q
    expect_code 0
done
what='outputs of the instruction sets'
python3 - <<'PY' || fail 'instruction sets disagree'
import os, struct, sys

def load(path):
    data = open(path, "rb").read()
    values = data[10 + struct.unpack("<H", data[8:10])[0]:]
    return struct.unpack(f"<{len(values) // 4}f", values)

wrong = False
for kind in ("int8", "fp32"):
    want = load(f"{kind}-ref/output.npy")
    largest = max(map(abs, want))
    for level in os.environ["LEVELS"].split():
        got = load(f"{kind}-{level}/output.npy")
        difference = max(abs(a - b) for a, b in zip(got, want)) / largest
        bound = 1e-3 if (kind, level) == ("int8", "native") else 1e-5
        if not difference <= bound:
            print(f"{kind} {level}: {difference:g} of the largest value")
            wrong = True
sys.exit(wrong)
PY
