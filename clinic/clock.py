"""The one clock of web, worker and beat.

`now()` is read at the edges (views, API, tasks, commands) and handed down as an argument. In a demonstration or a
journey the file CLINIC_CLOCK_FILE holds a number of seconds by which all processes are ahead of the machine's clock; it
is read again at every call, so writing the file moves all of them at once. Production refuses the setting.
"""

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone


def shift() -> timedelta:
    """How far the clinic's clock is ahead of the machine's; nothing when no clock file is set or it holds no number."""
    if not settings.CLOCK_FILE:
        return timedelta()
    try:
        return timedelta(seconds=float(Path(settings.CLOCK_FILE).read_text()))
    except (FileNotFoundError, ValueError, OverflowError):
        return timedelta()


def now() -> datetime:
    """The present moment in UTC, as the clinic's clock tells it."""
    return timezone.now() + shift()


def set_shift(ahead: timedelta) -> None:
    """Move the clock of every process of this clinic; raises RuntimeError where the clock is the machine's alone."""
    if not settings.CLOCK_FILE:
        raise RuntimeError("This clinic's clock cannot be moved: CLINIC_CLOCK_FILE is not set.")
    path = Path(settings.CLOCK_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(str(ahead.total_seconds()))
    fresh.replace(path)
