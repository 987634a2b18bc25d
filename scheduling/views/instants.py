"""Starts as addresses and forms name them: in UTC, so that also the hour that comes twice is one."""

from __future__ import annotations

from datetime import UTC, datetime

_FORM = "%Y-%m-%dT%H:%M"


def written(at: datetime) -> str:
    """The name of a start."""
    return at.astimezone(UTC).strftime(_FORM)


def read(text: str) -> datetime | None:
    """The start that is named; None for what no page has made."""
    try:
        at = datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if 2000 <= at.year <= 2200 else None
