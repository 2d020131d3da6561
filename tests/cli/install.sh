#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` leaves is enough for a program of somebody else: headers, library, pkg-config.
. "$SOURCE/tests/lib/cli.sh" || exit 1
build=$(dirname "$PTQ")
[ -f "$build/cmake_install.cmake" ] || skip "'$build' is no build folder"
! grep -q '^PTQ_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" || skip 'a build with sanitizers is not for installing'

step() {
    what="$*"
    "$@" >out 2>err
    code=$?
    expect_code 0
}

step cmake --install "$build" --prefix "$scratch/usr"
for page in man/man1/ptq.1 man/man1/ptq-quantize.1 bash-completion/completions/ptq; do
    [ -s "usr/share/$page" ] || fail "$page is not installed"
done
for header in usr/include/ptq/*.h; do
    step cc -std=c17 -Wall -Wextra -Werror -Iusr/include -fsyntax-only "$header"
    ! command -v c++ >cxx || step c++ -std=c++17 -Wall -Wextra -Werror -Iusr/include -fsyntax-only -x c++ "$header"
done

# pkg-config: the files may lie anywhere.
mv usr moved
PKG_CONFIG_PATH=$(dirname "$(find "$PWD/moved" -name ptq.pc)")
export PKG_CONFIG_PATH
step cc -std=c17 "$SOURCE/examples/evaluate_detector.c" -o evaluate $(pkg-config --cflags --libs ptq)
libdir=$(pkg-config --variable=libdir ptq)
step env LD_LIBRARY_PATH="$libdir" ./evaluate "$model" "$demo/shapes.yaml" 320
grep -qE '^mAP@.5:.95 is 0\.2[0-9]+$' out || fail 'no mAP'
step moved/bin/ptq --version

# find_package in a project of somebody else.
mkdir project
cat >project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(user LANGUAGES C)
find_package(ptq 0.1 REQUIRED)
add_executable(user user.c)
target_link_libraries(user ptq::ptq)
CMAKE
cp "$SOURCE/examples/evaluate_detector.c" project/user.c
step cmake -S project -B project/build -DCMAKE_PREFIX_PATH="$scratch/moved"
step cmake --build project/build
run_user() {
    what="project/build/user"
    project/build/user >out 2>err
    code=$?
}
run_user
expect_code 2
expect_err 'usage: evaluate_detector'
