# SPDX-License-Identifier: Apache-2.0
# make          configure and build: build/ptq and build/libptq.a
# make demo     install what is missing, build, run the main job on demo/
# make check    install what is missing, build, run every test
# make asan     the same tests under AddressSanitizer and UndefinedBehaviorSanitizer (those named quick)
# make fuzz     each fuzz target for FUZZ_SECONDS (60) under libFuzzer; new inputs go to its corpus
# make format   lay out the sources as clang-format does
# make clean    remove what was built

BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: all demo check asan fuzz format clean packages
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

FUZZ_SECONDS ?= 60
FUZZ_TARGETS = pickle model yaml json text
fuzz: packages
	cmake -S . -B $(BUILD)-fuzz -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang -DPTQ_SANITIZE=ON -DPTQ_FUZZ=ON $(CMAKE_FLAGS)
	ninja -C $(BUILD)-fuzz $(addprefix fuzz_,$(FUZZ_TARGETS))
	for t in $(FUZZ_TARGETS); do \
	  $(BUILD)-fuzz/fuzz/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=4096 -timeout=20 \
	    -artifact_prefix=$(BUILD)-fuzz/$$t- tests/fuzz/corpus/$$t || exit 1; done

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-clang $(BUILD)-fuzz
