# hstools: make help
# Tools and modules are found by listing: a tool is tools/hsX.c, a module is common/WING/NAME.{h,c}.

PREFIX  ?= /usr/local
CC      ?= cc
SAN     ?=
BUILD   := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
comma   := ,

VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

PKGS    := hdf5-serial openblas libdeflate jansson libcrypto cairo libpng fftw3
CFLAGS  ?= -O3 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wimplicit-fallthrough -Wmissing-prototypes -Wstrict-prototypes \
           -Wwrite-strings -Wvla -Wformat=2
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) -fopenmp -fno-math-errno -ffp-contract=off -D_GNU_SOURCE -Icommon -MMD -MP \
           -isystem /usr/include/hdf5/serial $(filter-out -I/usr/include/hdf5/serial,$(shell pkg-config --cflags $(PKGS))) \
           $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
LDLIBS  := -Wl,--as-needed $(shell pkg-config --libs $(PKGS)) -lhdf5_hl -lpthread -lm

WINGS   := base data math factor cluster unmix scene physics prep store formats draw cli picture report
LIB_SRC := $(foreach w,$(WINGS),$(wildcard common/$(w)/*.c))
GEN_SRC := $(BUILD)/gen/format_table.c $(BUILD)/gen/model_table.c $(BUILD)/gen/op_table.c
LIB_OBJ := $(LIB_SRC:common/%.c=$(BUILD)/common/%.o) $(GEN_SRC:.c=.o)
LIB     := $(BUILD)/libhs.a
TOOLS   := $(patsubst tools/%.c,%,$(wildcard tools/hs*.c))
BINS    := $(TOOLS:%=$(BUILD)/%)
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FORMATS := $(patsubst common/formats/%.c,%,$(sort $(shell grep -l '^const struct hs_format hs_format_' common/formats/*.c 2>/dev/null)))

MODELS  := $(patsubst common/physics/%.c,%,$(sort $(shell grep -l '^const struct hs_model hs_model_' common/physics/*.c 2>/dev/null)))

OPS     := $(patsubst common/prep/%.c,%,$(sort $(shell grep -l '^const struct hs_op hs_op_' common/prep/*.c 2>/dev/null)))

.PHONY: FORCE all units help test check check-unit lint floors format bench bench-accuracy fuzz fuzzers install clean
all: $(BINS)          ## build every tool

help:                 ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo "  variables: SAN=address,undefined  CFLAGS=...  PREFIX=$(PREFIX)  DESTDIR="

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# formats, models and operations, by listing the files that define one; looked at every time, written when the list has changed
table = mkdir -p $(@D); { echo '\#include "$(1)"'; for m in $(3); do echo "extern const struct $(2) $(2)_$$m;"; done; \
	echo 'const struct $(2) *const $(2)_table[] = {'; for m in $(3); do echo "	&$(2)_$$m,"; done; echo '	0 };'; } > $@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/gen/format_table.c: FORCE
	@$(call table,formats/format.h,hs_format,$(FORMATS))

$(BUILD)/gen/model_table.c: FORCE
	@$(call table,physics/model.h,hs_model,$(MODELS))

$(BUILD)/gen/op_table.c: FORCE
	@$(call table,prep/op.h,hs_op,$(OPS))

FORCE:

$(BUILD)/common/cli/version.o: CPPFLAGS_VERSION = -DHS_VERSION='"$(VERSION)"' -DHS_COMMIT='"$(COMMIT)"'
$(BUILD)/common/cli/version.o: common/cli/version.c $(wildcard .git/HEAD .git/refs/heads/main)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS_VERSION) -c $< -o $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%: $(BUILD)/tools/%.o $(LIB)
	$(CC) $(ALL_CFLAGS) $< $(LIB) $(LDFLAGS) $(LDLIBS) -o $@

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< $(LIB) $(LDFLAGS) $(LDLIBS) -o $@

# libFuzzer brings its own main; the library is compiled with the same sanitizers (make fuzz)
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $< $(LIB) $(LDFLAGS) $(LDLIBS) -o $@

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< $(LDFLAGS) $(LDLIBS) -o $@

units: $(UNITS)
fuzzers: $(FUZZERS)

test:                 ## install what is missing, build, run all tests
	BUILD=$(BUILD) scripts/test $(FILTER)

check: all units      ## all tests with what is installed (FILTER=NAME for some)
	BUILD=$(BUILD) scripts/test --built $(FILTER)

check-unit: units     ## unit tests only
	BUILD=$(BUILD) scripts/test --built --unit $(FILTER)

lint:                 ## warnings as errors, cppcheck, shellcheck, man pages, floors
	scripts/lint

floors:               ## print the include graph, fail on a stray include
	@scripts/floors

format:               ## lay out the lines touched since HEAD (git clang-format)
	git clang-format HEAD

bench: all            ## ratios to the machine's floors and to scikit-learn (BENCH_SIZE=64x64x256 for a quick look)
	BUILD=$(BUILD) scripts/bench

bench-accuracy: all   ## how near unmixing comes to the truth, by dose (BENCH_SEEDS=1 for a quick look)
	BUILD=$(BUILD) scripts/bench-accuracy

fuzz:                 ## build the fuzzers into build-fuzz/fuzz
	$(MAKE) BUILD=build-fuzz CC=clang CFLAGS='-O1 -g' SAN=fuzzer-no-link,address,undefined fuzzers

DEST = $(DESTDIR)$(PREFIX)
install: all          ## programs, man pages, completions (DESTDIR= PREFIX=)
	install -d $(DEST)/bin $(DEST)/share/doc/hstools $(DEST)/share/bash-completion/completions
	install $(BINS) $(DEST)/bin
	for page in $(wildcard man/*.[157]); do install -D -m 644 $$page $(DEST)/share/man/man$${page##*.}/$${page##*/} || exit 1; done
	for tool in $(TOOLS); do $(BUILD)/$$tool --describe=bash > $(DEST)/share/bash-completion/completions/$$tool || exit 1; done
	for file in $(shell find share -type f 2>/dev/null); do install -D -m 644 $$file $(DEST)/share/hstools/$${file#share/} || exit 1; done
	install -m 644 LICENSE $(wildcard README.md) $(DEST)/share/doc/hstools

clean:                ## remove what was built
	rm -rf build build-* out

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
