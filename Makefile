# `make reproduce`, `make test` and `make site` make .venv when there is none, and reuse it when there is.
#   make reproduce                                    the paper in miniature
#   make reproduce SUITE=published DATA=/path         the real thing; or SUITE=corrected
#   make reproduce SUITE=published DATA=/path DRY=1   what that would run
#   make reproduce ... PROFILE=slurm GPUS=2           on a cluster, see profiles/slurm
#   make site                                         the pages, notebooks and reference in build/site, without network
#   make links                                        tries every link to elsewhere; they are listed in build/links
PYTHON ?= $(firstword $(foreach v,3.11 3.12,$(shell python$(v) -c 'print("python$(v)")' 2>/dev/null)) python3)
BIN := .venv/bin
SUITE ?= mini

.PHONY: setup reproduce test site links

setup: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 13), f"Python 3.11 or 3.12 is needed, this is {sys.version}: make PYTHON=/path/to/python3.11"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

reproduce: setup
	$(BIN)/wtmr reproduce $(SUITE) $(if $(DATA),--data "$(DATA)") $(if $(PROFILE),--profile $(PROFILE)) $(if $(GPUS),--gpus $(GPUS)) $(if $(filter-out 0,$(DRY)),--dry)

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	# files in their order: those with few tests, which would come last, take longest
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	# against the committed results, whatever was reproduced since: the first two notebooks write there, the others read
	rm -rf build/nbval && mkdir -p build/nbval/write build/nbval/read
	for copy in write read; do { git archive HEAD results 2>/dev/null || tar -c results; } | tar -x -C build/nbval/$$copy || exit 1; done
	WTMR_RESULTS="$(CURDIR)/build/nbval/write/results" $(BIN)/python -m pytest --nbval --nbval-current-env notebooks/0[12]* \
		> build/nbval/write.log 2>&1 & writing=$$!; \
	WTMR_RESULTS="$(CURDIR)/build/nbval/read/results" $(BIN)/python -m pytest --nbval --nbval-current-env notebooks/0[3-9]*; reading=$$?; \
	wait $$writing; written=$$?; cat build/nbval/write.log; test $$reading = 0 && test $$written = 0

site: setup
	$(BIN)/python -m sphinx -W --keep-going --quiet -c docs -d build/doctrees . build/site
	@echo "build/site/index.html"

links: setup
	$(BIN)/python -m sphinx --quiet -b linkcheck -c docs -d build/doctrees . build/links
