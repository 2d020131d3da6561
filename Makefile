# SPDX-License-Identifier: Apache-2.0
# make          configure and build: build/ptq and build/libptq.a
# make demo     install what is missing, build, run the main job on demo/
# make check    install what is missing, build, run every test
# make asan     the same tests under AddressSanitizer and UndefinedBehaviorSanitizer (those named quick)
# make fuzz     each fuzz target for FUZZ_SECONDS (60) under libFuzzer; what it finds is in build-fuzz/corpus
# make aarch64  build for aarch64 with Debian's cross compiler, run the quick tests under qemu-user
# make lint-c   clang-tidy (.clang-tidy) and cppcheck over the sources
# make valgrind the commands on demo/ under valgrind's memcheck
# make tsan     tests that use threads, and commands on demo/, under ThreadSanitizer (clang)
# make msan     tests of base, graph, kernels and passes under MemorySanitizer (clang), scalar kernels only
# make coverage lines that the tests run, per room (gcovr)
# make format   lay out the sources as clang-format does
# make docs     the library's reference, from its headers, into build/docs/api/
# make clean    remove what was built

BUILD ?= build
JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=

.PHONY: all demo check asan fuzz aarch64 lint-c valgrind tsan msan coverage format docs clean packages
all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS)

packages:
	@tools/packages.sh build

demo: packages
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	ninja -C $(BUILD) ptq
	@tools/demo.sh $(BUILD)

check: packages
	@$(MAKE) --no-print-directory all
	ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure

asan: packages
	cmake -S . -B $(BUILD)-asan -G Ninja -DCMAKE_BUILD_TYPE=Debug -DPTQ_SANITIZE=ON $(CMAKE_FLAGS)
	ninja -C $(BUILD)-asan
	ctest --test-dir $(BUILD)-asan -j $(JOBS) -L quick --output-on-failure

FUZZ_SECONDS ?= 60
fuzz: packages
	@tools/packages.sh check
	cmake -S . -B $(BUILD)-fuzz -G Ninja -DCMAKE_BUILD_TYPE=Fuzz -DCMAKE_C_FLAGS_FUZZ="-O1 -g1" -DCMAKE_C_COMPILER=clang -DPTQ_SANITIZE=ON -DPTQ_FUZZ=ON $(CMAKE_FLAGS)
	ninja -C $(BUILD)-fuzz fuzz_targets
	tools/fuzz.sh $(BUILD)-fuzz $(FUZZ_SECONDS)

aarch64: packages
	@tools/packages.sh aarch64
	JOBS=$(JOBS) tools/aarch64.sh $(BUILD)-aarch64 $(BUILD)-aarch64/sysroot $(CMAKE_FLAGS)

lint-c: all
	@tools/packages.sh lint
	git ls-files 'src/*.c' | grep -v /kernels/ | xargs clang-tidy --quiet -p $(BUILD)
	cppcheck --quiet --std=c17 --enable=warning,portability --library=posix --error-exitcode=1 \
	  --suppressions-list=tools/cppcheck.txt -I src -I include src

valgrind: all
	@tools/packages.sh lint
	tools/valgrind.sh $(BUILD)

# Clang, whose OpenMP the sanitizers can follow; oneDNN is not instrumented.
CLANG_SANITIZE = -G Ninja -DCMAKE_BUILD_TYPE=Sanitize -DCMAKE_C_FLAGS_SANITIZE="-O1 -g1" -DCMAKE_C_COMPILER=clang -DPTQ_ONEDNN=OFF -DPTQ_MPI=OFF
tsan: packages
	@tools/packages.sh check
	cmake -S . -B $(BUILD)-tsan $(CLANG_SANITIZE) -DPTQ_SANITIZE=thread $(CMAKE_FLAGS)
	tools/tsan.sh $(BUILD)-tsan

msan: packages
	@tools/packages.sh check
	cmake -S . -B $(BUILD)-msan $(CLANG_SANITIZE) -DPTQ_SANITIZE=memory $(CMAKE_FLAGS)
	tools/msan.sh $(BUILD)-msan

coverage: packages
	@tools/packages.sh check lint
	cmake -S . -B $(BUILD)-coverage -G Ninja -DCMAKE_BUILD_TYPE=Coverage -DCMAKE_C_FLAGS_COVERAGE="-O1 --coverage" $(CMAKE_FLAGS)
	ninja -C $(BUILD)-coverage
	tools/coverage.sh $(BUILD)-coverage run

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

docs:
	python3 tools/api_docs.py $(BUILD)/docs/api

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-clang $(BUILD)-fuzz $(BUILD)-coverage $(BUILD)-aarch64 $(BUILD)-tsan $(BUILD)-msan
