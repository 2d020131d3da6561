#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job on the demo, command by command: FP32 equals the official code (demo/expected.json), int8
# is not worse than its fake quantization by more than 0.003, and every command answers with its keys.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 320"

# near KEY VALUE TOLERANCE: of the last result
near() {
    json "abs(r['$1'] - $2) <= $3"
}
expected() {
    python3 -c "import json; print(json.load(open('$demo/expected.json'))['$1']['$2'])"
}

for protocol in rect square; do
    no=$([ $protocol = rect ] || echo no-)
    run eval "$model" $data --${no}rect --coco --json --save-detections $protocol.json
    need_json
    json 'r["images"] == 80 and len(r["coco"]) == 12'
    near map50_95 "$(expected "fp32|demo|$protocol" mAP)" 0.0005
    near map50 "$(expected "fp32|demo|$protocol" mAP50)" 0.0005
    near precision "$(expected "fp32|demo|$protocol" P)" 0.001
    near recall "$(expected "fp32|demo|$protocol" R)" 0.001
done
cp out square.out
run eval --detections square.json --annotations "$demo/instances_val2017.json" --json
need_json
json "abs(r['coco']['ap'] - json.load(open('square.out'))['result']['coco']['ap']) <= 2e-4"

run calibrate "$model" $data --calib-images 48 --compat pytorch -o ranges.json --json
need_json
json 'r["images"] == 48 and len(r["tensors"]) > 20'
json 'all(t["amax"].keys() >= {"max", "percentile", "entropy", "mse"} and t["layers"] for t in r["tensors"])'

like_the_original="--compat pytorch --no-share-scales --no-residual"
run quantize "$model" $data --calib mse --calib-from ranges.json $like_the_original -o q.onnx --json
need_json
json 'r["quantized_layers"] > 80 and len(r["kept_layers"]) >= 3 and r["fp32"]["map50_95"] > 0.2'
least=$(expected 'mse/exclDetect|demo|square' mAP)
json "r['int8']['map50_95'] >= $least - 0.003"

run info q.onnx --quant --json
need_json
json 'len(r["quantizers"]) > 80 and r["ops"]["QuantizeLinear"] > 40'
for precision in int8 fp32; do
    run eval q.onnx $data --precision $precision --json
    need_json
    cp out $precision.out
done
json "abs(r['map50_95'] - json.load(open('int8.out'))['result']['map50_95']) <= 0.002"

run sensitivity "$model" $data --limit 4 --calib-images 2 --granularity block --metric sqnr --top 3 --json
need_json
json 'len(r["top"]) == 3 and all(a["drop"] >= b["drop"] for a, b in zip(r["layers"], r["layers"][1:]))'

run export "$model" --imgsz 320 -o f.onnx --json
need_json
json 'r["opset"] == 13 and r["nodes"] > 100'
run compare "$model" f.onnx --input "$demo/images/val2017/000000000152.jpg" --json
need_json
json 'max(t["max_abs"] for t in r["tensors"]) < 1e-2'
run compare "$model" q.onnx $data --limit 4 --images both --json
need_json
json 'len(r["models"]) == 2 and len(r["tensors"]) >= 10 and r["models"][0]["map50_95"] > 0.2'
json 'len(r["images"]) == 4 and all(len(x["detections"]) == 2 for x in r["images"])'
[ -s both/000000000215.jpg ] || fail 'no picture with both models'
python3 - both/000000000215.jpg <<'EOF' || fail 'not side by side'
import struct, sys
data, at = open(sys.argv[1], "rb").read(), 2
while data[at + 1] != 0xC0: # the frame header of a baseline JPEG
    at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
sys.exit(struct.unpack(">HH", data[at + 5:at + 9]) != (256, 320 + 8 + 320))
EOF
# Without labels the models are compared all the same: by how like B's boxes are to A's.
mkdir street && cp "$demo"/images/val2017/0000000001*.jpg "$demo"/images/val2017/0000000002*.jpg street
run compare "$model" q.onnx --data street --imgsz 320 --json
need_json
json 'all("map50_95" not in m and m["latency_ms"] > 0 for m in r["models"])'
json 'r["models"][0]["fidelity"] > 0.99 > r["models"][1]["fidelity"] > 0.5'
json 'any("no mAP" in w for w in d["warnings"])'
refuse 3 'go by --metric fidelity' eval "$model" --data street --imgsz 320
refuse 3 'exists; use --force' compare "$model" q.onnx --images both \
    --input "$demo/images/val2017/000000000215.jpg"

run run q.onnx --input "$demo/images/val2017/000000000152.jpg" --imgsz 320 --out-dir tensors --tap images --json
need_json
json 'len(r["outputs"]) >= 1'
[ -s tensors/images.npy ] || fail 'no tensors/images.npy'

# what is fused changes nothing but the time
for fusion in activation requantize movement concat winograd decode; do
    run run q.onnx --input "$demo/images/val2017/000000000152.jpg" --without $fusion --out-dir $fusion
    python3 "$SOURCE/tests/lib/agree.py" decoded tensors/output.npy $fusion/output.npy ||
        fail "without $fusion the outputs differ"
done

run bench q.onnx --precision fp32,int8 --imgsz 320 --runs 3 --threads 1 --layers --json
need_json
json '[x["precision"] for x in r["runs"]] == ["fp32", "int8"]'
json 'r["load_ms"] > 0 and all(x["first_run_ms"] > 0 for x in r["runs"])'
json 'all(x["latency_ms"]["min"] <= x["latency_ms"]["median"] <= x["latency_ms"]["max"] for x in r["runs"])'

# a gate that cannot be met: the file is written, the answer is no
run quantize "$model" $data --calib max --calib-images 1 --max-drop 0 --limit 20 -o gate.onnx
[ "$code" = 0 ] || [ "$code" = 1 ] || fail "exit code $code"
