# Everything starts from a bare machine with Python >= 3.10: the first target that needs it makes .venv.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
TORCH_INDEX ?=
export PYTHONUNBUFFERED := 1
export JUPYTER_PLATFORM_DIRS := 1

.DEFAULT_GOAL := help
.PHONY: help tutorial test test-unit lint lab refresh expected results leaderboard peers readme colab lock clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-15s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed, and $(PYTHON) is older. Choose another: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (a few minutes the first time) ..."
	$(BIN)/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt -e '.[all]'
	@touch $@

tutorial: $(READY) ## run every notebook, build build/site/index.html, print the headline table
	$(BIN)/python -m recsys_lib.tutorial run

test: lint $(READY) ## everything that CI runs: lint, unit tests, contract, every notebook twice
	$(BIN)/python -m pytest -q -m "not notebooks"
	$(BIN)/python -m pytest -q -m notebooks -s tests/test_notebooks.py
	$(BIN)/python -m pytest -q --nbval-lax notebooks

test-unit: $(READY) ## the fast part: unit tests and doctests, under a minute
	$(BIN)/python -m pytest -q -m "not notebooks and not data"

lint: $(READY) ## ruff, on the library, the tests and the notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

refresh: $(READY) ## execute the committed notebooks in place (NB=02 for one of them)
	$(BIN)/python -m recsys_lib.tutorial refresh $(if $(NB),--only $(NB))

expected: $(READY) ## record the metrics of a FAST run in tests/expected_metrics.json (NB=02 for one)
	$(BIN)/python -m recsys_lib.tutorial expected $(if $(NB),--only $(NB))

results: $(READY) ## run the stored long experiments that are missing or out of date (resumable)
	$(BIN)/python -m recsys_lib.results --all

readme: $(READY) ## fill the READMEs' figures from the committed notebooks (refresh does it, too)
	$(BIN)/python -m recsys_lib.tutorial readme

colab: $(READY) ## badges, set-up cells and addresses for REPO=owner/name (without REPO: as pyproject.toml says)
	$(BIN)/python -m recsys_lib.tutorial colab $(if $(REPO),--repository $(REPO))

LEADERBOARD := leaderboard leaderboard-reranking leaderboard-hypervolume two-stage literature \
  leaderboard-ml-1m leaderboard-hypervolume-ml-1m

leaderboard: $(READY) ## the tables of notebook 10, MovieLens-100K and then 1M (hours; resumable, with the time left)
	set -e; for name in $(LEADERBOARD); do $(BIN)/python -m recsys_lib.results $$name; done

peers: $(READY) ## side by side with other libraries, each in an environment of its own; writes tests/benchmarks/RESULTS.md
	$(BIN)/python tests/benchmarks/peers_in_one_run.py

lock: ## resolve constraints.txt anew: one pin a package, right for Python 3.10 to 3.13
	$(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install -q uv
	echo 'torch==2.13.0' > build/lock/torch.txt
	build/lock/bin/uv pip compile pyproject.toml --all-extras --python-version 3.10 --constraint build/lock/torch.txt \
	  --only-binary :all: --no-header --no-annotate --quiet --upgrade -o build/lock/constraints.txt
	{ echo "# Exact versions that were resolved and installed together, for Python 3.10 to 3.13. Made by: make lock"; \
	  grep -vE '^(nvidia-|cuda-|triton|recsys-lib|pip==|setuptools==)' build/lock/constraints.txt; } > constraints.txt
	@git --no-pager diff --stat constraints.txt || true

clean: ## remove .venv and build/ (assets stay in the user's cache)
	rm -rf .venv build .pytest_cache .ruff_cache .hypothesis
