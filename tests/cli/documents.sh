#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands of the documents run as they stand, page by page, each in a folder that holds demo/; what
# the pages show of their output is what they print; links lead somewhere. A block that cannot be run says
# why (tests/lib/documents.py).
. "$SOURCE/tests/lib/cli.sh" || exit 1

PATH=$(dirname "$PTQ"):$PATH
for page in README.md README.zh-CN.md $(cd "$SOURCE" && echo docs/*.md) CONTRIBUTING.md demo/README.md examples/README.md; do
    mkdir -p "$scratch/place" && cd "$scratch/place" || exit 1
    ln -s "$demo" demo
    what="the commands of $page"
    python3 "$SOURCE/tests/lib/documents.py" "$SOURCE/$page" >"$scratch/out" 2>"$scratch/err"
    code=$?
    expect_code 0
    cd "$scratch" && rm -rf place
    folder=$(dirname "$SOURCE/$page")
    for link in $(grep -vE '^    ' "$SOURCE/$page" | grep -oE '\]\([^)#:]+\)' | tr -d '])('); do
        [ -e "$folder/$link" ] || fail "$page links to $link, which is not there"
    done
done

# The library's reference: every function that the library gives out has its place in it.
what='tools/api_docs.py'
python3 "$SOURCE/tools/api_docs.py" "$scratch/api" >"$scratch/out" 2>"$scratch/err"
code=$?
expect_code 0
for name in $(grep -ohE '\bptq_[a-z0-9_]+\(' "$SOURCE"/include/ptq/*.h | sort -u); do
    grep -qF "\`${name%(}\`" "$scratch/api/README.md" || grep -qE "^ \*.*${name%(}" "$SOURCE"/include/ptq/*.h ||
        fail "${name%(} is not in the reference"
done
exit 0
