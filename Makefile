# `make demo` and `make test` set up everything they need on a fresh machine with Python >= 3.10.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Every version that is installed. `make test LOCK=` takes the newest ones instead.
LOCK := constraints.txt
# As many processes as the machine has threads; one that is done takes tests from another.
PARALLEL := --numprocesses logical --dist worksteal
APT := apt-get update -qq && apt-get install -qq -y --no-install-recommends

.PHONY: demo test test-all lint docs lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.node
	$(BIN)/mnelf bundle examples/mic.pt --target lens --output out/mic-lens --force
	$(BIN)/mnelf verify out/mic-lens
	$(BIN)/mnelf bundle examples/mic-alpha.pt --target lens --experience world --output out/mic-room --force
	$(BIN)/mnelf bundle examples/mic.pt --target coreml --output out/mic-coreml --force
	$(BIN)/mnelf verify out/mic-coreml
	$(BIN)/mnelf bundle examples/mic.pt --target onnx --output out/mic-onnx --force
	$(BIN)/mnelf eval examples/mic.pt examples/mic
	$(BIN)/mnelf render examples/mic.pt --output out/mic.gif --frames 24 --force
	$(BIN)/mnelf preview out/mic-lens --output out/mic-lens.gif --force
	$(BIN)/mnelf preview out/mic-room --output out/mic-room.gif --force
	$(BIN)/mnelf bundle examples/mic.pt --target web --output out/mic-web --force
	$(BIN)/mnelf bundle examples/mic-small.pt --target web --output out/mic-small-web --force
	$(BIN)/mnelf bundle examples/mic-small.pt --target coreml --output out/mic-small-coreml --force
	$(BIN)/mnelf compare out/mic-web out/mic-small-web out/mic-coreml out/mic-small-coreml
	@echo
	@echo "Open this first:          out/mic-web/index.html"
	@echo "What was checked:         out/mic-lens/report.html"
	@echo "A lens in use:            out/mic-lens.gif, in the room out/mic-room.gif"
	@echo "Its Lens Studio project:  out/mic-lens/lens_project"
	@echo "The iPad app:             out/mic-coreml/ios_harness/mic-coreml.swiftpm"
	@echo "Half of that student:     out/mic-small-web/index.html"
	@echo "Its iPad app:             out/mic-small-coreml/ios_harness/mic-small-coreml.swiftpm"
	@echo "The ONNX bundle:          out/mic-onnx"
	@echo "A turn around the mic:    out/mic.gif"

test: $(VENV)/.tools lint
	$(BIN)/python -m pytest $(PARALLEL)

test-all: $(VENV)/.tools lint
	$(BIN)/python -m pytest $(PARALLEL) -m "slow or not slow"

lint: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.ready
	$(BIN)/mkdocs build --strict

# Renews constraints.txt: the newest versions that go together, for Python 3.10 and later. uv needs a
# home of its own, since it is not among what it pins.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --upgrade --quiet --no-python-downloads \
		--output-file constraints.txt

$(VENV)/.ready: pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[all,dev]" \
		$(if $(LOCK),--constraint $(LOCK) --build-constraint $(LOCK))
	touch $@

# What pip does not have. Where Node.js, TypeScript or a browser cannot be had, the tests that need
# them are skipped and named, and lenses are not run.
$(VENV)/.node: $(VENV)/.ready
	command -v node >/dev/null || { $(APT) nodejs npm; } || true
	touch $@

# TypeScript checks the scripts of lenses and pages, a browser opens pages and reports.
$(VENV)/.tools: $(VENV)/.node tests/exporters/lens/package-lock.json tests/exporters/web/package-lock.json
	command -v chromium >/dev/null || { $(APT) chromium; } || true
	for target in lens web; do \
		npm ci --silent --ignore-scripts --prefix tests/exporters/$$target \
			|| echo "no TypeScript for $$target: npm ci failed"; \
	done
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-lock out dist build tests/exporters/*/node_modules
