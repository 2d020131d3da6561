#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Models that are no YOLO: a classifier is quantized and judged by top-1 agreement; a file that
# computes shapes from its open input runs as its twin with the shape written down.
. "$SOURCE/tests/lib/cli.sh" || exit 1
small="python3 $SOURCE/tests/lib/small_onnx.py"

what='making files'
$small classifier classifier.onnx && $small dynamic open.onnx && $small static fixed.onnx || fail making

run quantize classifier.onnx --data "$demo/shapes.yaml" --calib-images 16 --limit 32 -o q.onnx --json
expect_code 0
python3 -c '
import json
r = json.load(open("out"))["result"]
assert r["metric"] == "top-1 agreement", r
assert r["fp32"]["fidelity"] == 1 and "map50_95" not in r["fp32"], r["fp32"]
assert r["int8"]["fidelity"] >= 0.7, r["int8"]
assert r["quantized_layers"] == 3, r["quantized_layers"]' 2>err || fail 'the classifier'
run quantize classifier.onnx --data "$demo/shapes.yaml" --calib-images 16 --limit 8 -o q2.onnx
expect_code 0

picture=$(find "$demo" -name '*.jpg' | sort | head -1)
run run open.onnx --imgsz 64 --input "$picture" --json
expect_code 0
python3 -c '
import json
o = json.load(open("out"))["result"]["outputs"]
assert o[0]["shape"] == [1, 1024, 8], o' 2>err || fail 'its shape'
run compare open.onnx fixed.onnx --imgsz 64 --input "$picture" --json
expect_code 0
python3 -c '
import json
t = {x["name"]: x for x in json.load(open("out"))["result"]["tensors"]}
assert t["rows"]["max_abs"] == 0, t["rows"]' 2>err || fail 'the twin'
run run open.onnx --imgsz 32 --input "$picture" --json
expect_code 0
run export open.onnx --imgsz 96 -o written.onnx --json
expect_code 0
exit 0
