"""What the day board says of a visit: whether it is late or overdue, which one it is, and clocks that run on."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clinic.models import Staff
from scheduling import wording
from scheduling.models import OPEN, UNDER_WAY, PhaseChoice, Session, SessionState

MINUTE = timedelta(minutes=1)


def is_late(session: Session, now: datetime) -> bool:
    """Should be here and is not."""
    return session.state in OPEN and session.starts_at < now


def agreed(session: Session, now: datetime) -> datetime | None:
    """When a patient has said to come who comes later than planned, while that is ahead and the visit can be kept."""
    expected: datetime | None = session.expected_at
    if session.state in OPEN and not session.needs_replan and expected is not None and expected > now:
        return expected
    return None


def overdue(session: Session, now: datetime) -> bool:
    """Is in the chair after its time, or the dose has not been ended."""
    ended = session.state == SessionState.GIVING and session.dose_ends_at < now
    return ended or (session.state in UNDER_WAY and session.ends_at <= now)


def droplet(session: Session) -> str:
    """The icon of giving, by the route of the protocol."""
    return "spray" if getattr(session, "route", "") == "nasal" else "droplet"


def nth(session: Session) -> str:
    """Which visit of its phase it is: "2 of 6", "Maint. 3"."""
    if session.phase == PhaseChoice.INITIAL:
        count = getattr(session, "of", None) or session.number
        return _("%(number)s of %(count)s") % {"number": session.number, "count": max(count, session.number)}
    if session.phase == PhaseChoice.MAINTENANCE:
        return _("Maint. %(number)s") % {"number": session.number}
    return _("Taper %(number)s") % {"number": session.number}


def initials(staff: Staff) -> str:
    """How a prescriber is named where there is little room: "LB"."""
    return f"{staff.first_name[:1]}{staff.last_name[:1]}".upper() or staff.username[:2].upper()


def since(kind: str, at: datetime, now: datetime, *, of: int = 0) -> SafeString:
    """A clock that runs on by itself: `hm` as 1:32, `min` as 12 min, `of` as 27/40.

    It stands still before its start. From an hour on minutes are written with hours, and stand still, too.
    """
    minutes = max(0, (now - at) // MINUTE)
    if kind == "min" and minutes >= 60:
        return format_html("{}", wording.length(minutes * MINUTE))
    text = {"hm": f"{minutes // 60}:{minutes % 60:02}", "of": f"{minutes}/{of}", "min": str(minutes)}[kind]
    unit = " " + _("min") if kind == "min" else ""
    return format_html(
        '<span data-clock="{}" data-since="{}"{}>{}</span>{}',
        kind,
        str(int(at.timestamp())),
        format_html(' data-of="{}"', str(of)) if of else "",
        text,
        unit,
    )
