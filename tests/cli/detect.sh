#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ptq detect`: pictures, folders, patterns and lists; boxes painted and listed.
. "$SOURCE/tests/lib/cli.sh" || exit 1

pictures=$demo/images/val2017
one=$pictures/000000000176.jpg
fast='--imgsz 320'

run detect "$model" "$one" -o found $fast --json
need_json
json 'len(r["images"]) == 1 and r["images"][0]["file"].endswith("000000000176.jpg")'
json 'all({"class", "name", "score", "box"} <= x.keys() for x in r["images"][0]["detections"])'
json 'sorted(x["name"] for x in r["images"][0]["detections"]) == ["circle", "square"]' # seen by eye
json 'all(x["score"] > 0.25 and len(x["box"]) == 4 for x in r["images"][0]["detections"])'
[ -s found/000000000176.jpg ] || fail 'no picture was written'
cmp -s found/000000000176.jpg "$one" && fail 'nothing was painted'

refuse 3 'exists; use --force' detect "$model" "$one" -o found $fast
run detect "$model" "$one" -o found $fast --force
expect_code 0
expect_out 'square'
cp "$one" copy.jpg
refuse 3 'is the picture itself' detect "$model" copy.jpg -o . --force $fast

mkdir -p few/deep
cp "$pictures"/000000000152.jpg few/
cp "$pictures"/000000000154.jpg few/deep/a.jpg
cp "$pictures"/000000000176.jpg few/a.jpg
run detect "$model" few -o several $fast --json
need_json
json 'len(r["images"]) == 3'
[ "$(ls several | wc -l)" = 3 ] || fail 'pictures of one name are written over each other'
run detect "$model" 'few/*.jpg' $fast --json
json 'len(r["images"]) == 2'
printf './few/a.jpg\nfew/000000000152.jpg\n' >list.txt
run detect "$model" list.txt $fast --conf 0.99 --json
json 'len(r["images"]) == 2 and not any(x["detections"] for x in r["images"])'
run detect "$model" few/a.jpg few/000000000152.jpg few/a.jpg $fast --json
json 'len(r["images"]) == 2' # each once

refuse 3 "no picture, folder or list is called 'nowhere.jpg'" detect "$model" nowhere.jpg
refuse 2 "needs MODEL IMAGE..." detect "$model"
echo nonsense >bad.jpg
refuse 3 'bad.jpg' detect "$model" bad.jpg $fast
exit 0
