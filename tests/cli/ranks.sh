#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Several processes share a calibration and a ranking: the same bits as one; a rank that is lost takes the
# others with it, and the journal has what was measured.
. "$SOURCE/tests/lib/cli.sh" || exit 1
command -v mpirun >/dev/null || skip 'mpirun is not installed'
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_WAIT_POLICY=passive
data="--data $demo/shapes.yaml --imgsz 96 --threads 1"

# ranks N ARGS...: as run, in N processes.
ranks() {
    local n=$1
    shift
    what="mpirun -n $n ptq $*"
    mpirun --oversubscribe -n "$n" "$PTQ" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    code=$?
}

run calibrate "$model" $data --calib-images 11 --calib-batch 2 -o one.json
expect_code 0
for n in 2 3; do
    ranks $n calibrate "$model" $data --calib-images 11 --calib-batch 2 -o $n.json --json
    grep -q 'built without MPI' err && skip 'ptq was built without MPI'
    need_json # one document, not one per rank
    cmp -s one.json $n.json || fail "other ranges with $n ranks"
    json 'len(r["coverage"]["steps"]) == 3'
done

common="$data --calib-from one.json --limit 6 --metric fidelity --top 3"
for how in '' --exhaustive; do
    granularity=conv
    [ -z "$how" ] || granularity=block
    run sensitivity "$model" $common --granularity $granularity $how --json
    need_json
    cp out one.rank
    ranks 3 sensitivity "$model" $common --granularity $granularity $how --journal j$how.json --json
    need_json
    json 'r["layers"] == json.load(open("one.rank"))["result"]["layers"]'
    # what the journal has is not measured again, and says the same
    run sensitivity "$model" $common --granularity $granularity $how --journal j$how.json --json
    need_json
    json 'r["layers"] == json.load(open("one.rank"))["result"]["layers"]'
done

# a rank is killed: no result; the journal carries on. More images: it must not be done before it is killed.
common=${common/--limit 6/--limit 30}
mpirun --oversubscribe -n 2 "$PTQ" sensitivity "$model" $common --exhaustive --journal lost.json \
    >lost.out 2>lost.err </dev/null &
job=$!
for _ in $(seq 600); do
    [ -s lost.json ] && break
    sleep 0.1
done
kill -KILL "$(pgrep -P $job | head -1)"
wait $job
code=$?
what='mpirun, one rank killed'
[ "$code" != 0 ] && [ ! -s lost.out ] || fail 'a result without one of the ranks'
run sensitivity "$model" $common --exhaustive --json
need_json
cp out one.rank
ranks 2 sensitivity "$model" $common --exhaustive --journal lost.json --json
need_json
json 'r["layers"] == json.load(open("one.rank"))["result"]["layers"]'

ranks 2 eval "$model" $data --limit 2
[ "$code" != 0 ] || fail 'an evaluation by two ranks'
expect_err "'eval' cannot be shared by several ranks"
