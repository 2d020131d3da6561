# SPDX-License-Identifier: Apache-2.0
# make          configure and build: build/ptq and build/libptq.a
# make demo     install what is missing, build, run the main job on demo/
# make check    install what is missing, build, run every test
# make asan     the same tests under AddressSanitizer and UndefinedBehaviorSanitizer (those named quick)
# make format   lay out the sources as clang-format does
# make clean    remove what was built

BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: all demo check asan format clean packages
all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS)

packages:
	@tools/packages.sh build

demo: packages
	@$(MAKE) --no-print-directory all
	@tools/demo.sh $(BUILD)

check: packages
	@$(MAKE) --no-print-directory all
	ctest --test-dir $(BUILD) --output-on-failure

asan: packages
	cmake -S . -B $(BUILD)-asan -G Ninja -DCMAKE_BUILD_TYPE=Debug -DPTQ_SANITIZE=ON $(CMAKE_FLAGS)
	ninja -C $(BUILD)-asan
	ctest --test-dir $(BUILD)-asan -L quick --output-on-failure

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-clang
