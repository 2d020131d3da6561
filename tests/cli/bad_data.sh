#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Data sets with a fault: a sentence that names the file and the place, or a warning that says what was
# left out; never a number from less than was asked for without a word.
. "$SOURCE/tests/lib/cli.sh" || exit 1

# A data set of four demo images in ./set; yaml TEXT overwrites its yaml.
fresh() {
    rm -rf set
    mkdir -p set/images set/labels
    for stem in $(sed -n 's|.*/\([0-9]*\).jpg|\1|p' "$demo/val2017.txt" | head -4); do
        cp "$demo/images/val2017/$stem.jpg" set/images/
        cp "$demo/labels/val2017/$stem.txt" set/labels/ 2>/dev/null || : >"set/labels/$stem.txt"
    done
    ls -d "$PWD"/set/images/*.jpg >set/val.txt
    printf 'train: val.txt\nval: val.txt\nnc: 8\nnames: [a, b, c, d, e, f, g, h]\n' >set/data.yaml
    first=$(ls set/images | head -1)
}
evaluate() {
    run eval "$model" --data set/data.yaml --imgsz 320 --json
}

fresh
evaluate
need_json
json 'r["images"] == 4'

fresh
: >set/val.txt
evaluate
expect_code 3
expect_err "'val' of 'set/data.yaml' holds no image"

fresh
rm set/val.txt
evaluate
expect_code 3
expect_err val.txt

fresh
sed -i 's/nc: 8/nc: 80/; s/^names.*//' set/data.yaml
evaluate
[ "$code" = 3 ] || [ "$code" = 4 ] || [ "$code" = 2 ] || fail 'a class count unlike the model passes'
expect_err 80

fresh
sed -i 's/nc: 8/nc: 9/' set/data.yaml
evaluate
[ "$code" != 0 ] || fail 'nc and the number of names differ'

# As YOLOv7, an image whose labels are malformed is left out: said once for each, and counted.
fresh
echo '0 1.5 0.5 0.2 0.2' >>"set/labels/${first%.jpg}.txt"
evaluate
expect_err "labels/${first%.jpg}.txt' line"
expect_err '1 of 4 images are left out'
need_json
json 'r["images"] == 3 and len(d["warnings"]) == 2'

fresh
echo '42 0.5 0.5 0.2 0.2' >>"set/labels/${first%.jpg}.txt"
evaluate
expect_err "${first%.jpg}"

fresh
echo 'cat 0.5 0.5' >>"set/labels/${first%.jpg}.txt"
evaluate
expect_err "${first%.jpg}"

fresh
head -c 900 "$demo/images/val2017/$first" >"set/images/$first"
evaluate
expect_err "$first"

fresh
echo 'not a picture' >"set/images/$first"
evaluate
expect_err "$first"

fresh
rm "set/images/$first"
evaluate
expect_err "$first"

fresh
rm -rf set/labels
evaluate
expect_code 3
expect_err label

fresh
printf 'val: [val.txt\n' >set/data.yaml
evaluate
[ "$code" = 2 ] || [ "$code" = 3 ] || fail 'malformed yaml passes'
expect_err data.yaml

fresh
echo 'colour: red' >set/quant.yaml
run quantize "$model" --data set/data.yaml --imgsz 320 --quant-config set/quant.yaml -o q.onnx
expect_code 2
expect_err colour
[ ! -e q.onnx ] || fail 'written all the same'

echo '{"images": [], "annotations": [{"id": 1}], "categories": []}' >a.json
echo '[{"image_id": 1}]' >d.json
run eval --detections d.json --annotations a.json
[ "$code" = 3 ] || [ "$code" = 4 ] || fail 'malformed annotations pass'
echo '[{"image_id": 1,' >d.json
run eval --detections d.json --annotations "$demo/instances_val2017.json"
[ "$code" = 3 ] || [ "$code" = 4 ] || fail 'truncated detections pass'
expect_err d.json
