# make full | test | check | torture | faults | fuzz | bench | bench-compare BASE=ref | clean
# real job: make full FACES=… TAG_IDS=… SOURCE=… METADATA=… OUT=… WORKERS=… PACK=webdataset

PYTHON ?= python3
OUT ?= out
WORKERS ?=
VENV := .venv
BIN := $(VENV)/bin

flags = --output $(OUT) $(if $(WORKERS),--workers $(WORKERS))
flags += $(if $(FACES),--faces '$(FACES)' --tag-ids '$(TAG_IDS)' --source '$(SOURCE)')
flags += $(if $(METADATA),--metadata '$(METADATA)')
flags += $(if $(PACK),--pack $(PACK))

.PHONY: full setup test check torture faults fuzz bench bench-compare clean

full: setup
	$(BIN)/python -m dafre_fast.full $(flags)

setup: $(VENV)/ready turbojpeg

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# Installed where this user may; otherwise the run says what is lost and goes on through libvips.
.PHONY: turbojpeg
turbojpeg: $(VENV)/ready
	@$(BIN)/python -c 'from turbojpeg import TurboJPEG; TurboJPEG()' 2>/dev/null || \
	{ [ "$$(id -u)" = 0 ] && { \
	    { command -v apt-get && apt-get update -qq && apt-get install -y -qq libturbojpeg0; } || \
	    { command -v dnf && dnf install -y -q turbojpeg; } || \
	    { command -v apk && apk add -q libjpeg-turbo; } ; } ; } >/dev/null 2>&1 || \
	echo 'libturbojpeg is not here and could not be installed; libvips serves in its place'

test: setup
	$(BIN)/python -m pytest -q

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q

# Everything that is drawn here, and every file of FILES, through the decoders and beside the careful
# reference; decoders that misbehave; kills.
FILES ?= $(wildcard ../shared/images)

torture: setup
	PYTHONPATH=.:tests $(BIN)/python -m torture $(FILES)

# Everything that a server can do wrong, and in what it ends.
faults: setup
	PYTHONPATH=.:tests $(BIN)/python -m faults

FUZZ_SECONDS ?= 3600

fuzz: setup
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest -q -rP tests/fuzz

# BENCH_CORPUS: a folder of originals. BENCH_IMG2DATASET: the Python of an environment that has it.
corpus = $(if $(BENCH_CORPUS),--corpus '$(BENCH_CORPUS)')

bench: setup
	BENCH_IMG2DATASET='$(BENCH_IMG2DATASET)' $(BIN)/python -m bench $(corpus)

bench-compare: setup
	$(BIN)/python -m bench.compare $(corpus) -- '$(BASE)'

clean:
	rm -rf $(VENV) $(OUT)
