#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Disks that are full, fail or are read-only: exit code 3, a sentence that names the file, nothing left.
. "$SOURCE/tests/lib/cli.sh" || exit 1
data="--data $demo/shapes.yaml --imgsz 64 --calib-images 2"
picture=$demo/images/val2017/000000000152.jpg
mkdir o

# What is in o, but for what a run keeps to go on from when there is room again.
left() {
    find o -type f ! -name '.*.partial' ! -name '.*.journal'
}

# refuse_output WORDS NAME ARGS...: NAME cannot be written: that is said, and no file is there.
refuse_output() {
    local words=$1 name=$2
    shift 2
    refuse 3 "$words" "$@"
    expect_err "$name"
    [ -z "$(left)" ] || fail "something is left: $(left)"
}

# each_output WORDS: every command that writes.
each_output() {
    refuse_output "$1" x.onnx export "$model" -o o/x.onnx --imgsz 64
    refuse_output "$1" q.onnx quantize "$model" $data --no-eval -o o/q.onnx
    refuse_output "$1" c.json calibrate "$model" $data -o o/c.json
    refuse_output "$1" l.txt list "$demo/images" -o o/l.txt
    refuse_output "$1" d.json eval "$model" --data "$demo/shapes.yaml" --imgsz 64 --limit 8 --conf 0.001 --save-detections o/d.json
    refuse_output "$1" output.npy run "$model" --input "$picture" --out-dir o
}

# A file may not grow beyond a block, as on a disk that is full; the signal that comes with it is ignored.
(
    trap '' XFSZ
    ulimit -f 1
    each_output 'File too large'
    refuse 3 'File too large' sensitivity "$model" $data --limit 4 --journal o/j.json
    [ -z "$(left)" ] || fail "something is left: $(left)"
) || exit 1

# A disk that fails when all is to be kept.
if [ -n "${FAULT_SHIM:-}" ]; then
    export LD_PRELOAD=$FAULT_SHIM PTQ_FAULT_FSYNC=1
    each_output 'Input/output error'
    unset LD_PRELOAD PTQ_FAULT_FSYNC
fi

# A disk that cannot be read: the first bytes of this file are nobody's.
refuse 3 'Input/output error' info /proc/self/mem
refuse 3 'Input/output error' eval "$model" --data /proc/self/mem
refuse 3 'Input/output error' quantize "$model" $data --no-eval --calib-from /proc/self/mem -o o/q.onnx
refuse 3 'Input/output error' quantize "$model" $data --no-eval --quant-config /proc/self/mem -o o/q.onnx
refuse 3 'Input/output error' eval --detections /proc/self/mem --annotations "$demo/instances_val2017.json"
refuse 3 'Input/output error' run "$model" --input /proc/self/mem

# Devices are written, never replaced.
refuse 3 'No space left on device' export "$model" -o /dev/full --imgsz 64
run export "$model" -o /dev/null --imgsz 64
expect_code 0
[ -c /dev/null ] && [ -c /dev/full ] || fail 'a device is gone'

# A small disk and a read-only one, where mounting is allowed.
cat >mounts.sh <<'SH'
mkdir small && mount -t tmpfs -o size=256k tmpfs small || exit 77
"$PTQ" export "$1" -o small/x.onnx --imgsz 64 2>err
[ $? = 3 ] && grep -q 'No space left' err && [ -z "$(ls small)" ] || exit 1
mount -o remount,ro small || exit 77
"$PTQ" export "$1" -o small/x.onnx --imgsz 64 2>err
[ $? = 3 ] && grep -q -i 'read-only' err || exit 1
SH
what='ptq export on a small disk'
export PTQ
unshare -rm bash mounts.sh "$model" >out
code=$?
[ $code = 0 ] || [ $code = 77 ] || [ ! -d small ] || fail 'a small or read-only disk'
