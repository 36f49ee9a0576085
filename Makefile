# Everything a person or CI runs. Needs Python >= 3.11, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The live page's sources; a change of them builds the page again.
PAGE := $(shell find services/api/page -type f -not -path '*/node_modules/*' -not -path '*/dist/*') deploy/build_page.py
# Checks and tests of the page need node: where the system has none, it comes from PyPI.
COMMA := ,
EXTRAS := test,lint,docs$(if $(shell command -v npm),,$(COMMA)page)
# What mounts and ends lets its mounts go with it, where the user may have a namespace of mounts.
OWN_MOUNTS = $(shell unshare --mount true 2>/dev/null && echo unshare --mount)

.PHONY: demo test test-slow test-gpu lint hooks docs docs-tables screenshots bench profile simulate soak clean

$(VENV)/.installed: pyproject.toml $(PAGE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[$(EXTRAS)]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/warpcore demo

# Files of tests side by side, more than a small host has cores, since many wait for the processes that they start. In
# their own order: by the number of their tests, files with one long test would be the last, and run alone.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

# On a host with an NVIDIA GPU; they are skipped elsewhere.
test-gpu: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet -e '.[cuda]'
	$(BIN)/python -m pytest -m gpu

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python deploy/build_page.py check
	$(BIN)/python -m warpcore.cli.generate_docs --check

hooks: $(VENV)/.installed-test
	$(BIN)/pre-commit install

# The site: build/docs/index.html. A broken link or reference fails.
docs: $(VENV)/.installed-test
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --conf-dir docs . build/docs

docs-tables: $(VENV)/.installed-test
	$(BIN)/python -m warpcore.cli.generate_docs

# A picture of each view of the live page, from a real session of simulated movies: docs/images/page. Needs chromium.
screenshots: $(VENV)/.installed-test
	$(BIN)/python docs/page_screenshots.py

# Other schedulers that ours is compared with are installed for this alone.
bench: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet -e '.[bench]'
	$(BIN)/python -m pytest -m bench -s --timeout=0

# Where a movie's time goes on this host's GPU, or CPU: a table, also in build/profile.txt.
profile: $(VENV)/.installed-test
	mkdir -p build
	$(BIN)/python -m tests.benchmarks.device_profile $(MOVIE) | tee build/profile.txt

# A session in one process, under a simulated clock, network and disk: 10 000 seeds with faults at any step.
simulate: $(VENV)/.installed-test
	$(BIN)/python -m tests.simulation --seeds 10000

# Half an hour of faults against a real session, or WARPCORE_SOAK_MINUTES: a report, also in build/soak.txt.
soak: $(VENV)/.installed-test
	$(OWN_MOUNTS) $(BIN)/python -m pytest tests/end_to_end/test_soak.py -m soak -s --timeout=0

clean:
	rm -rf $(VENV) build dist services/api/page/dist services/api/page/node_modules
	rm -rf .pytest_cache .mypy_cache .ruff_cache
