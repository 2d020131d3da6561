#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Completion scripts and man pages know every command and option that the help knows.
. "$SOURCE/tests/lib/cli.sh" || exit 1

run help
commands=$(awk '/^commands:/ {on = 1; next} /^$/ {on = 0} on {print $1}' out)
[ "$(echo "$commands" | wc -l)" -ge 12 ] || fail 'too few commands'
for shell in bash zsh fish; do
    run completion $shell
    expect_code 0
    expect_no_err
    mv out $shell
    if command -v $shell >/dev/null; then
        $shell -n $shell 2>err || fail "$shell cannot read its script"
    fi
done
for command in $commands; do
    run man "$command"
    expect_code 0
    expect_out ".SH OPTIONS"
    mv out page
    run help "$command"
    for option in $(grep -oE '^ +(-., )?--[a-z0-9-]+' out | grep -oE -- '--.*'); do
        for shell in bash zsh; do
            grep -qE -- "$option\b" $shell || fail "$option of '$command' is not completed by $shell"
        done
        grep -q -- "seen_subcommand_from $command' -l ${option#--} " fish || fail "fish lacks $option"
        grep -qF -- "$(echo "$option" | sed 's/-/\\-/g')" page || fail "the man page lacks $option"
    done
done

# What bash offers for a line.
offers() {
    what="completing: $*"
    bash -c 'source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ptq; echo "${COMPREPLY[*]}"' \
        _ "$@" >out 2>err
    code=$?
    expect_no_err
}
offers ptq quan
expect_out 'quantize'
offers ptq quantize m.pt --calib ''
[ "$(cat out)" = 'max percentile entropy mse' ] || fail 'not the four methods'
offers ptq quantize --no-resid
[ "$(cat out)" = '--no-residual' ] || fail 'not the switch'
touch 'model.onnx'
offers ptq info mod
[ "$(cat out)" = 'model.onnx' ] || fail 'not the file'
refuse 2 'bash, zsh and fish' completion tcsh
refuse 2 "did you mean 'quantize'" man quantise
exit 0
