#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Files for ONNX Runtime, run by ONNX Runtime: the demo quantized for it scores there what ptq says it scores, and
# tensors agree.
. "$SOURCE/tests/lib/cli.sh" || exit 1
export ORT_HOME=${ORT_HOME:-$HOME/.cache/ptq-check-ort}
command -v node >/dev/null && [ -d "$ORT_HOME/node_modules/onnxruntime-node" ] ||
    skip "needs node and the npm package onnxruntime-node in the folder \$ORT_HOME ($ORT_HOME)"
data="--data $demo/shapes.yaml --imgsz 320"

# in_runtime MODEL FOLDER INPUT.npy...
in_runtime() {
    node "$SOURCE/tests/lib/onnxruntime.mjs" "$@" >log 2>&1 || { cat log; fail "ONNX Runtime does not run $1"; }
}

run quantize "$model" $data --target onnxruntime --calib-images 16 --no-eval -o q.onnx --json
need_json
json 'r["target"] == "onnxruntime" and r["quantized_layers"] > 80 and len(r["kept_layers"]) == 3'
run info q.onnx --quant --json
need_json
json 'all(q["input"]["unsigned"] for q in r["quantizers"])'
json 'any(q["input"].get("zero_point", 0) > 0 for q in r["quantizers"])'

run eval q.onnx $data --save-inputs inputs --json
need_json
cp out own.out
in_runtime q.onnx outputs inputs/*.npy
run eval q.onnx $data --from-outputs outputs --json
need_json
json "abs(r['map50_95'] - json.load(open('own.out'))['result']['map50_95']) <= 0.003 and r['map50_95'] > 0.2"
run run q.onnx --input inputs/000000.npy --out-dir own --json
need_json
python3 "$SOURCE/tests/lib/agree.py" own/output.npy outputs/000000.npy || fail 'tensors differ'
