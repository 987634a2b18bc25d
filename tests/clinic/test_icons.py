"""The sprite holds the icons that pages name, no more and no fewer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from clinic.local.icons import NAMES, sprite
from scheduling.templatetags import visits, worklists
from scheduling.views import day_sheet

TEMPLATES = Path(settings.BASE_DIR) / "templates"


def test_every_icon_that_a_page_names_is_drawn_and_no_other() -> None:
    named = {
        name
        for path in TEMPLATES.rglob("*.html")
        for name in re.findall(r'{% icon "([a-z0-9-]+)" %}', path.read_text())
    }
    told: list[Mapping[Any, tuple[str, ...]]] = [
        visits.STATES,
        visits.COURSE_STATES,
        visits.MAIL_STATES,
        visits.LEVELS,
        worklists.LOOKS,
    ]
    named |= {look[0] for looks in told for look in looks.values()} | day_sheet.ICONS

    assert set(NAMES) == named
    assert len(NAMES) == len(set(NAMES))


def test_the_sprite_is_one_symbol_for_each_name() -> None:
    collection = {"icons": {"x": {"body": "<path/>"}, "y": {"body": "<g/>"}}}

    assert sprite(collection, ["x"]) == (
        '<svg xmlns="http://www.w3.org/2000/svg">\n<symbol id="x" viewBox="0 0 24 24"><path/></symbol>\n</svg>\n'
    )
