# The only entry: `make help` lists what there is. Each target is a few lines over uv and the local cluster.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/certward
OWN_UV := $(CACHE)/uv/bin/uv
UV := $(or $(shell uv --version >/dev/null 2>&1 && command -v uv),$(OWN_UV))
BIN := .venv/bin
CLUSTER_CLI := $(BIN)/python tests/cluster/__main__.py
CLUSTER ?= local
KIND_NAME := certward
# What `make test` runs after Traefik, and the tests there: those that say something about an ingress controller.
OTHER_PLANES := envoy-gateway contour
STORY := $(foreach part,lifecycle routing obstacles tls_defaults policy_changes policy_conflicts policy_matrix manual platform, \
  tests/e2e/test_e2e_$(part).py)
# Processes of pytest that share the tests of `make test`, each with a cluster of its own: most of the time is waiting.
WORKERS ?= 2
# A file's tests stay together and in their order; files are handed out in the order of tests/side_by_side.py.
SIDE_BY_SIDE := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# The same tests by each of several workers, which are told another ingress controller each.
EACH_PLANE := --dist each $(foreach plane,$(OTHER_PLANES),--tx popen//env:INGRESS=$(plane))
# Programs that tests need beside those of the cluster.
TEST_PROGRAMS := promtool prometheus chromium helm
comma := ,
space := $(subst ,, )
export OPERATORS INGRESS CLUSTER_OPERATOR_CONFIG_PATCH CLUSTER_PEBBLE_SLEEP CLUSTER_TRAEFIK_THROTTLE CLUSTER UV

.PHONY: help setup check programs test e2e demo docs site audit dist sessions pictures bench chaos cluster-up cluster-down clean kind-cluster

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r t d; do printf '  make %-13s %s\n' "$$t" "$$d"; done

setup: $(UV) ## make .venv with everything the project needs in Python
	@rm -f .venv/.synced
	@$(MAKE) .venv/.synced

.venv/.synced: pyproject.toml uv.lock | $(UV)
	@$(UV) sync --frozen
	@touch $@

# Where the machine has no uv: one of our own, pinned by hash, in the user's cache.
$(OWN_UV):
	@command -v python3 >/dev/null || { echo 'python3 is missing: install Python 3.11 or newer (or uv), then run this again' >&2; exit 1; }
	@echo 'uv is not on PATH: installing it into $(CACHE)/uv'
	@rm -rf '$(CACHE)/uv'; python3 -m venv '$(CACHE)/uv' || { rm -rf '$(CACHE)/uv'; echo "python3 has no venv: install it (on Debian and Ubuntu: apt install python3-venv), or install uv" >&2; exit 1; }
	@'$(CACHE)/uv/bin/pip' install --quiet --disable-pip-version-check --require-hashes -r tests/cluster/wheels/uv.txt || { rm -rf '$(CACHE)/uv'; exit 1; }

check: .venv/.synced ## lint, types, import contracts and the fast tests; no cluster
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q --numprocesses auto --dist worksteal -m 'not cluster' tests/unit tests/golden tests/property tests/cluster

programs: .venv/.synced ## build or fetch into the user's cache what the tests run; no cluster
	@INGRESS=traefik,$(subst $(space),$(comma),$(OTHER_PLANES)) $(CLUSTER_CLI) fetch $(TEST_PROGRAMS)

test: programs ## the whole test suite on local clusters with Traefik, then the story of a host on the others; WORKERS=2
	@status=0; \
	echo '== the whole suite on traefik, by $(WORKERS) workers'; INGRESS=traefik $(BIN)/python -m pytest $(SIDE_BY_SIDE) || status=$$?; \
	if [ $$status -ne 0 ]; then echo '== the run before this one has failed'; fi; \
	echo '== the story of a host on $(subst $(space), and ,$(OTHER_PLANES)), side by side'; \
	$(BIN)/python -m pytest $(EACH_PLANE) $(STORY) || status=$$?; \
	exit $$status

e2e: .venv/.synced ## the end-to-end tests, also of another INGRESS; CLUSTER=local, kind or current (the current context)
	@case '$(CLUSTER)' in local) $(CLUSTER_CLI) fetch;; kind) $(MAKE) kind-cluster;; current) ;; *) echo 'CLUSTER=$(CLUSTER): must be local, kind or current' >&2; exit 2;; esac
	@$(BIN)/python -m pytest tests/e2e

kind-cluster:
	@for tool in kind docker kubectl; do command -v $$tool >/dev/null || { echo "$$tool is missing: CLUSTER=kind needs kind, docker and kubectl" >&2; exit 1; }; done
	@kind get clusters | grep -qx $(KIND_NAME) || kind create cluster --name $(KIND_NAME) --config kind-config.yaml
	@kubectl config use-context kind-$(KIND_NAME)

demo: .venv/.synced ## set everything up, issue certificates and show them served and probed
	@$(BIN)/python tests/cluster/demo.py

docs: .venv/.synced ## write what is made from tables: pages of docs/, files of manifests/monitoring and of the chart
	@$(BIN)/python docs/generate/ingress_controllers.py
	@$(BIN)/python docs/generate/monitoring.py
	@$(BIN)/python docs/generate/chart.py
	@$(BIN)/python docs/generate/argocd.py
	@$(BIN)/python docs/generate/fields.py
	@PYTHONPATH=tests $(BIN)/python tests/gitops/table.py

site: .venv/.synced ## the site of docs/ into build/site, with every link checked
	@NO_MKDOCS_2_WARNING=1 $(UV) run --frozen --quiet --group docs mkdocs build --strict
	@echo 'build/site/index.html'

audit: .venv/.synced ## ask PyPI for advisories about everything that uv.lock pins; needs the network
	@$(BIN)/python tests/advisories.py

dist: .venv/.synced ## dist/crds.yaml, dist/certward.yaml and the chart; IMAGE=registry.example.net/certward:0.1.0
	@rm -rf dist
	@PYTHONPATH=tests $(BIN)/python docs/generate/release.py $(if $(IMAGE),--image '$(IMAGE)')

sessions: .venv/.synced ## record docs/sessions on the local cluster, which has to be up; needs kubectl and jq
	@for tool in kubectl jq; do command -v $$tool >/dev/null || { echo "$$tool is missing: the recorded sessions use it" >&2; exit 1; }; done
	@PYTHONPATH=tests $(BIN)/python docs/generate/sessions.py

pictures: .venv/.synced ## take the pictures of docs/dashboard.md, in the browser of the tests; no cluster
	@PYTHONPATH=tests $(BIN)/python docs/generate/dashboard_images.py

bench: .venv/.synced ## measure on the local cluster; SCENARIO="burst-1000 churn-1800" or all; OPERATOR=cert-manager
	@$(BIN)/python tests/scale run $(SCENARIO) $(if $(OPERATOR),--operator $(OPERATOR))

chaos: .venv/.synced ## faults of all kinds for half an hour, judged all along; SEED= FAULTS= MINUTES=; MUTATIONS=1: the judges
	@$(BIN)/python tests/chaos $(if $(SEED),--seed $(SEED)) $(if $(MUTATIONS),mutations,run $(if $(FAULTS),--faults $(FAULTS)) $(if $(MINUTES),--minutes $(MINUTES)))

cluster-up: .venv/.synced ## the local cluster; OPERATORS=0..5 INGRESS=traefik,contour,... CLUSTER_OPERATOR_CONFIG_PATCH=FILE
	@$(CLUSTER_CLI) up

cluster-down: .venv/.synced ## stop the local cluster, and those of test workers, and forget their data
	@$(CLUSTER_CLI) down

clean: cluster-down ## cluster-down, and the caches in this folder; .venv and the user's cache stay
	@rm -rf .cluster .cluster-gw* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
