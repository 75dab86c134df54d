# hstools: make help
# Tools and modules are found by listing: a tool is tools/hsX.c, a module is common/WING/NAME.{h,c}.

PREFIX  ?= /usr/local
CC      ?= cc
SAN     ?=
BUILD   := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
comma   := ,

VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

PKGS    := hdf5-serial openblas libdeflate jansson libcrypto cairo libpng
CFLAGS  ?= -O3 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wimplicit-fallthrough -Wmissing-prototypes -Wstrict-prototypes \
           -Wwrite-strings -Wvla -Wformat=2
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) -fopenmp -fno-math-errno -ffp-contract=off -D_GNU_SOURCE -Icommon -MMD -MP \
           -isystem /usr/include/hdf5/serial $(filter-out -I/usr/include/hdf5/serial,$(shell pkg-config --cflags $(PKGS))) \
           $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
LDLIBS  := -Wl,--as-needed $(shell pkg-config --libs $(PKGS)) -lhdf5_hl -lpthread -lm

WINGS   := base data math store formats draw cli
LIB_SRC := $(foreach w,$(WINGS),$(wildcard common/$(w)/*.c))
GEN_SRC := $(BUILD)/gen/format_table.c
LIB_OBJ := $(LIB_SRC:common/%.c=$(BUILD)/common/%.o) $(GEN_SRC:.c=.o)
LIB     := $(BUILD)/libhs.a
TOOLS   := $(patsubst tools/%.c,%,$(wildcard tools/hs*.c))
BINS    := $(TOOLS:%=$(BUILD)/%)
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FORMATS := $(patsubst common/formats/%.c,%,$(sort $(shell grep -l '^const struct hs_format hs_format_' common/formats/*.c 2>/dev/null)))

.PHONY: all help test check check-unit lint floors format bench fuzz install clean
all: $(BINS)          ## build every tool

help:                 ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo "  variables: SAN=address,undefined  CFLAGS=...  PREFIX=$(PREFIX)  DESTDIR="

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# the formats, by listing the files that define one
$(GEN_SRC): $(wildcard common/formats/*.c) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "formats/format.h"'; \
	   for f in $(FORMATS); do echo "extern const struct hs_format hs_format_$$f;"; done; \
	   echo 'const struct hs_format *const hs_format_table[] = {'; \
	   for f in $(FORMATS); do echo "	&hs_format_$$f,"; done; echo '	0 };'; } > $@

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

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
