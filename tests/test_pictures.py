"""The pictures of README are those that `make pictures` takes."""

import re

from clinic.local.places import BASE_DIR
from tests import pictures

SHOWN = re.findall(r"\bdocs/pictures/([\w-]+)\.png", (BASE_DIR / "README.md").read_text())
TAKEN = [picture.name for picture in pictures.PICTURES]


def test_every_picture_that_readme_shows_is_there_and_is_taken_by_the_script() -> None:
    assert SHOWN != []
    assert [name for name in SHOWN if name not in TAKEN] == []
    assert [name for name in SHOWN if not (pictures.FOLDER / f"{name}.png").is_file()] == []


def test_no_picture_lies_about_that_the_script_does_not_take() -> None:
    assert sorted(path.stem for path in pictures.FOLDER.iterdir()) == sorted(TAKEN)
