#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Processors without AVX-512 and without AVX2, emulated by qemu-user: no instruction that they lack is
# executed, and the outputs are those of --cpu avx2 and ref on this machine.
. "$SOURCE/tests/lib/cli.sh" || exit 1
picture=$demo/images/val2017/000000000152.jpg
tests=$(dirname "$PTQ")/tests
emulator=$(command -v qemu-x86_64-static || command -v qemu-x86_64) || skip 'no qemu-x86_64 (Debian: qemu-user-static)'
grep -q avx2 /proc/cpuinfo 2>/dev/null || skip 'this machine has no AVX2 to compare with'
# A policy that is chosen already keeps the program from starting itself once more, outside the emulator.
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1

# on CPU PROGRAM ARGS...: the program on that processor.
on() {
    what="$emulator -cpu $*"
    "$emulator" -cpu "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    code=$?
}

run quantize "$model" --data "$demo/shapes.yaml" --imgsz 64 --calib-images 4 --no-eval -o q.onnx --threads 1
expect_code 0
for case in Haswell:avx2 Nehalem:ref; do
    cpu=${case%:*} level=${case#*:}
    for file in q.onnx "$model"; do
        name=$(basename "$file")
        run run "$file" --imgsz 64 --input "$picture" --out-dir "$name-$level" --cpu "$level" --threads 1 -q
        expect_code 0
        on "$cpu" "$PTQ" run "$file" --imgsz 64 --input "$picture" --out-dir "$name-$cpu" --threads 1 -q
        expect_code 0
        python3 - "$name-$level" "$name-$cpu" <<'PY' || fail "$cpu does not compute what --cpu $level does"
import struct, sys

def load(folder):
    data = open(f"{folder}/output.npy", "rb").read()
    values = data[10 + struct.unpack("<H", data[8:10])[0]:]
    return struct.unpack(f"<{len(values) // 4}f", values)

want, got = map(load, sys.argv[1:])
sys.exit(not max(abs(a - b) for a, b in zip(got, want)) <= 1e-5 * max(map(abs, want)))
PY
    done
done

# Every convolution and the counting, at the level that is found there. oneDNN is kept from the gathers
# of AVX2: qemu 7.2 loses the index of a gather that is in ymm4 (docs/limits.md).
export ONEDNN_MAX_CPU_ISA=AVX
for test in conv count detections strided_view; do
    on Haswell "$tests/kernels_test_$test"
    expect_code 0
done
exit 0
