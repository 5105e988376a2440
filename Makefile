# Both commands of the README start here. Each target gets what it needs by itself; the work is in
# scripts/. `make help` lists the targets.

# How the pilot is started: make pilot ARGS="--for 90s --seed 7"
ARGS ?=
# One folder for everything cargo builds, when it is set.
CARGO_TARGET_DIR ?= target

.DEFAULT_GOAL := help
.PHONY: build strategies pilot test bench book browser fmt lint deny guest-target guest-target-check help

pilot: build ## build everything and run the pilot (ARGS="--for 90s")
	$(CARGO_TARGET_DIR)/release/pm-arb pilot --strategies './strategies/*.wasm' $(ARGS)

test: ## every check and every test, beside a PostgreSQL and a Redis of its own
	scripts/test.sh

build: ## target/release/pm-arb and strategies/*.wasm
	scripts/build.sh

strategies: ## strategies/*.wasm alone
	scripts/guests.sh

bench: build ## the measurements, beside the peers (a workspace of its own: benches/)
	scripts/bench.sh $(ARGS)

book: ## the documents as one book, target/book/index.html
	scripts/book.sh

browser: ## the dashboard's tests in a real browser alone; screenshots in target/browser/screenshots
	scripts/with-services.sh scripts/browser.sh $(ARGS)

fmt: ## format every workspace
	scripts/lint.sh fix

lint: ## the format and clippy checks alone
	scripts/lint.sh format
	scripts/lint.sh clippy

deny: ## licences, bans and sources of the dependencies alone
	scripts/deny.sh

guest-target: ## the standard library the guests need, by rustup or from source
	scripts/guest-target.sh

guest-target-check: ## prove that the guests build where rustup cannot download
	scripts/guest-target-check.sh

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 22
