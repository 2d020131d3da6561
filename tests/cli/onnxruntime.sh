#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Files of every target, run by ONNX Runtime: the demo quantized for it scores there what ptq says it scores, and
# the outputs agree, in every form of a file and with layers kept in 16 bit.
. "$SOURCE/tests/lib/cli.sh" || exit 1
export ORT_HOME=${ORT_HOME:-$HOME/.cache/ptq-check-ort}
command -v node >/dev/null && [ -d "$ORT_HOME/node_modules/onnxruntime-node" ] ||
    skip "needs node and the npm package onnxruntime-node in the folder \$ORT_HOME ($ORT_HOME)"
data="--data $demo/shapes.yaml --imgsz 320"
agree="python3 $SOURCE/tests/lib/agree.py"
graph="python3 $SOURCE/tests/lib/onnx_graph.py"

# in_runtime MODEL FOLDER INPUT.npy...
in_runtime() {
    node "$SOURCE/tests/lib/onnxruntime.mjs" "$@" >log 2>&1 || { cat log; fail "ONNX Runtime does not run $1"; }
}

# most TARGET: how far single scores may lie apart. Those of the int8 files for TensorRT move by more than that in
# either runtime when two values of the input move by a step (docs/limits.md).
most() {
    [ "$1" = onnxruntime ] && echo 0.1 || echo 0.2
}

# agrees HEAD MODEL INPUT.npy MOST: what both make of an input.
agrees() {
    local stem output=output
    stem=$(basename "$3" .npy)
    [ "$1" = nms ] && output=detections
    rm -rf own runtime
    run run "$2" --input "$3" --out-dir own --json
    need_json
    in_runtime "$2" runtime "$3"
    for part in '' $([ "$1" = raw ] && echo _1 _2); do
        $agree "$1" own/$output$part.npy "runtime/$stem$part.npy" $4 || fail "$2: output$part differs"
    done
}

# scores_the_same MODEL: on all pictures, or one flipped detection decides.
scores_the_same() {
    run eval "$1" $data --json
    need_json
    cp out own.out
    in_runtime "$1" outputs inputs/*.npy
    run eval "$1" $data --from-outputs outputs --json
    need_json
    json "abs(r['map50_95'] - json.load(open('own.out'))['result']['map50_95']) <= 0.003 and r['map50_95'] > 0.2"
}

run calibrate "$model" $data --calib-images 16 --target onnxruntime -o ranges.json --json
need_json
quantize="quantize $model --imgsz 320 --calib-from ranges.json --no-eval -f --json"

run eval "$model" $data --no-rect --save-inputs inputs --json
need_json

for target in tensorrt10 tensorrt11 onnxruntime; do
    run $quantize --target $target -o $target.onnx
    need_json
    json "r['target'] == '$target' and r['quantized_layers'] > 80 and len(r['kept_layers']) == 3"
    scores_the_same $target.onnx
    agrees decoded $target.onnx inputs/000000.npy "$(most $target)"
    $agree stack pair.npy inputs/000000.npy inputs/000003.npy
    for head in decoded raw nms; do
        run $quantize --target $target --head $head --batch dynamic -o form.onnx
        need_json
        agrees $head form.onnx pair.npy "$(most $target)"
    done
done
run info onnxruntime.onnx --quant --json
need_json
json 'all(q["input"]["unsigned"] for q in r["quantizers"])'
json 'any(q["input"].get("zero_point", 0) > 0 for q in r["quantizers"])'

# Layers in 16 bit, by number and by both budgets; the walk is short because most is left out.
some="--data $demo/shapes.yaml --imgsz 160 --calib-images 4 --exclude model\.(1[2-9]|[2-9][0-9]|10[0-9])\. -f --json"
for target in tensorrt10 tensorrt11 onnxruntime; do
    for budget in '--keep16 2' '--max-ms 100000' '--max-drop 0 --metric fidelity --effort default --limit 2'; do
        gate=${budget%% *}
        run quantize "$model" $some --target $target $budget $([ $gate = --max-drop ] || echo --no-eval) -o kept.onnx
        [ "$code" = 0 ] || [ $gate$code = --max-drop1 ] || fail 'no file'
        json 'r["front"] and r["front"][0]["kept"] == 0 and len(r["exclude"]) == r["front"][r["chosen"]]["kept"]'
        json 'r["chosen"] > 0 or r["front"][0]["drop"] <= 0'
        $graph kept $target kept.onnx $(python3 -c 'import json; print(json.load(open("out"))["result"]["quantized_layers"])') ||
            fail "$target $budget"
        [ $gate = --keep16 ] && cp kept.onnx kept16.onnx
    done
    run export kept16.onnx -f -o again.onnx --json
    need_json
    $graph same kept16.onnx again.onnx || fail "$target, kept layers: written again it is another graph"
    run eval kept16.onnx --data "$demo/shapes.yaml" --imgsz 160 --limit 2 --save-inputs small --json
    need_json
    agrees decoded kept16.onnx small/000000.npy "$(most $target)"
done
