# Needs make, Python 3.11 or newer and the package registries; no root. Another Python: make PYTHON=python3.12 run
PYTHON ?= python3
DATA ?= var/data
DRILL ?= 1
BIN := .venv/bin

help:  ## says what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## /make \1|/p' Makefile | while IFS='|' read -r name what; do \
		printf '%-20s %s\n' "$$name" "$$what"; done

env:  ## makes .venv alone, from the lock files
	@$(PYTHON) scripts/env.py run

dev:  ## the same with the tools of the tests
	@$(PYTHON) scripts/env.py dev

run: env  ## starts the center for evaluation, with a drill (DRILL=0: without; DATA=folder)
	$(BIN)/fengsui up --evaluation --data $(DATA) $(if $(filter 0,$(DRILL)),,--drill)

lint: dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy scripts

test: lint  ## lint, then the core tests (a few minutes)
	$(BIN)/pytest -n 2 -m "not services and not soak"

test-services: dev  ## tests against real services, a browser and the registries
	$(BIN)/pytest -m services

soak: dev  ## long kill and soak runs
	$(BIN)/pytest -m soak

lock: dev  ## resolves the lock files anew (UPGRADE=1: to the newest versions)
	$(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade)

clean:  ## removes .venv and whatever can be made again; never the data in var/
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf soc_api/console/web/node_modules soc_api/console/static/vendor
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help env dev run lint test test-services soak lock clean
