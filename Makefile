# The front door: `make run` serves, `make test` tests; both need only git, make and Python >= 3.11.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check docs bench clean

run: $(VENV)/.installed
	$(BIN)/gateway serve

test: $(VENV)/.installed-dev
	$(BIN)/python -m bench.debian nginx haproxy
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/python -m docs.generate

# Ten minutes on two cores. The full suite: `$(BIN)/python -m bench run --suite full`.
bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench install
	$(BIN)/python -m bench run --suite short --overhead --page docs/benchmarks.md

clean:
	rm -rf $(VENV) build dist *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 run" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $@ $(VENV)/.installed
