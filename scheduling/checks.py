"""System checks: what is wrong with a clinic's mails is said when it starts, not when the first patient gets one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from email.utils import parseaddr
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from patients.models import ContactLevel
from scheduling.mails import emails, links, privacy
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.emails import Letter, Preparation
from scheduling.models import MailKind

TEMPLATES = Path("templates/emails")

#: What decides between the sentences of a mail: the level that is agreed to, what is missing, whether it has links.
VARIANTS: tuple[tuple[ContactLevel, frozenset[str], bool], ...] = (
    (ContactLevel.DETAILED, frozenset({"answer", "escort"}), True),
    (ContactLevel.NEUTRAL, frozenset({"form"}), True),
    (ContactLevel.NEUTRAL, frozenset(), False),
)


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
    for kind, (language, _), (level, missing, linked) in product(MailKind, settings.LANGUAGES, VARIANTS):
        letter = _sample(kind, language, level, missing, linked)
        message = emails.compose(letter, now=letter.visits[0].starts_at)
        for hit in privacy.examine(message, recipient=letter.recipient):
            yield f"mail {kind.value}, language {language}, {hit.where}", hit.words


def _sample(kind: MailKind, language: str, level: ContactLevel, missing: frozenset[str], linked: bool) -> Letter:
    start = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # a time that the clocks show twice says more than others
    visits = [
        Visit(f"sample-{day}", 1, start + timedelta(days=day), start + timedelta(days=day, minutes=190))
        for day in range(4)
    ]
    token = links.token(UUID(int=0))
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
            open=((0, time(8), time(18)), (1, time(8), time(18))) if linked else (),
        ),
        visits=tuple(visits[:1] if kind in emails.ONE_DATE else visits[:2]),
        moved=((start - timedelta(days=1), visits[0]),),
        added=(visits[1],),
        cancelled=(visits[2], visits[3]),
        level=level,
        link=links.address("portal", token) if linked else "",
        until=visits[0].home_at,
        stop=links.address("portal-stop", token) if linked else "",
        missing=missing,
        preparation=Preparation(start - timedelta(hours=6), start - timedelta(hours=2)),
        agreed_on=start.date(),
        offers=(visits[3].starts_at,),
    )
