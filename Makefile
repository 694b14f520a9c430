# The front door: `make run` serves, `make test` tests; both need only git, make and Python >= 3.11.
# `make` and `make help` list the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?=
TARGET ?=

# Who names a Python means it: an environment of another one is made again.
ifneq ($(filter command% environment%,$(origin PYTHON)),)
EXACTLY := --exactly
endif
ENVIRONMENT := $(PYTHON) tools/environment.py $(EXACTLY) $(VENV)

.DEFAULT_GOAL := help
.PHONY: help run test test-pythons check mutants coverage docs bench reliability fuzz soak \
	release-check update clean \
	environment environment-dev environment-fuzz environment-mutation environment-coverage \
	environment-release

help: ## List these targets
	@echo "Targets of make:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | \
		while IFS='|' read -r name about; do printf '  %-14s %s\n' $$name "$$about"; done
	@echo "Variables: PORT=9000 and TARGET=module:handler for run, PYTHON=python3.12 and VENV=.venv for all"

run: environment ## Serve the built-in load target; PORT=8000 and TARGET=module:handler choose others
	@$(BIN)/gateway serve $(if $(PORT),--port '$(PORT)') $(TARGET) || { status=$$?; \
		test $$status -ne 2 || echo 'make: to listen elsewhere: make run PORT=9001' >&2; exit $$status; }

# Many tests wait for deadlines: three processes take some eight minutes on two cores.
SIDE_BY_SIDE := -n 3 --dist loadscope

test: environment-dev ## Run every test
	$(BIN)/python -m bench.debian nginx haproxy
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-pythons: environment-dev ## Run the unit tests on the other Pythons that are here
	$(BIN)/python tools/pythons.py $(VENV)

check: environment-dev ## Lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Another revision: `make mutants SINCE=HEAD~5`.
SINCE ?=
MODULES ?=

mutants: environment-mutation ## Mutation tests of what has changed; MODULES='wsgi/pool http/body/blocks' names others
	$(BIN)/python tools/mutants.py $(if $(SINCE),--since '$(SINCE)') $(MODULES)

# By default all tests; a few: `make coverage TESTS=tests/unit/wsgi`.
TESTS ?= tests/unit tests/functional

coverage: environment-coverage ## Branch coverage, subprocesses counted; TESTS=tests/unit for a part
	$(BIN)/python -m coverage erase
	-$(BIN)/python -m coverage run -m pytest $(SIDE_BY_SIDE) --timeout=180 $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

docs: environment-dev ## Render the generated pages
	$(BIN)/python -m docs.generate

# Ten minutes on two cores. The full suite: `$(BIN)/python -m bench run --suite full`.
bench: environment-dev ## Measure beside other servers: ten minutes
	$(BIN)/python -m bench install
	$(BIN)/python -m bench run --suite short --overhead --page docs/benchmarks.md

# What docs/reliability.md is made from: the tests of each family, the fuzzer, the soak.
FUZZ_INPUTS ?= 10000000
FUZZ_MINUTES ?= 90
FUZZ_JOBS ?= 2
MINUTES ?= 30
# A shorter run does not replace the result of a longer one, but with REPLACE=--replace.
REPLACE ?=
INSIDE := PYTHONPATH=.:tests

reliability: environment-dev ## Run the tests of hostile peers and render what they tried
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m family --tally=docs/reliability/tally.json
	$(BIN)/python -m docs.generate

fuzz: environment-fuzz ## Fuzz, coverage-guided; FUZZ_INPUTS=200000 for a short run
	$(INSIDE) $(BIN)/python -m fuzz --inputs $(FUZZ_INPUTS) --minutes $(FUZZ_MINUTES) --jobs $(FUZZ_JOBS) \
		--result docs/reliability/fuzz.json $(REPLACE)
	$(BIN)/python -m docs.generate

soak: environment-dev ## Mixed traffic with faults; MINUTES=2 for a short run
	$(INSIDE) $(BIN)/python -m soak --minutes $(MINUTES) --result docs/reliability/soak.json $(REPLACE)
	$(BIN)/python -m docs.generate

release-check: environment-release ## Build, install and try out what would be released
	$(BIN)/python tools/release.py

update: environment-dev ## Install the newest dependencies that pyproject.toml allows; list what it holds back
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --group dev --editable .
	$(BIN)/python -m pip list --outdated

clean: ## Remove what was made
	rm -rf $(VENV) $(VENV)-3.* build dist *.egg-info

environment:
	@$(ENVIRONMENT)

environment-dev:
	@$(ENVIRONMENT) dev

environment-release:
	@$(ENVIRONMENT) dev release

environment-fuzz:
	@$(ENVIRONMENT) dev fuzz

environment-mutation:
	@$(ENVIRONMENT) dev mutation

environment-coverage:
	@$(ENVIRONMENT) dev coverage
