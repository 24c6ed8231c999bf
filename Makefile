# Two commands do all the set-up: `make chat` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.8
DOCS ?= docs
BIN := .venv/bin
# llama.cpp is compiled for this machine. On x86 the AMX units stay unused: its AMX code crashes (ggml-org/llama.cpp #20824).
NATIVE := -DGGML_NATIVE=ON $(if $(filter x86_64 amd64,$(shell uname -m)),-DCMAKE_C_FLAGS='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16' -DCMAKE_CXX_FLAGS='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16')
CMAKE_ARGS ?= $(NATIVE)
export CMAKE_ARGS

.PHONY: chat test check tune reader reader-card lock clean
.DEFAULT_GOAL := chat

chat: .venv/serve
	@$(BIN)/tandem chat --docs "$(DOCS)"

test: .venv/dev
	$(BIN)/pytest -n 2 --dist worksteal

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BIN)/uv:
	@$(PYTHON) -m venv .venv || { echo "Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3.11-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/serve: $(BIN)/uv requirements.lock
	@echo "Installing. The first time compiles llama.cpp, about 4 minutes on 2 cores."
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --editable .
	@touch $@

.venv/dev: .venv/serve requirements-dev.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --require-hashes -r requirements-dev.lock
	@touch $@

tune: .venv-tune/ready

# Plain pip, which takes whatever torch this machine's index offers; PIP_ARGS may name another index.
.venv-tune/ready: pyproject.toml
	@$(PYTHON) -m venv .venv-tune
	@echo "Installing torch, transformers and peft into .venv-tune, for training alone."
	@.venv-tune/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) \
		$$($(PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['tune'])")
	@.venv-tune/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# The adapter that ships (docs/reader.md): DATA is the folder of its data sets, RUN a folder for the run. Its card comes
# last, when its figures stand in docs/reader.md.
reader: .venv/serve tune
	$(BIN)/python -m tandem.tuning.manners.course "$(DATA)" "$(RUN)"
	.venv-tune/bin/python -m tandem.tuning.trainer "$(RUN)"
	$(BIN)/python -m tandem.tuning.manners.shipping "$(RUN)/adapter.gguf"
	$(BIN)/python -m tandem.tuning.manners.bar "$(DATA)" graph/reading.json
	@echo "Now take its figures, write them into docs/reader.md, and: make reader-card RUN=\"$(RUN)\""

reader-card: .venv/serve
	$(BIN)/python -m tandem.tuning.manners.shipping "$(RUN)/adapter.gguf" docs/reader.md

lock: $(BIN)/uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements-dev.lock

clean:
	rm -rf .venv .venv-tune build *.egg-info
