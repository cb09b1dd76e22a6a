# What a person types, and what CI runs. `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := domain storage streams tables web app
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The build backend is pinned with the rest: nothing unpinned is ever installed.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
	--python-version 3.11 setup.cfg -

.PHONY: help audit-dependencies run test bench bench-smoke bench-full chaos chaos-long lint setup setup-test lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: setup ## Run Fairline here with its own Kafka and database; Ctrl-C stops it
	@exec $(BIN)/fairline run

test: lint ## Run every check and every test, real services included
	@$(BIN)/python -m pytest

bench: setup-test ## Measure Fairline beside a lock per request: the goals, in 15 minutes
	@exec $(BIN)/python -m benchmarks

bench-smoke: setup-test ## The same in two minutes: the ratios only
	@exec $(BIN)/python -m benchmarks --smoke

bench-full: setup-test ## The same with all loads, limits, open loop and growth, in two hours
	@exec $(BIN)/python -m benchmarks --full

chaos: setup-test ## Harm Fairline for minutes, and check that nothing is lost or done twice
	@$(BIN)/python -m tests.chaos

chaos-long: setup-test ## The same for an hour, with fifty kills of a worker
	@$(BIN)/python -m tests.chaos --long

lint: setup-test ## Check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy .
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(PACKAGES)

audit-dependencies: setup-test ## Ask a vulnerability service about every pinned package
	@$(BIN)/pip-audit --requirement requirements.txt --require-hashes --disable-pip

setup: $(VENV)/run-installed ## Make the virtual environment with what running needs

setup-test: $(VENV)/test-installed ## The same with what testing needs

lock: setup-test ## Pin the newest versions that setup.cfg allows, with hashes
	@$(PIP) install --quiet uv
	@echo 'setuptools>=77' | $(COMPILE) --upgrade -o requirements.txt
	@echo 'setuptools>=77' | $(COMPILE) --upgrade --extra test \
		--constraints requirements.txt -o requirements-test.txt
	@$(BIN)/python -m app.services.pin
	@$(BIN)/python -m benchmarks.limits.pin

clean: ## Remove what was made here, but not .fairline, which holds data
	@rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"$(PYTHON) is not Python 3.11 or newer: make ... PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo \
		"$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv)" >&2; \
		exit 2; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run-installed: requirements.txt setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing Fairline and what it needs (about 90 MB the first time)"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test-installed: requirements-test.txt $(VENV)/run-installed
	@echo "installing what the tests need"
	@$(PIP) install --quiet --require-hashes -r requirements-test.txt
	@touch $@
