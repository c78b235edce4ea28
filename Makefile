# Everything a person or CI does here. `make demo` and `make test` need only Python 3.10 to 3.13; they make .venv themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-fast test-pythons coverage bench bench-quick test-cluster protobuf-check decode-table zoo zoo-lock test-engines engines-lock bench-processes bench-engines docs package fuzz chaos soak photographs hub sbom audit format lint types check wire wire-check lock clean

demo: $(VENV)/.installed  ## the main job, end to end: export, serve, classify, a page to look at
	$(BIN)/hubserve demo --output demo

# pytest-xdist 3.8 waits for ever once it has replaced a worker that died, so it replaces none: the other runs the rest.
PYTEST = $(BIN)/pytest -n 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.installed  ## what finds regressions
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.installed  ## the rest: full size, fuzz, kill and network runs, Chromium, guides that train
	$(PYTEST) -m slow

test-fast: $(VENV)/.installed  ## the client and its command alone, without TensorFlow, in a minute
	HUBSERVE_TESTS=without-tensorflow $(PYTEST) -m "not slow" tests/client

test-pythons: $(VENV)/.installed  ## test-fast on each Python here, and on 3.14, with the newest packages allowed
	VENV=$(VENV) scripts/install-python 3.14 || true
	VENV=$(VENV) scripts/test-pythons

# Both lanes together, with what the tests' own programs run; build/coverage/html has it line by line.
coverage: $(VENV)/.installed  ## which lines the tests run: a figure for each module, and for all
	rm -rf build/coverage && mkdir -p build/coverage
	-$(BIN)/coverage run -m pytest -q -n 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder $(TESTS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage html -q
	$(BIN)/coverage report

test-cluster: $(VENV)/.installed  ## roll the manifests out: on KUBECONFIG's cluster, or on a control plane built with Go
	$(BIN)/pytest tests/k8s/cluster --cluster -rs -o faulthandler_timeout=0  # to build the control plane takes its time

test-tensorflow-%: $(VENV)/.installed  ## export, embedded engine and conformance with another TensorFlow, such as 2.21
	VENV=$(VENV) scripts/test-tensorflow $*

bench-processes: $(VENV)/.installed  ## what many worker processes get from four servers, beside what one gets
	$(BIN)/python benchmarks/processes.py

ROWS ?= 200000
bench-engines: $(VENV)/.installed  ## rows through Spark, Ray Data and Beam while workers and servers are killed
	$(BIN)/python benchmarks/engines.py --rows $(ROWS)

# MODEL_DIR=models/my-model measures a model of yours, and leaves the documents as they are.
bench: $(VENV)/.installed  ## what users ask, measured in 20 minutes; rewrites benchmarks/results and docs/performance.md
	VENV=$(VENV) scripts/bench-peers
	$(BIN)/python benchmarks $(MODEL_DIR)

bench-quick: $(VENV)/.installed  ## the same in 3 minutes, one or two rounds of less; writes build/bench
	$(BIN)/python benchmarks --quick $(MODEL_DIR)

protobuf-check: $(VENV)/.installed  ## the wire messages on every protobuf and Python that they are made for
	VENV=$(VENV) scripts/check-protobuf

decode-table: $(VENV)/.installed  ## what decoding makes of every kind of image file, beside Pillow
	PYTHONPATH=tests TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m support.decode_table

# MODELS names some: make zoo MODELS="ResNet50 flowers". Without KerasHub, the environment is hubserve's own.
zoo: $(VENV)/.installed  ## what export makes of 76 models without an option, beside their training libraries; hours
	VENV=$(VENV) scripts/zoo-environment
	PYTHONPATH=tests TF_CPP_MIN_LOG_LEVEL=3 \
		$$(test -e .zoo/env/made && echo .zoo/env/bin || echo $(BIN))/python -m zoo --only $(MODELS) $(if $(MODELS),,--output tests/zoo/results.md)

zoo-lock: $(VENV)/.installed  ## resolve tests/zoo/keras-hub.txt anew, for the zoo alone
	VENV=$(VENV) scripts/zoo-lock

# Each engine in an environment of its own; one that cannot be had is left out with the reason.
test-engines: $(VENV)/.installed  ## the adapters in Spark, Ray Data and Beam, on 2,000 rows each
	$(BIN)/pytest -m slow -rs tests/engines/test_in_own_environments.py

engines-lock: $(VENV)/.installed  ## resolve tests/engines/spark.txt, ray.txt and beam.txt anew
	VENV=$(VENV) scripts/engines-lock

docs: $(VENV)/.installed  ## the site, in build/docs; warnings are errors
	VENV=$(VENV) scripts/build-docs build/docs

package: $(VENV)/.installed  ## the sdist and the wheel, in dist; each is installed and tried as a user would, without constraints.txt
	VENV=$(VENV) scripts/check-package

# Each takes what its program takes: make fuzz INPUTS=1000000 SEED=2, make chaos IMAGES=100000, make soak MINUTES=5.
INPUTS ?= 100000
IMAGES ?= 20000
FAULTS ?= 80
MINUTES ?= 60
SEED ?= 1
TRUST = PYTHONPATH=tests TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m

fuzz: $(VENV)/.installed  ## hostile images, calls and answers; figures in docs/trust.md
	$(TRUST) trust.cost
	$(TRUST) trust.fuzz images --inputs $(INPUTS) --seed $(SEED)
	$(TRUST) trust.fuzz requests --inputs $(INPUTS) --seed $(SEED)
	$(TRUST) trust.fuzz responses --inputs $(INPUTS) --seed $(SEED)
	$(TRUST) trust.fuzz verbs --inputs $(INPUTS) --seed $(SEED)

chaos: $(VENV)/.installed  ## bulk runs whose servers, network and own process fail in every way
	$(TRUST) trust.chaos --images $(IMAGES) --faults $(FAULTS) --seed $(SEED)
	$(TRUST) trust.network --images $(IMAGES) --seed $(SEED)

hub: $(VENV)/.installed  ## twelve forms of a hub name against ten faults of the services
	$(TRUST) trust.hub

photographs: $(VENV)/.installed  ## a folder of 500 phone photographs (HEIC), classified with one command
	$(BIN)/python benchmarks/convert.py --only-photographs

soak: $(VENV)/.installed  ## an hour of mixed load: memory, descriptors and threads must not grow
	$(TRUST) trust.soak --minutes $(MINUTES)

sbom: $(VENV)/.installed  ## the bill of materials, dist/sbom.json (CycloneDX)
	VENV=$(VENV) scripts/sbom dist/sbom.json

audit: $(VENV)/.installed  ## known vulnerabilities of the pinned dependencies, where PyPI's advisories can be reached
	VENV=$(VENV) scripts/audit

format: $(VENV)/.installed  ## rewrite the sources as ruff formats them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.installed  ## formatting and lint, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed  ## mypy
	$(BIN)/mypy

check: lint types wire-check docs test test-slow  ## what CI runs

wire:  ## generate the client's messages from its .proto files (PYTHON must be 3.12 at the most)
	PYTHON=$(PYTHON) scripts/generate-wire

wire-check:  ## fail when the generated messages are not what the .proto files make
	PYTHON=$(PYTHON) scripts/generate-wire --check

# uv is far quicker than pip, but does not read pip's configuration: where only that leads to an index, pip goes.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info < (3, 14) else "hubserve is developed on Python 3.10 to 3.13 (TensorFlow 2.20 has no other), and $(PYTHON) is %d.%d: name another with make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(VENV)/uv.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirement constraints.txt \
		|| $(BIN)/python -m pip install --quiet --require-hashes --requirement constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock: $(VENV)/.installed  ## resolve constraints.txt anew from pyproject.toml's ranges
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.10 --extra dev \
		--custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) build demo dist .mypy_cache .pytest_cache .ruff_cache
