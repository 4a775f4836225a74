# Every target sets up what it needs: a virtual environment in .venv, from Python 3.11 or newer and nothing else.
PYTHON ?= python3
PORT ?= 8000
# Tests compute with several threads each: more processes than two gain little.
TEST_PROCESSES ?= 2
VENV := .venv
GPU_VENV := .venv-gpu
SERVE_VENV := .venv-serve
CONVERTERS_VENV := .venv-converters
BATCH_VENV := .venv-batch
RAY_VENV := .venv-ray
AUDIT_VENV := .venv-audit
DOCS_VENV := .venv-docs
BIN := $(VENV)/bin
ONNXRUNTIME ?= backend

# Where the source lies.
PACKAGES := server training export bench
# The locks of what users install and what images hold.
SHIPPED := cpu gpu openvino batch quality train export triton tritonserver tritonserver-onnxruntime \
    tritonserver-onnxruntime-gpu

.DEFAULT_GOAL := help
# Every target that says what it does.
.PHONY: has-gpu $(shell awk -F: '/^[a-z_-]+:.*## / {print $$1}' $(MAKEFILE_LIST))

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(SERVE_VENV)/.ready ## Serve the shipped detector on http://127.0.0.1:$(PORT); installs no torch
	@PORT=$(PORT) exec $(SERVE_VENV)/bin/dirdet serve

SOURCE ?= photos
OUT ?= found

# More of its options in OPTIONS.
batch: $(BATCH_VENV)/.ready ## Detect in a folder, with a report: make batch SOURCE=photos OUT=found; installs no torch
	@$(BATCH_VENV)/bin/dirdet batch "$(SOURCE)" --out "$(OUT)" $(OPTIONS)

test: $(VENV)/.ready ## Lint, type check, import rules and the tests, from nothing within 30 minutes
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

# Prints the memory at intervals.
test-fuzz: $(VENV)/.ready ## Broken pictures and requests, and every reader of foreign files, in about twenty minutes
	DIRDET_FUZZ_PICTURES=100000 DIRDET_FUZZ_REQUESTS=20000 DIRDET_FUZZ_SECONDS=28 $(BIN)/python -m pytest -s \
		tests/server/pictures/test_mutated_pictures.py tests/hostile/test_mutated_requests.py \
		tests/hostile/test_fuzzed_readers.py

# Of each of the API's operations, and sequences of them; without keys and with them.
test-api: $(VENV)/.ready ## Thousands of requests, good and bad, by the API's own document, in about ten minutes
	DIRDET_API_EXAMPLES=300 $(BIN)/python -m pytest -s tests/hostile/test_conformance.py

test-kills: $(VENV)/.ready ## A job over 2,000 pictures, killed 20 times; about ten minutes
	DIRDET_KILLS=20 DIRDET_KILL_PICTURES=2000 $(BIN)/python -m pytest tests/server/batch/test_kills.py

# Every two-stage config of MMDetection: a minute each, hours in all. It can be stopped, and goes on where it was.
test-coverage: $(VENV)/.ready ## Which of MMDetection's two-stage configs retrofit and export, into docs/supported.md
	$(BIN)/dirdet supported --check --page docs/supported.md

test-files-parity: $(VENV)/.ready ## Ten architectures and forty picture files against MMDetection, into docs/files-parity.md
	$(BIN)/python -m tests.triton.from_files docs/files-parity.md

test-triton: $(VENV)/.ready ## The tests against a real tritonserver; the first run installs it below ~/.cache/dirdet
	$(BIN)/python -m pytest tests/triton

test-containers: $(VENV)/.ready ## Build the images and serve with docker compose (or podman), within 25 minutes from nothing
	$(BIN)/python -m pytest tests/containers

test-proxy: $(VENV)/.ready ## The gateway with docker/proxy's Caddy in front; installs Caddy where it is root and there is apt
	@command -v caddy >/dev/null || [ -n "$$DIRDET_TEST_CADDY" ] || \
	    { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	      apt-get install -y -qq --no-install-recommends caddy; } || \
	    { echo "the tests of the proxy need caddy: install it, or name one: DIRDET_TEST_CADDY=/path/to/caddy" >&2; exit 1; }
	DIRDET_TEST_PROXY=required $(BIN)/python -m pytest tests/hostile/test_proxy.py

# The targets for a GPU need an NVIDIA GPU, its driver for this CUDA or a later one, and the internet or a wheel cache for
# 4 GB of packages. They take this repository without its data and write to work_dirs/; only study-gpu needs data/scenes.
CUDA := 13

# TensorFloat-32 would differ from the CPU by more than the tolerances, which are those of float32.
test-gpu: $(GPU_VENV)/.ready ## The tests of what computes on a GPU, on CUDA
	DIRDET_TEST_DEVICE=cuda NVIDIA_TF32_OVERRIDE=0 $(GPU_VENV)/bin/python -m pytest -m gpu tests/export tests/training

bench: $(VENV)/.ready ## Every speed goal with what is measured here, within 20 minutes; needs wrk for one of them
	$(BIN)/dirdet bench all docs/example.jpg --history bench/history/goals.jsonl

bench-gpu: $(GPU_VENV)/.ready ## Pictures a second on CUDA, into work_dirs/gpu.md and gpu.json
	@mkdir -p work_dirs
	$(GPU_VENV)/bin/python -m dirdet bench throughput docs/example.jpg --device cuda --instances 1 --instances 2 \
		--instances 4 --batch 1 --batch 4 --batch 8 --json work_dirs/gpu.json > work_dirs/gpu.md
	@cat work_dirs/gpu.md

gpu-ten: $(GPU_VENV)/.ready ## Ten minutes on CUDA that show the most, into work_dirs/gpu-ten, a file after each step
	$(GPU_VENV)/bin/python -m dirdet bench gpu-ten docs/example.jpg --out work_dirs/gpu-ten

study-gpu: $(GPU_VENV)/.ready ## The study on CUDA, into work_dirs/study-gpu; needs data/scenes (make scenes)
	@[ -d data/scenes ] || { echo 'This needs data/scenes: make scenes writes it.' >&2; exit 1; }
	$(GPU_VENV)/bin/python -m dirdet study --preset scenes-gpu --start training/weights/scenes_trunk_float16.pth \
		--data data/scenes --work-dir work_dirs/study-gpu

has-gpu:
	@nvidia-smi -L 2>/dev/null | grep -q GPU || \
		{ echo 'This needs an NVIDIA GPU and its driver, and nvidia-smi finds none on this machine.' >&2; exit 1; }
	@found=$$(nvidia-smi | sed -n 's/.*CUDA Version: \([0-9]*\)\..*/\1/p'); [ "$${found:-$(CUDA)}" -ge $(CUDA) ] || \
		{ echo "This needs a driver for CUDA $(CUDA); the one of this machine supports CUDA $$found." >&2; exit 1; }

test-converters: $(CONVERTERS_VENV)/.ready ## Results into supervision, FiftyOne, COCO, Label Studio; installs them, 1.5 GB
	$(CONVERTERS_VENV)/bin/python -m pytest -W default tests/converters

test-ray: $(RAY_VENV)/.ready ## Jobs on a Ray cluster of several nodes on this machine; installs Ray
	$(RAY_VENV)/bin/python -m pytest -W default tests/ray

images: ## Write the base images' digests, as the registries have them now; by skopeo, or Docker with buildx
	$(PYTHON) docker/pin_images.py

docs: $(DOCS_VENV)/.ready ## Build the site of docs/ into site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict
	@echo 'open site/index.html'

reference: $(VENV)/.ready ## Write docs/reference/ again, after a change of commands, API, metrics or settings
	$(BIN)/python tools/reference.py

openapi: $(VENV)/.ready ## Write the API's document, which tests hold the API to
	WRITE_OPENAPI=1 $(BIN)/python -m pytest --quiet tests/contract/test_candidates.py -k shipped_detector_answers
	WRITE_OPENAPI=1 $(BIN)/python -m pytest --quiet tests/contract/test_openapi.py

files_page: $(VENV)/.ready ## Write the table of docs/files.md, of what is read where
	WRITE_FILES_PAGE=1 $(BIN)/python -m pytest --quiet tests/training/mm/test_loading.py -k page

page: $(VENV)/.ready ## Write what the page takes from declarations in Python
	WRITE_PAGE=1 $(BIN)/python -m pytest --quiet tests/contract/test_page_declared.py

test-browser: $(VENV)/.ready ## The page in a real chromium, which it installs where it is root and there is apt
	@command -v chromium >/dev/null || [ -n "$$DIRDET_TEST_CHROMIUM" ] || \
	    { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	      apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } || \
	    { echo "the tests of the page need chromium: install it, or name one: DIRDET_TEST_CHROMIUM=/path/to/chrome" >&2; exit 1; }
	DIRDET_TEST_BROWSER=required $(BIN)/python -m pytest tests/browser

screenshots: $(VENV)/.ready ## Take the docs' pictures of page, review and report; needs chromium
	$(BIN)/python tools/screenshots.py

check: lint types ## Lint, type check and import rules

lint: $(VENV)/.ready ## ruff, bandit, zizmor, import-linter, the drawing, duplicates
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive $(PACKAGES)
	$(BIN)/zizmor --quiet --offline .github
	$(BIN)/lint-imports
	$(BIN)/python tools/drawing.py --check
	@$(MAKE) --no-print-directory duplicates

types: $(VENV)/.ready ## pyright
	$(BIN)/pyright

drawing: $(VENV)/.ready ## Draw who imports whom into CONTRIBUTING.md
	$(BIN)/python tools/drawing.py

count: $(VENV)/.ready ## Lines of source by part, and what is allowed; modules that are too long
	$(BIN)/python tools/line_count.py

duplicates: $(VENV)/.ready ## Places that share more than 15 lines, also where only names differ
	$(BIN)/jscpd --ignore-identifiers --skip-comments --min-lines 16 --min-tokens 40 --format python,javascript,css \
	    --no-colors --exit-code 1 $(PACKAGES)

format: $(VENV)/.ready ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

scenes: $(VENV)/.ready ## Build the scenes data set in data/scenes
	$(BIN)/dirdet scenes --out data/scenes

train: $(VENV)/.ready ## Train the shipped detector, into work_dirs/
	$(BIN)/dirdet train faster_rcnn_dir_lite0_scenes -o load_from=training/weights/scenes_trunk_float16.pth

# ONNXRUNTIME=python is for a Triton without the ONNX Runtime backend.
model_repository: $(SERVE_VENV)/.ready ## Write model_repository/, with the shipped detector's weights, for tritonserver
	$(SERVE_VENV)/bin/dirdet triton --out model_repository --onnxruntime $(ONNXRUNTIME) --force

wheel: $(VENV)/.ready ## Build the wheel and the source distribution into dist/
	$(BIN)/python -m build --no-isolation

lock: $(VENV)/.ready ## Resolve requirements/*.txt; newer versions with OPTIONS=--upgrade
	$(BIN)/python requirements/lock.py $(OPTIONS)

sbom: $(AUDIT_VENV)/.ready ## Bills of materials (CycloneDX) of what is installed and what the images hold, into dist/sbom/
	@mkdir -p dist/sbom
	@for name in $(SHIPPED); do \
	    $(AUDIT_VENV)/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
	        --output-file dist/sbom/$$name.cdx.json requirements/$$name.txt && echo dist/sbom/$$name.cdx.json || exit 1; done

# Strict: an index that knows no vulnerabilities, as a mirror, is a failure.
audit: $(AUDIT_VENV)/.ready ## Known vulnerabilities of the locked packages, which PyPI is asked for
	@for name in $(SHIPPED) dev build; do \
	    echo requirements/$$name.txt && $(AUDIT_VENV)/bin/pip-audit --strict --disable-pip --require-hashes \
	        --requirement requirements/$$name.txt || exit 1; done

clean: ## Remove the virtual environments and caches
	rm -rf $(VENV) $(SERVE_VENV) $(BATCH_VENV) $(GPU_VENV) $(CONVERTERS_VENV) $(RAY_VENV) $(AUDIT_VENV) $(DOCS_VENV) site dist .pytest_cache .ruff_cache .hypothesis

# A new environment with what requirements/NAME.txt locks, by hashes, and the project: whatever else an index offers, and
# indexes that somebody's environment adds, cannot get in. What has no wheel is built by what build.txt locks, in an
# environment without torch, since mmcv would compile its operators where it finds that: hence a new one each time.
define environment
	@$(PYTHON) -c 'import sys; sys.exit("dirdet needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo 'installing into $(1), this once'
	$(PYTHON) -m venv --clear $(1)
	$(1)/bin/python -m pip install $(PIP_FLAGS) --only-binary :all: -r requirements/build.txt
	$(1)/bin/python -m pip install $(PIP_FLAGS) --no-build-isolation -r requirements/$(2).txt
endef
# Not quiet: a first run downloads for a minute or more.
PIP_FLAGS := --disable-pip-version-check --require-hashes
EDITABLE := -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable

# The serving environment is small, so that `make serve` answers soon after it is typed.
$(SERVE_VENV)/.ready: pyproject.toml requirements/build.txt requirements/cpu.txt
	$(call environment,$(SERVE_VENV),cpu)
	$(SERVE_VENV)/bin/python $(EDITABLE) .
	@touch $@

$(BATCH_VENV)/.ready: pyproject.toml requirements/build.txt requirements/batch.txt
	$(call environment,$(BATCH_VENV),batch)
	$(BATCH_VENV)/bin/python $(EDITABLE) .
	@touch $@

$(VENV)/.ready: pyproject.toml bench/pyproject.toml requirements/build.txt requirements/dev.txt
	$(call environment,$(VENV),dev)
	$(BIN)/python $(EDITABLE) . --editable ./bench
	@touch $@

# Its ONNX Runtime is the one for CUDA, which must not be installed beside the other.
$(GPU_VENV)/.ready: pyproject.toml bench/pyproject.toml requirements/build.txt requirements/gpu-dev.txt | has-gpu
	$(call environment,$(GPU_VENV),gpu-dev)
	$(GPU_VENV)/bin/python $(EDITABLE) . --editable ./bench
	@touch $@

# supervision, FiftyOne and Label Studio's SDK: what the converters write for.
$(CONVERTERS_VENV)/.ready: pyproject.toml requirements/build.txt requirements/converters-tests.txt
	$(call environment,$(CONVERTERS_VENV),converters-tests)
	$(CONVERTERS_VENV)/bin/python $(EDITABLE) .
	@touch $@

$(RAY_VENV)/.ready: pyproject.toml requirements/build.txt requirements/ray-tests.txt
	$(call environment,$(RAY_VENV),ray-tests)
	$(RAY_VENV)/bin/python $(EDITABLE) .
	@touch $@

# Only what MkDocs needs: the pages are written from the code by `make reference`, and Python's sources are not imported.
$(DOCS_VENV)/.ready: requirements/build.txt requirements/docs.txt
	$(call environment,$(DOCS_VENV),docs)
	@touch $@

# Apart, since it wants a pip of its own.
$(AUDIT_VENV)/.ready: requirements/build.txt requirements/audit.txt
	$(call environment,$(AUDIT_VENV),audit)
	@touch $@
