# Words everybody knows. Each sets up its own virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Threads that spin at barriers collapse on a busy machine; passive waiting costs nothing elsewhere.
export OMP_WAIT_POLICY ?= passive

.PHONY: setup demo test check lint page types docs bench clean

setup: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'underpaint needs Python 3.11 or newer: make PYTHON=python3.11')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

demo: setup
	$(BIN)/underpaint demo

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

check: setup lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m slow

lint: setup page
	$(BIN)/ruff check src tests benchmarks examples website .ci
	$(BIN)/ruff format --check src tests benchmarks examples website .ci
	$(BIN)/lint-imports

# The types of the page's modules, which stand in comments. Node is needed for this check alone.
page: tests/page/node_modules/.package-lock.json
	tests/page/node_modules/.bin/tsc -p tests/page

tests/page/node_modules/.package-lock.json: tests/page/package-lock.json
	command -v npm >/dev/null || { echo "npm is missing, which brings the checker of the page's types: apt-get install npm"; exit 1; }
	npm ci --prefix tests/page --no-audit --no-fund --silent

types: setup
	$(BIN)/mypy

docs: setup
	$(BIN)/python benchmarks/results_page.py
	OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore $(BIN)/mkdocs build

bench: setup
	$(BIN)/python benchmarks/kernels.py
	$(BIN)/python benchmarks/training.py

clean:
	rm -rf $(VENV)
