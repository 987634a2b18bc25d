import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import pytest

from scheduling import protocols

MODULES = [
    "clinic.findings",
    "patients.answers",
    "patients.eligibility",
    *sorted(f"{protocols.__name__}.{found.name}" for found in iter_modules(protocols.__path__)),
]


@pytest.mark.parametrize("module", MODULES)
def test_the_rules_import_with_django_absent(module: str) -> None:
    absent = "import sys; sys.modules.update(dict.fromkeys(('django', 'rest_framework', 'celery', 'psycopg')))"
    run = subprocess.run(
        [sys.executable, "-c", f"{absent}; import {module}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_an_import_of_django_would_be_noticed() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['django'] = None; import django"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ModuleNotFoundError" in run.stderr
