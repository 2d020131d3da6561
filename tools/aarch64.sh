#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds for aarch64 with Debian's cross compiler, without oneDNN (-DPTQ_ONEDNN=ON: with), and runs
# the quick tests under qemu-user. What the program links comes from Debian's arm64 packages, unpacked
# into a folder of its own: nothing foreign is installed. A folder that is complete is used again.
#
# usage: tools/aarch64.sh [BUILD [SYSROOT [CMAKE-FLAG ...]]]    build-aarch64, BUILD/sysroot
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build-aarch64}
sysroot=$(realpath -m "${2:-$build/sysroot}")
shift $(($# < 2 ? $# : 2))
libraries=(libc6-dev libgomp1 libzip-dev libjansson-dev libyaml-dev libjpeg-dev libpng-dev libpcre2-dev
    libprotobuf-c-dev libcmocka-dev libdnnl-dev)

# apt for another architecture, with lists, state and cache of its own.
arm64_apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User= \
        -o Dir::State="$1/state" -o Dir::State::status="$1/status" -o Dir::Cache="$1/cache" "${@:2}"
}

make_sysroot() {
    local apt=$sysroot.apt
    mkdir -p "$sysroot" "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    arm64_apt "$apt" update
    arm64_apt "$apt" install -y --download-only --no-install-recommends "${libraries[@]}"
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$sysroot"
    done
    find "$sysroot" -lname '/*' | while read -r link; do
        ln -sfnr "$sysroot$(readlink "$link")" "$link"
    done
    rm -r "$apt"
    touch "$sysroot/complete"
}

[ -e "$sysroot/complete" ] || make_sysroot
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_TOOLCHAIN_FILE=tools/aarch64.cmake \
    -DSYSROOT="$sysroot" -DPTQ_ONEDNN=OFF -DPTQ_MPI=OFF "$@"
ninja -C "$build"
# Not the recorded data: the scalar reference on hundreds of pictures is too much for an emulator.
PTQ_SHARED=${PTQ_SHARED:-none} ctest --test-dir "$build" -j "${JOBS:-$(nproc)}" -L quick --output-on-failure
