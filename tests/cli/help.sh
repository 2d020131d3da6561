#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Help goes to standard output, fits, and is what docs/cli.md shows.
. "$SOURCE/tests/lib/cli.sh" || exit 1

commands='info eval quantize calibrate sensitivity compare lint export bench detect report run list'
for command in $commands; do
    run "$command" -h
    expect_code 0
    expect_no_err
    expect_out "usage: ptq $command"
    expect_out 'examples:'
    [ "$(wc -l <out)" -le 30 ] || fail "the short help is longer than a screen"
    [ "$(wc -L <out)" -le 80 ] || fail "a line of the short help is wider than 80 columns"
    run help "$command"
    cp out full
    run "$command" m.pt --help --no-such-option
    expect_code 0
    cmp -s out full || fail "'ptq help $command' and 'ptq $command --help' differ"
    [ "$(wc -L <out)" -gt 80 ] && fail "a line is wider than 80 columns"
    for option in $(grep -oE '^ +(-., )?--[a-z0-9-]+|--\[no-\][a-z0-9-]+' out | grep -oE -- '--[^ ]+'); do
        grep -qF -- "$option" "$SOURCE/docs/cli.md" || fail "docs/cli.md lacks $option of '$command'"
    done
    run help
    expect_out "  $command "
done

run
expect_code 0
expect_no_err
expect_out 'five minutes'
[ "$(wc -l <out)" -le 30 ] && [ "$(wc -L <out)" -le 80 ] || fail 'the overview does not fit a screen'
run help exit-codes
for status in 0 1 2 3 4 5 70 130; do
    grep -qE "^ +$status  " out || fail "exit code $status is not explained"
done
run --version
expect_code 0
expect_out 'ptq 0.1.0'
expect_out 'compiler'
expect_out 'cpu'

what='tools/cli_docs.py'
python3 "$SOURCE/tools/cli_docs.py" "$PTQ" >out 2>err
code=$?
expect_code 0
