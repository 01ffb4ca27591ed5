# The README's two commands are `make run` and `make test`; the rest is the workshop.
PYTHON ?= python3
SHARED ?= ../shared
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
ROOMS := pipeline connectors storage flows desk

.PHONY: run test check format bench docs train evaluate evaluate-complaints lock clean

run: .venv/run.done            ## install what is locked, and hear a month of a brand that does not exist
	$(BIN)/earful demo

test: .venv/dev.done           ## every test; a PostgreSQL of their own comes from pip
	$(BIN)/pytest --cov --cov-report=term:skip-covered

check: .venv/dev.done          ## what CI asks: format, lint, types, imports, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/write_connectors.py --check

format: .venv/dev.done         ## put the code in order
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/dev.done          ## the speed figures of the docs
	$(BIN)/python bench/ingest.py
	$(BIN)/python bench/judge.py $(SHARED)

docs: .venv/dev.done           ## the pages written from code
	$(BIN)/python docs/write_connectors.py

train: .venv/dev.done          ## remake the weights from data and seed
	$(PIP) -r requirements-deep.txt
	$(BIN)/python -m pipeline.triage.train $(SHARED)
	$(BIN)/python -m pipeline.triage.train_deep $(SHARED)
	$(BIN)/python -m pipeline.triage.weigh $(SHARED)

evaluate: .venv/dev.done       ## the quality figures, and the model card's table
	$(BIN)/python bench/evaluate.py $(SHARED)

evaluate-complaints: .venv/dev.done   ## the complaint benchmark, ten models taught for it: about half an hour
	$(PIP) -r requirements-deep.txt
	$(BIN)/python bench/complaints.py $(SHARED)

lock: .venv/dev.done           ## renew the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade \
	  --custom-compile-command "make lock" pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" -c requirements.lock pyproject.toml --group build --group dev -o requirements-dev.lock

clean:                         ## what a build or a demo left behind
	rm -rf .venv dist earful-demo report.html

.venv/run.done: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --no-deps --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev.done: .venv/run.done requirements-dev.lock
	$(PIP) --no-deps --require-hashes -r requirements-dev.lock
	touch $@
