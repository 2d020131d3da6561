#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Looks for data races: the tests that use threads and the commands on demo/, on four threads, under
# ThreadSanitizer. OpenMP is clang's: its libarcher tells ThreadSanitizer who waits for whom, which no
# tool can see of gcc's.
#
# usage: tools/tsan.sh BUILD      made by clang with -DPTQ_SANITIZE=thread -DPTQ_ONEDNN=OFF
set -uo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: tools/tsan.sh BUILD}" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ptq-tsan-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
tests=(base/test_pool data/test_loader data/test_dataset engine/test_engine engine/test_random_graphs
    engine/test_schedule engine/test_session
    eval/test_evaluate eval/test_evaluator eval/test_coco_eval eval/test_session_predict eval/test_lanes
    kernels/test_peak quant/test_calibrate quant/test_histogram quant/test_ranges
    quant/test_map_resample quant/test_fit_weights api/test_runner_api)
failed=0

# Without it ThreadSanitizer takes every wait inside OpenMP for a race: better none than noise.
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
for archer in "$("$compiler" -print-resource-dir)"/../../libarcher.so "$("$compiler" -print-file-name=libarcher.so)"; do
    [ -e "$archer" ] && break
done
[ -e "$archer" ] || { echo "no libarcher.so beside $compiler; Debian's is in libomp-dev" >&2; exit 1; }
export OMP_TOOL_LIBRARIES=$archer OMP_NUM_THREADS=4 OMP_WAIT_POLICY=passive PTQ_THREADS=4
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:exitcode=66

# check COMMAND...: ends well, and ThreadSanitizer has nothing to say.
check() {
    local code
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    code=$?
    # 77: the test wants data that is not here.
    if { [ $code = 0 ] || [ $code = 77 ]; } && ! grep -q 'WARNING: ThreadSanitizer' "$scratch/err"; then
        echo "ok      ${*/#$source\//}"
        return
    fi
    failed=$((failed + 1))
    echo "FAILED  $* (exit code $code)"
    head -80 "$scratch/err"
}

ninja -C "$build" ptq "${tests[@]/\//_}" || exit 1
cd "$source" || exit 1
for test in "${tests[@]}"; do
    check "$build/tests/${test/\//_}"
done

ptq=$build/ptq
model=demo/yolov7-shapes.pt
data=(--data demo/shapes.yaml --imgsz 64)
check "$ptq" eval $model "${data[@]}" --limit 16 --coco
check "$ptq" calibrate $model "${data[@]}" --calib-images 8 -o "$scratch/ranges.json"
check "$ptq" calibrate $model "${data[@]}" --calib-images 8 --compat pytorch -o "$scratch/compat.json"
check "$ptq" quantize $model "${data[@]}" --calib-images 4 --limit 8 --effort default -o "$scratch/q.onnx" \
    --exclude 'model\.(1[2-9]|[2-9][0-9]|10[0-9])\.' # the search, on few layers
check "$ptq" sensitivity $model "${data[@]}" --calib-images 8 --limit 4
check "$ptq" eval "$scratch/q.onnx" "${data[@]}" --limit 16
check "$ptq" detect $model demo/images/val2017/000000000152.jpg --imgsz 64
check "$ptq" bench "$scratch/q.onnx" --imgsz 64 --runs 3

echo "$failed failed"
[ $failed = 0 ]
