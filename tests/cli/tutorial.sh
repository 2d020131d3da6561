#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program that the comments of include/ptq/ptq.h are (tests/lib/tutorial.py) does on the demo what
# they say.
. "$SOURCE/tests/lib/cli.sh" || exit 1
program=$(dirname "$PTQ")/tests/tutorial
[ -x "$program" ] || skip "$program is not built"

ln -s "$model" yolov7.pt
ln -s "$demo/images/val2017/000000000176.jpg" street.jpg
sed -E "s#^(train|val|annotations): #&$demo/#" "$demo/shapes.yaml" >coco.yaml
what=tutorial
OMP_WAIT_POLICY=passive "$program" >out 2>err </dev/null
code=$?
expect_code 0
expect_no_err
expect_out 'quantizers of 89 layers'
for line in '^float: 0\.[0-9]*$' '^simulated, .*: 0\.[0-9]*$' '^costs most: model\.' '^int8: 0\.[0-9]*$'; do
    grep -qE "$line" out || fail "no line $line"
done
for file in ranges.json rank.journal yolov7.int8.onnx report/index.html found/street.jpg; do
    [ -s "$file" ] || fail "no $file"
done
exit 0
