# Everything a newcomer, a developer and CI call. Set-up is remembered: run twice, the second does nothing.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# Python compiles what it imports, once; the installer would compile seven million lines, most of
# which nothing here ever reads.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint requirements.lock
# Torch first and alone: a CPU build at hand is taken before the resolver looks for others.
TORCH := "torch==2.13.0"

# Containers often ask for no bytecode. Every process that tests start would then compile every
# module anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test check types layers pages lint bench lock format clean

demo: $(VENV)/.runs
	$(BIN)/inhouse demo

test: $(VENV)/.develops
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile

# What takes longest first: with `--jobs 2` the others are done meanwhile.
check: types layers pages lint

types: $(VENV)/.develops
	$(BIN)/mypy

layers: $(VENV)/.develops
	$(BIN)/lint-imports

pages: $(VENV)/.develops
	$(BIN)/python -m tools.docs --check

lint: $(VENV)/.develops
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

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

$(VENV)/.runs: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(PIP) $(TORCH)
	$(PIP) --editable .
	@touch $@

# Whoever develops runs it too.
$(VENV)/.develops: pyproject.toml requirements.lock tools/system.sh | $(VENV)/bin/python
	$(PIP) $(TORCH)
	$(PIP) --editable ".[dev]"
	bash tools/system.sh
	@touch $(VENV)/.runs $@

clean:
	rm -rf $(VENV) data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
