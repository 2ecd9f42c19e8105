PYTHON ?= python3
BIN := .venv/bin
PACKAGES := plugins/polydiff-image
MANIFESTS := pyproject.toml $(PACKAGES:%=%/pyproject.toml) constraints.txt
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

.PHONY: demo test test-all check format bench clean-demo

demo: demo/digits/model/model.yaml  ## Train on real handwritten digits and generate some by label.
	rm -rf demo/samples
	$(BIN)/polydiff generate demo/digits -n 50 --label all --seed 0 --trajectory --out demo/samples
	@echo
	@echo "Look at    demo/samples/sheet.png         ten digits, five of each"
	@echo "           demo/samples/*.gif             how they came out of noise"
	@echo "           demo/digits/previews/          the model while it learnt"
	@echo "Go on with $(BIN)/polydiff generate demo/digits -n 16 --label 3 --guidance 2 --out out/"
	@echo "           $(BIN)/polydiff train folder-64 data.source.path=PATH/TO/YOUR/PICTURES"

demo/digits/model/model.yaml: | .venv/installed
	if [ -d demo/digits ]; \
	then $(BIN)/polydiff train demo/digits --resume; \
	else $(BIN)/polydiff train digits --out demo/digits; fi

test: .venv/installed-for-development  ## Run the tests; `test-all` adds those that take minutes.
	$(PYTEST)

test-all: .venv/installed-for-development
	$(PYTEST) -m "slow or not slow"

check: .venv/installed-for-development  ## Lint, format, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-for-development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: demo/digits/model/model.yaml .venv/installed-for-development  ## Measure quality and speed; takes a quarter of an hour.
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/digits.py demo/digits --diffusers 5

clean-demo:
	rm -rf demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: $(MANIFESTS) | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e . $(PACKAGES:%=-e %)
	touch $@

.venv/installed-for-development: $(MANIFESTS) | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' $(PACKAGES:%=-e %)
	touch $@ .venv/installed
