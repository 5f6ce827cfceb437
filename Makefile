# Every target sets up what it needs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Flink's Python workers are started as plain `python`.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
MVN := cd java-bridge && mvn -q
# What the proof is about: make proof ORDERS=20000 SECONDS=600 SEED=7 LEVELS=gated,write-ahead
ORDERS ?=
SECONDS ?=
SEED ?=
LEVELS ?=
# What test-replay runs: the files whose tests run handlers on a bench.
HANDLER_TESTS = $$(grep -rlE '(HandlerBench|History)\(' tests/unit --include='test_*.py')
# Arguments for demo, agent, bench, test and test-unit: make demo ARGS="--orders my.ndjson"
ARGS ?=
# The class of Java tests that test-java runs; by default all: make test-java TEST=ValveTest
TEST ?=
# The interpreter for the virtual environment; by default the first of
# python3.11, python3.12, python3.10 and python3 that is 3.10-3.12.
PYTHON ?=

.PHONY: help setup jar lint format test test-java test-unit test-replay test-anyio e2e chaos matrix savepoint demo proof agent bench bench-parked clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## make .venv with the package, its tools and the jar

$(READY): pyproject.toml hatch_build.py
	@python=''; \
	for candidate in $(or $(PYTHON),python3.11 python3.12 python3.10 python3); do \
	    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'error: no Python 3.10, 3.11 or 3.12 with venv on PATH: install one (Debian: python3 python3-venv), or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; \
	fi; \
	"$$python" hatch_build.py --check; \
	echo "setup: $$("$$python" -V) in $(VENV); Flink is a large download, the first time takes minutes"; \
	"$$python" -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --use-pep517 --disable-pip-version-check --editable '.[dev,demo,e2e]'; \
	touch $@

jar: $(READY) ## build the jars of java-bridge into the package, if their sources changed
	@$(BIN)/python hatch_build.py

lint: $(READY) ## check style, types and imports: ruff, mypy --strict, import-linter, spotless
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@out=$$($(BIN)/lint-imports --no-cache 2>&1) || { echo "$$out"; exit 1; }
	@$(MVN) spotless:check

format: $(READY) ## put Python and Java sources into style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(MVN) spotless:apply

test: test-java ## run all tests: Java, then Python with the mini-cluster, then test-replay
	@$(RUN) pytest $(ARGS)
	@$(MAKE) --no-print-directory test-replay

test-java: jar ## run the Java tests only
	@rm -rf java-bridge/*/target/surefire-reports
	@($(MVN) test $(if $(TEST),-Dtest=$(TEST) -Dsurefire.failIfNoSpecifiedTests=false)) || { $(BIN)/python java-bridge/test_summary.py; exit 1; }
	@$(BIN)/python java-bridge/test_summary.py

test-unit: jar ## run the fast Python tests only (no mini-cluster)
	@$(RUN) pytest -m 'not minicluster' $(ARGS)

test-replay: jar ## run handlers over journals that another process has kept, with another hash seed
	@rm -rf .journals && mkdir .journals
	@$(RUN) PYTHONHASHSEED=1 pytest -q --keep-journals=.journals $(HANDLER_TESTS) >.journals/log \
	    || { cat .journals/log; exit 1; }
	@$(RUN) PYTHONHASHSEED=2 pytest -q --replay-journals=.journals $(HANDLER_TESTS)

test-anyio: jar ## run anyio's own tests on the handlers' loop; fetches its source
	@$(RUN) python tests/standard_asyncio/run_anyio.py

e2e: jar e2e/artifacts/.ready ## run the tests on a real cluster: kill -9, rescale, upgrades (15 minutes)
	@cd e2e && PATH="$(CURDIR)/$(BIN):$$PATH" pytest $(ARGS)

chaos: jar e2e/artifacts/.ready ## random faults against thousands of orders (ARGS="--seconds 300 --seed 7")
	@$(RUN) python e2e/chaos.py $(ARGS)

matrix: jar ## test one wheel on every supported Flink (ARGS=--ends: oldest and newest)
	@$(BIN)/python e2e/matrix.py $(ARGS)

savepoint: jar ## keep a savepoint of this release for the tests of all later ones
	@$(BIN)/python e2e/matrix.py --savepoint

# Kafka, ZooKeeper and the connector; each alone, since their dependencies do not go together.
e2e/artifacts/.ready: e2e/pom.xml
	@for program in kafka zookeeper connector; do \
	    mvn -q -B -f e2e/pom.xml -P "$$program" dependency:copy-dependencies -DoutputDirectory="artifacts/$$program"; \
	done
	@touch $@

demo: jar ## charge orders through crashes and show what happened
	@$(RUN) python -m pyflink_durable.demo $(ARGS)

agent: jar ## run the shop assistant of examples/agent: a chat model that calls tools
	@$(RUN) python examples/agent/assistant.py $(ARGS)

proof: jar ## fail at random points and count charges: ORDERS, SECONDS, SEED, LEVELS
	@$(RUN) python -m pyflink_durable.demo.proof $(if $(ORDERS),--orders $(ORDERS)) \
	    $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(LEVELS),--levels $(LEVELS))

bench: jar ## measure the cost per element and per call
	@$(RUN) python benchmarks/run.py $(ARGS)

bench-parked: jar ## measure many parked invocations on RocksDB (ARGS="--parked 1000000")
	@$(RUN) python benchmarks/parked.py $(ARGS)

clean: ## remove everything that was built, .venv too
	rm -rf $(VENV) dist java-bridge/target java-bridge/*/target python/pyflink_durable/lib .pytest_cache .mypy_cache .ruff_cache .hypothesis .journals .anyio e2e/artifacts .matrix
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
