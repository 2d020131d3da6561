# SPDX-License-Identifier: Apache-2.0
# What the tests of tests/cli share. A test begins with
#     . "$SOURCE/tests/lib/cli.sh" || exit 1
# and stands then in a folder of its own, $scratch, that is removed at the end. After
#     run info "$demo/yolov7-shapes.pt"
# the exit code is in $code, the streams in the files out and err of that folder; the checks below
# print what was run when they do not hold.
set -u

: "${PTQ:?the program to test}" "${SOURCE:?the root of the repository}"
unset PTQ_THREADS PTQ_CPU COLUMNS
demo=$SOURCE/demo
model=$demo/yolov7-shapes.pt
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ptq-cli-XXXXXX")
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1

skip() {
    echo "SKIPPED: $*"
    exit 77
}

run() {
    what="ptq $*"
    "$PTQ" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    code=$?
}

fail() {
    echo "FAILED: $*"
    echo "  \$ $what"
    echo "  exit code $code"
    sed 's/^/  out: /' "$scratch/out" | head -20
    sed 's/^/  err: /' "$scratch/err" | head -20
    exit 1
}

# expect_code 2: the exit code of the last run.
expect_code() {
    [ "$code" = "$1" ] || fail "exit code $code instead of $1"
}

# expect_err 'text': standard error holds it.
expect_err() {
    grep -qF -- "$1" "$scratch/err" || fail "standard error lacks '$1'"
}

expect_out() {
    grep -qF -- "$1" "$scratch/out" || fail "standard output lacks '$1'"
}

expect_no_out() {
    [ ! -s "$scratch/out" ] || fail "standard output is not empty"
}

expect_no_err() {
    [ ! -s "$scratch/err" ] || fail "standard error is not empty"
}

# refuse 2 'text' ARGS...: the run ends with the code, says the text in "ptq: ...", prints no result,
# and neither crashes nor talks of sanitizers.
refuse() {
    local want=$1 text=$2
    shift 2
    run "$@"
    expect_code "$want"
    expect_err "$text"
    expect_no_out
    head -1 "$scratch/err" | grep -q '^ptq: ' || fail "the message does not begin with 'ptq: '"
    ! grep -q Sanitizer "$scratch/err" || fail "a sanitizer spoke"
}

# json EXPRESSION: a Python expression over the last run's document `d` and its result `r`.
json() {
    python3 - "$scratch/out" "$1" <<'PY' || fail "not true of the JSON: $1"
import json, sys
d = json.load(open(sys.argv[1]))
r = d["result"]
sys.exit(0 if eval(sys.argv[2]) else 1)
PY
}

# need_json: what every --json answer is.
need_json() {
    expect_code "${1:-0}"
    json 'd["schema"] == 1 and {"command", "model", "config", "environment", "result", "warnings"} <= d.keys()'
}
