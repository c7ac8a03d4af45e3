# Comfort around `pulumi`, `pytest` and the linters: each target first makes this machine ready, which takes no time when it
# is. Nothing of the product is in here: `pulumi up` does the same wherever Pulumi, Docker and the environment are.

STACK ?= local
TESTS ?=
ARGS ?=
PORT ?= 5000
SEEDS ?= 1-200
BACKENDS ?= docker,azureml,kubernetes

DATA = $(if $(AML_INFRA_DATA),$(AML_INFRA_DATA),$(if $(XDG_DATA_HOME),$(XDG_DATA_HOME),$(HOME)/.local/share)/aml-infra)
BOOTSTRAP = python3 -m tools.bootstrap --stack $(STACK)
PYTHON_TOOL = $(BOOTSTRAP) --only uv,venv exec --
# Four on two cores, as tests wait for services. Files go to the processes in their order, so that the many short ones of
# tests/unit fill up what is left of the time.
PROCESSES ?= 4
PARALLEL = --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this help
	@echo 'usage: make TARGET [STACK=local] [ARGS="options for pulumi or pytest"]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'STACK is one of stacks/config/Pulumi.*.yaml. `local` trains in Docker on this machine; its state is in .pulumi/.'

.PHONY: up
up: ## install what is missing, provision, train what changed; live log
	@$(BOOTSTRAP) up -- $(ARGS)

.PHONY: preview
preview: ## show what `make up` would do, and which files make it retrain
	@$(BOOTSTRAP) preview -- $(ARGS)

.PHONY: output
output: ## print the stack's outputs as JSON, as of the last `up` that succeeded
	@$(BOOTSTRAP) output -- $(ARGS)

.PHONY: down
down: ## destroy the stack's resources; the stack itself and the records of finished runs stay
	@$(BOOTSTRAP) down -- $(ARGS)

.PHONY: ui
ui: ## open MLflow's page on the local runs at http://127.0.0.1:PORT (PORT=5000)
	@exec env MLFLOW_ALLOW_FILE_STORE=true MLFLOW_DISABLE_TELEMETRY=true $(PYTHON_TOOL) \
	  uv run --locked --extra ui mlflow ui --backend-store-uri '$(DATA)/mlruns' --port $(PORT) $(ARGS)

.PHONY: test
test: lint ## lint, then run all tests, PROCESSES=4; TESTS=tests/unit for some of them, in one process
	@$(BOOTSTRAP) exec -- pytest $(if $(TESTS),$(TESTS),$(PARALLEL)) $(ARGS)

.PHONY: test-azure
test-azure: ## run the Azure tests alone, the long ones, too, which `make test` leaves out; counts what clients walked
	@$(BOOTSTRAP) exec -- pytest -m 'not trainer' $(PARALLEL) tests/azure $(wildcard tests/integration/test_azure*.py) $(ARGS)

.PHONY: cluster
cluster: ## build the Kubernetes that tests start, once; `make test` does it, too
	@$(BOOTSTRAP) --only uv,cluster ensure

.PHONY: test-kubernetes
test-kubernetes: ## run the Kubernetes tests alone, on real pods, the long ones, too, which `make test` leaves out
	@$(BOOTSTRAP) exec -- pytest -m 'not trainer' $(PARALLEL) tests/kubernetes tests/kubernetes_stand_in tests/contract/test_kubernetes.py \
	  $(wildcard tests/integration/test_kubernetes*.py) $(ARGS)
	@$(BOOTSTRAP) exec -- pytest -m 'not trainer' tests/contract/test_backends.py tests/integration/test_secrets.py \
	  -k kubernetes $(ARGS)

.PHONY: test-trainer
test-trainer: ## build Kubeflow Trainer, some minutes once, and run trainings as TrainJobs on it; no part of `make test`
	@$(BOOTSTRAP) --only uv,trainer ensure
	@$(BOOTSTRAP) exec -- pytest -m trainer tests/contract/test_kubernetes_trainer.py $(ARGS)

.PHONY: faults
faults: ## kill engine, plugin, job, daemon at random moments, SEEDS=1-200, BACKENDS=docker,azureml,kubernetes
	@$(BOOTSTRAP) exec -- python -m tests.faults --seeds $(SEEDS) --backends $(BACKENDS) $(ARGS)

.PHONY: lint
lint: ## check style, types, the direction of imports, workflows; changes nothing
	@$(PYTHON_TOOL) ruff check
	@$(PYTHON_TOOL) ruff format --check
	@$(PYTHON_TOOL) mypy
	@$(PYTHON_TOOL) lint-imports
	@$(PYTHON_TOOL) zizmor --offline --quiet --config .github/zizmor.yml .github/workflows

.PHONY: format
format: ## format the code and fix what the linter can fix
	@$(PYTHON_TOOL) ruff check --fix
	@$(PYTHON_TOOL) ruff format

.PHONY: bench
bench: ## measure what docs/performance.md claims and write it there; ARGS=--help
	@$(BOOTSTRAP) exec -- python -m tools.bench $(ARGS)

.PHONY: doctor
doctor: ## show what this machine has, what is missing or too old, and the fix; changes nothing
	@$(BOOTSTRAP) doctor

.PHONY: clean
clean: ## remove what linters, tests and builds left here; environment, state and runs stay
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
