# A thin front: every target calls one command of meson or one script. Sources and flags are in meson.build.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) >$(BUILD)/log 2>&1 || { cat $(BUILD)/log; exit 1; }
	@ln -sf src/varve $(BUILD)/varve && ln -sf src/varve $(BUILD)/git-varve

$(BUILD)/build.ninja:
	@sh tools/deps.sh build
	meson setup $(BUILD) --prefix $(PREFIX)

demo: all
	@sh tools/deps.sh demo
	@PATH="$(CURDIR)/$(BUILD):$$PATH" sh demo/demo.sh

check: all
	@sh tools/deps.sh check
	meson test -C $(BUILD) --no-suite heavy --print-errorlogs

full: all
	VV_FULL=1 meson test -C $(BUILD) --print-errorlogs --timeout-multiplier 20

install: all
	DESTDIR="$(DESTDIR)" meson configure $(BUILD) --prefix $(PREFIX) && DESTDIR="$(DESTDIR)" meson install -C $(BUILD)

bench: all
	PATH="$(CURDIR)/$(BUILD):$$PATH" python3 bench/bench.py $(ARGS)

clean:
	rm -rf $(BUILD)

.PHONY: all demo check full install bench clean
