# The front door: `make run` serves, `make test` tests; both need only git, make and Python >= 3.11.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check docs bench reliability fuzz soak clean

run: $(VENV)/.installed
	$(BIN)/gateway serve

# Many tests wait for deadlines: three processes take 2 min 25 s on two cores, and one 5 min 53 s.
SIDE_BY_SIDE := -n 3 --dist loadscope

test: $(VENV)/.installed-dev
	$(BIN)/python -m bench.debian nginx haproxy
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

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

# What docs/reliability.md is made from: the tests of each family, the fuzzer, the soak.
FUZZ_INPUTS ?= 10000000
FUZZ_MINUTES ?= 90
FUZZ_JOBS ?= 2
MINUTES ?= 30
INSIDE := PYTHONPATH=.:tests

reliability: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m family --tally=docs/reliability/tally.json
	$(BIN)/python -m docs.generate

fuzz: $(VENV)/.installed-fuzz
	$(INSIDE) $(BIN)/python -m fuzz --inputs $(FUZZ_INPUTS) --minutes $(FUZZ_MINUTES) --jobs $(FUZZ_JOBS) \
		--result docs/reliability/fuzz.json
	$(BIN)/python -m docs.generate

soak: $(VENV)/.installed-dev
	$(INSIDE) $(BIN)/python -m soak --minutes $(MINUTES) --result docs/reliability/soak.json
	$(BIN)/python -m docs.generate

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

$(VENV)/.installed-fuzz: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check --group fuzz
	touch $@
