# Everything a contributor types. Each target makes .venv by itself when it is missing or out of date.

PYTHON ?= python3.11
EXTRAS := demo,dev
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TORCH  := torch==2.13.0
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --prefer-binary --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:  ## this list
	@awk -F ':.*## *' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(READY)  ## recognize real smartwatch recordings, by words the model was never trained on
	@$(BIN)/kinelex demo $(ARGS)

test: $(READY)  ## run every test (ARGS="-k name" for some)
	@$(BIN)/python -m pytest -q $(ARGS)

check: $(READY)  ## lint, format and types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

bench: $(READY)  ## measure speed and memory of the shipped model
	@$(BIN)/python benchmarks/speed.py $(ARGS)

clean:  ## remove .venv and everything else that can be made again
	@rm -rf $(VENV) build dist kinelex-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last. Without it a set-up was broken off: start again from an empty folder, since half an
# install is worse than none. With it, only what pyproject.toml or constraints.txt changed is installed.
# torch goes first, by its exact name: it is by far the largest, and a machine may hold a build of its own.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: no '$(PYTHON)' found: install Python 3.11 or newer, or name yours: make PYTHON=python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: '$(PYTHON)' is older than Python 3.11: name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "setting up $(VENV), once: PyTorch first ..." >&2
	@if [ -f $@ ] && $(BIN)/python -c '' 2>/dev/null; then rm -f $@; else $(PYTHON) -m venv --clear $(VENV); fi
	@$(PIP) $(TORCH)
	@echo "setting up $(VENV): everything else (about two minutes) ..." >&2
	@$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@
