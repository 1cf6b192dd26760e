# Everything a newcomer needs: `make demo`, `make test`. Only Python >= 3.11 is expected.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Tests at a time: as many as there are cores, but a test may take half a GB.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() or 1, 4))')
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
INSTALLED = $(VENV)/.installed

.PHONY: help demo tour bench test test-all check soak zoo clean

help:
	@echo "make demo      install into $(VENV) and open the bundled network in the explorer"
	@echo "make tour      make the pictures of the README from the real app"
	@echo "make test      install and run the tests, in minutes"
	@echo "make test-all  those that take longer too: recipes, benchmarks, kills, terminals, the wheel"
	@echo "make check     lint, types and import contracts"
	@echo "make bench     the benchmarks, in minutes"
	@echo "make zoo       every network of torchvision's zoo, many of timm's and Hugging Face's; for hours"
	@echo "make soak      the tests that go on for long"
	@echo "make clean     remove $(VENV) and caches"

# uv shares files between environments (hard links), so that another one costs seconds.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[test]'
	touch $(INSTALLED)

# At a terminal the explorer opens; elsewhere (CI, a pipe) the tree grows without asking.
demo: $(INSTALLED)
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/pe-explore sample; \
	else $(BIN)/pe-explore auto sample --iterations 2; fi

tour: $(INSTALLED)
	$(BIN)/python docs/tour/make.py

test: $(INSTALLED)
	$(PYTEST) -m "not slow and not soak"

test-all: $(INSTALLED)
	$(PYTEST) -m "not soak"

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/contracts

soak: $(INSTALLED)
	$(BIN)/python -m pytest -m soak
	PE_FUZZ_SECONDS=$${PE_FUZZ_SECONDS:-300} $(BIN)/python -m pytest tests/fuzz

# Goes on where it was stopped. `tests/zoo/zoo_run.py NAME` does one; docs/networks.md has the table.
zoo: $(INSTALLED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python '.[timm,transformers]'
	$(BIN)/python tests/zoo/zoo_run.py

# Minutes on two cores; the figures in benchmarks/RESULTS.md came from these, run longer.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/scoring.py sample_checkpoints/sample.pt sample --images 100
	$(BIN)/python benchmarks/scoring_any.py --images 8 --rounds 1
	$(BIN)/python benchmarks/structure.py resnet50
	$(BIN)/python benchmarks/similarity.py
	$(BIN)/python benchmarks/building.py
	$(BIN)/python benchmarks/node.py
	$(BIN)/python benchmarks/protocol.py
	$(BIN)/python benchmarks/training.py --depths 20 --images 640 --rounds 1
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/keys.py --keys 100 --nodes 10000
	$(BIN)/python benchmarks/million.py --nodes 100000
	$(BIN)/python benchmarks/snapshots.py
	$(BIN)/python benchmarks/threads.py 1

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
