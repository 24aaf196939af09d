# Everything a checkout needs lives in it: .venv for the packages, data for the embedded database.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# For a Python of any age, which could not read our code.
IS_RECENT := import sys; sys.version_info >= (3, 11) or sys.exit("Error: postgate needs Python 3.11 or newer, and \
	$(PYTHON) is %d.%d; name another one: make PYTHON=python3.11 ..." % tuple(sys.version_info[:2]))

.DEFAULT_GOAL := help
.PHONY: help run test check fuzz bench bench-quick bench-validator bench-interrupts faults format lock wheel clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

run: .venv/run ## Install, start the database if none is configured, migrate and serve
	@exec $(BIN)/python -m postgate serve

test: .venv/dev ## Run the whole test suite
	$(BIN)/python -m pytest

check: .venv/dev ## Lint, formatting and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

fuzz: .venv/dev ## Compare the grammar with PostgreSQL's own on a million mutated statements
	$(BIN)/python scripts/fuzz_grammar.py 1000000

bench: .venv/dev ## Measure what a request costs, beside pgbench and other servers (ten minutes)
	$(BIN)/python scripts/bench $(BENCH)

bench-quick: .venv/dev ## The same in a minute, with less to compare
	$(BIN)/python scripts/bench --quick $(BENCH)

faults: .venv/dev ## Provoke faults, and show what others notice and whether a write is lost (a quarter of an hour)
	$(BIN)/python scripts/faults $(FAULTS)

bench-validator: .venv/dev ## Time the largest statement of each construct, and typical ones cold and warm
	$(BIN)/python scripts/bench_validator.py

bench-interrupts: .venv/dev ## List the functions and operators that work on past a statement's time (ten minutes)
	$(BIN)/python scripts/bench_interrupts.py

format: .venv/dev ## Format the code and sort its imports
	$(BIN)/python -m ruff check --fix-only .
	$(BIN)/python -m ruff format .

lock: .venv/dev ## Renew the lock files from setup.cfg
	$(PIP) install uv
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra build --extra embedded setup.cfg -o requirements.lock
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra dev -c requirements.lock setup.cfg -o requirements-dev.lock

wheel: .venv/dev ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

clean: ## Remove everything that was installed or built, but not the data
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/run: requirements.lock setup.cfg
	@$(PYTHON) -c '$(IS_RECENT)'
	@$(PYTHON) scripts/install.py requirements.lock $@

.venv/dev: requirements-dev.lock .venv/run
	@$(PYTHON) scripts/install.py requirements-dev.lock $@
