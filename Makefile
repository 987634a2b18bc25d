# make run, make test, make bench [NAME=...]. All that is needed is made first, by clinic/local/prepare.py.

PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3,$(shell command -v $(name))))

.PHONY: run test bench setup

run: setup
	@.venv/bin/python -m clinic.local.run

test: setup
	@.venv/bin/python -m tests.browser
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/python manage.py makemigrations --check --dry-run
	.venv/bin/python -m pytest --numprocesses 2

bench: setup
	@.venv/bin/python -m tests.benchmarks $(NAME)

setup:
	@$(PYTHON) -m clinic.local.prepare
