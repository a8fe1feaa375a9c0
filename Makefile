# Every target does its own set-up: a fresh clone needs Python 3.11 or later and nothing else.
# Go is needed once for the engine and cluster lanes (see tools/README.md); without it they are skipped.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(VENV)/bin/uv
STAMP  := $(VENV)/.installed
TESTS  ?= tests

# Without its caches, Python compiles thousands of modules of Pulumi's SDK anew in each process: seconds each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup tools door demo test lint format bench docs site lock clean

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --no-deps -r tools/uv.lock
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/python -m ensurepip --upgrade >/dev/null  # `pulumi up` wants pip in the venv that Pulumi.yaml names
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP)  ## the virtual environment, from the hash-pinned lock

tools: $(STAMP)  ## the real pulumi, kube-apiserver and etcd, built once where they are not installed
	$(BIN)/python -m tools

DOOR_SOURCES := $(shell find lambda_proxy -name '*.py' -o -name '*.json' -o -name '*.lock')

out/door.zip: $(STAMP) sequester/door_zip.py $(DOOR_SOURCES)
	$(BIN)/sequester door-zip $@

door: out/door.zip  ## the door's code for Lambda, with its locked wheels: before `pulumi up`

demo: $(STAMP)  ## the whole program in the embedded cloud, read back and checked
	$(BIN)/sequester demo

test: $(STAMP)  ## the default lane (SEQUESTER_LANES=kernel,...: more lanes; all: every one, or fail)
	@if [ "$(SEQUESTER_LANES)" = all ]; then $(BIN)/python -m tools; fi
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(TESTS)

lint: $(STAMP)  ## ruff, pyright (strict), import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(STAMP)  ## ruff's fixes and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## the generated parts of the README and of docs/, made anew
	$(BIN)/python -m tools.pages

site: $(STAMP)  ## the documentation as a site, in site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

bench: $(STAMP)  ## the figures of docs/performance.md, measured on this machine
	$(BIN)/python -m tests.performance

lock: $(STAMP)  ## the lock, made anew from pyproject.toml; it names no registry host
	$(UV) pip compile pyproject.toml --extra infra --extra door --extra embedded --extra lab --group dev --universal \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock

clean:  ## what was made here: the environment, caches, out/ (built tools stay in the user's cache)
	rm -rf $(VENV) out site dist .ruff_cache .hypothesis .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
