# Two commands do everything on a fresh Debian or Ubuntu machine (root or sudo): `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
unexport PYTHONDONTWRITEBYTECODE  # each module is compiled once, not by every process that a test starts

.PHONY: demo test setup check quick bench soak down lock format parity

setup: $(VENV)/.ready  ## install what is missing, nothing else

$(VENV)/.ready: requirements-dev.lock pyproject.toml tools/setup.sh tools/compile_protos.py tools/compile_module.py src/hatoba/proxy/trace.c
	@tools/setup.sh
	@touch $@

check: setup  ## format, lint, types, import contracts, tidy
	$(BIN)/ruff format --check src tests bench examples tools
	$(BIN)/ruff check src tests bench examples tools
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/tidy

quick: check  ## every test that needs no root, and not long
	$(BIN)/pytest -q -n 2 --dist worksteal -m "not real and not slow" tests --ignore tests/tidy

test: quick  ## the whole suite: what needs root, or time, runs alone
	$(SUDO) $(BIN)/pytest -v --durations=25 -m "real or slow" tests

soak: setup  ## what takes too long for every run: kills by the dozen, every spoiled request there is
	$(SUDO) env CHAOS_KILLS=50 $(BIN)/pytest -v -s tests/e2e/test_chaos.py
	$(SUDO) env CHAOS_SECONDS=600 $(BIN)/pytest -v -s tests/e2e/test_chaos_fleet.py
	HOSTILE_MOST=1000000 $(BIN)/pytest -q tests/conformance/hostile/test_every_operation.py
	HOSTILE_TOTAL=1000000 $(BIN)/pytest -q -s tests/conformance/hostile/test_a_million.py

bench: setup  ## figures: medians beside what they should be
	$(SUDO) $(BIN)/python -m bench

demo: setup
	@$(SUDO) $(BIN)/python examples/demo.py

down: setup
	@$(SUDO) $(BIN)/hatoba down

format: setup
	$(BIN)/ruff format src tests bench examples tools
	$(BIN)/ruff check --fix src tests bench examples tools

parity: setup  ## regenerate docs/parity.md and the typed shapes from the models
	$(BIN)/python tools/parity.py

lock: setup
	tools/lock.sh
