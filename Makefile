# make demo    everything on this machine, with virtual patients
# make test    all tests, on real PostgreSQL and real Kafka
# make check   lint, types, layers, unit and golden tests, in a minute
# make up      server, consumers and portal
# make bench [ONLY=server|bus|history] [QUICK=1]   limits, load, freshness and the bus of this machine
# make bench-search [SYNTHEA=DIR]   searches, on 150,000 and on 1,500,000 resources
# make lock    the lock files, from pyproject.toml
.PHONY: demo test check up chaos bench bench-search lock
# Who has this set would wait for every module to be compiled at every start.
unexport PYTHONDONTWRITEBYTECODE
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTEST := .venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder
TIDY := ecluse ecluse_client examples mappers fhir_server consumers portal bench tests tools

demo: .venv/runtime.stamp
	.venv/bin/ecluse demo

up: .venv/runtime.stamp
	.venv/bin/ecluse up

chaos: .venv/development.stamp
	tools/prerequisites.sh
	.venv/bin/python -m tests.chaos $(if $(SEED),--seed $(SEED))

bench: .venv/development.stamp
	.venv/bin/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

bench-search: .venv/development.stamp
	.venv/bin/python -m bench.search $(if $(SYNTHEA),--bundles $(SYNTHEA))

test: .venv/development.stamp
	tools/prerequisites.sh
	$(MAKE) --jobs 2 check-code all-tests

.PHONY: all-tests
all-tests:
	$(PYTEST)

check: .venv/development.stamp check-code
	$(PYTEST) tests/unit tests/golden

.PHONY: check-code
check-code: .venv/development.stamp
	.venv/bin/ruff check $(TIDY)
	.venv/bin/ruff format --check $(TIDY)
	.venv/bin/mypy
	.venv/bin/lint-imports

.venv/runtime.stamp: requirements.lock pyproject.toml
	tools/venv.sh .venv
	.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	.venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/development.stamp: .venv/runtime.stamp requirements-dev.lock
	.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

lock:
	tools/venv.sh .cache/lock
	.cache/lock/bin/pip install -q --disable-pip-version-check uv
	tools/lock.sh .cache/lock/bin/uv
