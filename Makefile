# Every target makes what it needs. All that has to exist is a Python 3.11 or newer and its package index.
# V=1 shows the commands' full output.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of these that is new enough makes the environment; `make PYTHON=/path/to/python` decides.
PYTHON ?= python3 python3.13 python3.12 python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input $(if $(V),,--quiet)
# A process per core; `make test JOBS=0` runs in one process (for a debugger).
JOBS ?= auto
TESTS ?= tests

RUNTIME := $(VENV)/.stamp-runtime
DEV := $(VENV)/.stamp-dev
DOCS := $(VENV)/.stamp-docs

.PHONY: help demo test test-cluster check lint format types imports generated generate refresh-engines bench docs wheel lock clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "error: none of '$(PYTHON)' is Python 3.11 or newer" >&2; \
	  echo "hint: install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version)" >&2; \
	if ! "$$python" -m venv $(VENV); then \
	  rm -rf $(VENV); echo "hint: on Debian and Ubuntu the venv module is a package: apt install python3-venv" >&2; exit 2; \
	fi

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing the runtime requirements" >&2
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src/askew  # Python writes none itself where PYTHONDONTWRITEBYTECODE is set
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@echo "installing the development requirements" >&2
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(DOCS): requirements/docs.txt $(RUNTIME)
	@echo "installing the requirements of the docs site" >&2
	@$(PIP) install --require-hashes -r requirements/docs.txt
	@touch $@

demo: $(RUNTIME) ## A bundled incident, end to end: no arguments, no network, no cluster
	@$(BIN)/askew demo

test: $(DEV) ## All tests (TESTS=tests/facts for some, JOBS=0 for one process)
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup $(TESTS)

test-cluster: $(DEV) ## The tests on a real Kubernetes API server, built from source first (needs Go; minutes the first time)
	@$(BIN)/python -m tests.cluster.build
	@$(BIN)/python -m pytest -q tests/cluster

check: lint types imports generated ## Lint, types, import contracts, generated files up to date

lint: $(DEV) ## Style and common mistakes
	@$(BIN)/ruff check $(if $(V),,--quiet) .
	@$(BIN)/ruff format --check $(if $(V),,--quiet) .
	@echo "lint: ok"

format: $(DEV) ## Write what lint would ask for
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

types: $(DEV) ## mypy --strict
	@$(BIN)/mypy src tests $(wildcard tools benchmarks)

imports: $(DEV) ## Imports run only downwards
	@$(BIN)/lint-imports --no-cache --no-logo

generated: $(DEV) ## Generated docs and schemas are what `make generate` writes
	@$(BIN)/python -m tools.generate --check

generate: $(DEV) ## Write the generated docs pages and JSON Schemas
	@$(BIN)/python -m tools.generate

refresh-engines: $(DEV) ## Read what engines have released since, and write their histories (ENGINES="vllm tgi")
	@$(BIN)/python -m tools.engines.releases $(patsubst %,--engine %,$(ENGINES)) --cache .cache/releases

bench: $(DEV) ## Measure: cold start, diff, directories
	@$(BIN)/python -m benchmarks

docs: $(DOCS) ## The docs site, in site/
	@$(BIN)/mkdocs build --strict 2>&1 | { grep -v '^INFO' || true; }

wheel: $(RUNTIME) ## The wheel, in dist/
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

# uv resolves once for all platforms and Python versions and lists the hash of every file of each release.
# The files name no registry host: they install from whatever index pip is configured with.
LOCK = $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-annotate --no-header --no-emit-index-url --no-emit-find-links $(LOCKFLAGS)

lock: | $(VENV)/bin/python ## Pin requirements/*.txt anew (LOCKFLAGS=--upgrade for newer releases)
	@[ -d $(VENV)-lock ] || $(BIN)/python -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	@$(LOCK) pyproject.toml requirements/build.in -o requirements/runtime.txt
	@$(LOCK) pyproject.toml requirements/build.in requirements/dev.in -c requirements/runtime.txt -o requirements/dev.txt
	@$(LOCK) requirements/docs.in -c requirements/runtime.txt -c requirements/dev.txt -o requirements/docs.txt
	@$(LOCK) requirements/lock.in -o requirements/lock.txt

clean: ## Remove everything that make made
	@rm -rf $(VENV) $(VENV)-lock .cache build dist site
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
