# Everything below installs what it needs: a bare Debian with python3 and make is enough, as root or with sudo.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
BIN := .venv/bin
# Tests, and the many short runs of lbdeploy in them, are quicker with bytecode; it lies apart, for those who keep none.
CACHED := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=$(CURDIR)/.venv/bytecode
# Tests that start processes wait for them half of the time; the others compute, and each worker imports all tests first.
WAITING = -n $(shell expr 2 '*' `nproc`)
COMPUTING = -n $(shell expr 1 + `nproc`)

.PHONY: help demo demo-down test slow unit terminal lint bench client-view clients chaos machines docs lock release clean

help:            ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

demo:            ## the whole job on real nodes on this machine: lab, up, verify, drill (needs root or sudo)
	@tools/sh/setup lab
	@$(ROOT) tools/sh/demo

demo-down:       ## remove the demo's lab
	@$(ROOT) $(BIN)/lbdeploy lab down

test: lint unit terminal  ## style, types, tests, and tests on real nodes but for the slow ones (needs root or sudo)
	@tools/sh/setup lab
	$(ROOT) tools/sh/labtests $(BIN)/pytest -m "lab and not slow"

slow:            ## the tests on real nodes that wait for long timers, and variants of others, twenty-five minutes (needs root or sudo)
	@tools/sh/setup lab
	$(ROOT) tools/sh/labtests $(BIN)/pytest -m "lab and slow"

unit:            ## the tests that need no nodes, half a minute
	@tools/sh/setup
	$(CACHED) $(BIN)/pytest tests/unit -m "not terminal" -q $(COMPUTING)

terminal:        ## the tests in shells and terminals
	@tools/sh/setup terminal
	$(CACHED) $(BIN)/pytest tests/unit -m terminal -q $(WAITING)

lint:            ## style, types, import rules
	@tools/sh/setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench:           ## how fast it is, beside ssh, pyinfra and Ansible (needs root or sudo)
	@tools/sh/setup lab
	$(ROOT) $(BIN)/python tests/bench/bench.py

client-view:     ## what clients feel of each event, into docs/reliability.md (needs root or sudo)
	@tools/sh/setup lab
	$(ROOT) $(BIN)/python tests/bench/client_view.py --write

clients:         ## etcd and kubectl, of Debian, through a pair: nothing is missed where VIPs move (needs root or sudo)
	@tools/sh/setup lab
	$(ROOT) $(BIN)/pytest tests/lab/clients

chaos:           ## random faults in changes of a live pair; SEED=1 RUNS=40 LABS=1 (needs root or sudo)
	@tools/sh/setup lab
	$(ROOT) $(BIN)/python tests/lab/support/chaos.py $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(if $(LABS),--labs $(LABS))

machines:        ## two machines with kernels and disks of their own, whose power is cut; SEED=1 CUTS=1 (needs root or sudo)
	@tools/sh/setup machines
	$(ROOT) env SEED=$(SEED) CUTS=$(CUTS) $(BIN)/pytest tests/machines -v -s --tb=short

docs:            ## the generated pages of docs/, and the site in site/
	@tools/sh/setup
	$(BIN)/python tools/python/docs.py
	$(BIN)/zensical build --strict --clean
	$(BIN)/python tools/python/search_keys.py

lock:            ## the locked requirements, anew
	@tools/sh/setup
	tools/sh/lock

release:         ## the wheel and the sdist in dist/, each tried in an environment of its own; TAG=yes tags the commit, too
	@tools/sh/setup
	TAG=$(TAG) tools/sh/release

clean:           ## remove what the other targets made here
	rm -rf .venv build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
