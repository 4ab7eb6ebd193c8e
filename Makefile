# The commands of people and of CI. Each does its own set-up: system packages, .venv, Python packages, models, build. What is done
# already costs nothing. `make help` lists them. Variables:
#   PYTHON=python3          the interpreter that makes .venv
#   TORCH_INDEX=URL         a package index to take the torch wheel from (README names PyTorch's own for CPUs)
#   DOCS=folder             what `make demo` indexes instead of Python's own documentation
#   QUESTION="text"         what `make demo` asks
#   JOBS=2                  tests that run at once
#   RAG_MODELS, RAG_TOKENIZERS, RAG_SHARED_DATA   folders of real models, tokenizers and data sets for tests and benchmarks
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
BUILD := build/release
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --quiet

# Tests at once: as many as there are CPUs.
JOBS ?= $(shell nproc)

RAG_MODELS ?= $(CURDIR)/models
RAG_TOKENIZERS ?= $(RAG_MODELS)/tokenizers
RAG_SHARED_DATA ?= $(abspath $(wildcard ../shared/data))
RAG_FIXTURES ?= $(CURDIR)/build/fixtures
export RAG_MODELS RAG_TOKENIZERS RAG_SHARED_DATA RAG_FIXTURES
# What one clone has compiled, another one finds in the cache, precompiled headers too.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CCACHE_SLOPPINESS := pch_defines,time_macros
ifeq ($(CI),true)
export RAG_REQUIRE_DATA ?= 1
endif

.PHONY: help system demo build test test-fast test-long bench lint format sanitize tsan docs models tokenizers test-tokenizers fixtures clean distclean

help: ## this list
	@echo "librag: documents in, cited answers out, in one process. Targets:"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

# --- set-up ----------------------------------------------------------------------------------------------------------------------

system:
	@scripts/setup_system.sh

$(STAMPS)/venv: | system
	@if ! $(PY) -c 'import pip' 2>/dev/null; then echo "Making $(VENV)"; $(PYTHON) -m venv $(VENV); fi
	@$(PY) -c 'import sys; sys.exit("Python 3.11 or later is needed to build, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@mkdir -p $(STAMPS) && touch $@

# torch first and by its exact version: as somebody's dependency it would come as a CUDA build of several GB.
$(STAMPS)/torch: $(STAMPS)/venv
	@echo "Installing torch 2.13.0"
	@$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c scripts/constraints.txt torch==2.13.0
	@touch $@

define install_group
	@echo "Installing Python packages: $(1)"
	@$(PIP) -c scripts/constraints.txt -r <($(PY) scripts/requirements.py $(1))
	@touch $@
endef
$(STAMPS)/build: pyproject.toml scripts/constraints.txt $(STAMPS)/torch
	$(call install_group,build runtime cli)
$(STAMPS)/test: $(STAMPS)/build
	$(call install_group,test)
$(STAMPS)/lint: $(STAMPS)/build
	$(call install_group,lint)
$(STAMPS)/bench: $(STAMPS)/test
	$(call install_group,bench bench-stores)

models: $(STAMPS)/venv ## download and unpack the two models of the demo and the tests
	@$(PY) scripts/get_models.py $(RAG_MODELS)

tokenizers: $(STAMPS)/venv ## download the published tokenizers (Llama 3, Qwen3, ...) of the tests and benchmarks; needs npm
	@$(PY) scripts/get_tokenizers.py $(RAG_TOKENIZERS)

# What tests and benchmarks use: without npm or network they skip the published tokenizers and say so, unless RAG_REQUIRE_DATA=1.
test-tokenizers: $(STAMPS)/venv
	@$(PY) scripts/get_tokenizers.py --if-possible $(RAG_TOKENIZERS)

build/fixtures/.stamp: $(wildcard tests/fixtures/*.py) $(STAMPS)/test
	@$(PY) tests/fixtures/make_tiny_models.py build/fixtures
	@touch $@
fixtures: build/fixtures/.stamp ## tiny random models for the tests

# --- build -----------------------------------------------------------------------------------------------------------------------

$(BUILD)/build.ninja: CMakePresets.json | $(STAMPS)/build
	@cmake --preset release
	@touch $@

build: $(STAMPS)/build $(BUILD)/build.ninja ## the libraries, the Python module and the tests; installs librag into .venv
	@cmake --build $(BUILD)
	@$(PY) scripts/install_python.py $(BUILD)

# --- what people run -------------------------------------------------------------------------------------------------------------

demo: build models ## index Python's documentation (or DOCS=folder), ask three questions, reopen and search
	@$(PY) examples/python/demo.py $(if $(DOCS),--docs "$(DOCS)") $(if $(QUESTION),--question "$(QUESTION)")

bench: build models test-tokenizers $(STAMPS)/bench ## quality and speed beside the peers, in one run
	@$(PY) benchmarks/run.py $(ARGS)

# --- tests -----------------------------------------------------------------------------------------------------------------------
# ctest tiers by label: fast (below a minute each tier), full (models and data), long (only test-long).

test: build models test-tokenizers fixtures ## everything but the long tests: C, C++ and Python
	@ctest --test-dir $(BUILD) -j$(JOBS) --output-on-failure --no-tests=error -LE long
	@$(PY) -m pytest -m "not long"

test-fast: build fixtures ## C++ tests without real models, and the Python tests that need none
	@ctest --test-dir $(BUILD) -j$(JOBS) --output-on-failure --no-tests=error -L fast
	@$(PY) -m pytest -m "not full and not long"

test-long: build models test-tokenizers fixtures ## all tests, the long ones too
	@ctest --test-dir $(BUILD) -j$(JOBS) --output-on-failure --no-tests=error
	@$(PY) -m pytest

build/asan/build.ninja build/tsan/build.ninja build/tidy/build.ninja: build/%/build.ninja: CMakePresets.json | $(STAMPS)/build
	@cmake --preset $*
	@touch $@

sanitize: build/asan/build.ninja models fixtures ## torch-free tests and fuzz corpora under ASan and UBSan
	@cmake --build build/asan
	@ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	    ctest --test-dir build/asan -j$(JOBS) --output-on-failure --no-tests=error -LE 'long|plain'

# Races only: hnswlib and SQLite, each on one thread at a time, take locks of their own in both orders, and the runtime of GCC 12 does
# not tell them from ours (its reports name no stack as soon as one of them is suppressed).
tsan: build/tsan/build.ninja models fixtures ## torch-free tests under ThreadSanitizer
	@cmake --build build/tsan
	@TSAN_OPTIONS=halt_on_error=1:detect_deadlocks=0 ctest --test-dir build/tsan -j$(JOBS) --output-on-failure --no-tests=error -LE 'long|plain|fuzz'

lint: build/tidy/build.ninja $(STAMPS)/lint ## formatter, analysers and repository rules; no finding is allowed
	@$(PY) scripts/check_repository.py
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check .
	@$(VENV)/bin/mypy
	@cmake build/tidy >/dev/null
	@$(PY) scripts/lint_cpp.py build/tidy

format: $(STAMPS)/lint ## rewrite sources as the formatters want them
	@$(PY) scripts/lint_cpp.py --format-only
	@$(VENV)/bin/ruff check --quiet --fix . ; $(VENV)/bin/ruff format --quiet .

docs: build models ## check the links of the pages and run their code
	@$(PY) scripts/check_docs.py

clean: ## remove what was built; .venv and models stay
	rm -rf build dist
distclean: clean ## remove .venv and models too
	rm -rf $(VENV) models
