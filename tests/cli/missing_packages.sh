#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `make` says to somebody who lacks packages and may not install them.
. "$SOURCE/tests/lib/cli.sh" || exit 1

mkdir bin
for tool in bash dirname sed grep cat; do
    ln -s "$(command -v "$tool")" "bin/$tool"
done

# fake NAME 'LINES': a command of that name that does this.
fake() {
    printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
    chmod +x "bin/$1"
}

packages() {
    what="tools/packages.sh $*"
    PATH=$scratch/bin bash "$SOURCE/tools/packages.sh" "$@" >"$scratch/out" 2>"$scratch/err"
    code=$?
}

# all there: not a word, no rights
fake dpkg-query 'printf installed'
packages build
expect_code 0
expect_no_out
expect_no_err

# something is missing, and there is no apt-get
fake dpkg-query 'exit 1'
packages build
expect_code 1
expect_err 'install what these Debian packages hold'

# neither root nor sudo: the command that root types
fake apt-get 'echo apt-get "$@"'
fake id 'echo 1000'
packages build
expect_code 1
expect_err 'takes root or sudo'
expect_err '  apt-get update && apt-get install -y --no-install-recommends gcc '
expect_no_out

# with sudo
fake sudo 'echo sudo "$@"'
packages build
expect_code 0
expect_out 'sudo apt-get update'
expect_out 'apt-get install -y'
exit 0
