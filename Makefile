# Everything a newcomer, a developer and CI call. Set-up is remembered: run twice, the second does nothing.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: demo test check bench lock format clean

demo: $(VENV)/.runs
	$(BIN)/inhouse demo

test: $(VENV)/.develops
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile

check: $(VENV)/.develops
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.docs --check

bench: $(VENV)/.develops
	$(BIN)/python -m benchmarks.ingest --quick
	$(BIN)/python -m benchmarks.feed --quick
	$(BIN)/python -m benchmarks.reaction --quick
	$(BIN)/python -m benchmarks.shedding --quick
	$(BIN)/python -m benchmarks.closed_loop --quick
	$(BIN)/python -m benchmarks.policy --quick

format: $(VENV)/.develops
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tools.docs

# The versions that two installs agree on, made from what this environment holds.
lock: $(VENV)/.develops
	$(BIN)/python -m tools.lock > requirements.lock

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "inhouse needs Python 3.11 or newer; none found" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Torch first and alone: a CPU build at hand is taken before the resolver looks for others.
$(VENV)/.runs: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(PIP) "torch==2.13.0"
	$(PIP) --editable .
	@touch $@

$(VENV)/.develops: $(VENV)/.runs tools/system.sh
	$(PIP) --editable ".[dev]"
	bash tools/system.sh
	@touch $@

clean:
	rm -rf $(VENV) data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
