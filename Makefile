# `make` lists the targets. Each works on a machine that has only make and Python 3.11 or later.
.DEFAULT_GOAL := help
# Prerequisites build on one another. Only the two lanes of `make test` run at the same time.
ifndef LANES
.NOTPARALLEL:
endif
# bin/shell gives recipes a clean environment. Started with sh, because archives may lose its executable bit.
SHELL := /bin/sh
.SHELLFLAGS := bin/shell -c
PYTHON := .venv/bin/python

# The cluster, as in `make cluster-up TOPOLOGY=dedicated SHARDS=3`. ops/preflight.py checks the values.
export ENV ?= local
export TOPOLOGY ?= compact
export SHARDS ?= 2
export MEMBERS ?= 3
export SOURCE ?= auto
export MONGODB_VERSION ?=

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile
	@printf '\nVariables: ENV=local|aws  TOPOLOGY=compact|dedicated  SHARDS=2  MEMBERS=3  SOURCE=auto|official|offline|mirror  MONGODB_VERSION=8.0\n'

##@ The cluster
.PHONY: cluster-up cluster-down cluster-status cluster-plan cluster-stop cluster-start renew-certificates
cluster-up: check env-tools ## Build the whole system on this machine or (ENV=aws) on EC2, and print the addresses
	@$(PYTHON) -m ops up

cluster-status: env-tools ## Show every process, the documents per shard and the addresses
	@$(PYTHON) -m ops status

cluster-down: env-tools ## Remove everything in this ENV and nothing else; ENV=aws asks first
	@$(PYTHON) -m ops down

cluster-plan: check env-tools ## ENV=aws: show what cluster-up would change, and what costs money
	@$(PYTHON) -m ops plan

cluster-stop: env-tools ## ENV=aws: stop the cluster in order, then its instances
	@$(PYTHON) -m ops stop

cluster-start: env-tools ## ENV=aws: start the instances again and wait for the cluster
	@$(PYTHON) -m ops start

renew-certificates: env-tools ## Renew the certificates of all hosts now; any cluster-up renews those with less than 30 days left
	@$(PYTHON) -m ops renew-certificates

.PHONY: cluster-restart
cluster-restart: env-tools ## Restart every process in order while the cluster works (CHECK=1: only look; SHARDS_AT_ONCE=1; FORCE=1: take over a lock)
	@$(PYTHON) -m ops restart

.PHONY: rotate-secrets
rotate-secrets: env-tools ## Replace WHAT=passwords|app-keys|keyfile|all while the cluster works; nobody is logged out
	@$(PYTHON) -m ops rotate-secrets

.PHONY: backup backup-fetch backup-list
backup: env-tools ## Make a backup now; from local hosts it is fetched into backups/ENV
	@$(PYTHON) -m ops backup

backup-fetch: env-tools ## Fetch the local hosts' new backups into backups/ENV, and remove old ones; for cron
	@$(PYTHON) -m ops backup-fetch

backup-list: env-tools ## List the backups: of when, up to which second a restore can go, how large, verified when
	@$(PYTHON) -m ops backup-list

.PHONY: restore restore-undo restore-cleanup backup-verify
restore: env-tools ## Bring back BACKUP=<id>|latest: beside what there is, compared, then (asks first) in its place; COLLECTION= WHERE= for records
	@$(PYTHON) -m ops restore

backup-verify: env-tools ## Restore the newest backup (BACKUP=...) into a MongoDB of its own, compare, write down that it is good
	@$(PYTHON) -m ops backup-verify

restore-undo: env-tools ## Put back what the last restore has replaced; asks first
	@$(PYTHON) -m ops restore-undo

restore-cleanup: env-tools ## Remove what a restore that was given up has left, or else what was replaced; asks first
	@$(PYTHON) -m ops restore-cleanup

.PHONY: secrets-encrypt
secrets-encrypt: tools ## Put ENV's secrets under Ansible Vault (VAULT_PASSWORD_FILE=... with the password)
	@$(PYTHON) -m ops encrypt

##@ This machine
.PHONY: doctor try-host
doctor: ## Report what this machine has, what is missing, what gets in the way, and how to fix it
	@sh bin/bootstrap doctor

try-host: override ENV := try
try-host: check hosts-tools ## Does cluster-up work here? Build one small host, connect, remove it (10 s; minutes the first time)
	@$(PYTHON) -m ops try-host

##@ Development
.PHONY: dev format lock
dev: tools ## Run cluster and apps as plain processes, without root (TOPOLOGY=single: one mongod)
	@$(PYTHON) -m ops dev

format: tools ## Format the Python code
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix-only .

lock: ## Update the locked requirements from pyproject.toml
	@python3 -m venv .cache/uv && .cache/uv/bin/pip install -q uv
	@.cache/uv/bin/uv pip compile -q --upgrade $(LOCK_OPTIONS) pyproject.toml -o requirements/app.txt
	@.cache/uv/bin/uv pip compile -q --upgrade $(LOCK_OPTIONS) --extra dev -c requirements/app.txt pyproject.toml -o requirements/dev.txt
	@.cache/uv/bin/uv pip compile -q --upgrade $(LOCK_OPTIONS) --extra bench -c requirements/app.txt pyproject.toml -o requirements/bench.txt
	@.cache/uv/bin/uv pip compile -q --upgrade $(LOCK_OPTIONS) --group scanners -o requirements/scanners.txt
	@.cache/uv/bin/uv pip compile -q --upgrade $(LOCK_OPTIONS) --group acme -o requirements/acme.txt
LOCK_OPTIONS := --universal --generate-hashes --python-version 3.11 --no-annotate --no-emit-index-url --custom-compile-command "make lock"

##@ Tests
TESTS := test test-quick lint test-unit test-terraform test-roles test-cluster test-hosts test-aws drills coverage explore
.PHONY: $(TESTS) test-systems
# Tests have their own environments: settings for a cluster or an AWS account don't reach them. SOURCE, MONGODB_VERSION
# and FILM_LIBRARY_MONGOD do, to choose the MongoDB to test with.
$(TESTS): override ENV := test
$(TESTS): override TOPOLOGY := compact
$(TESTS): override SHARDS := 2
$(TESTS): override MEMBERS := 3
CLUSTERS_OWN := SUBNET FILM_LIBRARY_HOST FILM_LIBRARY_ADMIN_HOST FILM_LIBRARY_ACME_EMAIL HOST_SUITE SAMPLE REMOVE_SECRETS CONFIRM BACKUPS ALLOW_LOSS FORCE CLUSTER_ID SSH_JUMP VAULT_PASSWORD_FILE
CLUSTERS_OWN += CHECK SHARDS_AT_ONCE WHAT BACKUP AT INTO COLLECTION WHERE CONFLICTS RESTORE STORE
$(foreach name,$(CLUSTERS_OWN),$(eval $(TESTS): override $(name) :=))
test-systems: override ENV := test
# Calls make, not $(MAKE), which `make -n` would run; through cat, because two programs can't draw on one terminal.
test: check hosts-tools ## Run the targets below, two at a time, without the tests marked thorough
	@set -o pipefail; make --no-print-directory --jobs 2 LANES=yes DRILLS=$(DRILLS) lane-1 lane-2 2>&1 | cat
.PHONY: lane-1 lane-2
lane-1:
	@make --no-print-directory lint test-unit test-terraform test-aws WORKERS=2 DRILLS=$(DRILLS)
lane-2:
	@make --no-print-directory test-roles test-cluster test-hosts DRILLS=$(DRILLS)

test-quick: lint ## For each step of work: lint, unit tests, one pass through both apps in a browser
	@sh bin/bootstrap browser
	@$(PYTHON) -m pytest -q -n 3 --dist loadfile tests/unit tests/lint tests/e2e/test_journeys.py

lint: tools ## ruff, mypy, import-linter, yamllint, ansible-lint, and the repository's own rules
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo --no-cache
	@.venv/bin/yamllint --strict .
	@cd ansible && PATH="$(CURDIR)/.venv/bin:$$PATH" ansible-lint -q --offline --profile production

test-unit: test-tools ## Code against real mongods and the router, pages in a real browser
	@$(PYTHON) -m pytest -q -n $(WORKERS) --dist loadfile --durations 10 -m "not hosts$(EXCEPT)" $(UNIT)
	@$(PYTHON) -m pytest -q -n 2 --durations 5 -m "not hosts$(EXCEPT)" tests/standin
WORKERS := 3
# `make drills` runs the thorough tests, too.
EXCEPT = $(if $(DRILLS),, and not thorough)
UNIT := $(addprefix tests/,unit lint ops integration ansible_modules e2e)

test-roles: hosts-tools ## Molecule: the roles on single hosts, from bare ones
	@$(PYTHON) -m ops molecule default

test-cluster: hosts-tools ## Molecule: a cluster built by cluster-up under interruption, verified, then damaged
	@sh bin/bootstrap scanners
	@$(if $(DRILLS),TESTS_MARKED= )$(PYTHON) -m ops molecule cluster

drills: ## `make test` with the thorough tests, too: every interruption, power cut, change and odd machine
	@make --no-print-directory test DRILLS=yes

test-hosts: hosts-tools ## Local hosts: their life cycle, faults, odd shells and machines
	@$(PYTHON) -m pytest -q -m "hosts$(EXCEPT)" tests/ops

test-terraform: tools ## Terraform with the current provider schema and an emulated EC2; which hosts reach which
	@$(PYTHON) -m pytest -q -n 6 --dist loadfile --durations 5 -m "not hosts$(EXCEPT)" tests/terraform

test-aws: hosts-tools ## The whole production path on an emulated EC2
	@$(PYTHON) -m pytest -q tests/emulated_ec2
	@$(PYTHON) -m pytest -q -n 4 -m "not hosts$(EXCEPT)" tests/aws
	@$(PYTHON) -m pytest -q -m "hosts$(EXCEPT)" --durations 0 --durations-min 1 tests/aws

test-systems: hosts-tools ## The whole system on hosts with another release (HOST_SUITE=trixie); not part of `make test`
	@sh bin/bootstrap scanners
	@$(PYTHON) -m pytest -q -x -rP tests/systems

coverage: test-tools ## Branches that test-unit never takes, by file; takes half as long again, so not part of `make test`
	@$(PYTHON) -m pytest -q -n 3 --dist loadfile --cov -m "not hosts" $(UNIT)

explore: test-tools ## Property tests with new examples; `make test` always uses the same
	@HYPOTHESIS_EXPLORE=1 $(PYTHON) -m pytest -q -n 3 --dist loadfile -m hypothesis tests/unit tests/integration

##@ Supply
.PHONY: audit
audit: tools ## Known vulnerabilities in locked packages (pip-audit, npm audit), where their services answer; licences
	@$(PYTHON) -m ops audit

##@ Speed
.PHONY: bench bench-recommend lighthouse
bench: tools ## Measure imports, lists, search, pages and backups with 1,000,000 synthetic films, and peers (BENCH="--films 100000 lists")
	@$(PYTHON) -m bench $(BENCH)

bench-recommend: tools ## Evaluate recommendations on MovieLens against popularity, cosine, EASE and iALS
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.recommending

lighthouse: test-tools ## Rate the user app's pages with Lighthouse (npm, headless Chromium), and measure their size
	@$(PYTHON) -m bench.lighthouse

# Prerequisites of the targets; fast if they are there already.
.PHONY: check tools hosts-tools cloud-tools env-tools test-tools
check:
	@sh bin/bootstrap check
tools:
	@sh bin/bootstrap python
hosts-tools: # hosts first: a machine that can't run them is refused before .venv is created
	@sh bin/bootstrap hosts python
cloud-tools:
	@sh bin/bootstrap python cloud
env-tools: $(if $(filter aws,$(ENV)),cloud-tools,hosts-tools)
test-tools:
	@sh bin/bootstrap python browser
