# Every target sets up what it needs: a virtual environment in .venv, from Python 3.11 or newer and nothing else.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
GPU_VENV := .venv-gpu
SERVE_VENV := .venv-serve
CONVERTERS_VENV := .venv-converters
RAY_VENV := .venv-ray
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
# Every target that says what it does.
.PHONY: has-gpu $(shell awk -F: '/^[a-z-]+:.*## / {print $$1}' $(MAKEFILE_LIST))

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(SERVE_VENV)/.ready ## Serve the shipped detector on http://127.0.0.1:$(PORT); installs no torch
	@PORT=$(PORT) exec $(SERVE_VENV)/bin/dirdet serve

test: $(VENV)/.ready ## Lint, type check, import rules and the tests, from nothing within 30 minutes
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest

# Prints the memory at intervals.
test-fuzz: $(VENV)/.ready ## 100,000 broken and hostile pictures, 20,000 broken requests, in about ten minutes
	DIRDET_FUZZ_PICTURES=100000 DIRDET_FUZZ_REQUESTS=20000 $(BIN)/python -m pytest -s \
		tests/server/test_mutated_pictures.py tests/hostile/test_mutated_requests.py

# Of each of the API's operations, and sequences of them; without keys and with them.
test-api: $(VENV)/.ready ## Thousands of requests, good and bad, by the API's own document, in about ten minutes
	DIRDET_API_EXAMPLES=300 $(BIN)/python -m pytest -s tests/hostile/test_conformance.py

test-kills: $(VENV)/.ready ## A job over 2,000 pictures, killed 20 times; about ten minutes
	DIRDET_KILLS=20 DIRDET_KILL_PICTURES=2000 $(BIN)/python -m pytest tests/server/batch/test_kills.py

test-triton: $(VENV)/.ready ## The tests against a real tritonserver; the first run installs it below ~/.cache/dirdet
	$(BIN)/python -m pytest tests/triton

test-containers: $(VENV)/.ready ## Build the images and serve with docker compose (or podman), within 25 minutes from nothing
	$(BIN)/python -m pytest tests/containers

# TensorFloat-32 would differ from the CPU by more than the tolerances, which are those of float32.
test-gpu: $(GPU_VENV)/.ready ## The tests of what computes on a GPU, on CUDA
	DIRDET_TEST_DEVICE=cuda NVIDIA_TF32_OVERRIDE=0 $(GPU_VENV)/bin/python -m pytest -m gpu tests/export tests/training

bench: $(VENV)/.ready ## Every speed goal with what is measured here, within 30 minutes; needs wrk for one of them
	$(BIN)/dirdet bench all docs/example.jpg

bench-gpu: $(GPU_VENV)/.ready ## Pictures a second on CUDA, into work_dirs/gpu.md and gpu.json
	@mkdir -p work_dirs
	$(GPU_VENV)/bin/python -m dirdet bench throughput docs/example.jpg --device cuda --instances 1 --instances 2 \
		--instances 4 --batch 1 --batch 4 --batch 8 --json work_dirs/gpu.json > work_dirs/gpu.md
	@cat work_dirs/gpu.md

has-gpu:
	@nvidia-smi -L 2>/dev/null | grep -q GPU || \
		{ echo 'This needs an NVIDIA GPU and its driver, and nvidia-smi finds none on this machine.' >&2; exit 1; }

test-converters: $(CONVERTERS_VENV)/.ready ## Results into supervision, FiftyOne, COCO, Label Studio; installs them, 1.5 GB
	$(CONVERTERS_VENV)/bin/python -m pytest -W default tests/converters

test-ray: $(RAY_VENV)/.ready ## Jobs on a Ray cluster of several nodes on this machine; installs Ray
	$(RAY_VENV)/bin/python -m pytest -W default tests/ray

openapi: $(VENV)/.ready ## Write the API's document, which tests hold the API to, anew
	WRITE_OPENAPI=1 $(BIN)/python -m pytest --quiet tests/contract/test_openapi.py

test-browser: $(VENV)/.ready ## The page in a real chromium, which it installs where it is root and there is apt
	@command -v chromium >/dev/null || [ -n "$$DIRDET_TEST_CHROMIUM" ] || \
	    { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	      apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } || \
	    { echo "the tests of the page need chromium: install it, or name one: DIRDET_TEST_CHROMIUM=/path/to/chrome" >&2; exit 1; }
	DIRDET_TEST_BROWSER=required $(BIN)/python -m pytest tests/browser

check: lint types ## Lint, type check and import rules

lint: $(VENV)/.ready ## ruff and import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(VENV)/.ready ## pyright
	$(BIN)/pyright

format: $(VENV)/.ready ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

scenes: $(VENV)/.ready ## Build the scenes data set in data/scenes
	$(BIN)/dirdet scenes --out data/scenes

train: $(VENV)/.ready ## Train the shipped detector anew, into work_dirs/
	$(BIN)/dirdet train faster_rcnn_dir_lite0_scenes -o load_from=training/weights/scenes_trunk_float16.pth

wheel: $(VENV)/.ready ## Build the wheel and the source distribution into dist/
	$(BIN)/python -m build

lock: $(VENV)/.ready ## Resolve requirements/*.txt anew
	$(BIN)/python requirements/lock.py

clean: ## Remove the virtual environments and caches
	rm -rf $(VENV) $(SERVE_VENV) $(GPU_VENV) $(CONVERTERS_VENV) $(RAY_VENV) dist .pytest_cache .ruff_cache .hypothesis

# The serving environment is small, so that `make serve` answers soon after it is typed.
$(SERVE_VENV)/.ready: pyproject.toml requirements/cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit("dirdet needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(SERVE_VENV)
	$(SERVE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/cpu.txt
	$(SERVE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.ready: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("dirdet needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Its ONNX Runtime is the one for CUDA, which must not be installed beside the other.
$(GPU_VENV)/.ready: pyproject.toml requirements/gpu-dev.txt | has-gpu
	@$(PYTHON) -c 'import sys; sys.exit("dirdet needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/gpu-dev.txt
	$(GPU_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# supervision, FiftyOne and Label Studio's SDK: what the converters write for, too big and too changing to be locked.
$(CONVERTERS_VENV)/.ready: pyproject.toml tests/converters/requirements.txt
	$(PYTHON) -m venv $(CONVERTERS_VENV)
	$(CONVERTERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/converters/requirements.txt --editable .
	@touch $@

# Too big and too changing to be locked, as those of the converters.
$(RAY_VENV)/.ready: pyproject.toml tests/ray/requirements.txt
	$(PYTHON) -m venv $(RAY_VENV)
	$(RAY_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/ray/requirements.txt --editable '.[cpu,ray]'
	@touch $@
