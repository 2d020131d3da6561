#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every target in every form: the file keeps the target's rules, and reading it and writing it again gives the same
# graph with the same codes, byte for byte.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 320"
graph="python3 $SOURCE/tests/lib/onnx_graph.py"

run calibrate "$model" $data --calib-images 2 --target onnxruntime -o ranges.json --json
need_json
for target in tensorrt10 tensorrt11 onnxruntime; do
    for form in decoded/1 decoded/dynamic raw/2 nms/dynamic; do
        head=${form%/*} batch=${form#*/}
        run quantize "$model" --imgsz 320 --calib-from ranges.json --no-eval --target $target --head $head \
            --batch $batch -f -o q.onnx --json
        need_json
        json "r['target'] == '$target' and d['config']['head'] == '$head'"
        $graph target $target q.onnx || fail "rules of $target, $form"
        again=$([ $head = nms ] && echo nms || echo decoded)
        run export q.onnx --head $again --batch $batch -f -o again.onnx --json
        need_json
        $graph same q.onnx again.onnx || fail "$target, $form: written again it is another graph"
    done
done

# float weights, a layer kept in 16 bit, no sharing: still the same
for target in tensorrt11 onnxruntime; do
    run quantize "$model" --imgsz 320 --calib-from ranges.json --no-eval --target $target --exclude 'model\.5\.' \
        --no-share-scales --float-weights -f -o q.onnx --json
    need_json
    json 'any(k["layer"].startswith("model.5.") for k in r["kept_layers"])'
    run export q.onnx -f -o again.onnx --json
    need_json
    $graph same q.onnx again.onnx || fail "$target with float weights: written again it is another graph"
done

# a float16 graph without quantizers, and the forms of a float file
run export "$model" --imgsz 320 --half --head nms --batch dynamic -o half.onnx --json
need_json
json 'r["opset"] == 13 and d["config"]["half"] and r["input"]["shape"] == [-1, 3, 320, 320]'
run export half.onnx --head nms --batch dynamic -o half2.onnx --json
need_json
$graph same half.onnx half2.onnx || fail 'float16: written again it is another graph'
run info half.onnx --json
need_json
json 'r["classes"] == 8 and r["float16"] and r["nms"]["max_det"] == 100'
run eval half.onnx --data $demo/shapes.yaml --batch 3 --limit 6 --json
need_json
json 'r["images"] == 6'

# the next step, beside the table and not in the document
run quantize "$model" --imgsz 320 --calib-from ranges.json --no-eval -f -o q.onnx
expect_code 0
expect_out 'next: trtexec --onnx=q.onnx --saveEngine=q.engine --int8 --fp16'
expect_out 'trtexec was not run here'
run quantize "$model" --imgsz 320 --calib-from ranges.json --no-eval --target tensorrt11 --batch dynamic -f -o q.onnx
expect_out 'next: trtexec --onnx=q.onnx --saveEngine=q.engine --minShapes=images:1x3x320x320'
expect_out 'with TensorRT 11'
run export "$model" --imgsz 320 -f -o f.onnx
expect_out 'next: trtexec --onnx=f.onnx --saveEngine=f.engine --fp16'

# a calibration cache
run calibrate "$model" $data --calib-images 1 --calib max --trt-cache net.cache --trt-version 8.6.1
expect_code 0
expect_out 'wrote net.cache'
[ "$(head -1 net.cache)" = TRT-8601-EntropyCalibration2 ] || fail 'first line of the cache'
grep -qxE 'images: 3c01[0-9a-f]{4}' net.cache || fail 'images: about 1/127'
refuse 2 'implicit INT8' calibrate "$model" $data --trt-cache other.cache --trt-version 11.0.0
refuse 3 'exists' calibrate "$model" $data --trt-cache net.cache

refuse 2 'head' export "$model" --head boxes -o x.onnx
refuse 2 'target' quantize "$model" $data --target tensorrt9 -o x.onnx
refuse 4 'opset 19' export again.onnx --half --opset 13 -o x.onnx
