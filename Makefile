# What Dockyard needs on this machine lives in .venv; the lab installs its own Debian packages.
PYTHON := .venv/bin/python
PYINFRA := .venv/bin/pyinfra
PYTEST := $(PYTHON) -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-full test-quick test-reading test-roles test-reference bench soak haproxy wrk check constraints clean

help:  ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: lab  ## Boot the lab's hosts, deploy the service system to them, call through it
	$(PYINFRA) inventories/lab.py deploy/soa.py -y
	$(PYTHON) -m tests.lab ssh registry-1 docker exec osp-sdk osp-sdk call sayhello name=world --count 12
	@printf '%s\n' '' 'The system serves. What to try next:' \
	  '  .venv/bin/pyinfra inventories/lab.py deploy/soa.py         nothing to change: it says so' \
	  '  edit files/sayhello-service-engine/bin/, then the same     engines are replaced one by one' \
	  '  .venv/bin/dockyard -i inventories/lab.py status            who runs what, since when' \
	  '  .venv/bin/dockyard -i inventories/lab.py drift             what somebody changed by hand' \
	  '  .venv/bin/python -m tests.lab ssh app-1                    look around on a host' \
	  '  make clean                                                 take the lab away'

lab: .venv/ready  ## Boot the lab's hosts: three for engine and proxy, one for the registry
	$(PYTHON) -m tests.lab up

test: test-quick  ## Run every test, on real hosts too (needs root)
	$(PYTEST) tests/lab -m "not full" -n 2 --durations=20

test-full: test-quick  ## Run every test, the long ones too
	$(PYTEST) tests/lab -n 2 --durations=20

test-quick: .venv/ready haproxy  ## Run the tests that need no host
	$(MAKE) --jobs 3 --output-sync test-reading test-roles test-reference

# Processes of their own: pyinfra, which the unit tests import, makes every thread a gevent greenlet.
# They wait more than they work.
READING := tests/unit/run tests/unit/observed
test-reading:
	$(PYTEST) $(READING) tests/operations
test-roles:
	$(PYTEST) tests/unit $(addprefix --ignore ,$(READING))
test-reference:
	$(PYTEST) tests/reference

bench: .venv/ready wrk  ## Measure: installation, rollout, the proxy's data path, the check for drift (needs root)
	$(PYTHON) -m tests.bench.engine_install
	$(PYTHON) -m tests.bench.rollout
	$(PYTHON) -m tests.bench.proxy
	$(PYTHON) -m tests.bench.drift

soak: .venv/ready  ## Replace engines and proxies 50 times under a million requests (about 45 minutes)
	$(PYTHON) -m tests.bench.soak

# The tests of the proxy's agent drive a real HAProxy.
haproxy:
	command -v haproxy >/dev/null || { apt-get update && apt-get install -y --no-install-recommends haproxy; }

wrk:
	command -v wrk >/dev/null || { apt-get update && apt-get install -y --no-install-recommends wrk; }

check: .venv/ready  ## Lint and check types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy -p osp_common -p osp_proxy -p osp_sdk -p sayhello_engine

constraints:  ## Pin the newest versions that pyproject.toml allows, with their hashes (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --python-version 3.11 --upgrade --quiet --output-file constraints.txt

clean:  ## Take away the labs and everything that was made here
	if ls -d "$${DOCKYARD_LAB_DIR:-/var/lib/dockyard-lab}"/*/ >/dev/null 2>&1; then \
	  $(MAKE) .venv/ready && $(PYTHON) -m tests.lab down --all; fi
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamp comes last: a half-finished environment is made again from the start.
.venv/ready: constraints.txt
	python3 -c 'import ensurepip, venv' 2>/dev/null || { apt-get update && apt-get install -y python3-venv; }
	python3 -m venv --clear .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
