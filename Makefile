# Everything that needs an environment makes it first. PYTHON may name another interpreter from 3.11 on.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is kept whatever the shell asks: workers and commands would compile the same files again.
export PYTHONDONTWRITEBYTECODE :=
READY := $(VENV)/.ready-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: quickstart test test-long calibrate lock demo bench-peers screenshots soak money torture clean

quickstart: $(READY)  ## a sweep on the embedded simulated model: no key, no network
	$(BIN)/promptlab sweep experiments/quickstart.yaml

test: $(READY)  ## lint, types and the tests, of the longest some of their cases
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --form short

test-long: $(READY)  ## the other cases of the longest tests: more seeds, pages, kills and programs
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --form long

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	rm -f $(VENV)/.ready-*
	touch $@

CALIBRATION := .calibration.jsonl

calibrate: $(READY)  ## the error rates of the defaults, every setting 2,000 times, and their table in docs/reference/statistics.md (about 20 minutes)
	rm -f $(CALIBRATION)
	PROMPTLAB_CALIBRATION=2000 PROMPTLAB_CALIBRATION_ROWS=$(CALIBRATION) $(BIN)/python -m pytest -vv \
		tests/test_calibration.py tests/test_calibration_core.py tests/test_calibration_tables.py
	$(BIN)/python tools/make_calibration_table.py $(CALIBRATION)

lock: $(READY)  ## compile requirements.lock anew from the bounds in pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --prerelease disallow --upgrade --quiet --output-file requirements.lock

demo: $(READY)  ## make the stored demo runs of the notebooks anew, and what the notebooks show
	$(BIN)/python tools/make_demo_run.py

bench-peers: $(READY)  ## promptlab beside other tools, each in an environment of its own under .bench; ARGS goes to benchmarks/engine.py
	$(PYTHON) benchmarks/peers/install.py
	$(BIN)/python benchmarks/engine.py $(ARGS)

screenshots: $(READY)  ## every page of the explorer at two sizes, light and dark, into .screenshots (needs chromium)
	$(BIN)/python benchmarks/explorer.py --screenshots .screenshots

soak: $(READY)  ## 100,000 trials against a provider of which one answer in twenty is bad (needs nginx); ARGS goes to benchmarks/soak.py
	$(BIN)/python benchmarks/soak.py $(ARGS)

money: $(READY)  ## what a hostile provider bills beside the cap and the report, in every way of asking; ARGS goes to benchmarks/money.py
	$(BIN)/python benchmarks/money.py $(ARGS)

torture: $(READY)  ## 200 kill -9 and 300 damaged files, in under 20 minutes; writes docs/reference/reliability.md; ARGS goes to tests/torture.py
	$(BIN)/python tests/torture.py --write $(ARGS)

clean:
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache
