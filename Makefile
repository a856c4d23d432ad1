# Every target makes what it needs. VENV and PYTHON can be set: make test PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= data
FUZZ_SECONDS ?= 3600

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: setup.cfg | $(BIN)/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg | $(BIN)/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[test]' --editable ./presets
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: setup.cfg | $(BIN)/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ $(VENV)/.installed

.PHONY: demo
demo: $(VENV)/.installed ## Compress a photo and watch it sharpen (demo-output/).
	$(BIN)/python examples/watch_it_sharpen.py examples/photos/chelsea.png demo-output

.PHONY: test
test: $(VENV)/.installed-test ## Run all tests but the slow ones.
	$(BIN)/python -m pytest

.PHONY: test-slow
test-slow: $(VENV)/.installed-test ## Run the tests that take minutes: 10,000 images on Apache Beam.
	$(BIN)/python -m pytest -m slow tests

.PHONY: lint
lint: $(VENV)/.installed-test ## Check format, style and types.
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

.PHONY: format
format: $(VENV)/.installed-test ## Format the code.
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

.PHONY: docs
docs: $(VENV)/.installed-docs ## Build the site of the documents into build/site.
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --strict --quiet
	@ls build/site/assets/stylesheets/main.*.css > /dev/null # `exclude_docs` can drop the theme.

.PHONY: check-wheel
check-wheel: | $(BIN)/python ## Build the package and try it in an empty environment.
	PYTHON=$(BIN)/python tests/packaging/check_wheel.sh

.PHONY: test-web
test-web: ## Run the pages' tests, in Chromium too (web_demo/README.md).
	web_demo/scripts/test_all.sh web_demo
	web_demo/scripts/test_all.sh web_preview

.PHONY: test-android
test-android: ## Test the Android demo's Kotlin on the JVM (needs a JDK and Maven, or skips).
	@android_demo/maven test "$(abspath $(wildcard $(BIN)/python))"

.PHONY: fuzz
fuzz: $(VENV)/.installed-test ## Fuzz the reading of streams, on from last time (FUZZ_SECONDS=3600).
	$(BIN)/python -m pip install --quiet 'atheris>=3,<4'
	$(BIN)/python tools/make_fuzz_seeds.py .fuzz/seeds
	@mkdir -p .fuzz/corpus
	$(BIN)/python tools/fuzz.py -max_total_time=$(FUZZ_SECONDS) -max_len=1600 -timeout=20 \
	  -artifact_prefix=.fuzz/ .fuzz/corpus .fuzz/seeds tests/fuzz/corpus

.PHONY: get-data
get-data: $(VENV)/.installed ## Fetch the data sets into data/ (SET=kodak for one of them).
	$(BIN)/python tools/get_data.py $(SET) --folder data

$(DATA):
	@echo "$(DATA): no such folder; make get-data fetches the data sets into data/" >&2; exit 1

.PHONY: export
export: $(DATA) $(VENV)/.installed-test ## Make export/ again: TFLite files and golden vectors (DATA).
	$(BIN)/python tools/make_export.py \
	  --small-images $(DATA)/thumbnails/val --large-images $(DATA)/kodak
	$(BIN)/python export/check.py

.PHONY: results
results: $(DATA) $(VENV)/.installed-test ## Measure codecs for docs/RESULTS.md (DATA; two hours).
	DATA=$(DATA) PATH="$(abspath $(BIN)):$$PATH" recipes/results.sh
	$(BIN)/python tools/make_results.py

.PHONY: thumbnails
thumbnails: $(DATA) $(VENV)/.installed-test ## Measure the README's table (DATA; minutes).
	DATA=$(DATA) PATH="$(abspath $(BIN)):$$PATH" recipes/thumbnails.sh

.PHONY: clean
clean: ## Remove what was built, the virtual environment too (not runs/).
	rm -rf $(VENV) .torch .arm .fuzz build dist demo-output *.egg-info .pytest_cache \
	  .mypy_cache .ruff_cache android_demo/target android_demo/*/target \
	  web_demo/node_modules web_demo/dist web_demo/test-output \
	  web_preview/node_modules web_preview/dist web_preview/site web_preview/test-output
