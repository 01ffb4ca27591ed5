# The README's two commands are `make run` and `make test`; the rest is the workshop.
PYTHON ?= python3
SHARED ?= ../shared
BIN := .venv/bin
TEST := $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
ROOMS := pipeline connectors storage flows desk

.PHONY: run test coverage check format bench cluster soak docs train evaluate evaluate-complaints lock clean

run: .venv/run.done            ## install what is locked, and hear a month of a brand that does not exist
	$(BIN)/earful demo

test: .venv/dev.done           ## every test, on up to four cores; their PostgreSQL comes from pip
	$(TEST)

coverage: .venv/dev.done       ## the same, and which lines no test reaches
	$(TEST) --cov --cov-report=term:skip-covered

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
	PYTHONPATH=. $(BIN)/python bench/vader.py $(SHARED)
	PYTHONPATH=. $(BIN)/python bench/sources.py
	PYTHONPATH=. $(BIN)/python bench/clock.py

cluster: .venv/dev.done        ## twenty sources shared among three workers, on this machine; needs a PostgreSQL server
	PYTHONPATH=. $(BIN)/python bench/cluster.py

soak: .venv/dev.done           ## 2,000 runs killed, and what was lost: see docs/faults.md
	PYTHONPATH=. $(BIN)/python bench/soak.py

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
