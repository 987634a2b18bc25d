"""System checks: what is wrong with a clinic's mails is said when it starts, not when the first patient gets one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from scheduling.mails import emails, privacy
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.emails import Letter
from scheduling.models import MailKind

TEMPLATES = Path("templates/emails")


@register("privacy")
def mails_are_neutral(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Hold every template of a mail, and a sample of every mail in every language, to the list of `privacy.py`."""
    return [
        Error(
            f"A mail to patients says {words!r} ({where}).",
            hint="Mails are neutral: protocol.md, part 5, and scheduling/mails/privacy.py.",
            id="scheduling.E001",
        )
        for where, words in dict.fromkeys((*_in_sources(settings.BASE_DIR / TEMPLATES), *_in_samples()))
    ]


def _in_sources(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir()):
        for words in privacy.find(path.read_text()):
            yield f"{TEMPLATES / path.name}", words


def _in_samples() -> Iterator[tuple[str, str]]:
    for kind in MailKind:
        for language, _ in settings.LANGUAGES:
            letter = _sample(kind, language)
            message = emails.compose(letter, now=letter.visits[0].starts_at)
            for hit in privacy.examine(message, recipient=letter.recipient):
                yield f"mail {kind.value}, language {language}, {hit.where}", hit.words


def _sample(kind: MailKind, language: str) -> Letter:
    start = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # a time that the clocks show twice says more than others
    visits = [
        Visit(f"sample-{day}", 1, start + timedelta(days=day), start + timedelta(days=day, minutes=190))
        for day in range(4)
    ]
    return Letter(
        kind=kind,
        key="sample",
        recipient="ingrid@example.org",
        first_name="Ingrid",
        language=language,
        host=Host(
            name="Larkfield House",
            address="18 Alder Row, Fairhaven",
            phone="(555) 010-0400",
            mail=parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
            zone=ZoneInfo("America/New_York"),
        ),
        visits=tuple(visits[:2]),
        moved=((start - timedelta(days=1), visits[0]),),
        added=(visits[1],),
        cancelled=(visits[2], visits[3]),
    )
