# A thin front: every target calls one command of meson or one script. Sources and flags are in meson.build.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export DESTDIR JOBS

# Suites that take minutes, or need more than Debian's packages: make full, .ci/run.
SLOW = --no-suite fault --no-suite interop --no-suite heavy
TEST = meson test --no-rebuild --print-errorlogs --num-processes $(JOBS)
SANE = -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1

all:
	@sh tools/build.sh "$(BUILD)" "--prefix=$(PREFIX)"

demo: all
	@sh tools/deps.sh demo
	@PATH="$(CURDIR)/$(BUILD):$$PATH" sh demo/demo.sh

check: all
	@sh tools/deps.sh check
	@$(TEST) -C $(BUILD) $(SLOW)

full: all
	@sh tools/deps.sh check
	@VV_FULL=1 $(TEST) -C $(BUILD) --timeout-multiplier 20

asan:
	@sh tools/build.sh $(BUILD)-asan $(SANE)
	@$(TEST) -C $(BUILD)-asan $(SLOW) --no-suite lint --timeout-multiplier 10

tsan:
	@sh tools/build.sh $(BUILD)-tsan -Db_sanitize=thread -Db_lundef=false -Doptimization=1
	@$(TEST) -C $(BUILD)-tsan --suite unit --timeout-multiplier 10

fuzz:
	@CC=clang sh tools/build.sh $(BUILD)-fuzz -Dfuzz=true $(SANE)
	@sh tools/fuzz.sh $(BUILD)-fuzz $(or $(SECONDS),60)

bench: all
	@sh tools/deps.sh check
	@PATH="$(CURDIR)/$(BUILD):$$PATH" $$(sh tools/python.sh numpy) bench/bench.py $(ARGS)

install: all
	@meson install -C $(BUILD) --no-rebuild --quiet

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz

.PHONY: all demo check full asan tsan fuzz bench install clean
