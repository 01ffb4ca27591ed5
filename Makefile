# The two commands of the README are `make run` and `make test`; the rest is the workshop.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check bench docs lock train clean

run: .venv/run.done
	$(BIN)/earful demo

test: .venv/dev.done
	$(BIN)/pytest

.venv/run.done: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/dev.done: .venv/run.done requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
