#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every kind of command on demo/ under valgrind's memcheck: invalid reads and writes, decisions by values
# that were never set, memory that is lost. Valgrind 3.19 knows no AVX-512 and runs one thread at a time.
#
# usage: tools/valgrind.sh BUILD
set -uo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
ptq=$(cd "${1:?usage: tools/valgrind.sh BUILD}" && pwd)/ptq
model=$source/demo/yolov7-shapes.pt
picture=$source/demo/images/val2017/000000000152.jpg
data="--data $source/demo/shapes.yaml --imgsz 64"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ptq-valgrind-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
# A policy that is chosen already keeps the program from starting itself once more.
[ "$(uname -m)" != x86_64 ] || export PTQ_CPU=${PTQ_CPU:-avx2}
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 PTQ_THREADS=1
failed=0

# check CODES ARGS...: the command ends with one of the codes and memcheck has nothing to say.
check() {
    local codes=$1 code
    shift
    valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --error-exitcode=99 --log-file=memcheck.%p \
        "$ptq" "$@" >out 2>err </dev/null
    code=$?
    case " $codes " in
    *" $code "*) echo "ok      ptq $*" ;;
    *)
        failed=$((failed + 1))
        echo "FAILED  ptq $* (exit code $code)"
        cat err memcheck.* | head -60
        ;;
    esac
    rm -f memcheck.*
}

check 0 info "$model"
check 0 list "$source/demo/images" -o list.txt
check 0 eval "$model" $data --limit 2 --coco --save-detections boxes.json
check 0 calibrate "$model" $data --calib-images 2 -o ranges.json
few=(--exclude 'model\.(1[2-9]|[2-9][0-9]|10[0-9])\.') # layers enough to search among
check 0 quantize "$model" $data --calib-images 2 --limit 2 --effort default "${few[@]}" -o q.onnx --report report
check 0 sensitivity "$model" $data --calib-images 2 --limit 2
for head in decoded raw nms; do
    check 0 export "$model" --imgsz 64 --head $head -o $head.onnx
done
check 0 eval q.onnx $data --limit 2
check 0 bench "$model" --imgsz 64 --runs 1
check 0 run q.onnx --imgsz 64 --input "$picture" --out-dir tensors
check 0 detect "$model" "$picture" --imgsz 64
check 0 compare "$model" q.onnx --imgsz 64 --input "$picture"
check '0 1' lint q.onnx
check 0 report report/report.json -o page.html

mkdir bad
python3 "$source/tests/lib/bad_models.py" "$model" bad >bad.txt
while IFS=$'\t' read -r name _; do
    check '0 3 4 5' info "bad/$name"
done < <(grep -v '^noise-' bad.txt | awk 'NR % 4 == 1')

echo "$failed failed"
[ $failed = 0 ]
