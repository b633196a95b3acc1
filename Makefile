# Python 3.11 or newer with pip, and make, are all a machine needs: `make demo` and `make test` fetch the rest into
# .tools (uv) and .venv (everything else, as uv.lock says). Stamps make a second call instant.

UV_VERSION = 0.13.8

UV = .tools/bin/uv
BIN = .venv/bin
UV_STAMP = .tools/uv-$(UV_VERSION).stamp
VENV_STAMP = .venv/setup.stamp

# A shell's own settings must not change what is set up, and processes that start often need their bytecode.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV UV_PROJECT_ENVIRONMENT
export UV_PYTHON_DOWNLOADS = never
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

# Sets $python to the first interpreter that is new enough; PYTHON=/path/to/python makes the choice.
FIND_PYTHON = python=; \
	for name in $(PYTHON) python3 python3.11 python3.12 python3.13 python3.14 python; do \
		if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			python=$$("$$name" -c 'import sys; print(sys.executable)'); break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Treadle needs Python 3.11 or newer, and none is on the PATH. Install one, or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench api-coverage chaos hooks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(VENV_STAMP) ## Make .venv as uv.lock says (done by the other targets as needed)

demo: setup ## Materialize the example project, examples/flights
	$(BIN)/python -m flights.demo

# Tests that hang say where, and end.
PATIENCE := $(if $(shell command -v timeout),timeout --foreground --signal=ABRT --kill-after=10 40m)

test: setup ## Run the tests (ARGS="-k name" for some)
	$(PATIENCE) $(BIN)/python -X faulthandler -m pytest $(ARGS)

lint: setup ## Check format, style, types, layers and the lock file
	@failed=0; \
	for check in "$(BIN)/ruff format --check" "$(BIN)/ruff check" $(BIN)/pyright $(BIN)/lint-imports \
		"$(UV) lock --check --quiet"; do \
		echo "$$check"; $$check || failed=1; \
	done; \
	exit $$failed

format: setup ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## Measure Treadle beside the peer, on this machine
	$(BIN)/python -m benchmarks $(ARGS)

api-coverage: setup ## Count how much of Dagster's public API is there
	$(BIN)/python compat/tools/api_coverage.py $(ARGS)

chaos: setup ## Search long and at random for counterexamples (slow)
	$(BIN)/python -m pytest -m "chaos or not chaos" --hypothesis-profile=explore $(ARGS)

hooks: setup ## Check format and style before each commit of yours
	$(BIN)/pre-commit install

clean: ## Remove everything that make made
	rm -rf .venv .tools .pytest_cache .hypothesis .ruff_cache .import_linter_cache dist benchmarks/.peer examples/flights/data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV_STAMP):
	@$(FIND_PYTHON); \
	if ! "$$python" -m pip --version >/dev/null 2>&1; then \
		echo "$$python has no pip, which fetches the rest. Install pip for it (Debian: apt install python3-pip)." >&2; \
		exit 1; \
	fi; \
	rm -rf .tools; \
	echo "Fetching uv $(UV_VERSION) into .tools"; \
	"$$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
		--target .tools "uv==$(UV_VERSION)"
	@touch $@

$(VENV_STAMP): $(UV_STAMP) uv.lock pyproject.toml compat/pyproject.toml examples/flights/pyproject.toml
	@$(FIND_PYTHON); \
	$(UV) sync --frozen --all-packages --compile-bytecode --python "$$python"
	@touch $@
