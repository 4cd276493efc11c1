# demo and test make .venv first if it is missing; they need Python 3.10 to 3.13, git, make and a C compiler.
PYTHON ?= python3
BIN := .venv/bin

# Bytecode is kept even where the environment says not to: a hundred processes that tests start import the package.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo check lint types index test unit test-all tables docs clean

demo: .venv/installed
	$(BIN)/python tools/demo.py

# mypy takes one core for as long as all other checks together, so the tests run beside it.
test: .venv/installed
	$(MAKE) --no-print-directory --jobs 2 lint index
	$(MAKE) --no-print-directory --jobs 2 types unit

unit: .venv/installed
	$(BIN)/pytest -n auto --dist worksteal -m "not slow"

# Every test, with Ray's local cluster and the coverage floor of pyproject.toml; faults done to running evaluations;
# OpenMIM's commands on a wheel, in an environment of their own.
test-all: check
	$(BIN)/python -m pip install --quiet --editable '.[dev,ray]'
	$(BIN)/pytest -n auto --dist worksteal --cov
	$(BIN)/python tests/fault_loop.py
	$(BIN)/python tests/openmim_check.py

# In parallel: mypy takes as long as the others together.
check: .venv/installed
	$(MAKE) --no-print-directory --jobs 2 types lint index

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	@# for 3.10 there is no numpy after 2.2, whose types are others; pyproject.toml has mypy check 3.10's syntax anyway
	if $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then $(BIN)/mypy; fi

index: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python tools/check_index.py
	$(BIN)/python tools/make_tables.py --check

tables: .venv/installed
	$(BIN)/python tools/make_tables.py

# The documents as a site, in dist/docs/.
docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv work_dirs .mypy_cache .pytest_cache .ruff_cache .coverage*
