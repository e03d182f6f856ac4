# No logic here: every target builds .venv once and calls one command.
.PHONY: demo test figures bench

PYTHON ?= python3

demo: .venv/installed
	.venv/bin/spinodal figure negri2023 --fig phase-diagram --quick --out figures

test: .venv/installed
	.venv/bin/python -m pytest -n auto

figures: .venv/installed
	.venv/bin/spinodal figure negri2023 --out figures
	.venv/bin/spinodal figure kalaj2024 --out figures

bench: .venv/installed
	.venv/bin/python -m pip install --quiet -e ".[bench]"
	.venv/bin/spinodal bench --write

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -e ".[test]"
	touch $@
