# Everything a person or a machine needs to run, change and measure Postroad. `make` alone lists it.

VENV := .venv
BIN := $(VENV)/bin
# The system's own Python first: distributions build it with profile-guided optimisation, which most that were compiled by
# hand lack, and with it the server does a tenth more a second. One that cannot make environments is the last resort.
PYTHON ?= $(shell for part in ensurepip sys; do for name in /usr/bin/python3 python3.13 python3.12 python3.11 python3 python; do \
	command -v $$name >/dev/null 2>&1 && $$name -c "import sys, $$part; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
	&& echo $$name && break 2; done; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
UV ?= uv
SOURCES := src tests tools $(wildcard bench faults fuzz)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help run install dev bytecode test check format docs bench fault faults fuzz lock clean

help: ## List these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

run: $(VENV)/.runtime bytecode ## Set everything up and start postroad dev
	@exec $(BIN)/postroad dev

install: $(VENV)/.runtime bytecode ## Set up the runtime in .venv

dev: $(VENV)/.dev ## Set up runtime and development tools in .venv

# Where Python may not write bytecode by itself, every start of the server would compile all of it anew.
bytecode: $(VENV)/.runtime
	@$(BIN)/python -m compileall -q src

test: $(VENV)/.dev bytecode ## Run the tests with the coverage gates; ONLY=tests/unit runs a part without them
ifdef ONLY
	@$(BIN)/python -m pytest $(ONLY)
else
	@rm -f .coverage .coverage.* .failed
	@FAILED_TESTS_FILE=.failed $(BIN)/coverage run -m pytest || $(BIN)/python tools/again.py .failed
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage json --quiet -o .coverage.json
	@$(BIN)/python tools/coverage_gates.py .coverage.json
endif

check: $(VENV)/.dev ## Lint, types, import contracts, budgets, docs
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/budgets.py
	@$(BIN)/python tools/links.py
	@$(BIN)/python tools/reference.py --check

format: $(VENV)/.dev ## Format the code and put the imports in order
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

docs: $(VENV)/.dev ## Write the generated reference pages anew
	@$(BIN)/python tools/reference.py

bench: $(VENV)/.dev bytecode ## Measure throughput and latency beside the peers
	@$(BIN)/python -m bench

fault: faults
faults: $(VENV)/.faults bytecode ## Run the fault experiments; ONLY=F13 runs one, SMALL=1 or FULL=1 less or more, ENGINE=sqlite on one
	@$(BIN)/python -m faults $(ONLY) $(if $(CI)$(SMALL),--small) $(if $(FULL),--full) $(if $(ENGINE),--engine $(ENGINE)) \
		$(if $(KEEP),--keep)

fuzz: $(VENV)/.fuzz ## Fuzz what reads strangers' octets; ONLY=dsn one target, FOR=600 that many seconds each
	@$(BIN)/python -m fuzz $(or $(ONLY),all) --seconds $(or $(FOR),60)

lock: ## Resolve requirements/*.in anew into hashed locks (needs uv)
	@command -v $(UV) >/dev/null 2>&1 || { echo "make lock needs uv; name it with make lock UV=/path/to/uv" >&2; exit 1; }
	@cd requirements && $(COMPILE) runtime.in -o runtime.txt && $(COMPILE) build.in -o build.txt \
		&& $(COMPILE) dev.in -o dev.txt && $(COMPILE) faults.in -o faults.txt && $(COMPILE) fuzz.in -o fuzz.txt

clean: ## Remove the environment and everything generated, but no data
	@rm -rf $(VENV) build dist .coverage .coverage.* .failed .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Postroad needs Python 3.11 or newer, and none was found on the PATH." >&2; \
		echo "Install it (Debian and Ubuntu: apt install python3 python3-venv), or name it: make run PYTHON=/path/to/python3" >&2; \
		exit 1; fi
	@if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "$(PYTHON) cannot make virtual environments. Install what is missing (Debian and Ubuntu: apt install python3-venv)." >&2; \
		exit 1; fi
	@echo "Setting up $(VENV); this happens once and takes about a minute." >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.fuzz: requirements/fuzz.txt $(VENV)/.dev
	@$(PIP) install --require-hashes -r requirements/fuzz.txt 2>/dev/null \
		|| echo "atheris cannot be installed here: fuzzing by mutation without guidance." >&2
	@touch $@

# Power loss and failing disks are shown through FUSE; without its headers those experiments say so and are left out.
$(VENV)/.faults: requirements/faults.txt $(VENV)/.dev
	@$(PIP) install --require-hashes -r requirements/faults.txt 2>/dev/null \
		|| echo "F2 and F3 need FUSE (Debian and Ubuntu: apt install fuse3 libfuse3-dev pkg-config gcc python3-dev)." >&2
	@touch $@
