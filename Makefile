# Each target installs what it needs, from the lock, into .venv. Needs Python 3.11 or newer, git and make.
PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo
WAYS_IN := $(addprefix tests/test_,answers_in_files.py batch.py catalogue.py command_line.py docs.py hooks.py \
  hostile_answers.py prompts.py repository.py site.py upgrade.py ways_in.py)
# Trust what the machine trusts: institutions have proxies with certificates of their own.
export UV_SYSTEM_CERTS := 1
# Where the machine's locale is missing or old, Python could not read a path with an accent.
export LC_ALL := C.UTF-8
# Variables of the machine that lead an install, an import, a commit or a connection elsewhere are not passed on; those
# that say where packages come from, and how, are.
ELSEWHERE := CONDA_% GIT_% PG% PIP_% PYTHON% UV_% VIRTUAL_ENV
KEPT := PYTHON PYTHONIOENCODING PYTHONUNBUFFERED PYTHONUTF8 GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM GIT_CONFIG_SYSTEM \
  PIP_CACHE_DIR PIP_CERT PIP_CLIENT_CERT PIP_CONFIG_FILE PIP_DEFAULT_TIMEOUT PIP_EXTRA_INDEX_URL PIP_FIND_LINKS \
  PIP_INDEX_URL PIP_KEYRING_PROVIDER PIP_NO_CACHE_DIR PIP_NO_INDEX PIP_PROXY PIP_RETRIES PIP_TIMEOUT PIP_TRUSTED_HOST \
  UV_CACHE_DIR UV_CONCURRENT_% UV_CONFIG_FILE UV_CREDENTIALS_DIR UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS \
  UV_HTTP_% UV_INDEX% UV_INSECURE_HOST UV_KEYRING_PROVIDER UV_LINK_MODE UV_NATIVE_TLS UV_NO_CACHE UV_NO_CONFIG \
  UV_NO_INDEX UV_OFFLINE UV_REQUEST_TIMEOUT UV_SYSTEM_CERTS
unexport $(filter-out $(KEPT),$(filter $(ELSEWHERE),$(.VARIABLES)))
# An environment that was moved with its folder, or whose Python is gone, is made again.
MOVED := $(shell test ! -e .venv/installed || $(BIN)/python -Ic 'import sys; sys.exit(sys.prefix != open(".venv/installed").read())' \
  2>/dev/null || echo moved)

.PHONY: demo test ways-in combo check batch site sbom lock choices matrix bench bench-choices clean moved

demo: .venv/installed  ## generate the default chatbot, index its manual, answer one question
	@rm -rf $(DEMO) 2>/dev/null || { echo "$(DEMO) is another user's: remove it as that user." >&2; exit 1; }
	@$(BIN)/python -m cookiecutter . --no-input --default-config --output-dir $(DEMO)
	@PATH="$$PWD/$(BIN):$$PATH" $(MAKE) --no-print-directory -C $(DEMO)/cired-chatbot demo

test: .venv/installed  ## render and test every combination; some tests: make test TESTS=tests/test_hooks.py
	@PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -n 4 --dist loadgroup --no-loadscope-reorder $(TESTS)

ways-in: .venv/installed  ## test generation, files of answers, fleets, upgrades and docs alone
	@PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 $(WAYS_IN)

combo: .venv/installed  ## test one combination alone: make combo VECTOR_DB=qdrant QUEUE=nats SECRETS=vault
	@PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -v "tests/test_combinations.py::test_combination[$(VECTOR_DB)-$(QUEUE)-$(SECRETS)]"

check: .venv/installed  ## lint and format of the template's own Python
	@$(BIN)/ruff check hooks scripts tests benchmarks
	@$(BIN)/ruff format --check hooks scripts tests benchmarks
	@$(BIN)/python scripts/choices.py --check

batch: .venv/installed  ## a fleet of projects from files: make batch CONFIG=fleet.yaml OUT=dir [JOBS=2] [DRY_RUN=1] [JSON=1]
	@test -n "$(CONFIG)" -a -n "$(OUT)" || { echo "Say what to generate and where: make batch CONFIG=fleet.yaml OUT=dir" >&2; exit 2; }
	@$(BIN)/python scripts/batch.py "$(CONFIG)" "$(OUT)" $(if $(JOBS),--jobs "$(JOBS)") $(if $(DRY_RUN),--dry-run) $(if $(JSON),--json)

site: build/publish/installed  ## build the site strictly, into build/site/html
	@$(BIN)/python scripts/build_site.py

sbom: build/publish/installed  ## the packages of all choices as a bill of materials, CycloneDX: build/sbom.cdx.json
	@build/publish/bin/cyclonedx-py requirements --output-reproducible --output-file build/sbom.cdx.json \
	  "{{cookiecutter.project_slug}}/requirements-dev.lock"

lock: .venv/installed  ## resolve all versions again (needs the network)
	@PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python scripts/lock.py

choices: .venv/installed  ## write cookiecutter.json's catalogue and the tables of the pages from the folders of templates/
	@$(BIN)/python scripts/choices.py

matrix: .venv/installed  ## record the last `make test` over all combinations in docs/matrix.md
	@$(BIN)/python scripts/matrix.py
	@$(BIN)/python scripts/choices.py

bench: .venv/installed  ## time generation against cookiecutter itself
	@$(BIN)/python benchmarks/generation.py
	@$(BIN)/python benchmarks/batch.py

bench-choices: .venv/installed  ## measure all vector databases and queues side by side, on the real services
	@$(BIN)/python benchmarks/choices.py

clean:
	rm -rf .venv build

# uv fills the environment in seconds; where there is none but its own, pip brings it first. The stamp says where all is
# in place.
.venv/installed: requirements.lock $(MOVED)
	@"$(PYTHON)" -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=…")'
	@if uv --version >/dev/null 2>&1 && ! test "$$(command -v uv)" -ef $(BIN)/uv; then uv=uv && "$(PYTHON)" -m venv --clear --without-pip .venv; \
	  else uv=$(BIN)/uv && "$(PYTHON)" -m venv --clear .venv && $(BIN)/python -m pip install --quiet --no-user --target= --prefix=.venv \
	    --disable-pip-version-check "uv>=0.13,<1"; fi && \
	  $$uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@test -x $(BIN)/cookiecutter || { echo "Nothing was installed into .venv: is another target set in uv.toml?" >&2; exit 1; }
	@$(BIN)/python -c 'import sys; open("$@", "w").write(sys.prefix)'

# What builds the site and the bill of materials has an environment of its own, so that nothing else has to install it.
build/publish/installed: requirements-publish.lock .venv/installed
	@rm -rf build/publish && $(BIN)/python -m venv --without-pip build/publish
	@PATH="$$PWD/$(BIN):$$PATH" uv pip sync --quiet --require-hashes --python build/publish/bin/python requirements-publish.lock
	@touch "$@"
