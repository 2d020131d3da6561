#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ptq detect` finds what YOLOv5's and YOLOv7's own code found: recorded detections at confidence
# 0.25 and IoU 0.45, in the pixels of the picture.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data=${PTQ_SHARED:-$SOURCE/../shared/data}/yolov5n
[ -f "$data/golden/square_nms.json" ] || skip "$data/golden/square_nms.json is absent"

what='reading images.json'
picture=$(find "$data" -name "$(python3 -c '
import json, sys
print(next(x["file"] for x in json.load(open(sys.argv[1])) if x["tag"] == "square"))' \
    "$data/golden/images.json")" | head -1)
size=$(python3 -c '
import json, sys
print(next(x["input_shape"][2] for x in json.load(open(sys.argv[1])) if x["tag"] == "square"))' \
    "$data/golden/images.json")
run detect "$data/yolov5n.pt" "$picture" --imgsz "$size" --json
need_json
python3 - out "$data/golden/square_nms.json" >differences <<'PY' || fail "$(cat differences)"
import json, sys
got = json.load(open(sys.argv[1]))["result"]["images"][0]["detections"]
want = json.load(open(sys.argv[2]))["nms_conf25_iou045_singlelabel"]
if len(got) != len(want):
    sys.exit(print(f"{len(got)} boxes instead of {len(want)}") or 1)
for g, w in zip(got, want):
    near = all(abs(a - b) < 0.05 for a, b in zip(g["box"], w["xyxy_native"]))
    if g["class"] != w["cls"] or abs(g["score"] - w["conf"]) > 1e-4 or not near:
        sys.exit(print(g, w) or 1)
PY
exit 0
