# Every target makes what it needs. VENV and PYTHON can be set: make test PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
CODECS ?= jpeg,jpeg444,jpeg2000,webp,avif,jpegxl
OURS := conv_lstm_small,conv_lstm_small@2
PRESETS := conv_lstm_small,fc_lstm_small,conv_small,fc_small,conv_small_shared,fc_small_shared
PRESET_DATA := --data $(DATA)/thumbnails/train --data $(DATA)/photos/train \
  --validation $(DATA)/thumbnails/val --min-downscale 2

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
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: setup.cfg | $(BIN)/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ $(VENV)/.installed

.PHONY: demo
demo: $(VENV)/.installed ## Compress a photo and watch it sharpen (demo-output/).
	$(BIN)/python examples/watch_it_sharpen.py examples/photos/chelsea.png demo-output

.PHONY: test
test: $(VENV)/.installed-test ## Run all tests.
	$(BIN)/python -m pytest

.PHONY: test-android
test-android: ## Test the Android demo's Kotlin on the JVM (needs a JDK and Maven, or skips).
	@android_demo/maven test "$(abspath $(wildcard $(BIN)/python))"

.PHONY: check-android-app
check-android-app: test-android ## Compile the Android app's sources, too (downloads 200 MB once).
	android_demo/app/compile_check

.PHONY: bench-android
bench-android: ## Measure the Android demo's codec on the JVM.
	@android_demo/maven bench

.PHONY: arm
arm: | $(BIN)/python ## Run the golden vectors on emulated ARM processors (docs/ARM.md).
	PYTHON=$(BIN)/python tests/arm/run export/check.py '*_32x32'

.PHONY: mutations
mutations: $(VENV)/.installed-test ## Decode 100,000 mutated streams (ten times what the tests do).
	TFRNNC_MUTATIONS=100000 $(BIN)/python -m pytest tests/codec/test_mutations.py

FUZZ_SECONDS ?= 3600
.PHONY: fuzz
fuzz: $(VENV)/.installed-test ## Fuzz the reading of streams for an hour (FUZZ_SECONDS).
	$(BIN)/python -m pip install --quiet 'atheris>=3,<4'
	$(BIN)/python tests/fuzz/make_seeds.py .fuzz/seeds
	@mkdir -p .fuzz/corpus
	$(BIN)/python tests/fuzz/fuzz.py -max_total_time=$(FUZZ_SECONDS) -max_len=1600 -timeout=20 \
	  -artifact_prefix=.fuzz/ .fuzz/corpus .fuzz/seeds

.PHONY: lint
lint: $(VENV)/.installed-test ## Check format, style and types.
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

.PHONY: format
format: $(VENV)/.installed-test ## Format the code.
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

web_demo/node_modules/.installed: web_demo/package-lock.json
	cd web_demo && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: web-demo
web-demo: web_demo/node_modules/.installed ## Build the page and serve it on localhost (Node 20).
	cd web_demo && npm start

.PHONY: test-web
test-web: ## Run the page's tests, in Chromium too (web_demo/README.md).
	web_demo/scripts/test_all.sh

.PHONY: check-web-firefox
check-web-firefox: ## Try the page in Firefox, too (apt-get install firefox-esr).
	web_demo/scripts/check_firefox.sh

.PHONY: thumbnails
thumbnails: $(VENV)/.installed-test ## Measure the default preset against JPEG on thumbnails.
	$(BIN)/tfrnnc-evaluate --data $(DATA)/thumbnails/val --protocol paper \
	  --codec conv_lstm_small,jpeg --bytes 16,32,64,128

# Goes on where it was if it is interrupted. Half of the time is AVIF's, at its slowest; avif@4 in its
# place in CODECS saves most of it.
.PHONY: results
results: $(VENV)/.installed-test ## Measure codecs by both protocols (two hours), for docs/RESULTS.md.
	$(BIN)/tfrnnc-evaluate --data $(DATA)/thumbnails/val --protocol paper \
	  --codec $(OURS),$(CODECS) --output docs/results/thumbnails
	$(BIN)/tfrnnc-evaluate --data $(DATA)/kodak --protocol modern \
	  --codec $(OURS),$(CODECS) --metric psnr,ssim,msssim --output docs/results/kodak
	$(BIN)/tfrnnc-evaluate --data $(DATA)/thumbnails/val --protocol paper \
	  --codec $(PRESETS) --output docs/results/architectures
	$(BIN)/tfrnnc-evaluate --data $(DATA)/kodak --protocol modern \
	  --codec $(PRESETS),jpeg --strips 0 --output docs/results/kodak_architectures
	$(BIN)/python docs/make_results.py

.PHONY: bench-runtime
bench-runtime: $(VENV)/.installed-test ## Measure LiteRT against Keras (ten minutes, quiet).
	$(BIN)/tfrnnc-export conv_lstm_small runs/dynamic --quantize dynamic
	$(BIN)/python benchmarks/runtime.py --model conv_lstm_small --model runs/dynamic \
	  --images $(DATA)/kodak --images $(DATA)/thumbnails/val \
	  --json docs/benchmarks.json --markdown docs/BENCHMARKS.md

TORCH_VENV ?= .torch
$(TORCH_VENV)/.installed:
	$(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip install --quiet numpy torch
	@touch $@

# PyTorch has an environment of its own, of several GB: its package brings what GPUs need.
.PHONY: bench-training
bench-training: $(VENV)/.installed-test $(TORCH_VENV)/.installed ## Measure training against PyTorch (ten minutes, quiet).
	$(BIN)/python benchmarks/training.py --torch $(TORCH_VENV)/bin/python \
	  --json docs/training_benchmarks.json --markdown docs/TRAINING_SPEED.md

.PHONY: bench-compression
bench-compression: $(VENV)/.installed-test ## Measure optimised and quantised files (15 minutes).
	$(BIN)/python benchmarks/compression.py --data $(DATA)/thumbnails/train \
	  --data $(DATA)/photos/train --images $(DATA)/thumbnails/val --min-downscale 2 --ssim-weight 0.2 \
	  --optimize none --optimize cluster:16 --optimize cluster:32 --optimize prune:0.5 \
	  --work runs/compression --markdown

.PHONY: bench-entropy
bench-entropy: $(VENV)/.installed-test ## Measure what entropy coding saves and takes (5 minutes).
	$(BIN)/python -m pip install --quiet 'constriction>=0.4,<0.6'
	$(BIN)/python benchmarks/entropy_coding.py $(DATA)/thumbnails/val $(DATA)/kodak \
	  --json docs/entropy_coding.json --markdown docs/ENTROPY_CODING.md

ADAPTIVE_MODELS ?= fc_small fc_lstm_small conv_lstm_small
.PHONY: bench-adaptive
bench-adaptive: $(VENV)/.installed-test ## Measure what spatially adaptive bit rate saves (half an hour).
	$(BIN)/python benchmarks/adaptive_bits.py $(ADAPTIVE_MODELS) --images $(DATA)/kodak --limit 6 \
	  --json docs/adaptive_bits.json --markdown docs/ADAPTIVE_BITS.md

.PHONY: pictures
pictures: $(VENV)/.installed ## Make the README's pictures again.
	$(BIN)/python docs/make_pictures.py

.PHONY: notebooks
notebooks: $(VENV)/.installed-test ## Run the notebooks again, in place (half an hour).
	$(BIN)/python notebooks/run.py

.PHONY: docs
docs: $(VENV)/.installed-docs ## Build the site of the documents into build/site.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

.PHONY: commands
commands: $(VENV)/.installed ## Write docs/COMMANDS.md again.
	$(BIN)/python docs/make_commands.py

.PHONY: check-wheel
check-wheel: | $(BIN)/python ## Build the package and try it in an empty environment.
	PYTHON=$(BIN)/python tests/packaging/check_wheel.sh

.PHONY: export
export: $(VENV)/.installed-test ## Make export/ again: TFLite files and golden vectors.
	$(BIN)/python export/make.py \
	  --small-images $(DATA)/thumbnails/val --large-images $(DATA)/kodak
	$(BIN)/python export/check.py

.PHONY: preset
preset: $(VENV)/.installed-test ## Train the default preset again (hours) into runs/.
	$(BIN)/tfrnnc-train --arch conv_lstm --layout small --iterations 8 $(PRESET_DATA) \
	  --epochs 24 --steps-per-epoch 500 --batch-size 32 --learning-rate 2e-3 --seed 1 \
	  --output runs/conv_lstm_small
	$(BIN)/tfrnnc-train --initial-model runs/conv_lstm_small $(PRESET_DATA) \
	  --epochs 6 --steps-per-epoch 500 --batch-size 32 --learning-rate 1e-3 --seed 2 \
	  --output runs/conv_lstm_small_2
	$(BIN)/tfrnnc-train --initial-model runs/conv_lstm_small_2 $(PRESET_DATA) --ssim-weight 0.1 \
	  --epochs 12 --steps-per-epoch 250 --batch-size 32 --learning-rate 2e-3 --seed 4 \
	  --output runs/conv_lstm_small_3
	$(BIN)/tfrnnc-train --initial-model runs/conv_lstm_small_3 --iterations 10 $(PRESET_DATA) \
	  --epochs 24 --steps-per-epoch 250 --batch-size 32 --learning-rate 2e-3 --ssim-weight 0.2 \
	  --seed 5 --output runs/conv_lstm_small_4
	$(BIN)/tfrnnc-train --entropy-model runs/conv_lstm_small_4 $(PRESET_DATA) \
	  --epochs 8 --steps-per-epoch 500 --batch-size 64 --learning-rate 3e-3 --seed 1

SMALL := --layout small --iterations 8 --steps-per-epoch 500 --batch-size 32 --learning-rate 2e-3 \
  --ssim-weight 0.2 --seed 1 $(PRESET_DATA)
.PHONY: presets
presets: $(VENV)/.installed-test ## Train the other architectures' presets again (hours).
	$(BIN)/tfrnnc-train --arch fc_lstm --epochs 16 $(SMALL) --output runs/preset_fc_lstm_small
	$(BIN)/tfrnnc-train --arch conv --epochs 5 $(SMALL) --output runs/preset_conv_small
	$(BIN)/tfrnnc-train --arch fc --epochs 4 $(SMALL) --output runs/preset_fc_small
	$(BIN)/tfrnnc-train --arch conv --stage-weights shared --epochs 3 $(SMALL) \
	  --output runs/preset_conv_small_shared
	$(BIN)/tfrnnc-train --arch fc --stage-weights shared --epochs 3 $(SMALL) \
	  --output runs/preset_fc_small_shared

.PHONY: clean
clean: ## Remove what was built, the virtual environment too (not runs/).
	rm -rf $(VENV) $(TORCH_VENV) .arm .fuzz build dist demo-output *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  android_demo/target android_demo/*/target \
	  web_demo/node_modules web_demo/dist web_demo/test-output
