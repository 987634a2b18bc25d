# make run, make test, make bench [NAME=...], make pictures [NAME=...]. All that is needed is made first, by
# clinic/local/prepare.py.

# The first Python that fits; a name on the PATH alone says nothing, it may be a version manager's empty shim.
FITS = import sys, ensurepip; print(sys.executable) if sys.version_info[:2] in ((3, 11), (3, 12)) else None
PYTHON ?= $(firstword $(foreach name,python3 python3.12 python3.11,$(shell $(name) -c "$(FITS)" 2>/dev/null)) python3)

.PHONY: run test bench pictures setup

run: setup
	@.venv/bin/python -m clinic.local.run

test: setup
	@.venv/bin/python -m tests.browser
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/python -m mypy
	.venv/bin/python manage.py makemigrations --check --dry-run
	.venv/bin/python -m pytest --numprocesses 2 --dist worksteal

bench: setup
	@.venv/bin/python -m tests.benchmarks $(NAME)

pictures: setup
	@.venv/bin/python -m tests.browser
	@.venv/bin/python -m tests.pictures $(NAME)

setup:
	@$(PYTHON) -m clinic.local.prepare
