#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Malformed and hostile model files: a sentence that names the file, exit code 3, 4 or 5, nothing
# executed, nothing written, no crash. Twins of them that are fine must load.
. "$SOURCE/tests/lib/cli.sh" || exit 1
mkdir bad
python3 "$SOURCE/tests/lib/bad_models.py" "$model" "$scratch/bad" >bad.txt || fail 'the generator'
[ "$(wc -l <bad.txt)" -ge 35 ] || fail 'the generator wrote too few files'

while IFS=$'\t' read -r name words; do
    case $name in
    good-*)
        run info "bad/$name" --json
        need_json
        continue
        ;;
    noise-*) # flipped bits may also make another valid document
        run info "bad/$name"
        case $code in 0 | 3 | 4 | 5) ;; *) fail "exit code $code" ;; esac
        continue
        ;;
    esac
    run export "bad/$name" -o out.onnx
    case $code in 3 | 4 | 5) ;; *) fail "exit code $code instead of 3, 4 or 5" ;; esac
    expect_no_out
    expect_err "$name"
    [ -z "$words" ] || grep -qE -- "$words" err || fail "the message lacks '$words'"
    [ "$(wc -l <err)" -le 12 ] || fail "more lines than a person reads"
    ! ls out.onnx* 2>/dev/null || fail "something was written"
done <bad.txt

# all of the operators that are not supported, not only the first
run info bad/operators.onnx
expect_err Quuxify
run info missing.pt
expect_code 3
expect_err missing.pt
run info .
expect_code 3

[ ! -e bad/executed ] || fail 'a checkpoint was obeyed'
