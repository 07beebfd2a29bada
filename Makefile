# Darkroom. `make` alone prints the targets.

SHELL := /bin/bash
UV_VERSION := 0.13.9
VENV := .venv
READY := $(VENV)/.installed
# A file of tests stays on one core: its tests share what takes long to make. tests/conftest.py puts the longest first.
TESTS := --numprocesses auto --dist loadfile --no-loadscope-reorder

# Of own/, where the user's files lie, these are the project's.
EXAMPLES := own/augmentation.py own/network.py

# Stage commands call `python`: the environment's comes first.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Compiled modules halve the start of every stage; some shells switch them off.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup repro test test-all torture lint format bench ui demo lock clean

help:  ## print the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv and install the locked packages (done by the others when needed)

# TORCH_BACKEND=cpu installs PyTorch's small CPU build, which lies outside the hashes of the lock.
$(READY): requirements.txt pyproject.toml
	@test -x $(VENV)/bin/uv || { python3.11 -m venv $(VENV) 2>/dev/null || python3 -m venv $(VENV); }
	@test -x $(VENV)/bin/uv || pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
ifdef TORCH_BACKEND
	uv pip install --quiet --python $(VENV) --compile-bytecode --no-verify-hashes \
	    --torch-backend $(TORCH_BACKEND) -r requirements.in -c requirements.txt
else
	uv pip sync --python $(VENV) --compile-bytecode --require-hashes requirements.txt
endif
	@# Darkroom itself, in place; what it is built with is locked too.
	uv pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	@touch $@

# `report` ends with the summary; where DVC had nothing to do for it, the summary is shown here.
repro: $(READY)  ## run the pipeline: from the archive to the error analysis
	@rm -f .dvc/tmp/summary-shown
	@dvc repro
	@test -e .dvc/tmp/summary-shown || python -m darkroom summary

test: $(READY)  ## the tests
	python -m pytest -m "not slow" $(TESTS)

test-all: $(READY)  ## the tests and the slow ones
	python -m pytest $(TESTS)

torture: $(READY)  ## hostile inputs, faults and kills for 20 minutes; rewrites the table of docs/reliability.md
	python -m tests.torture

lint: $(READY)  ## style and types
	ruff check . $(EXAMPLES)
	ruff format --check . $(EXAMPLES)
	mypy

bench: $(READY)  ## timings side by side; DARKROOM_TEST_ARCHIVES=folder adds real data
	python -m benchmarks

ui: $(READY)  ## MLflow's pages on this machine; prints their address
	@python -m darkroom ui

demo: $(READY)  ## a page on http://127.0.0.1:7860: drop, draw or photograph a picture
	@python -m darkroom demo

format: $(READY)  ## style, mended
	ruff check --fix-only --quiet .
	ruff format .

clean:  ## remove what is made anew by itself: caches, half-written files; never data, models, runs
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -path ./$(VENV) -prune -o -path ./.git -prune -o -name __pycache__ -type d -print -o -name '.*.partial' -print \
	    | xargs -r -d '\n' rm -rf

lock: $(READY)  ## requirements.in -> requirements.txt
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
	    --quiet -o requirements.txt requirements.in
