PYTHON ?= python3
BIN := .venv/bin
PACKAGES := plugins/polydiff-audio plugins/polydiff-image plugins/polydiff-pointcloud
TRAINED := digits notes furniture
MANIFESTS := pyproject.toml $(PACKAGES:%=%/pyproject.toml) constraints.txt
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto
FUZZ_SECONDS ?= 600

.PHONY: demo test test-all check format bench fuzz clean-demo

demo: $(TRAINED:%=demo/%/model/model.yaml)  ## Train on handwritten digits, notes and furniture; generate some; make a page of it.
	rm -rf demo/samples
	$(BIN)/polydiff generate demo/digits -n 50 --label all --seed 0 --trajectory --out demo/samples/digits
	$(BIN)/polydiff generate demo/notes -n 16 --label all --condition pitch=60,64,67,69,72,76,79 --seed 0 --normalize --out demo/samples/notes
	$(BIN)/polydiff generate demo/furniture -n 15 --label all --size 1024 --seed 0 --trajectory --out demo/samples/furniture
	$(BIN)/python examples/demo_page.py demo
	@echo
	@echo "Open         demo/index.html                 one page: look at digits, listen to notes, turn furniture"
	@echo "See also     demo/*/previews/                the models while they learnt"
	@echo "Go on with   $(BIN)/polydiff generate demo/digits -n 16 --label 3 --guidance 2 --out out/"
	@echo "             $(BIN)/polydiff generate demo/notes -n 4 --label bell --condition pitch=69 --duration 3 --out out/bells"
	@echo "             $(BIN)/polydiff generate demo/furniture -n 4 --label chair --size 2048 --format glb --out out/chairs"
	@echo "             $(BIN)/polydiff train folder-64 data.source.path=PATH/TO/YOUR/PICTURES"
	@echo "             $(BIN)/polydiff train folder-16k data.source.path=PATH/TO/YOUR/SOUNDS"
	@echo "             $(BIN)/polydiff train folder-2048 data.source.path=PATH/TO/YOUR/SHAPES"

demo/digits/model/model.yaml: PRESET := digits
demo/notes/model/model.yaml: PRESET := synth-notes
demo/furniture/model/model.yaml: PRESET := furniture

demo/%/model/model.yaml: | .venv/installed
	if [ -d demo/$* ]; \
	then $(BIN)/polydiff train demo/$* --resume; \
	else $(BIN)/polydiff train $(PRESET) --out demo/$*; fi

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

fuzz: .venv/installed-for-development  ## Fuzz the readers of files for FUZZ_SECONDS, ten minutes; needs a wheel of atheris.
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	$(BIN)/python fuzz/run.py $(FUZZ_SECONDS)

clean-demo:
	rm -rf demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: $(MANIFESTS) | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e . $(PACKAGES:%=-e %)
	touch $@

.venv/installed-for-development: $(MANIFESTS) | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' $(PACKAGES:%=-e %) -e 'plugins/polydiff-pointcloud[mesh]'
	touch $@ .venv/installed
