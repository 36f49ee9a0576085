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

# Compiled Python is kept, also where the environment says otherwise: else each of the hundreds of processes that the
# tests start compiles warpcore anew, and each of the test processes all tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow test-gpu lint audit hooks docs docs-tables screenshots bench profile simulate fuzz soak clean
.PHONY: bundle

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

# Files of tests side by side; tests/conftest.py says how many. In their own order: by the number of their tests, files
# with one long test would be the last, and run alone.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

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

# What is installed, and what the page is built from, against the public lists of known faults. It fails, rather than
# passes, where a registry does not hand its list on.
audit: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet 'pip-audit>=2.7'
	status=0; $(BIN)/pip-audit --strict --skip-editable --progress-spinner off || status=1; \
		$(BIN)/python deploy/build_page.py audit || status=1; exit $$status

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

# Damaged inputs for every decoder, and requests of all kinds, for FUZZ_MINUTES: a table; what shows a fault lies in
# build/fuzz. Atheris has wheels for some versions of Python alone; without it, hypothesis makes all inputs.
FUZZ_MINUTES ?= 10
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --only-binary atheris -e '.[fuzz]' || echo "goes on without atheris"
	$(BIN)/python -m tests.fuzz --minutes $(FUZZ_MINUTES)

# Half an hour of faults against a real session, or WARPCORE_SOAK_MINUTES: a report, also in build/soak.txt.
soak: $(VENV)/.installed-test
	$(OWN_MOUNTS) $(BIN)/python -m pytest tests/end_to_end/test_soak.py -m soak -s --timeout=0

# All that an installation without a network needs: dist/bundle. Make it with the Python of the host that it is for, on
# the same distribution or an older one. BUNDLE_EXTRAS are extras of warpcore: `make bundle BUNDLE_EXTRAS=cuda,pool`.
BUNDLE := dist/bundle
BUNDLE_EXTRAS ?=
bundle:
	rm -rf $(BUNDLE) build/bundle
	mkdir -p $(BUNDLE)
	$(PYTHON) -m venv build/bundle
	build/bundle/bin/python -m pip install --quiet --upgrade pip
	build/bundle/bin/python -m pip wheel --quiet --wheel-dir $(BUNDLE) '.$(if $(BUNDLE_EXTRAS),[$(BUNDLE_EXTRAS)])'
	cp deploy/bundle/install.sh deploy/bundle/made_for.py $(BUNDLE)
	mkdir $(BUNDLE)/deploy
	cp -r deploy/systemd deploy/slurm deploy/monitoring $(BUNDLE)/deploy
	echo 'warpcore$(if $(BUNDLE_EXTRAS),[$(BUNDLE_EXTRAS)])' > $(BUNDLE)/requirements.txt
	build/bundle/bin/python deploy/bundle/made_for.py > $(BUNDLE)/made-for
	cd $(BUNDLE) && find . -type f -not -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS

clean:
	rm -rf $(VENV) build dist services/api/page/dist services/api/page/node_modules
	rm -rf .pytest_cache .mypy_cache .ruff_cache
