# Two commands on a fresh machine: `make run` and `make test`. `make help` lists the others.

ARGS ?=
PYTHON := .venv/bin/python
JS_FILES = $(shell find frontend tests -name '*.js' -not -path '*/node_modules/*')
JS_TESTS = $(sort $(wildcard tests/js/*.test.js tests/js/*/*.test.js))
LOCK := .venv/bin/uv pip compile --quiet --system-certs --universal --generate-hashes --python-version 3.11 \
	--no-annotate --no-header pyproject.toml

.DELETE_ON_ERROR:
.PHONY: help run test deps lint js bench bench-page plots mutants lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 8

run: .venv/.run ## start the server, as in: make run PORT=9000 ARGS="--tls --feed synthetic:?rate=500"
	@exec $(PYTHON) -m ticker serve $(ARGS)

test: deps lint js ## check and test everything
	.venv/bin/coverage erase
	.venv/bin/coverage run -m pytest --ignore=tests/browser --numprocesses=3 --dist=loadfile
	.venv/bin/coverage run -m pytest tests/browser --numprocesses=3 --dist=loadfile
	.venv/bin/coverage combine --quiet
	.venv/bin/coverage report
	.venv/bin/coverage report --include='ticker/core/*' --fail-under=100

deps: ## install Chromium, Redis and Node where they are missing, or say how
	@.ci/deps

lint: .venv/.dev ## check style and types of the Python code
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy ticker feeds tests

js: tests/node_modules/.stamp ## check the types of the JavaScript code and run its tests
	$(if $(JS_FILES),tests/node_modules/.bin/tsc --project tests)
	$(if $(JS_TESTS),node --test --test-reporter=spec $(JS_TESTS))

bench: .venv/.dev ## measure speed and memory against peers, in ten minutes; to see that it runs: make bench ARGS=--quick
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory tests/node_modules/.stamp
	@failed=0; for script in tests/bench/bench_*.py; do \
		module=$${script%.py}; \
		$(PYTHON) -m $$(echo $$module | tr / .) $(ARGS) || failed=1; \
	done; exit $$failed

bench-page: deps .venv/.dev tests/node_modules/.stamp ## measure the dashboard in Chromium, as in: make bench-page ARGS=--minutes=1
	@$(PYTHON) -m tests.bench.page $(ARGS)

plots: .venv/.dev ## run `ticker lab` and put its table and plots into docs/transports.md
	@$(PYTHON) -m tests.bench.plots $(ARGS)

mutants: .venv/.dev ## plant faults one at a time and show which replay test catches each
	@$(PYTHON) -m tests.replay.mutants

lock: .venv/.dev ## pin the newest versions that pyproject.toml and package.json allow
	$(LOCK) --upgrade --output-file requirements.txt
	$(LOCK) --upgrade --group dev --constraint requirements.txt --output-file requirements-dev.txt
	cd tests && rm -rf package-lock.json node_modules && npm install --package-lock-only

clean: ## remove everything that was made, .venv too
	rm -rf .venv tests/node_modules build dist *.egg-info .coverage .coverage.* htmlcov test-results \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	find ticker feeds tests -name __pycache__ -prune -exec rm -rf {} +

# The project goes in by itself, after its locked dependencies: pip refuses an editable one under --require-hashes.
INSTALL = $(PYTHON) -m pip install --quiet --disable-pip-version-check

.venv/.run: requirements.txt pyproject.toml | $(PYTHON)
	@echo "Installing the locked dependencies into .venv ..."
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-deps --editable .
	@touch $@

.venv/.dev: requirements-dev.txt pyproject.toml | $(PYTHON)
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@$(INSTALL) --no-deps --editable .
	@touch $@ .venv/.run

# A name on the path is not enough: a version manager's shim may fail, and Debian has Python without venv.
$(PYTHON):
	@for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
		if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec $$python -m venv --clear .venv; \
		fi; \
	done; \
	echo "No Python >= 3.11 with venv was found: install it (Debian: apt install python3-venv) and try again." >&2; \
	exit 2

# Not at the top, where a package.json would tell Heroku that this is a Node project.
tests/node_modules/.stamp: tests/package-lock.json tests/package.json tests/.npmrc
	cd tests && npm ci --ignore-scripts
	@touch $@
