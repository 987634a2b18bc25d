"""How visits, their states and what rules say to them are shown: one vocabulary for every page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils.translation import gettext as _

from clinic.findings import Finding, Level
from scheduling.models import CourseState, Session, SessionState
from scheduling.protocols.types import VisitShape

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
    Level.WARN: ("alert-triangle", "amber", "WARN"),
    Level.OVERRIDE: ("signature", "plum", "OVERRIDE"),
    Level.BLOCK: ("ban", "red solid", "BLOCK"),
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


@register.inclusion_tag("parts/visit_bar.html")
def visit_bar(session: Session, now: datetime) -> dict[str, Any]:
    """The planned phases of a session to scale, a pixel a minute: coloured while it goes on, pale before, grey after."""
    instants = [session.starts_at, session.dose_starts_at, session.dose_ends_at, session.discharge_at, session.ends_at]
    lengths = [later - earlier for earlier, later in zip(instants, instants[1:], strict=False)]
    if session.state in RUNNING:
        tense = "running"
    else:
        tense = "coming" if session.is_live and session.ends_at > now else "past"
    return _bar(lengths, tense, held=session.state == SessionState.HELD)


@register.inclusion_tag("parts/visit_bar.html")
def shape_bar(shape: VisitShape) -> dict[str, Any]:
    """The phases that a protocol plans for every visit."""
    minutes = (shape.prepare, shape.give, shape.monitor, shape.turn_over)
    return _bar([timedelta(minutes=number) for number in minutes], "running", held=False)


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
    """What a rule says: level, rule and what was observed; below it the whole sentence, unless told elsewhere."""
    if found.rule == "taken":
        icon, tone, word = "x", "red", _("Taken")
    else:
        icon, tone, word = LEVELS[found.level]
    return {"icon": icon, "tone": tone, "word": word, "finding": found, "told": told}


@register.filter
def sentence(found: Finding) -> str:
    """The text of a finding in the reader's language."""
    return _(found.text) % dict(found.values)
