#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The lint from outside: our own file passes, a foreign one is refused with code 1, what a finding says
# mends it, and no model file, however broken, brings it down.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 320 --calib-images 4 --no-eval"

run quantize "$model" $data -o q.onnx
expect_code 0
run lint q.onnx --target tensorrt10 --json
need_json
json 'd["command"] == "lint" and d["config"]["target"] == "tensorrt10" and r["opset"] == 13'
json 'not [f for f in r["findings"] if f["severity"] == "error"]'
json 'len(r["forecast"]) == 92 and sum(f["precision"] == "int8" for f in r["forecast"]) == 89'
json 'all(f["node"] and f["op"] and f["precision"] and f["reason"] for f in r["forecast"])'
json 'next(f for f in r["forecast"] if f["node"] == "model.105.m.0")["precision"] == "fp16"'
run lint q.onnx
expect_code 0
expect_out 'model.0.conv'
expect_out '89 int8, 3 fp16'
expect_out 'tensorrt10 was not run'

# what it says would mend a finding does mend it
run quantize "$model" $data --no-share-scales -o apart.onnx
run lint apart.onnx --json
need_json
json 'any(f["rule"] == "concat-scale-clash" and "--share-scales" in f["fix"] for f in r["findings"])'
run lint q.onnx --json
json 'not any(f["rule"] == "concat-scale-clash" for f in r["findings"])'

# a float model, and one for another target
run export "$model" --imgsz 320 -o f.onnx
run lint f.onnx --json
need_json
json '[f["rule"] for f in r["findings"]] == ["no-quantizers"]'
json 'all(f["precision"] == "fp16" for f in r["forecast"])'
run lint f.onnx --target tensorrt11 --json
json 'all(f["precision"] == "fp32" for f in r["forecast"])'
run lint q.onnx --target onnxruntime --json
need_json
json 'any(f["rule"] == "runs-in-float" and "SiLU" not in f["node"] for f in r["findings"])'

# bad use
refuse 2 "did you mean 'tensorrt10'?" lint q.onnx --target tensorrt8
refuse 2 "it is one of tensorrt10, tensorrt11, onnxruntime" lint q.onnx --target openvino
refuse 2 "'lint' needs MODEL.onnx" lint
refuse 3 "missing.onnx" lint missing.onnx
refuse 4 "is a checkpoint" lint "$model"
refuse 5 "larger than the limit" lint q.onnx --max-bytes 1K

# whatever the file: a verdict or a sentence
mkdir bad
python3 "$SOURCE/tests/lib/bad_models.py" "$model" "$scratch/bad" >bad.txt || fail 'the generator'
while IFS=$'\t' read -r name words; do
    case $name in *.onnx) ;; *) continue ;; esac
    for target in tensorrt10 tensorrt11 onnxruntime; do
        run lint "bad/$name" --target $target
        case $code in 0 | 1 | 3 | 4 | 5) ;; *) fail "exit code $code" ;; esac
        ! grep -q Sanitizer err || fail "a sanitizer spoke"
        case $code in 3 | 4 | 5) expect_err "$name" ;; esac
    done
done <bad.txt
# an operator that cannot be run can still be spoken of
run lint bad/operators.onnx --json
need_json 1
json 'any(f["rule"] == "unsupported-op" and "Quuxify" in f["message"] for f in r["findings"])'

foreign=${PTQ_SHARED:-$SOURCE/../shared/data}/qdq/yolov8n-640-qdq-ort.onnx
[ -f "$foreign" ] || skip "$foreign"
run lint "$foreign" --target tensorrt10 --json
need_json 1
json 'any(f["severity"] == "error" and "uint8" in f["message"] for f in r["findings"])'
run lint "$foreign" --target tensorrt10
expect_code 1
expect_out 'tensorrt10 will refuse this file'
run lint "$foreign" --target onnxruntime
expect_code 0

yolov5n=${PTQ_SHARED:-$SOURCE/../shared/data}/yolov5n
run quantize "$yolov5n/yolov5n.pt" --data "$yolov5n/coco128/data.yaml" --imgsz 320 --calib-images 2 --no-eval -o v5.onnx
expect_code 0
run lint v5.onnx --json
need_json
json 'sum(f["precision"] == "int8" for f in r["forecast"]) == 57 and len(r["forecast"]) == 60'
json 'not any(f["rule"] in ("concat-scale-clash", "requantize") for f in r["findings"])'
