# make run | test | lint | docs | validate | bench | bench-peers | bench-history: each installs what it needs into .venv
# first; tidy | clean.
# uv is used where it is present, else python3's own venv and pip.

VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
CASE   ?= cases/double_well_2d.toml
OUT    ?= runs/$(basename $(notdir $(CASE)))

.PHONY: help tidy install run test lint docs validate bench bench-peers bench-scaling bench-history wheel-with-kernels clean
.DEFAULT_GOAL := help

help:
	@echo "make run        install, run $(CASE), draw it   (CASE=cases/heat_1d.toml for another)"
	@echo "make test       install with test tools, run the test suite"
	@echo "make lint       ruff and mypy"
	@echo "make docs       the documentation, into docs/_build/html"
	@echo "make validate   compare the solvers with closed forms"
	@echo "make bench      time the solvers"
	@echo "make bench-peers     time other packages beside it, each in an environment of its own, or in that of PEERS=…/bin/python (12 minutes)"
	@echo "make bench-scaling   one step on 64² to 4096² cells, kernels beside the roof of the machine (6 minutes)"
	@echo "make bench-history   is it slower?  the working tree against the last commit   (COMMITS='v1 HEAD' for others)"
	@echo "make wheel-with-kernels   a wheel for this system that compiles nothing at its first run, into dist/ (minutes)"
	@echo "make tidy       remove folders of wgfpde/ that hold nothing but caches (install, test and docs do it too)"
	@echo "make clean      remove $(VENV) and caches; runs/ stays"

$(VENV)/bin/python:
	@if command -v uv >/dev/null 2>&1; then uv venv -q --python '>=3.11' $(VENV); \
	elif ! command -v $(PYTHON) >/dev/null 2>&1; then \
	  echo "error: neither uv nor $(PYTHON) was found. Install Python 3.11 or newer (python.org), or uv (astral.sh/uv)." >&2; exit 1; \
	elif ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "error: Python 3.11 or newer is needed; $$($(PYTHON) --version) found. Name another: make PYTHON=python3.12 run" >&2; exit 1; \
	else $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: $(PYTHON) cannot make virtual environments (on Debian: apt install python3-venv); or install uv." >&2; exit 1; }; fi

# one stamp per set of extras; "plain" is no extra
$(VENV)/.installed-%: pyproject.toml | $(VENV)/bin/python
	@echo "installing wgfpde into $(VENV) …"
	@target='.$(if $(filter plain,$*),,[$*])'; \
	if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(BIN)/python -e "$$target"; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check -e "$$target"; fi
	@touch $@

# a folder of which a move left nothing but caches would still import, as a namespace package
tidy:
	@find wgfpde -depth -type d ! -name __pycache__ | while read -r folder; do \
	  [ -n "$$(find "$$folder" -type f ! -path '*/__pycache__/*' | head -n 1)" ] || rm -rf "$$folder"; done

install: tidy $(VENV)/.installed-plain

# kernels of the case, compiled by as many processes as there are cores: again when a source of theirs has changed
KERNELS := $(foreach room,diagnostics energy linear methods studies transport,wgfpde/$(room))
WARM     = $(VENV)/.warm-$(firstword $(shell printf '%s' '$(subst ','"'"',$(CASE))' | cksum))
$(VENV)/.warm-%: $(shell find $(KERNELS) -name '*.py' 2>/dev/null) | install
	@$(BIN)/wgfpde warm $(CASE)
	@touch $@

run: install
	@$(MAKE) --no-print-directory $(WARM)
	@$(BIN)/wgfpde run $(CASE) --out $(OUT) --overwrite --plot

test: tidy $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: tidy $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

validate: install
	$(BIN)/wgfpde validate

bench: install
	$(BIN)/python validation/benchmarks/run_all.py

bench-peers: install
	$(BIN)/python validation/benchmarks/peers/run.py $(if $(PEERS),--python $(PEERS))
	$(BIN)/python validation/benchmarks/peers/page.py

bench-scaling: install
	$(BIN)/python validation/benchmarks/scaling.py --limit 8
	$(BIN)/python validation/benchmarks/roofline.py
	$(BIN)/python validation/benchmarks/peers/page.py

bench-history: install
	$(BIN)/python validation/benchmarks/history/compare.py $(COMMITS)

wheel-with-kernels: install
	$(BIN)/python validation/kernels_in_wheel/make_wheel.py --try double_well_2d

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
