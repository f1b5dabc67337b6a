# Every target works from a fresh clone: what needs the environment makes it first.
# Paths are relative, because make cannot handle a checkout path with a space in it.

PYTHON ?= python3
BIN := .venv/bin

# Without .pyc files every start of dbt takes 1.5 s longer.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help setup demo test image-test dev docs lint lock bench bench-small bench-ingest db-start db-stop clean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup:  ## make .venv from requirements.lock (nothing to do: 0.1 s)
	@$(PYTHON) scripts/setup.py

demo: setup  ## show the whole thing on recorded data
	@$(BIN)/excursion demo

test: setup  ## run every test
	@$(BIN)/python scripts/run_tests.py

image-test: setup  ## build the container image and watch it work (Linux, as root)
	@$(BIN)/python scripts/image_test.py $(ARGS)

dev: setup  ## start Dagster's web interface, with the schedules
	@$(BIN)/python scripts/dev.py $(ARGS)

docs: setup  ## write the dbt documentation
	@$(BIN)/excursion docs

lint: setup  ## check style and types, without a database
	@$(BIN)/python scripts/run_tests.py lint

lock: setup  ## choose the newest versions that pyproject.toml allows
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/python -m uv pip compile --quiet --upgrade --universal --all-extras \
		--python-version 3.11 --no-header --no-annotate --no-emit-index-url \
		--output-file requirements.lock pyproject.toml

bench: setup  ## measure speed beside the rivals, all sizes (hours)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-small: setup  ## all of it on the small size: wrong results fail, slow ones do not
	@$(BIN)/python -m benchmarks --sizes small --repeats 1 --side-by-side $(ARGS)

bench-ingest: setup  ## measure the live ingester and its writer
	@$(BIN)/python -m benchmarks.ingest

db-start: setup  ## start the embedded database
	@$(BIN)/excursion db start

db-stop: setup  ## stop the embedded database
	@$(BIN)/excursion db stop

# The data in .excursion stay: they may be all there is of a trader's history.
clean:  ## remove what make has made, but not the database
	@rm -rf .venv target logs dbt_packages artifacts *.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
