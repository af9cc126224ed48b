# The commands of the house. `make help` lists them.

CARGO ?= cargo
# The servers of the test bench come last, so that what the machine has of its own is used first.
BENCH := tests/bench/install

.PHONY: help test bench fmt lint unit pricing demo

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: bench fmt lint ## everything that has to hold: bench, format, lints, all tests
	PATH="$$PATH:$$($(BENCH) 2>/dev/null)/bin" $(CARGO) test --workspace --locked

bench: ## install the real servers that the tests need, once (6 to 10 minutes; a second later on)
	@$(BENCH) >/dev/null

fmt: ## is every file formatted?
	$(CARGO) fmt --all --check

lint: ## clippy over everything, no warning allowed
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

unit: ## the tests that need no server: seconds, not minutes
	$(CARGO) test --workspace --lib --locked

pricing: ## the price rules alone: the quickest loop there is
	$(CARGO) test -p defray-pricing

demo: ## a platform with three months of usage on http://127.0.0.1:8080
	$(CARGO) run --release --locked -- demo
