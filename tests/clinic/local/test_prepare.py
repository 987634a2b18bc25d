"""The set-up of a fresh checkout, which a kill may have cut short at any point."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clinic.local.places import BASE_DIR


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the set-up needs of a checkout, and no packages to wait for."""
    checkout = tmp_path / "my clinic"
    local = checkout / "clinic" / "local"
    local.mkdir(parents=True)
    for file in ("clinic/__init__.py", "clinic/local/__init__.py", "clinic/local/prepare.py"):
        shutil.copy(BASE_DIR / file, checkout / file)
    (local / "assets.py").write_text("print('assets by', __import__('sys').prefix)\n")
    (checkout / "requirements.txt").write_text("# nothing\n")
    (checkout / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return checkout


def prepare(checkout: Path) -> tuple[int, list[str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-m", "clinic.local.prepare"],
        cwd=checkout,
        env=environ | {"PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_the_environment_is_made_once_and_again_when_it_is_broken_or_out_of_date(checkout: Path) -> None:
    venv, requirements = checkout / ".venv", checkout / "requirements.txt"
    making = "Making .venv ..."
    installing = "Installing requirements-dev.txt, a few minutes the first time ..."
    assets = f"assets by {venv}"
    assert prepare(checkout) == (0, [making, installing, assets])
    assert prepare(checkout) == (0, [assets])

    requirements.write_text("# still nothing\n")
    assert prepare(checkout) == (0, [installing, assets])

    (checkout / "requirements-dev.txt").write_text("-r requirements.txt\n# nothing more\n")
    assert prepare(checkout) == (0, [installing, assets])

    (venv / "bin" / "python").unlink()
    assert prepare(checkout) == (0, [making, installing, assets])

    requirements.write_text("a-package-that-is-nowhere==1\n")
    code, lines = prepare(checkout)
    assert (code, lines[0], lines[-1]) == (
        1,
        installing,
        "pip could not install requirements-dev.txt; its own words are above.",
    )
