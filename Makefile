# Flynn's one Makefile: everything is built, tested, checked and installed from here.
#
#   make              build what is here into $(BUILD), and the command line tool into bin/flynn
#   make run          a living cluster on this machine, from nothing; again: its line to paste
#   make stop         stop that cluster and keep its data;  make destroy: remove what `run` made
#   make test         unit and end-to-end tests; T=name runs one; SAN=1 under ASan and UBSan
#   make lint         linters, no warnings;  make fuzz T=name SECONDS=60 runs one fuzzer
#   make soak         the router under mixed load for SOAK_S=600 seconds; SAN=1 too
#   make images       the container images, into the engine that $DOCKER_HOST or the default names
#   make bench        the figures of the README;  make bench-router: what requests cost the router, and haproxy
#   make bench-api    what the controller's API bears, and how long deployments take
#   make install DESTDIR= PREFIX=/usr/local
#
# Each folder adds its programs by a module.mk; a folder's objects other than main are an archive,
# so that a program or a test takes from its folder exactly what it uses.

VERSION ?= 0.3.3
PREFIX ?= /usr/local
SECONDS ?= 60
SAN ?=
WERROR ?= 1
V ?=
BUILD ?= build$(if $(SAN),-san)
# The files that name an object's sources name it as make does: one folder, one name.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))

comma := ,
CC = gcc
AR = ar
CLANG = clang
MAKEFLAGS += --no-builtin-rules
# V=1 shows whole commands instead of their first word and their target.
q = $(if $(V),,@printf '  %-5s %s\n' $(1) $@ &&)
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all programs tests fuzzers fuzz test lint install bench bench-router bench-api soak run stop destroy images deps clean

# Libraries. What a program does not use is dropped from it at link time.
LIBFLYNN_PKGS := libevent libevent_openssl libcurl yajl libpq libnghttp2 openssl
ALL_PKGS = $(sort $(LIBFLYNN_PKGS) $(PKGS))
# Needed by tests alone, so a machine that only runs a cluster has no cmocka.
TEST_PKGS = $(ALL_PKGS) cmocka
# Asked for once, and only when something is compiled: `make run` installs pkg-config itself.
pkg_cflags = $(eval pkg_cflags := $$(shell pkg-config --cflags $(ALL_PKGS)))$(pkg_cflags)
pkg_libs = $(shell pkg-config --libs $(LIBFLYNN_PKGS) $(1))

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Wshadow \
	-Wstrict-prototypes -Wundef -Wvla -Wmissing-prototypes -Wwrite-strings -Wformat=2
DIALECT := -std=c11 -D_GNU_SOURCE -DFLYNN_VERSION='"$(VERSION)"' -I.
HARDEN_CC := -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
HARDEN_LD := -Wl,-z,relro,-z,now
SAN_FLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

MODE_CC := $(if $(SAN),$(SAN_FLAGS),$(HARDEN_CC))
MODE_LD := $(if $(SAN),$(SAN_FLAGS)) $(HARDEN_LD)
COMPILE = $(CC) $(DIALECT) $(WARNINGS) $(if $(filter-out 0,$(WERROR)),-Werror) -g $(MODE_CC) -fPIC \
	-ffunction-sections -fdata-sections -MMD -MP $(pkg_cflags) $(CFLAGS)
# What the sanitizers' defaults are in our programs: a container is no place to look for leaks.
SAN_OBJ := $(if $(SAN),$(BUILD)/obj/test/sanitizer.o)
LINK = $(CC) $(MODE_LD) -Wl,--as-needed -Wl,--gc-sections $(LDFLAGS)

all: programs
programs:

# The parts. PROGS gathers program names, PKGS the libraries that they need beyond libflynn's.
MODULES := $(patsubst %/module.mk,%,$(wildcard */module.mk))
PROGS :=
PKGS :=

# $(call program,NAME,MAIN.c,PKGS,static): NAME from MAIN.c, the archive of its folder and libflynn.
define program
$(if $(wildcard $(2)),$(eval $(call program_rules,$(1),$(2),$(3),$(4))))
endef
define program_rules
PROGS += $(1)
PKGS += $(3)
$(BUILD)/bin/$(1): $(SAN_OBJ) $(BUILD)/obj/$(2:.c=.o) $(BUILD)/obj/$(patsubst %/,%,$(dir $(2))).a $(BUILD)/lib/libflynn$(if $(4),.a,.so.1)
	@mkdir -p $$(@D)
	$$(call q,LINK) $$(LINK) -pie -o $$@ $$^ '-Wl,-rpath,$$$$ORIGIN/../lib' $$(call pkg_libs,$(3))
endef
include $(wildcard */module.mk)

LIBFLYNN_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %_test.c,$(wildcard libflynn/*.c)))

programs: $(PROGS:%=$(BUILD)/bin/%) $(BUILD)/lib/libflynn.so.1

# bin/flynn is for the person at this machine: only the plain build makes it.
ifeq ($(BUILD),build)
ifneq ($(filter flynn,$(PROGS)),)
all: bin/flynn
bin/flynn: $(BUILD)/bin/flynn
	@mkdir -p bin
	install -m 755 $< $@
endif
endif

$(BUILD)/lib/libflynn.so.1: $(LIBFLYNN_OBJS) libflynn/libflynn.map
	@mkdir -p $(@D)
	$(call q,LINK) $(LINK) -shared $(if $(SAN),,-Wl$(comma)--no-undefined) -Wl,-soname,libflynn.so.1 -Wl,--version-script,libflynn/libflynn.map \
		-o $@ $(LIBFLYNN_OBJS) $(call pkg_libs)
	@ln -sf libflynn.so.1 $(BUILD)/lib/libflynn.so

$(BUILD)/lib/libflynn.a: $(LIBFLYNN_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(call q,AR) $(AR) rcs $@ $^

# Changed flags rebuild everything; an unchanged line leaves the file, and so the objects, alone.
flags_now = $(CC) $(DIALECT) $(WARNINGS) $(WERROR) $(MODE_CC) $(CFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo "$(subst ",,$(flags_now))" | cmp -s - $@ || echo "$(subst ",,$(flags_now))" >$@
.PHONY: FORCE

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call q,CC) $(COMPILE) -c -o $@ $<

# A folder's archive: all of it but main functions and tests.
module_objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %main.c %_test.c,$(wildcard $(1)/*.c)))
define archive_rules
$(BUILD)/obj/$(1).a: $(call module_objs,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call q,AR) $(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call archive_rules,$(m))))

# Unit tests: DIR/x_test.c becomes $(BUILD)/test/DIR/x_test, which prints TAP.
TESTS := $(patsubst %.c,$(BUILD)/test/%,$(wildcard libflynn/*_test.c $(MODULES:%=%/*_test.c)))
define test_rules
$(BUILD)/test/$(1)/%_test: $(BUILD)/obj/$(1)/%_test.o $(2) $(BUILD)/lib/libflynn.a
	@mkdir -p $$(@D)
	$$(call q,LINK) $$(LINK) -pie -o $$@ $$^ $$(call pkg_libs,$(TEST_PKGS))
endef
$(eval $(call test_rules,libflynn))
$(foreach m,$(MODULES),$(eval $(call test_rules,$(m),$(BUILD)/obj/$(m).a)))
tests: $(TESTS)

# Fuzzers: test/fuzz/x_fuzz.c defines LLVMFuzzerTestOneInput. `make test` runs each over its corpus
# with a plain main; `make fuzz` builds it, and all it reaches, with clang's libFuzzer. Its folder, which
# its name begins with, goes first: another's function of the same name is not for it.
FUZZERS := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*_fuzz.c))
fuzz_own = $(filter %/$(firstword $(subst _, ,$(@F))).a,$^)
fuzz_inputs = $(filter %.o,$^) $(fuzz_own) $(filter-out %.o $(fuzz_own),$^)
fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/%)
$(BUILD)/fuzz/%_fuzz: $(BUILD)/obj/test/fuzz/%_fuzz.o $(BUILD)/obj/test/fuzz/replay.o \
		$(MODULES:%=$(BUILD)/obj/%.a) $(BUILD)/lib/libflynn.a
	@mkdir -p $(@D)
	$(call q,LINK) $(LINK) -pie -o $@ $(fuzz_inputs) $(call pkg_libs,$(ALL_PKGS))

FUZZ_FLAGS := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer
$(BUILD)/libfuzzer/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call q,CLANG) $(CLANG) $(DIALECT) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP $(pkg_cflags) -c -o $@ $<
define fuzz_archive_rules
$(BUILD)/libfuzzer/$(1).a: $(patsubst %.c,$(BUILD)/libfuzzer/obj/%.o,$(filter-out %main.c %_test.c,$(wildcard $(1)/*.c)))
	@rm -f $$@
	$$(call q,AR) $(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES) libflynn,$(eval $(call fuzz_archive_rules,$(m))))
$(BUILD)/libfuzzer/%_fuzz: $(BUILD)/libfuzzer/obj/test/fuzz/%_fuzz.o $(MODULES:%=$(BUILD)/libfuzzer/%.a) $(BUILD)/libfuzzer/libflynn.a
	$(call q,CLANG) $(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $(fuzz_inputs) $(call pkg_libs,$(ALL_PKGS))
fuzz: $(BUILD)/libfuzzer/$(T)_fuzz
	mkdir -p $(BUILD)/libfuzzer/found/$(T)
	$< -max_total_time=$(SECONDS) -artifact_prefix=$(BUILD)/libfuzzer/ \
		$(BUILD)/libfuzzer/found/$(T) test/fuzz/corpus/$(T)

deps:
	@./packages.sh build
test: export T := $(T)
test: export SAN := $(SAN)
test:
	@test/run
lint: export T := $(T)
lint:
	@test/lint
bench:
	@test/bench.sh
$(BUILD)/bench/%: $(BUILD)/obj/test/router/bench/%.o
	@mkdir -p $(@D)
	$(call q,LINK) $(LINK) -pie -o $@ $^ $(call pkg_libs,openssl)
$(BUILD)/bench/ask: $(BUILD)/obj/test/api/bench/ask.o
	@mkdir -p $(@D)
	$(call q,LINK) $(LINK) -pie -o $@ $^
bench-api: programs $(BUILD)/bench/ask
	@BUILD=$(BUILD) test/bench_api.sh
	@BUILD=$(BUILD) test/bench_deploy.sh
bench-router: programs $(BUILD)/bench/load $(BUILD)/bench/origin
	@BUILD=$(BUILD) test/bench_router.py $(ROUNDS)
	@BUILD=$(BUILD) test/bench_routes.py
soak: programs
	@SOAK_S=$(or $(SOAK_S),600) SAN=$(SAN) BUILD=$(BUILD) test/test_router_soak.sh
images: all
	@docker/images.sh
run stop destroy:
	@docker/cluster.sh $@

install: programs
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(PROGS:%=$(BUILD)/bin/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/lib/libflynn.so.1 $(DESTDIR)$(PREFIX)/lib
	for page in $(wildcard man/*.[1-8]); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit; \
	done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(BUILD)/bin/flynn completion bash | install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/flynn
	$(BUILD)/bin/flynn completion zsh | install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_flynn
	install -d $(DESTDIR)$(PREFIX)/share/flynn
	cp -R slugbuilder/buildpacks $(DESTDIR)$(PREFIX)/share/flynn
	chmod -R u=rwX,go=rX $(DESTDIR)$(PREFIX)/share/flynn/buildpacks

clean:
	rm -rf build build-san bin

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
