# Every command of the project. `make` alone lists them.

PYTHON ?= python3
ARGS ?=

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# The tests run in many processes. Without the compiled files, each of them would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv engine test test-fast test-slow test-engine coverage sdist-test check public-types docs format demo dev dev-chat dev-serverless race bench soak simulate clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: $(INSTALLED) ## make .venv with the package and everything for its development

# Made again when the dependencies may have changed. Quiet twice: pip then tells errors only.
$(INSTALLED): pyproject.toml
	@if ! command -v $(PYTHON) >/dev/null 2>&1; then \
	  echo "$(PYTHON) is missing. Install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "$$($(PYTHON) --version) is too old. Name Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; fi
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "venv: making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); fi
	@echo "venv: installing the package and its development tools"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-warn-script-location -e '.[dev,uvloop]'
	@touch $@

engine: ## install the real engine into .engine/
	@tools/install_engine.sh

# Without npm the engine's tests are skipped, and the summary says so, unless they are required.
test: $(INSTALLED) ## run every test, with the real engine (ARGS="-k name" goes to pytest)
	@tools/install_engine.sh || [ -z "$${RIVET_REQUIRE_ENGINE:-}$${CI:-}" ]
	@tools/install_javascript_client.sh || [ -z "$${RIVET_REQUIRE_ENGINE:-}$${CI:-}" ]
	@$(BIN)/python -m pytest $(ARGS)

# Fewer examples of each property, and no test that is marked slow, as all of tests/engine are: the other targets have both.
test-fast: $(INSTALLED) ## run the quick tests: no engine, no browser, fewer examples, on every core
	@RIVET_REQUIRE_ENGINE=0 $(BIN)/python -m pytest -n auto -m "not engine and not slow" --ignore=tests/engine \
	  --hypothesis-profile=quick $(ARGS)

# Tracing doubles the CPU of a test, so the slow tests, and those that are about time, do without. The command is the exception,
# whose tests all start programs. Of the engine's tests, only those of the testing tools are traced.
SLOW_BUT_TRACED := tests/cli
ENGINE_TOOLS := tests/conformance tests/testing tests/engine/test_local_engine.py tests/engine/test_engine_api.py

coverage: $(INSTALLED) ## check how much of each package the quick tests cover, with all examples
	@tools/install_engine.sh || [ -z "$${RIVET_REQUIRE_ENGINE:-}$${CI:-}" ]
	@rm -f .coverage .coverage.*
	@RIVET_REQUIRE_ENGINE=0 $(BIN)/coverage run -m pytest -n auto -m "not engine and not slow" --ignore=tests/engine \
	  $(addprefix --ignore=,$(SLOW_BUT_TRACED))
	@RIVET_REQUIRE_ENGINE=0 $(BIN)/coverage run -m pytest -n auto -m "not engine" $(SLOW_BUT_TRACED)
	@$(BIN)/coverage run -m pytest -m engine $(ENGINE_TOOLS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage json --quiet -o - | $(BIN)/python tools/coverage_floor.py

test-slow: $(INSTALLED) ## run the slow tests that need no engine, those that coverage leaves out
	@tools/install_javascript_client.sh || [ -z "$${RIVET_REQUIRE_ENGINE:-}$${CI:-}" ]
	@RIVET_REQUIRE_ENGINE=0 $(BIN)/python -m pytest -n auto -m "slow and not engine" \
	  $(addprefix --ignore=,$(SLOW_BUT_TRACED)) $(ARGS)

test-engine: $(INSTALLED) engine ## run the engine's other tests, those that coverage leaves out
	@tools/install_javascript_client.sh
	@$(BIN)/python -m pytest -m engine $(addprefix --ignore=,$(ENGINE_TOOLS)) $(ARGS)

sdist-test: $(INSTALLED) ## build the sdist and the wheel, and run the tests that need no engine from the sdist
	@tools/test_sdist.sh $(BIN)/python

check: $(INSTALLED) ## lint, check the format, the types and the layout
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(MAKE) public-types

# Pyright judges the package that the first python on PATH imports. Its report is long, and of interest when it is bad.
public-types: $(INSTALLED) ## check that every public name has a type
	@report=$$(PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright --verifytypes rivet_runner --ignoreexternal) \
	  || { echo "$$report"; exit 1; }; grep "Type completeness" <<< "$$report"

# Needs no network. A warning is an error: a link that leads nowhere, or a public name that the reference lacks.
docs: $(INSTALLED) ## build the documentation's site in build/docs
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html -d build/doctrees docs build/docs
	@echo "docs: build/docs/index.html"

format: $(INSTALLED) ## format the code and mend what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

demo: $(INSTALLED) engine ## see it work: a tour with a real engine
	@$(BIN)/python -m examples.tour

dev: $(INSTALLED) engine ## a real engine and a runner to play with
	@$(BIN)/python -m examples.dev

dev-chat: $(INSTALLED) engine ## a real engine and a chat room to open in a browser
	@tools/build_chat_client.sh
	@$(BIN)/python -m examples.dev chat

dev-serverless: $(INSTALLED) engine ## a real engine that starts runners at a FastAPI site
	@$(BIN)/python -m examples.serverless_fastapi

race: $(INSTALLED) engine ## what an engine restart does to a serverless actor (ARGS="--quick")
	@$(BIN)/python -m reliability.race $(ARGS)

# Without Node.js the TypeScript runner is left out of the table, and without the engine its rows. `npm ci` refuses a lock file
# in which optional packages for other systems are missing; `npm install` takes the same versions from it.
bench: $(INSTALLED) ## measure beside the TypeScript runner (ARGS="--quick" for a first look)
	@tools/install_engine.sh || true
	@cd benchmarks/typescript_runner && { [ node_modules/.package-lock.json -nt package-lock.json ] \
	  || npm install --no-save --no-audit --no-fund --no-update-notifier --loglevel=error; } || true
	@$(BIN)/python -m benchmarks.run $(ARGS)
	@$(BIN)/python -m benchmarks.simulation $(ARGS)
	@$(BIN)/python -m benchmarks.workers

soak: $(INSTALLED) engine ## load and network faults for ten minutes (ARGS="--minutes 2")
	@$(BIN)/python -m reliability.soak $(ARGS)

simulate: $(INSTALLED) ## the runner against thousands of seeds of faults (ARGS="--seeds 10000 --jobs 2")
	@$(BIN)/python -m reliability.simulation $(ARGS)

clean: ## remove everything that these targets made
	@rm -rf $(VENV) .engine .javascript .coverage .coverage.* benchmarks/typescript_runner/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
