#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What tells how far figures can be trusted: runs measured differently are not set side by side, ranges say
# whether they have settled, and the worst layers why they lose.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml"

# eval NAME OPTIONS...: the document of an evaluation
evaluate() {
    local name=$1
    shift
    run eval "$model" $data --limit 4 "$@" --json
    need_json
    cp out "$name.json"
}
evaluate one --imgsz 160 --no-rect
evaluate same --imgsz 160 --no-rect --batch 2
evaluate larger --imgsz 192 --no-rect
evaluate rect --imgsz 160
evaluate conf --imgsz 160 --no-rect --conf 0.01
evaluate iou --imgsz 160 --no-rect --iou 0.5
evaluate other --imgsz 160 --no-rect --split train

run compare one.json same.json --json
need_json
json 'len(r["models"]) == 2 and r["models"][0]["map50_95"] == r["models"][1]["map50_95"]'
json 'len(d["config"]["protocol"]["data_hash"]) == 64'
for pair in larger:imgsz rect:rect conf:conf iou:iou other:data_hash; do
    refuse 3 "different protocols: ${pair#*:} is" compare one.json "${pair%:*}.json"
done
run info "$model" --json
cp out info.json
refuse 3 'does not say by which protocol' compare one.json info.json
echo '{"a": 1}' >foreign.json
refuse 3 'is not a result of ptq' compare one.json foreign.json

# two files of two sizes see different pixels
for size in 96 128; do
    run export "$model" --imgsz $size -o $size.onnx
    expect_code 0
done
refuse 2 'imgsz differs' compare 96.onnx 128.onnx $data --limit 2

run calibrate "$model" $data --imgsz 160 --calib-images 16 --calib-batch 1 -o ranges.json --json
need_json
json '[s["images"] for s in r["coverage"]["steps"]] == [1, 2, 4, 8, 16]'
json 'all(0 <= s["moved"]["mse"] < 10 for s in r["coverage"]["steps"][1:])'
json 'r["coverage"]["settled"] == (r["coverage"]["enough"] is not None)'
run calibrate "$model" $data --imgsz 160 --calib-images 16 -o again.json
expect_out 'coverage: from 8 to 16 images nine of ten ranges (mse) moved by'

run quantize "$model" $data --imgsz 160 --calib-images 4 --no-eval -o q.onnx --json
need_json
json 'len(r["causes"]) == 10 and len(r["coverage"]["steps"]) >= 1'
json 'all(a["sqnr_db"] <= b["sqnr_db"] for a, b in zip(r["causes"], r["causes"][1:]))'
json 'all(c["findings"] and c["channels"]["n"] > 0 for c in r["causes"])'
json 'all(f["cause"] and f["remedy"] and f["gain_db"] > 0 for c in r["causes"] for f in c["findings"])'
run sensitivity "$model" $data --imgsz 160 --calib-images 4 --limit 6 --metric fidelity --json
need_json
json '[c["layer"] for c in r["causes"]] == [l["name"] for l in r["layers"][:10]]'
