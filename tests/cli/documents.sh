#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands of the documents run as they stand: every line of a block marked `sh`, in a folder that
# holds demo/, block after block.
. "$SOURCE/tests/lib/cli.sh" || exit 1

PATH=$(dirname "$PTQ"):$PATH
for page in README.md README.zh-CN.md docs/tour.md docs/from-pytorch-quantization.md \
    docs/deploy-tensorrt.md docs/deploy-onnxruntime.md; do
    mkdir -p "$scratch/place" && cd "$scratch/place" || exit 1
    ln -s "$demo" demo
    awk '/^```sh$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$SOURCE/$page" >"$scratch/commands"
    while IFS= read -r line; do
        what="$line   (from $page)"
        sh -c "$line" >"$scratch/out" 2>"$scratch/err" </dev/null
        code=$?
        expect_code 0
    done <"$scratch/commands"
    cd "$scratch" && rm -rf place
done
for page in README.md README.zh-CN.md $(cd "$SOURCE" && echo docs/*.md); do
    folder=$(dirname "$SOURCE/$page")
    for link in $(grep -vE '^    ' "$SOURCE/$page" | grep -oE '\]\([^)#:]+\)' | tr -d '])('); do
        [ -e "$folder/$link" ] || fail "$page links to $link, which is not there"
    done
done
exit 0
