# Every command of the house; `make` alone lists them. GNU make, a POSIX sh, Python 3.11 to 3.13 and git:
# everything else is installed inside this folder, at the versions and hashes of the lock files.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# PYTHON=python3.12 make install   picks the interpreter; otherwise the first supported one is found.
PYTHON ?=
# PYTEST_ARGS="-k members -x" make test   is handed to pytest.
PYTEST_ARGS ?=
# How many tests run at a time.
TEST_JOBS ?= 2

UV_VERSION := 0.13.9
VENV := .venv
PY := $(VENV)/bin/python
HOISO := $(VENV)/bin/hoiso
NODE_MODULES := openapi/node_modules/.installed

# A missing Python is a message from us, never a download.
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Processes that the tests start load compiled modules: a fresh compilation each time takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPATH := $(CURDIR)

.PHONY: help
help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##### Setting up

# Said when it was asked for by name, not on the way to something else.
ready = $(if $(filter $(1),$(MAKECMDGOALS)),echo "Ready: $(2).",:)

.PHONY: install
install: $(VENV)/.run $(HOISO) ## set up what the server needs (make run does it for you)
	@$(call ready,install,make run starts the server)

.PHONY: install-test
install-test: $(VENV)/.test $(HOISO) ## set up what the tests and checks need as well
	@$(call ready,install-test,make test runs the suite)

# Looks in PATH and prints why each candidate will not do.
$(PY):
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$("$$python" --version)"; \
	    rm -rf $(VENV); \
	    "$$python" -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
	    exit 1; \
	  fi; \
	  tried="$${tried:-} $$python ($$("$$python" --version 2>/dev/null || echo not found))"; \
	done; \
	echo "Hội Số needs Python 3.11, 3.12 or 3.13. Tried:$$tried" >&2; \
	echo "Install one of them, or name it: make PYTHON=/path/to/python3.12 install" >&2; \
	exit 1

# The lock file $(1) into the environment: by uv (seconds), else by pip (a minute). Hashes are checked either way.
define install_locked
	@echo "Installing $(1)"
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install -q uv==$(UV_VERSION) >$(VENV)/install.log 2>&1 || true
	@$(PY) -m uv pip install -q --python $(PY) --require-hashes -r $(1) >$(VENV)/install.log 2>&1 \
	  || { echo "uv could not; trying pip, which takes about a minute"; \
	       $(PY) -m pip install -q --require-hashes -r $(1) >>$(VENV)/install.log 2>&1; } \
	  || { cat $(VENV)/install.log >&2; echo "$(1) could not be installed: the reason is above." >&2; exit 1; }
	@touch $@
endef

$(VENV)/.run: requirements.lock | $(PY)
	$(call install_locked,requirements.lock)

# Each lock contains the smaller ones, version for version (tests/house/test_repository.py holds them to that).
$(VENV)/.test: requirements-test.lock | $(PY)
	$(call install_locked,requirements-test.lock)
	@touch $(VENV)/.run

$(VENV)/.bench: requirements-bench.lock | $(PY)
	$(call install_locked,requirements-bench.lock)
	@touch $(VENV)/.run $(VENV)/.test

# `hoiso` is `python -m app.cli` from any folder; -P keeps an `app` in the caller's folder out of the way.
define LAUNCHER
#!/bin/sh
bin=$$(CDPATH= cd -- "$$(dirname -- "$$0")" && pwd)
PYTHONPATH=$${bin%/*/*} exec "$$bin/python" -P -c 'from app.cli import app; app(prog_name="hoiso")' "$$@"
endef
export LAUNCHER

$(HOISO): Makefile | $(PY)
	@printf '%s\n' "$$LAUNCHER" >$@ && chmod +x $@

##### Using it

.PHONY: run
run: install ## start Hội Số with a whole demo district on http://127.0.0.1:8000
	@$(HOISO) migrate
	@$(HOISO) demo --if-empty --meetings-later
	@exec $(HOISO) serve

.PHONY: dev
dev: install ## the same, started anew whenever a file of app/ changes
	@$(HOISO) migrate
	@$(HOISO) demo --if-empty --meetings-later
	@exec $(PY) -m uvicorn app.main:create_app --factory --reload --reload-dir app --port $${HOISO_PORT:-8000}

##### Checking it

.PHONY: test
test: install-test ## the whole suite, on SQLite and then on a real PostgreSQL
	@failed=; notes=$$(mktemp -d); trap 'rm -rf "$$notes"' EXIT; \
	for database in sqlite postgresql; do \
	  printf '\n== tests on %s\n' $$database; \
	  HOISO_TEST_NOTES=$$notes HOISO_TEST_DATABASE=$$database $(PY) -m pytest -n $(TEST_JOBS) $(PYTEST_ARGS) || failed="$$failed $$database (exit $$?)"; \
	done; \
	if [ -n "$$failed" ]; then echo "Tests failed on:$$failed" >&2; exit 1; fi

.PHONY: recorded
recorded: install-test ## what the tests see of each operation (problems, examples), for the contract: app/data/recorded
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	HOISO_RECORD=$$folder HOISO_SWEEP_EVERYBODY=1 $(PY) -m pytest -q -n $(TEST_JOBS) $(PYTEST_ARGS) && \
	$(PY) -m tests.helpers.recording $$folder

.PHONY: system-test
system-test: install-test $(NODE_MODULES) ## what needs programs of the system; root installs them where there is apt
	@$(PY) -m tests.system.packages
	@env -u TEST_DATABASE_URL HOISO_TEST_DATABASE=postgresql $(PY) -m pytest tests/system $(PYTEST_ARGS)

.PHONY: fleet
fleet: install-test ## fifty phones, mostly offline, for 2,000 steps: nothing is lost, on both databases at once
	@started=; failed=; \
	for database in sqlite postgresql; do \
	  HOISO_SOAK=10 HOISO_TEST_DATABASE=$$database $(PY) -m pytest -q --timeout=900 tests/sync/test_fleet.py & started="$$started $$!"; \
	done; \
	for each in $$started; do wait $$each || failed=1; done; \
	if [ -n "$$failed" ]; then echo "The fleet has lost something." >&2; exit 1; fi

.PHONY: soak
soak: install-test $(VENV)/.bench ## every test on PostgreSQL; the long forms of random, racing and fuzz tests, and of memory: SOAK=20 SEED=7 make soak
	@seed=$${SEED:-$$(date +%s)}; echo "seed $$seed"; failed=; \
	HOISO_TEST_DATABASE=postgresql $(PY) -m pytest -n $(TEST_JOBS) $(PYTEST_ARGS) || failed="$$failed postgresql (every test)"; \
	for database in sqlite postgresql; do \
	  printf '\n== soak on %s\n' $$database; \
	  HOISO_SOAK=$${SOAK:-20} HOISO_SOAK_SEED=$$seed HOISO_TEST_DATABASE=$$database \
	    $(PY) -m pytest -n $(TEST_JOBS) --timeout=0 --hypothesis-seed=$$seed $(PYTEST_ARGS) || failed="$$failed $$database"; \
	done; \
	$(PY) -m benchmarks.memory || failed="$$failed memory"; \
	if [ -n "$$failed" ]; then echo "The soak failed on:$$failed" >&2; exit 1; fi

.PHONY: test-one
test-one: install-test ## one test or file: make test-one T=tests/members/test_members.py
	@$(PY) -m pytest -x $(PYTEST_ARGS) $(or $(T),$(error Which one? make test-one T=tests/members/test_members.py))

.PHONY: fix
fix: install-test ## what ruff can put right by itself: imports, style, layout
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

.PHONY: check
check: lint types migrations contract ## everything but the tests: lint, types, migrations, contract

.PHONY: lint
lint: install-test ## style, who imports whom, Dockerfile, and what must never be committed
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(VENV)/bin/lint-imports --no-logo --no-cache
	@$(VENV)/bin/hadolint Dockerfile && echo "Dockerfile: hadolint finds nothing"
	@$(PY) -m pytest --noconftest -q tests/house/test_repository.py

.PHONY: types
types: install-test ## mypy --strict
	@$(PY) -m mypy

.PHONY: migrations
migrations: install-test ## up, compared with the models, down to nothing, and up again, on an empty SQLite
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	export HOISO_DATABASE_URL="sqlite:///$$folder/migrations.db" && \
	for step in 'upgrade head' check 'downgrade base' 'upgrade head'; do \
	  $(PY) -m alembic $$step >"$$folder/log" 2>&1 || { cat "$$folder/log" >&2; echo "alembic $$step: failed" >&2; exit 1; }; \
	  echo "alembic $$step: ok"; \
	done

.PHONY: contract
contract: install-test $(NODE_MODULES) ## openapi/ equals the app, is well formed, breaks nobody, and compiles in a client
	@$(PY) openapi/check.py

$(NODE_MODULES): openapi/package.json openapi/package-lock.json
	@command -v npm >/dev/null || { echo "The contract check needs Node 20 or newer, with npm." >&2; exit 1; }
	@echo "Installing openapi/package-lock.json"
	@cd openapi && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

##### Measuring it

.PHONY: bench
bench: $(VENV)/.bench $(HOISO) ## cost of each request against the bare driver and a peer; lists, searches, imports
	@$(PY) benchmarks/run.py
	@$(PY) benchmarks/member_lists.py
	@$(PY) -m benchmarks.reorganisations
	@$(PY) -m benchmarks.imports
	@$(PY) -m benchmarks.bulk
	@$(PY) -m benchmarks.workbooks

.PHONY: bench-check
bench-check: $(VENV)/.bench $(HOISO) ## the three servers of the benchmark answer and write the same, a list goes in; nothing is measured
	@$(PY) benchmarks/run.py --check
	@$(PY) -m benchmarks.imports --check
	@$(PY) -m benchmarks.bulk --check
	@$(PY) -m benchmarks.workbooks --rows 100 >/dev/null
	@$(PY) -m benchmarks.exports --check
	@$(PY) -m benchmarks.scale --check
	@$(PY) -m benchmarks.feed --check

.PHONY: bench-large
bench-large: $(VENV)/.bench $(HOISO) ## the same with a whole province, and with a million members, in the database
	@$(PY) benchmarks/run.py --large
	@$(PY) benchmarks/member_lists.py --people 1000000
	@$(PY) benchmarks/duplicates.py

##### Changing it

.PHONY: migration
migration: install-test ## a new revision from what changed in app/models: make migration M="a word on it"
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	export HOISO_DATABASE_URL="sqlite:///$$folder/migrations.db" && \
	$(PY) -m alembic upgrade head && \
	last=$$(ls alembic/versions | sed -n 's/.*-\([0-9]\{4\}\)_.*/\1/p' | sort -n | tail -n 1) && \
	$(PY) -m alembic revision --autogenerate --rev-id "$$(printf '%04d' "$$(expr "$$last" + 1)")" \
	  -m "$(or $(M),$(error Say what it does: make migration M="..."))"

.PHONY: openapi
openapi: install ## write openapi/*.json anew from the app
	@$(HOISO) openapi

# Pinned versions stay as they are unless asked: make lock UPGRADE="--upgrade", or "--upgrade-package fastapi".
UPGRADE ?=
COMPILE = $(PY) -m uv pip compile -q pyproject.toml --python $(PY) --python-version 3.11 --universal \
  --generate-hashes --no-header --no-annotate $(UPGRADE)

.PHONY: lock
lock: install ## maintainers: resolve pyproject.toml and openapi/package.json into the lock files
	@$(COMPILE) -o requirements.lock
	@$(COMPILE) --extra s3 -c requirements.lock -o requirements-s3.lock
	@$(COMPILE) --extra s3 --group test -c requirements-s3.lock -o requirements-test.lock
	@$(subst pyproject.toml,openapi/python-client.in,$(COMPILE)) -o openapi/python-client.lock
	@$(subst pyproject.toml,tests/system/s3-server.in,$(COMPILE)) -o tests/system/s3-server.lock
	@$(COMPILE) --extra s3 --group test --group bench -c requirements-test.lock -o requirements-bench.lock
	@cd openapi && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error >/dev/null
	@if grep -n '://' requirements*.lock openapi/*.lock tests/system/*.lock || grep -n '"resolved"' openapi/package-lock.json; then \
	  echo "The lines above name an address; a lock holds names, versions and hashes only." >&2; exit 1; fi

.PHONY: clean
clean: ## remove what was installed or generated; your data in var/ stays
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis openapi/node_modules openapi/client-check/generated
	@find app tests benchmarks alembic openapi -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
