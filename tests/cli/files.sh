#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Outputs: never replaced unasked, checked before the work, whole or not there.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 320 --calib-images 2 --no-eval"

echo precious >taken
refuse 3 "output 'taken' exists; use --force to replace it" export "$model" -o taken
refuse 3 "output 'taken' exists" quantize "$model" $data -o taken
refuse 3 "output 'taken' exists" calibrate "$model" --data "$demo/shapes.yaml" -o taken
refuse 3 "output 'taken' exists" list "$demo" -o taken
refuse 3 "output 'taken' exists" eval "$model" --data "$demo/shapes.yaml" --save-detections taken
[ "$(cat taken)" = precious ] || fail 'the file was touched'

refuse 3 'its folder does not exist' export "$model" -o nowhere/x.onnx
refuse 3 'it is a folder' export "$model" -o .
cp "$model" own.pt
refuse 2 'is the input itself' export own.pt -o own.pt --force
cmp -s own.pt "$model" || fail 'the input was touched'
refuse 3 'missing.pt' export missing.pt -o x.onnx
refuse 3 'missing.yaml' eval "$model" --data missing.yaml
[ ! -e x.onnx ] || fail 'an output without an input'

# a default name beside the working directory, and --force
run export own.pt --imgsz 64
expect_code 0
[ -s own.fp32.onnx ] || fail 'no own.fp32.onnx'
run export own.pt --imgsz 64
expect_code 3
run export own.pt --imgsz 64 -f
expect_code 0

if [ "$(id -u)" != 0 ]; then
    mkdir closed
    chmod a-w closed
    refuse 3 'read-only' export "$model" -o closed/x.onnx
fi
# no process may create files there, root included
refuse 3 '/proc/x.onnx' export "$model" -o /proc/x.onnx

run list "$demo/images" -o list.txt --json
need_json
json 'r["images"] == 128'
[ "$(sort -c list.txt && wc -l <list.txt)" = 128 ] || fail 'the list is not sorted, or not whole'
! ls -A | grep -E '\.(part|tmp)' || fail 'temporary files are left'
