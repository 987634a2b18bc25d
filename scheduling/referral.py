"""The letter to the doctor who referred a patient: course, scores and decisions on one page, as PDF.

Typst sets it from `templates/letters/referral.typ`. Whatever people have typed goes to it as JSON and is never read as
markup; it opens no other file and asks no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any

import typst
from django.conf import settings
from django.utils.formats import date_format, number_format
from django.utils.text import Truncator
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.models import Staff
from clinic.permissions import Verb
from patients import measures
from patients.measures import PHQ9
from scheduling import history, response
from scheduling.models import OPEN, Course, Session, SessionState
from scheduling.response import Progress, Series, Visit

TEMPLATE = Path(settings.BASE_DIR) / "templates" / "letters" / "referral.typ"

#: What a page has room for: the latest visits and decisions, so many letters of a reason.
MOST_VISITS = 40
MOST_DECISIONS = 8
MOST_LETTERS = 220

#: Labels of the chart keep so much of its width apart.
APART = 0.045

#: Where letters are written on the paper of the United States.
LETTER_PAPER = ("America/", "US/", "Pacific/Honolulu")


def letter(*, actor: Staff, course: Course, now: datetime) -> bytes:
    """The letter about a course as PDF, in the language that is active; exactly one page.

    Reads the course with its history, eight queries. Raises RoleRefused for whoever is no clinician of its site.
    """
    permissions.require(actor, Verb.REVIEW, at=course.site)
    found = Course.objects.with_history().get(pk=course.pk)
    data = _data(found, response.progress_of(found), actor, now)
    pdf = typst.compile(str(TEMPLATE), format="pdf", sys_inputs={"data": json.dumps(data)})
    assert isinstance(pdf, bytes)  # noqa: S101 without an output path it returns what it would write
    return pdf


def _data(course: Course, progress: Progress, actor: Staff, now: datetime) -> dict[str, Any]:
    """Everything that the letter says."""
    site, patient, zone = course.site, course.patient, course.site.zone
    given = [visit for visit in progress.visits if visit.given_at is not None]
    shown = _shown(progress)
    born = _("born %(day)s") % {"day": _day(patient.birth_date)}
    told = [entry for entry in history.entries(course) if entry.kind == "decided"]
    return {
        "title": _("Letter"),
        "language": (get_language() or "en")[:2],
        "paper": "us-letter" if site.time_zone.startswith(LETTER_PAPER) else "a4",
        "from": {"name": site.name, "address": [*site.address.splitlines(), site.phone]},
        "to": patient.referred_by or _("To the referring doctor"),
        "date": _day(now.astimezone(zone).date()),
        "patient": f"{patient.first_name} {patient.last_name}, {born}",
        "course": [_about(course, progress, given, zone)],
        "chart": _chart(shown, given, zone) if shown else None,
        "scores": [_scored(series, zone) for series in progress.series.values() if series.scores],
        "columns": [_("No."), _("Date"), _("Dose"), _("BP before"), _("Highest BP")],
        "visits_title": _visits_title(len(given)),
        "visits": [_row(number, visit, zone) for number, visit in enumerate(given, start=1)][-MOST_VISITS:],
        "after": [*_untoward(progress, zone), *_to_come(course, now)],
        "decisions_title": _("Decisions"),
        "decisions": [
            {
                "day": _day(entry.at.astimezone(zone).date()),
                "text": Truncator(entry.text).chars(MOST_LETTERS),
                "by": entry.by.short_name if entry.by else "",
            }
            for entry in reversed(told[:MOST_DECISIONS])
        ],
        "closing": _("With kind regards"),
        "signed": str(actor) if not actor.title else f"{actor.title} {actor}",
    }


def _about(course: Course, progress: Progress, given: Sequence[Visit], zone: tzinfo) -> str:
    values = {
        "protocol": progress.protocol.name,
        "phase": course.get_phase_display(),
        "state": course.get_state_display().lower(),
        "count": len(given),
        "first": _when(given[0].given_at, zone) if given else "",
        "last": _when(given[-1].given_at, zone) if given else "",
    }
    if not given:
        return _("%(protocol)s. %(phase)s, %(state)s. No dose has been given.") % values
    text = ngettext(
        "%(protocol)s. %(phase)s, %(state)s. %(count)s dose was given, on %(first)s.",
        "%(protocol)s. %(phase)s, %(state)s. %(count)s doses were given, from %(first)s to %(last)s.",
        len(given),
    )
    return text % values


def _scored(series: Series, zone: tzinfo) -> str:
    """How one instrument has changed, in a sentence."""
    last = series.now
    assert last is not None  # noqa: S101 asked of series with scores only
    values = {
        "name": series.instrument.name,
        "now": last.total,
        "day": _when(last.taken_at, zone),
        "before": series.baseline.total if series.baseline else "",
        "percent": abs(series.percent or 0),
    }
    if series.baseline is None or series.baseline == last:
        return _("%(name)s: %(now)s on %(day)s.") % values
    if series.percent is None:
        return _("%(name)s: %(before)s before the first dose, %(now)s on %(day)s.") % values
    if series.percent < 0:
        return _("%(name)s: %(before)s before the first dose, %(now)s on %(day)s: %(percent)s%% worse.") % values
    if series.remission:
        text = _("%(name)s: %(before)s before the first dose, %(now)s on %(day)s: %(percent)s%% better, remission.")
    elif series.response:
        text = _("%(name)s: %(before)s before the first dose, %(now)s on %(day)s: %(percent)s%% better, response.")
    else:
        text = _("%(name)s: %(before)s before the first dose, %(now)s on %(day)s: %(percent)s%% better.")
    return text % values


def _shown(progress: Progress) -> Series | None:
    """The series that is drawn: PHQ-9, without one the first that has scores."""
    known = [series for series in progress.series.values() if series.scores]
    return min(known, key=lambda series: series.instrument.code != PHQ9.code, default=None)


def _chart(series: Series, given: Sequence[Visit], zone: tzinfo) -> dict[str, Any]:
    """The score line: places as shares of the width and of the height, 0 to 1."""
    used = series.instrument
    stops = [visit.given_at for visit in given if visit.given_at is not None]
    instants = [*(score.taken_at for score in series.scores), *stops]
    first, length = min(instants), (max(instants) - min(instants)).total_seconds()

    def across(at: datetime) -> float:
        return 0.04 + 0.78 * ((at - first).total_seconds() / length if length else 0.2)

    lowest = [*(band.lowest for band in used.bands), used.highest]
    lines = [{"at": (used.remission + 0.5) / used.highest, "name": _("Remission")}]
    if series.baseline and series.baseline.total >= measures.LEAST_BASELINE:
        half = series.baseline.total * (100 - measures.RESPONSE) / 100
        lines.append({"at": half / used.highest, "name": _("Response")})
    said = _apart([across(score.taken_at) for score in series.scores])
    named = _apart([across(at) for at in stops])
    return {
        "title": used.name,
        "bands": [
            {
                "low": low / used.highest,
                "high": high / used.highest,
                "name": _(band.name),
                "label": str(low),
                "even": place % 2 == 0,
            }
            for place, (band, (low, high)) in enumerate(zip(used.bands, pairwise(lowest), strict=True))
        ],
        "lines": lines,
        "points": [
            {
                "at": across(score.taken_at),
                "share": score.total / used.highest,
                "label": str(score.total) if place in said else "",
            }
            for place, score in enumerate(series.scores)
        ],
        "stops": [
            {
                "at": across(at),
                "label": str(place + 1) if place in named else "",
                "day": date_format(at.astimezone(zone), "j M") if place in named else "",
            }
            for place, at in enumerate(stops)
        ],
    }


def _apart(places: Sequence[float]) -> set[int]:
    """Which of these, in order, have room for a label: the last always has, then the first."""
    chosen: set[int] = set()
    nearest = float("inf")
    for index in reversed(range(len(places))):
        beside_first = index > 0 and places[index] - places[0] < APART
        if not chosen or (nearest - places[index] >= APART and not beside_first):
            chosen.add(index)
            nearest = places[index]
    return chosen


def _row(number: int, visit: Visit, zone: tzinfo) -> list[str]:
    """A visit in which drug was given: number, date, dose, pressure before it and the highest since."""
    return [
        str(number),
        _when(visit.given_at, zone),
        _dose(visit),
        _pressure(visit.before),
        _pressure(visit.highest),
    ]


def _dose(visit: Visit) -> str:
    record = visit.record
    if record is None or record.mg is None:
        return ""
    mg = record.mg if record.mg_given is None else record.mg_given
    text = f"{number_format(mg.normalize(), use_l10n=True)} mg"
    if record.mg_per_kg is not None:
        text += f" ({number_format(record.mg_per_kg.normalize())} mg/kg)"
    exits = {SessionState.LEFT_EARLY, SessionState.TRANSFERRED}
    return f"{text}, {visit.session.get_state_display()}" if visit.session.state in exits else text


def _pressure(taken: Any) -> str:
    return f"{taken.systolic}/{taken.diastolic}" if taken else ""


def _visits_title(count: int) -> str:
    if count > MOST_VISITS:
        return _("The latest %(most)s of %(count)s visits") % {"most": MOST_VISITS, "count": count}
    return _("Visits")


def _untoward(progress: Progress, zone: tzinfo) -> list[str]:
    """The serious adverse events; the others are counted."""
    events = [event for visit in progress.visits for event in visit.events]
    if not events:
        return [_("No adverse events were recorded.")]
    serious = [event for event in events if event.serious]
    count = ngettext("%(count)s adverse event was recorded", "%(count)s adverse events were recorded", len(events))
    listed = ", ".join(f"{Truncator(one.type).chars(40)} ({_when(one.onset, zone)})" for one in serious[-5:])
    rest = _("serious: %(listed)s.") % {"listed": listed} if serious else _("none of them serious.")
    return [f"{count % {'count': len(events)}}; {rest}"]


def _to_come(course: Course, now: datetime) -> list[str]:
    """The next dates."""
    ahead: Iterable[Session] = course.sessions.all()
    days = [_day(one.local_date) for one in ahead if one.state in OPEN and one.starts_at > now]
    return [_("Next visits: %(days)s.") % {"days": ", ".join(days[:8])}] if days else []


def _when(at: datetime | None, zone: tzinfo) -> str:
    return _day(at.astimezone(zone).date()) if at else ""


def _day(day: date) -> str:
    return date_format(day, "j M Y")
