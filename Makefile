# Each target installs what it needs, from the lock, into .venv. Needs Python 3.11 or newer, git and make.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
DEMO := build/demo
# Trust what the machine trusts: institutions have proxies with certificates of their own.
export UV_SYSTEM_CERTS := 1
# Keep bytecode, whatever the machine says: without it every process compiles all that it imports again at each start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test combo check batch lock docs matrix bench bench-choices clean

demo: .venv/installed  ## generate the default chatbot, index its manual, answer one question
	@rm -rf $(DEMO)
	@$(BIN)/cookiecutter . --no-input --output-dir $(DEMO)
	@PATH="$(BIN):$$PATH" $(MAKE) --no-print-directory -C $(DEMO)/cired-chatbot demo

test: .venv/installed  ## render and test every combination; some tests: make test TESTS=tests/test_hooks.py
	@PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -n 4 --dist loadgroup --no-loadscope-reorder $(TESTS)

combo: .venv/installed  ## test one combination alone: make combo VECTOR_DB=qdrant QUEUE=nats SECRETS=vault
	@PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -v "tests/test_combinations.py::test_combination[$(VECTOR_DB)-$(QUEUE)-$(SECRETS)]"

check: .venv/installed  ## lint and format of the template's own Python
	@$(BIN)/ruff check hooks scripts tests benchmarks
	@$(BIN)/ruff format --check hooks scripts tests benchmarks
	@$(BIN)/python scripts/choices.py --check

batch: .venv/installed  ## generate one project for each answer file: make batch CONFIG=fleet.yaml OUT=dir
	@test -n "$(CONFIG)" -a -n "$(OUT)" || { echo "Say what to generate and where: make batch CONFIG=fleet.yaml OUT=dir" >&2; exit 2; }
	@$(BIN)/cookiecutter . --no-input --config-file $(CONFIG) --output-dir $(OUT)

lock: .venv/installed  ## resolve all versions again (needs the network)
	@PATH="$(BIN):$$PATH" $(BIN)/python scripts/lock.py

docs: .venv/installed  ## write the option tables of the pages from cookiecutter.json
	@$(BIN)/python scripts/choices.py

matrix: .venv/installed  ## record the last `make test` over all combinations in docs/matrix.md
	@$(BIN)/python scripts/matrix.py
	@$(BIN)/python scripts/choices.py

bench: .venv/installed  ## time generation against cookiecutter itself
	@$(BIN)/python benchmarks/generation.py

bench-choices: .venv/installed  ## measure all vector databases and queues side by side, on the real services
	@$(BIN)/python benchmarks/choices.py

clean:
	rm -rf .venv build

# uv makes the environment in seconds; where there is none, pip brings it first.
.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=…")'
	@if command -v uv >/dev/null; then uv venv --quiet --clear --python $(PYTHON) .venv; \
	  else $(PYTHON) -m venv --clear .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.13,<1"; fi
	@PATH="$(BIN):$$PATH" VIRTUAL_ENV=.venv uv pip sync --quiet --require-hashes requirements.lock
	@touch $@
