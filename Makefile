# Makefile - builds, tests and installs libtrb.  `make help` lists the targets.
#
# Variables that may be set on the command line or in the environment:
#   CC AR CFLAGS CPPFLAGS LDFLAGS    compiler, archiver and their flags
#   PREFIX LIBDIR INCLUDEDIR MANDIR DOCDIR
#                                    where to install; DESTDIR is put in front of each
#   VARIANT                          products go to build/$(VARIANT); see "Variants" below
#   TRB_TEST_SCALE                   multiplies the number of random rows that the tests try
#
# Everything is built below build/.  Objects are rebuilt when a source, a header, this file, the compiler or a flag
# changes.

CFLAGS ?= -O3 -g
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/libtrb
INSTALL ?= install
PKG_CONFIG ?= pkg-config
PYTHON ?= python3
VARIANT ?= default

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- Names ------------------------------------------------------------------------------------------------------

# The version stands in the public header and nowhere else.
version_of = $(shell sed -n 's/^.define TRB_VERSION_$(1)[^0-9]*\([0-9][0-9]*\).*/\1/p' include/trb.h)
MAJOR := $(call version_of,MAJOR)
VERSION := $(MAJOR).$(call version_of,MINOR).$(call version_of,PATCH)

B := build/$(VARIANT)
STATIC := libtrb.a
ifeq ($(shell uname -s),Darwin)
SHARED := libtrb.$(VERSION).dylib
SONAME := libtrb.$(MAJOR).dylib
LINKNAME := libtrb.dylib
SHARED_FLAGS = -dynamiclib -install_name $(LIBDIR)/$(SONAME) -compatibility_version $(MAJOR) -current_version $(VERSION)
else
SHARED := libtrb.so.$(VERSION)
SONAME := libtrb.so.$(MAJOR)
LINKNAME := libtrb.so
SHARED_FLAGS = -shared -Wl,-soname,$(SONAME) -Wl,--version-script=lib/libtrb.map -Wl,-z,defs
AS_NEEDED := -Wl,--as-needed
endif

LIB_SOURCES := $(wildcard lib/*.c)
TEST_SOURCES := $(wildcard test/*.c)
BENCH_SOURCES := $(wildcard test/bench/*.c)
EXHAUSTIVE_SOURCES := $(wildcard test/exhaustive/*.c)
EXAMPLE_SOURCES := $(wildcard examples/*.c)
DISTILL_SOURCES := $(wildcard examples/distill/*.c examples/distill/*/*.c)
DISTILL_TEST_SOURCES := $(wildcard test/distill/*.c)
VECTORS := $(B)/test/vectors/vectors
SOURCES := $(LIB_SOURCES) $(TEST_SOURCES) $(BENCH_SOURCES) $(EXHAUSTIVE_SOURCES) $(EXAMPLE_SOURCES) $(DISTILL_SOURCES) \
	$(DISTILL_TEST_SOURCES) $(wildcard test/fuzz/*.c) test/vectors/vectors.c

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(B)/%.o)
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(B)/%.o)
BENCH := $(B)/test/bench/bench
BENCH_OBJECTS := $(BENCH_SOURCES:%.c=$(B)/%.o)
EXHAUSTIVES := $(EXHAUSTIVE_SOURCES:%.c=$(B)/%)
EXAMPLES := $(EXAMPLE_SOURCES:%.c=$(B)/%)
RUNNER := $(B)/test/runner
DISTILL := $(B)/examples/distill/distill
DISTILL_OBJECTS := $(DISTILL_SOURCES:%.c=$(B)/%.o)
DISTILL_TEST_OBJECTS := $(DISTILL_TEST_SOURCES:%.c=$(B)/%.o)
DISTILL_RUNNER := $(B)/test/distill/runner

# `make deps check`: whatever needs a package waits for deps, also under -j.
AFTER_DEPS := $(filter deps,$(MAKECMDGOALS))
check-asan check-ubsan check-tsan check-valgrind coverage abi-check abi-update docs format format-check: | $(AFTER_DEPS)

# ---- Variants ---------------------------------------------------------------------------------------------------

# A variant is a directory below build/ with flags of its own.  Any name may be used to keep a second compiler's
# products apart (make VARIANT=clang CC=clang); the names below add flags and say how their tests are run.  Only the
# static library carries the sanitizers: that is what the tests are linked with.
VARIANT_FLAGS.asan := -fsanitize=address -fno-omit-frame-pointer
VARIANT_FLAGS.ubsan := -fsanitize=undefined -fsanitize=float-cast-overflow -fno-sanitize-recover=all
VARIANT_FLAGS.tsan := -fsanitize=thread
VARIANT_FLAGS.fuzz := -fno-sanitize-recover=all -fsanitize=address,undefined
VARIANT_FLAGS.libfuzzer := $(VARIANT_FLAGS.fuzz),fuzzer-no-link
VARIANT_FLAGS.coverage := -O1 --coverage -fprofile-update=atomic
VARIANT_FLAGS := $(VARIANT_FLAGS.$(VARIANT))

# In one process the leak and race checkers see all of a run, and its exit status is theirs.
RUN.asan = env CK_FORK=no TRB_TEST_SCALE=$${TRB_TEST_SCALE:-0.1} ASAN_OPTIONS=detect_stack_use_after_return=1
RUN.ubsan = env CK_FORK=no TRB_TEST_SCALE=$${TRB_TEST_SCALE:-0.1} UBSAN_OPTIONS=print_stacktrace=1
# ThreadSanitizer cannot place its shadow under some kernels' address randomization; a test of fork() starts threads
# in the child.
RUN.tsan = $(shell setarch $$(uname -m) -R true 2>/dev/null && echo setarch $$(uname -m) -R) \
	env CK_FORK=no TRB_TEST_SCALE=$${TRB_TEST_SCALE:-0.1} TSAN_OPTIONS=die_after_fork=0:halt_on_error=1
RUN.coverage = env TRB_TEST_SCALE=$${TRB_TEST_SCALE:-0.1}

# ---- Compiling --------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow
BASE = -std=c11 -D_XOPEN_SOURCE=700 $(WARNINGS) -pthread -MMD -MP $(CPPFLAGS) -Iinclude
# The library's results must not depend on the user's flags, so these come after CFLAGS.  No multiplication and addition
# may be fused that the source does not fuse, and NaN, infinities and the order of operations are what the source says.
# Nobody looks at errno or at the floating-point exception flags.
EXACT := -fno-fast-math -fno-finite-math-only -fno-associative-math -fno-reciprocal-math -fsigned-zeros \
	-ffp-contract=off -fno-math-errno -fno-trapping-math
# On a link line, -Ofast and its like would make the library change the rounding of the program that loads it.
PLAIN_CFLAGS = $(patsubst -Ofast,-O3,$(filter-out -ffast-math -funsafe-math-optimizations,$(CFLAGS))) $(VARIANT_FLAGS)
LIB_FLAGS = $(BASE) $(PLAIN_CFLAGS) -fPIC -fvisibility=hidden -DTRB_API='__attribute__((visibility("default")))' $(EXACT)
PROGRAM_FLAGS = $(BASE) $(PLAIN_CFLAGS) $(EXACT)
LINK = $(CC) $(PLAIN_CFLAGS) -pthread $(LDFLAGS)
LIBS := -lm

# The rows_<isa>.c of x86-64, and the floors_<isa>.c of the benchmark, are compiled for more than the baseline and called
# only after a look at the processor.  Everywhere else they compile to nothing.
if_x86_64 = $(if $(filter x86_64-% amd64-%,$(shell $(CC) -dumpmachine)),$(1))
$(B)/lib/rows_avx2.o $(B)/test/bench/floors_avx2.o: ISA = $(call if_x86_64,-mavx2 -mfma -mf16c)
$(B)/lib/rows_avx512.o $(B)/test/bench/floors_avx512.o: ISA = $(call if_x86_64,-mavx512f -mavx512bw -mavx512dq \
	-mavx512vl -mfma -mf16c -mprefer-vector-width=512)

# These two change when the compiler or a flag does, and when a source comes or goes.  Whatever is compiled depends on the
# first, whatever is linked on both.
$(B)/flags: export TEXT = $(shell $(CC) --version | head -n 1) $(AR) $(LIB_FLAGS) $(LINK)
$(B)/objects: export TEXT = $(LIB_OBJECTS) $(TEST_OBJECTS) $(BENCH_OBJECTS) $(DISTILL_OBJECTS) $(DISTILL_TEST_OBJECTS)
$(B)/flags $(B)/objects: FORCE | $(AFTER_DEPS)
	@mkdir -p $(@D)
	@echo "$$TEXT" | cmp -s - $@ || echo "$$TEXT" > $@
.PHONY: FORCE

BUILD_INPUTS := Makefile $(B)/flags

$(B)/lib/%.o: lib/%.c $(BUILD_INPUTS)
	@mkdir -p $(@D)
	$(CC) $(LIB_FLAGS) $(ISA) -c -o $@ $<

$(B)/test/%.o: test/%.c $(BUILD_INPUTS)
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) $(ISA) -Ilib -Itest $(shell $(PKG_CONFIG) --cflags check popt openblas) -c -o $@ $<

$(B)/examples/%.o: examples/%.c $(BUILD_INPUTS)
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) $(shell $(PKG_CONFIG) --cflags openblas) -c -o $@ $<

$(B)/examples/distill/%.o: examples/distill/%.c $(BUILD_INPUTS)
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) -Iexamples/distill $(DISTILL_CFLAGS) -c -o $@ $<

# The demo's tests also test its rooms one by one.
$(B)/test/distill/%.o: test/distill/%.c $(BUILD_INPUTS)
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) -Iexamples/distill -Itest $(DISTILL_CFLAGS) $(shell $(PKG_CONFIG) --cflags check) -c -o $@ $<

-include $(SOURCES:%.c=$(B)/%.d)

# ---- The library ------------------------------------------------------------------------------------------------

.PHONY: all
all: $(B)/$(STATIC) $(B)/$(SHARED) ## build the static and the shared library (default)

$(B)/$(STATIC): $(LIB_OBJECTS) $(B)/objects
	@rm -f $@
	$(AR) rcs $@ $(LIB_OBJECTS)

$(B)/$(SHARED): $(LIB_OBJECTS) $(B)/objects lib/libtrb.map
	$(LINK) $(SHARED_FLAGS) -o $@ $(LIB_OBJECTS) $(LIBS)
	ln -sf $(SHARED) $(B)/$(SONAME)
	ln -sf $(SONAME) $(B)/$(LINKNAME)

# ---- Tests ------------------------------------------------------------------------------------------------------

# The runner holds every suite.  It also tests internal functions, so it is linked with the static library.
$(RUNNER): $(TEST_OBJECTS) $(B)/$(STATIC) $(B)/objects
	$(LINK) -o $@ $(TEST_OBJECTS) $(B)/$(STATIC) $(shell $(PKG_CONFIG) --libs check) $(LIBS)

# The demo has no threads, and what coverage counts is the library.
RUNNERS := $(if $(filter tsan coverage,$(VARIANT)),,$(DISTILL_RUNNER)) $(RUNNER)

.PHONY: check
check: $(RUNNERS) ## build and run the tests (one process per test, two minutes each at most)
	@set -e; for runner in $^; do \
	    CK_DEFAULT_TIMEOUT=$${CK_DEFAULT_TIMEOUT:-120} $(RUN.$(VARIANT)) ./$$runner; done

.PHONY: check-asan check-ubsan check-tsan
check-asan: ## run the tests under AddressSanitizer and LeakSanitizer
check-ubsan: ## run the tests under UndefinedBehaviorSanitizer
check-tsan: ## run the tests under ThreadSanitizer
check-asan check-ubsan check-tsan:
	$(MAKE) VARIANT=$(@:check-%=%) check

# valgrind computes long double in double precision and turns its infinities into numbers, so suites that compare with the
# long double reference cannot run there.  These call every function without it; the sanitizers run all suites.
VALGRIND_SUITES := status context check schedule invariance einval
VALGRIND := valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
	--errors-for-leak-kinds=definite,indirect

.PHONY: check-valgrind
check-valgrind: $(RUNNER) ## run the suites that need no long double under valgrind
	CK_FORK=no TRB_TEST_SCALE=$${TRB_TEST_SCALE:-0.01} $(VALGRIND) ./$(RUNNER) $(VALGRIND_SUITES)

.PHONY: check-demo
check-demo: $(DISTILL) ## run a small piece of the demo, twenty seconds, and check what it must show
	sh test/distill/demo.sh ./$(DISTILL) $(B)/check-demo

.PHONY: check-readme
check-readme: all ## run the programs that README.md prints
	CC='$(CC)' PYTHON='$(PYTHON)' sh test/test_readme.sh include $(B)

$(EXHAUSTIVES) $(VECTORS): %: %.o $(B)/$(STATIC)
	$(LINK) -o $@ $< $(B)/$(STATIC) $(LIBS)

.PHONY: check-exhaustive
check-exhaustive: $(EXHAUSTIVES) ## run the kernel tests that try every input
	@set -e; for program in $^; do echo ./$$program; ./$$program; done

# Every instruction set of this machine must give the committed bits; exit status 3 says that it has not this one.
.PHONY: check-vectors
check-vectors: $(VECTORS) ## compare the bits of results with test/vectors/expected.txt, on every instruction set
	@for isa in 0 1 2 3 4; do \
	    $(EMULATOR) ./$< $$isa > $<.out; status=$$?; \
	    if [ $$status = 3 ]; then echo "instruction set $$isa: not on this machine"; continue; fi; \
	    cmp $<.out test/vectors/expected.txt && echo "instruction set $$isa: same bits" || exit 1; \
	done

# x86-64 processors with fewer instruction sets than this machine's, in qemu's user mode, which has AVX2 but not AVX-512: the
# library must choose what they have, refuse what they lack, and give the same bits.
ISA_CPUS := Nehalem Haswell
LACKS.Nehalem := 2
LACKS.Haswell := 3
KERNELS := $(B)/test/exhaustive/kernels
ISA_EMULATOR ?= qemu-x86_64
.PHONY: check-isa $(ISA_CPUS:%=check-isa-%)
check-isa: $(call if_x86_64,$(ISA_CPUS:%=check-isa-%)) ## check instruction sets as older x86-64 processors have them (make deps-cross)
	$(if $^,,@echo 'check-isa: this machine is no x86-64, nothing to emulate here; check-cross is for it')
$(ISA_CPUS:%=check-isa-%): check-isa-%: $(VECTORS) $(KERNELS)
	$(ISA_EMULATOR) -cpu $* ./$(VECTORS) 0 > $(VECTORS).$* && cmp $(VECTORS).$* test/vectors/expected.txt
	$(ISA_EMULATOR) -cpu $* ./$(VECTORS) $(LACKS.$*) > $(VECTORS).$*; [ $$? = 3 ]
	$(ISA_EMULATOR) -cpu $* ./$(KERNELS) 100000
	@echo '$*: same bits with what it has, instruction set $(LACKS.$*) refused'

# The same on another architecture: everything linked statically, so that the emulator needs no libraries.
CROSS ?= aarch64-linux-gnu
.PHONY: check-cross
check-cross: ## check-vectors for another architecture (CROSS) in qemu's user mode
	$(MAKE) VARIANT=$(CROSS) CC=$(CROSS)-gcc AR=$(CROSS)-ar LDFLAGS=-static \
	    EMULATOR=qemu-$(firstword $(subst -, ,$(CROSS))) check-vectors

# What a fuzzer found worth keeping stands beside its target, one input in hexadecimal per line.
FUZZERS := fuzz_calls fuzz_files
REPLAYS := $(FUZZERS:%=$(B)/test/fuzz/%)
$(B)/test/fuzz/fuzz_files $(B)/test/fuzz/fuzz_files.o: FUZZ_FLAGS = -Iexamples/distill $(DISTILL_CFLAGS)
$(B)/test/fuzz/%.o: test/fuzz/%.c $(BUILD_INPUTS)
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) $(FUZZ_FLAGS) -c -o $@ $<
DISTILL_PARTS = $(filter-out %/main.o,$(DISTILL_OBJECTS))
$(B)/test/fuzz/fuzz_calls: $(B)/test/fuzz/fuzz_calls.o $(B)/test/fuzz/replay.o $(B)/$(STATIC)
	$(LINK) -o $@ $^ $(LIBS)
$(B)/test/fuzz/fuzz_files: $(B)/test/fuzz/fuzz_files.o $(B)/test/fuzz/replay.o $(DISTILL_OBJECTS) $(B)/$(STATIC)
	$(LINK) -o $@ $(filter-out %/main.o %.a,$^) $(DISTILL_LIBS)

.PHONY: check-fuzz replay fuzz
replay: $(REPLAYS)
	@set -e; for target in $(FUZZERS); do $(B)/test/fuzz/$$target test/fuzz/$$target.txt; done
check-fuzz: ## replay the fuzzers' inputs under AddressSanitizer and UndefinedBehaviorSanitizer
	$(MAKE) VARIANT=fuzz replay

FUZZ_SECONDS ?= 300
fuzz: ## look for new inputs with libFuzzer for FUZZ_SECONDS each and keep those that reach new code (clang)
	$(MAKE) VARIANT=libfuzzer CC=clang $(FUZZERS:%=build/libfuzzer/test/fuzz/%.fuzz)
	@set -e; for target in $(FUZZERS); do \
	    at=build/libfuzzer/$$target; rm -rf $$at && mkdir -p $$at/all $$at/kept; n=0; \
	    while read -r line; do n=$$((n + 1)); echo $$line | xxd -r -p > $$at/all/$$n; done < test/fuzz/$$target.txt; \
	    (cd $$at && ../test/fuzz/$$target.fuzz -max_len=2048 -max_total_time=$(FUZZ_SECONDS) all && \
	        ../test/fuzz/$$target.fuzz -merge=1 -set_cover_merge=1 kept all); \
	    for input in $$at/kept/*; do xxd -p -c 100000 $$input; done | sort > test/fuzz/$$target.txt; done
$(B)/test/fuzz/%.fuzz: $(B)/test/fuzz/%.o $(DISTILL_OBJECTS) $(B)/$(STATIC)
	$(LINK) -fsanitize=fuzzer -o $@ $< $(DISTILL_PARTS) $(DISTILL_LIBS)

.PHONY: programs
programs: $(RUNNER) $(BENCH) $(EXHAUSTIVES) $(VECTORS) $(REPLAYS) $(DISTILL_RUNNER) ## build the tests and benchmarks without running them

# What the accuracy is checked with is what the tests compare with.
BENCH_PARTS := $(B)/test/families.o $(B)/test/matrix.o $(B)/test/oracle.o
$(BENCH): $(BENCH_OBJECTS) $(BENCH_PARTS) $(B)/$(STATIC) $(B)/objects
	$(LINK) -o $@ $(BENCH_OBJECTS) $(BENCH_PARTS) $(B)/$(STATIC) $(shell $(PKG_CONFIG) --libs popt openblas) $(LIBS)

.PHONY: bench
bench: $(BENCH) ## build and run the benchmark (BENCH_ARGS are handed to it; --help)
	./$< $(BENCH_ARGS)

.PHONY: bench-plot bench-peer
bench-plot: $(BENCH) ## measure what docs/benchmarks.svg shows, in two minutes, and draw it (gnuplot)
	./$< --grid --timing --kernel=solve,loss --dtype=f32 --threads=1 --json > $(B)/bench.jsonl
	gnuplot -d -e "lines = '$(B)/bench.jsonl'; picture = 'docs/benchmarks.svg'" test/bench/plot.gp

# PyTorch as Debian packages it is for the system's own Python.
PEER_PYTHON ?= /usr/bin/python3
bench-peer: all ## time the same problem in PyTorch (make deps-peer)
	$(PEER_PYTHON) test/bench/peer.py $(B)/$(LINKNAME) $(PEER_ARGS)

.PHONY: coverage
coverage: ## measure which lines and branches of lib/ the tests reach (gcc, gcovr)
	rm -rf build/coverage/report && mkdir -p build/coverage/report
	find build/coverage -name '*.gcda' -exec rm {} +
	$(MAKE) VARIANT=coverage CC=$(COVERAGE_CC) check
	gcovr $(GCOVR) --branches
	gcovr $(GCOVR) --print-summary --html-details build/coverage/report/index.html --txt build/coverage/report/lines.txt \
	    --fail-under-line 100 --fail-under-branch 95; status=$$?; cat build/coverage/report/lines.txt; exit $$status
GCOVR := --root . --filter lib/ build/coverage
COVERAGE_CC ?= gcc

# ---- The binary interface -----------------------------------------------------------------------------------------

# A build of its own, because the dump needs debug information whatever CFLAGS say.
.PHONY: abi-check abi-update
abi-check: ## compare exports, struct layouts and types with the committed ones
abi-update: ## accept the current binary interface as the committed one
abi-check abi-update:
	$(MAKE) VARIANT=abi CFLAGS='-O2 -g' LDFLAGS= all
	CC='$(CC)' $(PYTHON) test/abi/abi.py $(@:abi-%=%) build/abi/$(SHARED) build/abi/$(STATIC)

# ---- Examples and documentation -------------------------------------------------------------------------------------

$(EXAMPLES): %: %.o $(B)/$(STATIC)
	$(LINK) -o $@ $< $(B)/$(STATIC) $(AS_NEEDED) $(shell $(PKG_CONFIG) --libs openblas) $(LIBS)

# OpenBLAS stands in for the CBLAS that GSL would bring.
DISTILL_PACKAGES := openblas popt jansson zlib gsl
DISTILL_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(DISTILL_PACKAGES))
DISTILL_LIBS = $(B)/$(STATIC) $(AS_NEEDED) \
	$(shell $(PKG_CONFIG) --define-variable=GSL_CBLAS_LIB= --libs $(DISTILL_PACKAGES)) $(LIBS)
$(DISTILL): $(DISTILL_OBJECTS) $(B)/$(STATIC) $(B)/objects
	$(LINK) -o $@ $(DISTILL_OBJECTS) $(DISTILL_LIBS)
$(DISTILL_RUNNER): $(DISTILL_TEST_OBJECTS) $(DISTILL_OBJECTS) $(B)/test/runner.o $(B)/$(STATIC) $(B)/objects
	$(LINK) -o $@ $(DISTILL_TEST_OBJECTS) $(DISTILL_PARTS) $(B)/test/runner.o $(shell $(PKG_CONFIG) --libs check) \
	    $(DISTILL_LIBS)

.PHONY: examples demo table
examples: $(EXAMPLES) $(DISTILL) ## build the examples

demo: $(DISTILL) ## distill a teacher into students by several methods, in a few minutes: build/demo/report.html
	./$< --out build/demo --blocks $(DEMO_ARGS)

# Seeds that nothing was chosen by.
table: $(DISTILL) ## the long version, an hour or more, of which docs/results.md tells: build/table/report.html
	./$< --out build/table --settings A,B,C,text --seeds 8 --first-seed 101 --sweep $(TABLE_ARGS)

.PHONY: docs
docs: ## make the HTML reference in build/docs (doxygen)
	@mkdir -p build/docs
	TRB_VERSION=$(VERSION) doxygen docs/Doxyfile

# ---- Bindings -------------------------------------------------------------------------------------------------------

# BINDINGS="python rust" tests only these; SKIPPED=fail takes no missing tool for an excuse.
.PHONY: declarations check-bindings wheel
declarations: ## write what the bindings declare of trb.h
	$(PYTHON) examples/declarations write
check-bindings: all ## test the bindings, those whose tools are here (make deps-bindings)
	PYTHON='$(PYTHON)' SKIPPED='$(SKIPPED)' sh test/bindings/run.sh $(B) build/bindings $(BINDINGS)
wheel: all ## make and try a Python wheel that carries the library: build/wheel (make deps-bindings)
	PYTHON='$(PYTHON)' sh test/bindings/wheel.sh $(B)/$(SHARED) build/wheel

# ---- Installing -----------------------------------------------------------------------------------------------------

# trb.pc and the CMake package find the tree from where they lie if LIBDIR and INCLUDEDIR are below PREFIX, so that an
# installed tree may be moved.
LIBDIR_BELOW := $(patsubst $(PREFIX)/%,%,$(filter $(PREFIX)/%,$(LIBDIR)))
INCLUDEDIR_BELOW := $(patsubst $(PREFIX)/%,%,$(filter $(PREFIX)/%,$(INCLUDEDIR)))
climb = $(shell echo $(1) | sed 's,[^/][^/]*,..,g')
ifdef LIBDIR_BELOW
PC_PREFIX = $${pcfiledir}/$(call climb,$(LIBDIR_BELOW)/pkgconfig)
CMAKE_PREFIX = $${CMAKE_CURRENT_LIST_DIR}/$(call climb,$(LIBDIR_BELOW)/cmake/trb)
else
PC_PREFIX = $(PREFIX)
CMAKE_PREFIX = $(PREFIX)
endif
below = $(if $(1),$${$(3)}/$(1),$(2))
FILL = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@MAJOR@|$(MAJOR)|g' -e 's|@SHARED@|$(SHARED)|g' \
	-e 's|@SONAME@|$(SONAME)|g' -e 's|@PC_PREFIX@|$(PC_PREFIX)|g' -e 's|@CMAKE_PREFIX@|$(CMAKE_PREFIX)|g' \
	-e 's|@PC_LIBDIR@|$(call below,$(LIBDIR_BELOW),$(LIBDIR),prefix)|g' \
	-e 's|@PC_INCLUDEDIR@|$(call below,$(INCLUDEDIR_BELOW),$(INCLUDEDIR),prefix)|g' \
	-e 's|@CMAKE_LIBDIR@|$(call below,$(LIBDIR_BELOW),$(LIBDIR),_trb_prefix)|g' \
	-e 's|@CMAKE_INCLUDEDIR@|$(call below,$(INCLUDEDIR_BELOW),$(INCLUDEDIR),_trb_prefix)|g'

# Every exported function is a name of the manual page.
FUNCTIONS := $(shell sed -n 's/^ *\(trb_[a-z0-9_]*\);.*/\1/p' lib/libtrb.map)

# The guides keep their places, because they link to each other.
GUIDES := README.md CHANGELOG.md $(wildcard docs/*.md docs/*.svg)

.PHONY: install
install: all ## install library, header, trb.pc, CMake package, manual pages and guides
	$(INSTALL) -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(LIBDIR)/cmake/trb' \
	    '$(DESTDIR)$(MANDIR)/man3' '$(DESTDIR)$(DOCDIR)/docs'
	$(INSTALL) -m 644 include/trb.h '$(DESTDIR)$(INCLUDEDIR)/trb.h'
	$(INSTALL) -m 644 $(B)/$(STATIC) '$(DESTDIR)$(LIBDIR)/$(STATIC)'
	$(INSTALL) -m 755 $(B)/$(SHARED) '$(DESTDIR)$(LIBDIR)/$(SHARED)'
	ln -sf $(SHARED) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/$(LINKNAME)'
	$(FILL) trb.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/trb.pc'
	$(FILL) lib/trb-config.cmake.in > '$(DESTDIR)$(LIBDIR)/cmake/trb/trb-config.cmake'
	$(FILL) lib/trb-config-version.cmake.in > '$(DESTDIR)$(LIBDIR)/cmake/trb/trb-config-version.cmake'
	$(INSTALL) -m 644 docs/man/libtrb.3 '$(DESTDIR)$(MANDIR)/man3/libtrb.3'
	for name in $(FUNCTIONS); do ln -sf libtrb.3 '$(DESTDIR)$(MANDIR)/man3/'$$name.3; done
	for name in $(GUIDES); do $(INSTALL) -m 644 $$name '$(DESTDIR)$(DOCDIR)/'$$name || exit; done

build/docs/html/index.html: include/trb.h docs/Doxyfile
	$(MAKE) docs

.PHONY: install-html
install-html: build/docs/html/index.html ## install the HTML reference beside the guides (doxygen)
	$(INSTALL) -d '$(DESTDIR)$(DOCDIR)/html'
	cp -R build/docs/html/. '$(DESTDIR)$(DOCDIR)/html'
	chmod -R a+rX,u+w,go-w '$(DESTDIR)$(DOCDIR)/html'

.PHONY: uninstall
uninstall: ## remove what install and install-html put there
	rm -f '$(DESTDIR)$(INCLUDEDIR)/trb.h'
	for name in $(STATIC) $(SHARED) $(SONAME) $(LINKNAME) pkgconfig/trb.pc cmake/trb/trb-config.cmake \
	    cmake/trb/trb-config-version.cmake; do rm -f '$(DESTDIR)$(LIBDIR)/'$$name; done
	for name in libtrb $(FUNCTIONS); do rm -f '$(DESTDIR)$(MANDIR)/man3/'$$name.3; done
	for name in $(GUIDES); do rm -f '$(DESTDIR)$(DOCDIR)/'$$name; done
	[ ! -e '$(DESTDIR)$(DOCDIR)/html/trb_8h.html' ] || rm -rf '$(DESTDIR)$(DOCDIR)/html'
	-for directory in '$(LIBDIR)/cmake/trb' '$(DOCDIR)/docs' '$(DOCDIR)'; do \
	    [ ! -d '$(DESTDIR)'"$$directory" ] || rmdir '$(DESTDIR)'"$$directory"; done

.PHONY: check-install consumers
check-install: all ## install into a scratch tree and use it from C, C++, CMake and Python
	MAKE='$(MAKE)' VARIANT='$(VARIANT)' CC='$(CC)' PYTHON='$(PYTHON)' bash test/install/run.sh
consumers: check-install ## the same as check-install

# ---- Packaging ------------------------------------------------------------------------------------------------------

# The archive is a commit, whole, so that anybody can compare the two.  The same commit gives the same bytes; so does an
# unpacked archive, whose files carry the time of the commit.
DIST := libtrb-$(VERSION)

.PHONY: dist
dist: ## make build/libtrb-VERSION.tar.xz of the last commit (GNU tar, xz)
	@rm -rf build/dist && mkdir -p build/dist/$(DIST)
	@set -e; if [ -e .git ]; then \
	    [ -z "$$(git --no-optional-locks status --porcelain)" ] || echo 'make dist: what is not committed is left out'; \
	    git archive HEAD > build/dist/tree.tar; time=$$(git log -1 --format=%ct); \
	else \
	    tar --exclude=./build -c . > build/dist/tree.tar; \
	    time=$$(find . -path ./build -prune -o -type f -printf '%T@\n' | sort -n | tail -n 1); \
	fi; \
	cd build/dist && tar -C $(DIST) -xf tree.tar; \
	tar --sort=name --format=ustar --numeric-owner --owner=0 --group=0 --mode=a+rX,u+w,go-w \
	    --mtime=@$${SOURCE_DATE_EPOCH:-$$time} -c $(DIST) > $(DIST).tar; \
	xz -6 -T1 < $(DIST).tar > ../$(DIST).tar.xz
	@rm -rf build/dist
	@echo build/$(DIST).tar.xz

# The changelog of the packages is made of the version and of the archive's time; a distribution's first revision, -1, is
# newer.  Nothing of the environment but the options of Debian's tools reaches the build.
.PHONY: deb
deb: dist ## build Debian packages of the archive in build/deb (make deps-packages)
	rm -rf build/deb && mkdir -p build/deb
	tar -C build/deb -xf build/$(DIST).tar.xz
	cp -R build/deb/$(DIST)/lib/debian build/deb/$(DIST)/debian
	cd build/deb/$(DIST)/debian && sed -e 's|@VERSION@|$(VERSION)|' -e "s|@DATE@|$$(date -R -u -r control)|" \
	    -e "s|@MAINTAINER@|$$(sed -n 's/^Maintainer: //p' control)|" changelog.in > changelog
	cd build/deb/$(DIST) && env -i PATH="$$PATH" HOME="$$HOME" LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS="$$DEB_BUILD_OPTIONS" \
	    DEB_BUILD_PROFILES="$$DEB_BUILD_PROFILES" dpkg-buildpackage -us -uc -b

.PHONY: check-dist check-packages
check-dist: ## check that the archive is reproducible, complete and builds
	MAKE='$(MAKE)' bash test/packages/dist.sh
check-packages: deb ## check the Debian packages by lintian and in use; by dpkg -i and -r, too, if PACKAGES_INSTALL=1
	CC='$(CC)' bash test/packages/run.sh build/deb

# ---- Packages -------------------------------------------------------------------------------------------------------

DEBIAN := gcc g++ libc6-dev make binutils pkg-config librandom123-dev libopenblas-dev check clang clang-format valgrind \
	xxd libc6-dbg abigail-tools cmake doxygen gcovr python3 libpopt-dev libjansson-dev libgsl-dev zlib1g-dev gnuplot-nox \
	wordnet-base
FEDORA := gcc gcc-c++ make binutils pkgconf-pkg-config Random123-devel openblas-devel check-devel clang \
	clang-tools-extra valgrind libabigail libasan libubsan libtsan cmake doxygen gcovr python3 popt-devel jansson-devel \
	gsl-devel zlib-devel gnuplot wordnet
HOMEBREW := pkgconf random123 openblas check clang-format cmake doxygen gcovr popt jansson gsl gnuplot wordnet

# Installs only what the system's own package manager says is missing.  Without root and without sudo it prints the
# command to run and fails.
.PHONY: deps
deps: ## install what building and testing need (apt-get, dnf or brew)
	@set -e; \
	if command -v apt-get >/dev/null; then wanted='$(DEBIAN)'; has() { \
	    [ "$$(dpkg-query -W -f='$${Status}' $$1 2>/dev/null)" = 'install ok installed' ]; }; \
	elif command -v dnf >/dev/null; then wanted='$(FEDORA)'; has() { rpm -q --whatprovides $$1 >/dev/null 2>&1; }; \
	elif command -v brew >/dev/null; then wanted='$(HOMEBREW)'; has() { brew list $$1 >/dev/null 2>&1; }; \
	else echo 'make deps knows apt-get, dnf and brew; install the like of: $(DEBIAN)'; exit 1; fi; \
	missing=; for package in $$wanted; do has $$package || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then echo 'make deps: nothing is missing'; exit 0; fi; \
	echo "make deps: missing:$$missing"; \
	if command -v apt-get >/dev/null; then \
	    first='apt-get update'; then="apt-get install -y --no-install-recommends$$missing"; \
	elif command -v dnf >/dev/null; then first=; then="dnf install -y$$missing"; \
	else brew install $$missing; exit; fi; \
	if [ "$$(id -u)" = 0 ]; then as=; \
	elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then as=sudo; \
	else echo "make deps: not root and no sudo; run as root:  $${first:+$$first && }$$then"; exit 1; fi; \
	[ -z "$$first" ] || $$as env DEBIAN_FRONTEND=noninteractive $$first; \
	$$as env DEBIAN_FRONTEND=noninteractive $$then

.PHONY: deps-cross
deps-cross: ## install what check-cross needs
	$(MAKE) deps DEBIAN='gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user' FEDORA='gcc-aarch64-linux-gnu qemu-user' \
	    HOMEBREW='aarch64-unknown-linux-gnu qemu'

.PHONY: deps-peer
deps-peer: ## install what bench-peer needs
	$(MAKE) deps DEBIAN=python3-torch FEDORA=python3-torch HOMEBREW=pytorch

.PHONY: deps-bindings
deps-bindings: ## install what check-bindings and wheel need
	$(MAKE) deps DEBIAN='$(BINDING)' FEDORA='gcc-c++ clang cargo rust golang luajit java-17-openjdk-devel jna \
	    python3-numpy python3-wheel'
BINDING := g++ clang cargo rustc golang-go luajit openjdk-17-jdk-headless libjna-java python3-numpy python3-torch mypy \
	python3-setuptools python3-wheel python3-venv

.PHONY: deps-packages
deps-packages: ## install what dist and, on Debian, deb and check-packages need besides
	$(MAKE) deps DEBIAN='$(PACKAGING)' FEDORA='git tar xz' HOMEBREW='git gnu-tar xz'
PACKAGING := git xz-utils debhelper dh-python lintian python3-numpy

# ---- Housekeeping ---------------------------------------------------------------------------------------------------

# include/trb.h is aligned by hand.
FORMATTED := $(wildcard lib/*.[ch] test/*.[ch] test/*/*.[ch] examples/*.[ch] examples/*/*.[ch] examples/*/*/*.[ch] \
	examples/cpp/*.[ch]pp examples/cpp/*/*.hpp)

.PHONY: format format-check
format: ## lay out the C and C++ sources with clang-format (trb.h is aligned by hand)
	clang-format -i $(FORMATTED)
format-check: ## fail if `make format` would change anything
	clang-format --dry-run -Werror $(FORMATTED)

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1#\2/p' Makefile | awk -F'#' '{ printf "%-18s %s\n", $$1, $$2 }'
