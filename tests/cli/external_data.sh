#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weights in a file of their own: the same model in two files, moved together, never replaced unasked.
. "$SOURCE/tests/lib/cli.sh" || exit 1
graph="python3 $SOURCE/tests/lib/onnx_graph.py"
form='--imgsz 64'

run export "$model" $form -o one.onnx
expect_code 0
run export "$model" $form --external-data -o two.onnx --json
need_json
json 'r["external_data"] and r["output"] == "two.onnx"'
[ "$(stat -c %s two.onnx)" -lt $(($(stat -c %s one.onnx) / 20)) ] || fail 'the weights stayed in the model'

mkdir moved
mv two.onnx two.onnx.data moved
run export moved/two.onnx $form -o again.onnx
expect_code 0
$graph same one.onnx again.onnx || fail 'read from two files it is another model'

echo precious >three.onnx.data
refuse 3 "output 'three.onnx.data' exists" export "$model" $form --external-data -o three.onnx
[ "$(cat three.onnx.data)" = precious ] && [ ! -e three.onnx ] || fail 'something was written'
run export "$model" $form --external-data -f -o three.onnx
expect_code 0
cmp -s three.onnx.data moved/two.onnx.data || fail 'equal models have unequal data'
truncate -s 1000 three.onnx.data
refuse 4 'too few for' info three.onnx

run quantize "$model" --data "$demo/shapes.yaml" --imgsz 64 --calib max --calib-images 1 --no-eval --external-data -o q.onnx
expect_code 0
run eval q.onnx --data "$demo/shapes.yaml" --imgsz 64 --limit 1 --save-inputs inputs --json
need_json
run run q.onnx --input inputs/000000.npy --out-dir own --json
need_json
export ORT_HOME=${ORT_HOME:-$HOME/.cache/ptq-check-ort}
command -v node >/dev/null && [ -d "$ORT_HOME/node_modules/onnxruntime-node" ] ||
    skip "needs node and the npm package onnxruntime-node in the folder \$ORT_HOME ($ORT_HOME)"
node "$SOURCE/tests/lib/onnxruntime.mjs" q.onnx runtime inputs/000000.npy || fail 'ONNX Runtime does not read it'
python3 "$SOURCE/tests/lib/agree.py" decoded own/output.npy runtime/000000.npy 0.1 || fail 'ONNX Runtime reads another model'
