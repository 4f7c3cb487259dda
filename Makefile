# Two commands: `make reproduce` and `make test`. Both make .venv when there is none, and reuse it when there is.
PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.10,$(shell python$(v) -c 'print("python$(v)")' 2>/dev/null)) python3)
BIN := .venv/bin

.PHONY: setup reproduce test
.DELETE_ON_ERROR:

setup: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 10) <= sys.version_info < (3, 13), f"Python 3.10-3.12 is needed, this is {sys.version}: make PYTHON=/path/to/python3.11"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Each notebook runs in a papermill process of its own; a notebook already made from the same sources is kept.
DATASETS := hmdb51 ntu60 svideoqa
MADE := results/mini/notebooks
CORE := $(shell find wtmr_core -name '*.py')

reproduce: $(DATASETS:%=$(MADE)/01_data-%.ipynb) $(DATASETS:%=$(MADE)/02_train-%.ipynb)
	@echo "The miniature runs (say nothing about real people; see README.md):"
	@$(BIN)/wtmr table results/mini

$(MADE)/01_data-%.ipynb: notebooks/01_data.ipynb $(CORE) | setup
	@mkdir -p $(@D)
	$(BIN)/papermill $< $@.part.ipynb -k python3 -p dataset $*
	@mv $@.part.ipynb $@

$(MADE)/02_train-%.ipynb: notebooks/02_train.ipynb $(CORE) | setup
	@mkdir -p $(@D)
	$(BIN)/papermill $< $@.part.ipynb -k python3 -p dataset $*
	@mv $@.part.ipynb $@

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python -m pytest --nbval --nbval-current-env notebooks
