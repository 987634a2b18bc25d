"""How visits, their states and what rules say to them are shown: one vocabulary for every page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from clinic import clock as clinic_clock
from clinic.findings import Finding, Level
from clinic.models import Closure, Site
from scheduling import reminded, wording
from scheduling.board import Board
from scheduling.models import CourseState, Mail, MailState, Session, SessionState
from scheduling.protocols.types import NoPlan, Protocol, VisitShape
from scheduling.protocols.windows import day_bounds

register = template.Library()

#: State -> icon and colour; the word beside them is the state's own label.
STATES: Mapping[str, tuple[str, str]] = {
    SessionState.HELD: ("hourglass", "dashed"),
    SessionState.BOOKED: ("calendar", ""),
    SessionState.CONFIRMED: ("check", "green"),
    SessionState.CHECKED_IN: ("door-enter", "blue"),
    SessionState.GIVING: ("droplet", "blue solid"),
    SessionState.MONITORING: ("heart-rate-monitor", "teal"),
    SessionState.READY: ("door-exit", "green"),
    SessionState.DISCHARGED: ("circle-check", ""),
    SessionState.CANCELLED: ("x", ""),
    SessionState.NO_SHOW: ("user-off", "amber"),
    SessionState.NOT_DOSED: ("droplet-off", "amber"),
    SessionState.LEFT_EARLY: ("run", "red"),
    SessionState.TRANSFERRED: ("ambulance", "red"),
    SessionState.EXPIRED: ("hourglass", ""),
}
COURSE_STATES: Mapping[str, tuple[str, str]] = {
    CourseState.HELD: ("hourglass", "dashed"),
    CourseState.ACTIVE: ("calendar", "green"),
    CourseState.PAUSED: ("hourglass", "amber"),
    CourseState.COMPLETED: ("circle-check", ""),
    CourseState.STOPPED: ("ban", "red"),
    CourseState.CANCELLED: ("x", ""),
}
LEVELS: Mapping[Level, tuple[str, str, str]] = {
    Level.WARN: ("alert-triangle", "amber", gettext_noop("WARN")),
    Level.OVERRIDE: ("signature", "plum", gettext_noop("OVERRIDE")),
    Level.BLOCK: ("ban", "red solid", gettext_noop("BLOCK")),
}
MAIL_STATES: Mapping[str, tuple[str, str]] = {
    MailState.DUE: ("hourglass", ""),
    MailState.SENT: ("mail-check", "green"),
    MailState.FAILED: ("mail-x", "red"),
    MailState.WITHDRAWN: ("mail-off", ""),
}
#: States of a visit that is going on; the planned colours are saturated then.
RUNNING = (SessionState.CHECKED_IN, SessionState.GIVING, SessionState.MONITORING, SessionState.READY)


@register.inclusion_tag("parts/state.html")
def state_tag(state: str, label: str, held_until: datetime | None = None, route: str = "iv") -> dict[str, Any]:
    """A session's state: icon, word, colour; a held one says until when."""
    icon, tone = STATES[SessionState(state)]
    if state == SessionState.GIVING and route == "nasal":
        icon = "spray"
    return {"icon": icon, "tone": tone, "label": label, "until": held_until if state == SessionState.HELD else None}


@register.inclusion_tag("parts/state.html")
def course_state_tag(state: str, label: str, held_until: datetime | None = None) -> dict[str, Any]:
    """A course's state, in the same way."""
    icon, tone = COURSE_STATES[CourseState(state)]
    return {"icon": icon, "tone": tone, "label": label, "until": held_until}


@register.inclusion_tag("parts/state.html")
def mail_tag(mail: Mail) -> dict[str, Any]:
    """A mail's state."""
    icon, tone = MAIL_STATES[MailState(mail.state)]
    return {"icon": icon, "tone": tone, "label": mail.get_state_display()}


@register.inclusion_tag("parts/state.html")
def level_tag(level: Level | None) -> dict[str, Any]:
    """The worst that the rules say to a time, in a word."""
    icon, tone, word = LEVELS[level] if level else ("check", "green", gettext_noop("fits"))
    return {"icon": icon, "tone": tone, "label": _(word)}


@register.filter
def mail_reason(mail: Mail) -> str:
    """Why the patient got this mail, or did not."""
    match mail.state:
        case MailState.SENT if mail.sent_at:
            return date_format(timezone.localtime(mail.sent_at), "D j M H:i")
        case MailState.WITHDRAWN:
            return reminded.why(mail)
        case MailState.FAILED:
            return reminded.reason(mail.error)
        case _ if mail.attempts:
            tries = ngettext("Tried %(count)s time; tried on.", "Tried %(count)s times; tried on.", mail.attempts)
            return tries % {"count": mail.attempts} + (f" {reminded.reason(mail.error)}" if mail.error else "")
    return ""


@register.inclusion_tag("parts/visit_bar.html")
def visit_bar(session: Session, now: datetime) -> dict[str, Any]:
    """The planned phases of a session to scale (1 px a minute): pale before, coloured while it goes on, grey after."""
    instants = [session.starts_at, session.dose_starts_at, session.dose_ends_at, session.discharge_at, session.ends_at]
    lengths = [later - earlier for earlier, later in pairwise(instants)]
    tense = "coming" if session.is_live and session.ends_at > now else "past"
    if session.state in RUNNING:
        tense = "running"
    return _bar(lengths, tense, held=session.state == SessionState.HELD)


@register.inclusion_tag("parts/visit_bar.html")
def shape_bar(shape: VisitShape) -> dict[str, Any]:
    """The phases that a protocol plans for every visit."""
    minutes = (shape.prepare, shape.give, shape.monitor, shape.turn_over)
    return _bar([timedelta(minutes=number) for number in minutes], "running", held=False)


@register.filter
def start(session: Session) -> str:
    """When a visit starts, on the site's clocks; the session has to know its site."""
    return wording.clock(session.starts_at, session.site.zone)


@register.simple_tag
def closed_when(closure: Closure, board: Board) -> str:
    """Which part of the board's date a closure takes: "all day", "from 14:00", "until 11:30", "10:00–12:00"."""
    zone = board.site.zone
    first, last = day_bounds(board.date, zone)
    start, end = closure.during.lower, closure.during.upper
    hours = {"start": wording.clock(start, zone), "end": wording.clock(end, zone)}
    if start <= first:
        return _("all day") if end >= last else _("until %(end)s") % hours
    return _("from %(start)s") % hours if end >= last else _("%(start)s–%(end)s") % hours


@register.filter
def measured(text: str) -> str:
    """What was observed, or a limit, as it was stored: in the reader's language."""
    return wording.measured(text)


@register.filter
def lasting(span: timedelta) -> str:
    """A length of time: "12 min", "3 h 10 min"."""
    return wording.length(span)


@register.filter
def ago(at: datetime, now: datetime) -> str:
    """How long ago: "12 min", "3 h 10 min", "2 d"."""
    minutes = max(0, int((now - at).total_seconds()) // 60)
    if minutes >= 48 * 60:
        return _("%(days)s d") % {"days": minutes // (24 * 60)}
    return wording.length(timedelta(minutes=minutes))


def _bar(lengths: list[timedelta], tense: str, *, held: bool) -> dict[str, Any]:
    minutes = [int(length.total_seconds()) // 60 for length in lengths]
    starts = [sum(minutes[:place]) for place in range(len(minutes))]
    phases = ("prepare", "give", "monitor", "turn-over")
    parts = [
        {"phase": phase, "x": start, "width": max(width - 1, 1)}
        for phase, start, width in zip(phases, starts, minutes, strict=True)
    ]
    return {"parts": parts, "tense": tense, "held": held, "width": sum(minutes)}


@register.inclusion_tag("parts/finding.html")
def finding(found: Finding, *, told: bool = True) -> dict[str, Any]:
    """What a rule says: level and breach in a few words; below it the whole sentence, unless told elsewhere."""
    if found.rule == "taken":
        icon, tone, word = "x", "red", gettext_noop("Taken")
    else:
        icon, tone, word = LEVELS[found.level]
    said = "" if found.rule == "taken" else wording.breach(found)
    return {"icon": icon, "tone": tone, "word": _(word), "said": said, "finding": found, "told": told}


@register.filter
def sentence(found: Finding | NoPlan) -> str:
    """The text of a finding, or of why there is no plan, in the reader's language."""
    return wording.sentence(found.text, found.values)


@register.filter
def rule_name(code: str) -> str:
    """A rule in words: "gap too long"."""
    return wording.rule(code)


@register.filter
def clock(at: datetime) -> str:
    """A local time as 09:00, and with its zone where the clocks show it twice."""
    return wording.clock(at, at.tzinfo or UTC)


@register.filter
def fasting_began(starts_at: datetime, protocol: Protocol) -> datetime | None:
    """Since when a patient should not have eaten before a visit to come, on the clocks of its start; None while that
    is still ahead."""
    since, _drinks = protocol.fasting(starts_at.astimezone(UTC))
    return since.astimezone(starts_at.tzinfo) if since < clinic_clock.now() < starts_at else None


@register.filter
def zone(site: Site) -> str:
    """What people call a site's zone: "Eastern Time"."""
    return wording.zone_name(timezone.now(), site.zone)
