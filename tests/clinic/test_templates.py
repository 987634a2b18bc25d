"""What no template may do: the policy allows no inline style and no inline script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

FOLDER = Path(settings.BASE_DIR) / "templates"
PAGES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html") if "emails" not in path.parts)
INLINE = re.compile(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|\shx-on|javascript:", re.IGNORECASE)


@pytest.mark.parametrize("name", PAGES)
def test_a_template_has_no_inline_style_or_script(name: str) -> None:
    assert INLINE.findall((FOLDER / name).read_text()) == []


@pytest.mark.django_db
def test_pages_carry_a_policy_without_exceptions() -> None:
    policy = Client().get("/sign-in/")["Content-Security-Policy"]

    assert sorted(policy.split("; ")) == [
        "base-uri 'none'",
        "default-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ]
