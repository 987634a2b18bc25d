"""What the day board says of a visit: what is late or overdue, what comes next, which one it is, and clocks that run
on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from clinic.models import Staff
from clinic.phrases import gettext as _
from scheduling import wording
from scheduling.models import OPEN, PhaseChoice, Session, SessionState
from scheduling.phases import Due, Visit
from scheduling.protocols.vitals import Vitals
from scheduling.views.day_block import fill

MINUTE = timedelta(minutes=1)

#: What a measurement answers, and what else has to be there before a patient goes home.
MEASURED = ("bp-leave", "sedation")
MISSING: Mapping[str, object] = {"escort": gettext_lazy("escort"), "score-seen": gettext_lazy("item 9")}


def is_late(session: Session, now: datetime) -> bool:
    """Should be here and is not."""
    return session.state in OPEN and session.starts_at < now


def agreed(session: Session, now: datetime) -> datetime | None:
    """When a patient has said to come who comes later than planned, while that is ahead and the visit can be kept."""
    expected: datetime | None = session.expected_at
    if session.state in OPEN and not session.needs_replan and expected is not None and expected > now:
        return expected
    return None


def overdue(visit: Visit, what: str) -> Due | None:
    """What should have been done about a patient who is here."""
    due = visit.is_due(what)
    return due if due is not None and due.overdue and visit.running else None


def alarming(visit: Visit) -> bool:
    """Something about a patient who is here cannot wait."""
    return visit.running and bool(
        overdue(visit, "vitals") or overdue(visit, "dose-end") or visit.unseen or visit.alone_from
    )


def leads_to(session: Session, *, runs: bool, today: date) -> str:
    """Where a visit is opened: its own page for those who run visits once it is its day, otherwise its course."""
    if runs and session.local_date <= today and session.state != SessionState.HELD:
        return address("visit", session.pk)
    return address("course", session.course_id)


@lru_cache(maxsize=5000)
def address(name: str, *args: object) -> str:
    """Where something is; kept, for a day of forty chairs has hundreds of addresses."""
    return reverse(name, args=args)


def measured(vitals: Vitals) -> str:
    """The values that count of a round: "138/86, SpO₂ 97"."""
    values = {"systolic": vitals.systolic, "diastolic": vitals.diastolic, "spo2": vitals.spo2}
    return _("%(systolic)s/%(diastolic)s, SpO₂ %(spo2)s") % values


def missing(visit: Visit) -> str:
    """What stands against going home beside the time, in a few words: "vitals, escort"."""
    fresh = [found for found in visit.missing if found.rule in MEASURED and found.observed]
    words = [str(wording.rule(found.rule)) for found in fresh]
    if any(found.rule in MEASURED and not found.observed for found in visit.missing):
        words.insert(0, _("final vitals"))
    words += [str(MISSING[found.rule]) for found in visit.missing if found.rule in MISSING]
    return ", ".join(words)


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
    """A clock that runs on by itself: `hm` as 1:32, `min` as 12 min, `of` as 27/40 min.

    It stands still before its start. From an hour on minutes are written with hours, and stand still, too.
    """
    minutes = max(0, (now - at) // MINUTE)
    if kind == "min" and minutes >= 60:
        return fill("{}", wording.length(minutes * MINUTE))
    text = {"hm": f"{minutes // 60}:{minutes % 60:02}", "of": f"{minutes}/{of}", "min": str(minutes)}[kind]
    unit = "" if kind == "hm" else " " + _("min")
    return fill(
        '<span data-clock="{}" data-since="{}"{}>{}</span>{}',
        kind,
        str(int(at.timestamp())),
        fill(' data-of="{}"', str(of)) if of else "",
        text,
        unit,
    )
