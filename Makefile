# Chores of the gateway. `make help` lists them.
# make setup installs what Debian or Ubuntu needs besides Rust; the others call it first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
FUZZ_SECONDS ?= 5

# Where the tests find the mail servers that tests/servers/install unpacks.
export PIMAP_SERVERS := $(abspath $(TARGET))/servers

.PHONY: help setup fmt lint test test-upstreams demo playground bench fuzz

help: ## list the chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install what the tests and the demo need (Debian, Ubuntu); quick when it is there
	@tests/setup

fmt: ## format all code
	$(CARGO) fmt --all

lint: ## check formatting and run clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --package pimap-tests --test upstreams_more --locked -- -D warnings

test: setup lint ## run every test; what CI runs
	$(CARGO) build --locked --package pimap-gateway
	export PIMAP_GATEWAY="$(abspath $(TARGET))/debug/pimap-gateway"; \
	if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --workspace --locked --no-fail-fast; \
	else $(CARGO) test --workspace --locked --no-fail-fast; fi
	$(MAKE) --no-print-directory fuzz

test-upstreams: setup ## run the battery of every upstream, also of those that take root and Node.js
	tests/servers/install courier hoodiecrow
	$(CARGO) build --locked --package pimap-gateway
	PIMAP_GATEWAY="$(abspath $(TARGET))/debug/pimap-gateway" \
	$(CARGO) test --locked --no-fail-fast --package pimap-tests --test upstreams --test upstreams_more
	@echo "nothing was skipped: Dovecot in four shapes, Cyrus, GNU mailutils, Courier, hoodiecrow"

demo: setup ## build, then show the main job: a handset that is never lied to
	$(CARGO) build --locked --package pimap-gateway --package pimap-tests --bin pimap-gateway --bin demo
	PIMAP_GATEWAY="$(abspath $(TARGET))/debug/pimap-gateway" "$(abspath $(TARGET))/debug/demo"

playground: setup ## a mail server and a gateway before it, for trying things out with curl
	@$(CARGO) build --quiet --locked --package pimap-gateway --package pimap-tests --bin pimap-gateway --bin playground
	@PIMAP_GATEWAY="$(abspath $(TARGET))/debug/pimap-gateway" "$(abspath $(TARGET))/debug/playground"

bench: setup ## measure the gateway next to its peers: a table, and bench/*.json
	@if test -x tests/bench/run; then tests/bench/run; else echo "nothing is measured yet"; exit 1; fi

fuzz: ## run each fuzz target for FUZZ_SECONDS (default 5)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run
