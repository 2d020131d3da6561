#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job on demo/: what is in the checkpoint, how good it is, quantize it, compare.
#
# usage: tools/demo.sh BUILD
set -euo pipefail

build=${1:?usage: tools/demo.sh BUILD}
ptq=$build/ptq
out=$build/demo
model=demo/yolov7-shapes.pt
int8=$out/yolov7-shapes.int8.onnx
mkdir -p "$out"

step() {
    printf '\n$ %s\n' "$*"
    "$@"
}

step "$ptq" info "$model"
step "$ptq" eval "$model" --data demo/shapes.yaml --imgsz 320 --coco \
    --save-detections "$out/detections.json" --force
step "$ptq" quantize "$model" --data demo/shapes.yaml --imgsz 320 -o "$int8" --force \
    --report "$out/report"

printf '\nfiles:\n'
find "$out" -type f | sort | sed 's/^/  /'
printf '\nlook at %s in a browser\n' "$out/report/index.html"
printf 'then your own model: %s quantize yolov7.pt --data coco.yaml (or a folder of pictures and --metric fidelity)\n' "$ptq"
