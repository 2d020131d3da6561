#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Precision by budget on the demo: --keep16, --max-ms, --max-drop; the front, the chosen point, and the
# expressions that give the same layers again.
. "$SOURCE/tests/lib/cli.sh" || exit 1
# only the first layers are quantized: it is the walk that is tested
data="--data $demo/shapes.yaml --imgsz 160 --calib-images 4 --exclude model\.(1[2-9]|[2-9][0-9]|10[0-9])\."

# is_front: every point keeps more than the one before, and the first keeps nothing.
is_front() {
    json 'len(r["front"]) >= 2 and 0 <= r["chosen"] < len(r["front"])'
    json 'r["front"][0]["kept"] == 0 and all(p["latency_ms"] > 0 for p in r["front"])'
    json 'all(a["kept"] < b["kept"] for a, b in zip(r["front"], r["front"][1:]))'
    json 'r["front"][0]["pareto"] and len(r["exclude"]) == r["front"][r["chosen"]]["kept"]'
}

run quantize "$model" $data --effort quick --no-eval --keep16 2 -o keep.onnx --json
need_json
is_front
json 'r["chosen"] == len(r["front"]) - 1 and 1 <= len(r["exclude"]) <= 2'
json 'r["front"][-1]["movement"] < r["front"][0]["movement"]'
cp out keep.json

# the expressions give the same layers
mapfile -t exclude < <(python3 -c '
import json
for e in json.load(open("keep.json"))["result"]["exclude"]:
    print("--exclude"); print(e)')
run quantize "$model" $data --effort quick --no-eval "${exclude[@]}" -o again.onnx --json
need_json
json '([q["layer"] for q in r["quantizers"]] ==
       [q["layer"] for q in json.load(open("keep.json"))["result"]["quantizers"]])'

# any time will do: the best point; no time will: a sentence with what it takes
run quantize "$model" $data --effort quick --no-eval --max-ms 100000 -o slow.onnx --json
need_json
is_front
json 'r["chosen"] == len(r["front"]) - 1'
refuse 2 'no choice of layers runs within 0.001 ms here; with all in 8 bit it takes' \
    quantize "$model" $data --effort quick --no-eval --max-ms 0.001 -o never.onnx
[ ! -e never.onnx ] || fail 'never.onnx was written'

# a drop that all in 8 bit keep within: nothing has to be kept
run quantize "$model" $data --effort default --max-drop 1 --limit 8 -o drop.onnx --json
need_json
is_front
json 'r["chosen"] == 0 and r["exclude"] == [] and r["verdict"]["pass"]'
json 'all(isinstance(p["drop"], float) for p in r["front"])'
# one that none keeps within: the best point is taken, and the gate says no
run quantize "$model" $data --effort default --max-drop 0 --metric fidelity --limit 8 -o none.onnx --json
is_front
json 'all(p["drop"] > 0 for p in r["front"]) or r["front"][r["chosen"]]["drop"] <= 0'
