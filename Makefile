# `make help` lists the targets and the variables.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
# Shows progress, or a line for each package: an installation takes most of a minute. To compile all
# modules, of which few are used, would take another; Python compiles those when they are imported.
PIP_SHOWN := $(BIN)/python -m pip install --disable-pip-version-check --no-compile \
    --progress-bar $(if $(MAKE_TERMOUT),on,off)
# Releases that were tried together; pyproject.toml has the ranges.
LOCKED := --constraint constraints.txt --build-constraint constraints.txt

# What `make full` passes on. With CONFIG the file says where the dataset goes.
OUT ?= $(if $(CONFIG),,out)
RUN ?= run
quoted = '$(subst ','\'',$(1))'
flag = $(if $(2),--$(1) $(call quoted,$(2)))
flags = $(call flag,config,$(CONFIG)) $(call flag,output,$(OUT)) $(call flag,workers,$(WORKERS))
flags += $(call flag,faces,$(FACES)) $(call flag,tag-ids,$(TAG_IDS)) $(call flag,source,$(SOURCE))
flags += $(foreach path,$(METADATA),$(call flag,metadata,$(path)))
flags += $(call flag,detector,$(DETECTOR)) $(call flag,pack,$(PACK)) $(ARGS)

FILES ?= $(wildcard ../shared/images)
FUZZ_SECONDS ?= 3600
corpus = $(call flag,corpus,$(BENCH_CORPUS))

# A misspelt variable would be ignored, and the sample made in place of the dataset.
variables := PYTHON VENV OUT RUN CONFIG WORKERS FACES TAG_IDS SOURCE METADATA DETECTOR PACK ARGS \
    FILES FUZZ_SECONDS BENCH_CORPUS BENCH_IMG2DATASET BASE GROUP
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
unknown := $(filter-out $(variables),$(given))
$(if $(unknown),$(error no such variable: $(unknown) (make help lists them)))

.DEFAULT_GOAL := full
.PHONY: help full train setup setup-dev turbojpeg docs test test-all test-newest lint check torture faults \
    fuzz bench bench-compare lock clean

help: ## list the targets and the variables
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'variables of make full:'
	@echo '  FACES=faces.tsv TAG_IDS=tagIds.tsv SOURCE=folder-or-URL   a dataset of your own'
	@echo '  METADATA="a.json b.json"  OUT=folder  WORKERS=64  PACK=webdataset'
	@echo '  METADATA=posts.json SOURCE=folder-or-URL DETECTOR=model.onnx   one whose heads are found'
	@echo '  DETECTOR=model.onnx       by itself: finds the heads of the sample'
	@echo '  CONFIG=settings.toml      settings as a TOML file'
	@echo '  ARGS="--size 128"         any other flags; $(BIN)/dafre-fast full --help lists them'
	@echo 'variables of make train: OUT, RUN=folder of the model, ARGS="--recipe original"'
	@echo 'PYTHON=python3.13 is what the environment $(VENV) is made with.'

full: setup ## make a dataset of FACES, TAG_IDS and SOURCE, or of what DETECTOR finds, or a sample
	$(BIN)/python -m dafre_fast.full $(flags)

train: setup ## train a model on what `make full` made in OUT, into RUN, and judge it
	$(PIP) $(LOCKED) --editable '.[train]'
	$(BIN)/python -m dafre_fast.train $(call flag,output,$(OUT)) $(call flag,into,$(RUN)) $(ARGS)
	$(BIN)/python -m dafre_fast.evaluate $(call flag,output,$(OUT)) $(call flag,model,$(RUN))

setup: $(VENV)/base turbojpeg ## install the package into .venv

setup-dev: $(VENV)/dev turbojpeg ## install what tests, checks and benchmarks need, too

$(VENV)/base: pyproject.toml constraints.txt
	@echo 'making $(VENV), and installing the package and what it needs into it:'
	$(PYTHON) -m venv $(VENV)
	$(PIP_SHOWN) --upgrade pip
	$(PIP_SHOWN) $(LOCKED) --editable .
	@echo 'compiling kernels for this machine:'
	$(BIN)/python -m dafre_fast.warm_up
	touch $@

$(VENV)/dev: $(VENV)/base
	$(PIP) $(LOCKED) --editable '.[dev]'
	touch $@

# Installed where this user may; otherwise what simplejpeg brings along serves, with the same bytes.
turbojpeg: $(VENV)/base
	@$(BIN)/python -c 'from turbojpeg import TurboJPEG; TurboJPEG()' 2>/dev/null || \
	{ [ "$$(id -u)" = 0 ] && echo 'installing libturbojpeg, which may take a minute:' && { \
	    { command -v apt-get && apt-get update -qq && apt-get install -y -qq libturbojpeg0; } || \
	    { command -v dnf && dnf install -y -q turbojpeg; } || \
	    { command -v apk && apk add -q libjpeg-turbo; } ; } >/dev/null 2>&1; } || \
	echo 'libturbojpeg is not here and could not be installed; that of simplejpeg serves in its place'

$(VENV)/docs: $(VENV)/base
	$(PIP) $(LOCKED) --editable '.[docs]'
	touch $@

docs: $(VENV)/docs ## build the documentation in build/site, and refuse broken links
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo 'look at it:  $(BIN)/python -m http.server --directory build/site'

# Tests of one file share a process, and so its fixtures.
pytest = $(BIN)/python -m pytest -q --numprocesses auto --dist loadfile

test: setup-dev ## run the tests that need no long waits, with the same drawn cases every time
	$(pytest) -m 'not slow'

test-all: setup-dev ## run all tests, with other drawn cases every time
	$(pytest) --hypothesis-profile random

test-newest: ## run `make test` in an environment of its own with the newest of all dependencies
	$(PYTHON) -m venv --clear build/newest
	build/newest/bin/python -m pip install --quiet --upgrade pip
	build/newest/bin/python -m pip install --quiet --editable '.[dev]'
	touch build/newest/base build/newest/dev
	$(MAKE) test VENV=build/newest

lint: setup-dev ## check format, style, types and the import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## lint, then test

torture: setup-dev ## try drawn files and those of FILES, decoders that misbehave, and kills
	$(BIN)/python -m tests.torture $(foreach file,$(FILES),$(call quoted,$(file)))

faults: setup-dev ## show everything that a server can do wrong, and in what it ends
	$(BIN)/python -m tests.faults

fuzz: setup-dev ## search the parsers for faults for FUZZ_SECONDS
	FUZZ_SECONDS=$(call quoted,$(FUZZ_SECONDS)) $(BIN)/python -m pytest -q -rP tests/fuzz

# BENCH_CORPUS: a folder of originals. BENCH_IMG2DATASET: the Python of an environment that has it.
bench: setup-dev ## run the benchmarks, on drawn originals or those of BENCH_CORPUS
	BENCH_IMG2DATASET=$(call quoted,$(BENCH_IMG2DATASET)) $(BIN)/python -m bench $(corpus)

# GROUP: images, start, download or tables, of ten minutes at most; without it, one after the other.
# Fails where something became slower, and where not all could be compared.
bench-compare: setup-dev ## compare the benchmarks with those of the commit BASE
	$(BIN)/python -m bench.compare $(corpus) $(call flag,group,$(GROUP)) -- $(call quoted,$(BASE))

lock: ## write constraints.txt: the newest releases that the ranges of pyproject.toml allow
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --upgrade uv
	{ echo '# Releases of all dependencies, the developers’ too. `make lock` writes this file.'; \
	  build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra docs \
	      --no-annotate --no-header pyproject.toml; } >build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## remove .venv, builds and caches, never a dataset
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find dafre_fast bench tests -name __pycache__ -prune -exec rm -rf {} +
