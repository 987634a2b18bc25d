"""The visits of a course as a clinician compares them: dose, blood pressure, how it was borne. No query here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling import wording
from scheduling.clinical import number
from scheduling.models import Session, VitalsRound
from scheduling.protocols import visit_safety
from scheduling.protocols.vitals import RAISED, Stage, is_above
from scheduling.response import Visit
from scheduling.visits import charts

#: The middle of a visit: the round nearest to it counts, so far from it at most (P).
MIDDLE = timedelta(minutes=40)
NEAR = timedelta(minutes=15)

#: Visits that are always shown; the rest folds.
SHOWN = 5

#: Adverse events from this grade on stand out (CTCAE 3: severe).
SEVERE = 3
GRADES = {
    1: gettext_lazy("mild"),
    2: gettext_lazy("moderate"),
    3: gettext_lazy("severe"),
    4: gettext_lazy("life-threatening"),
    5: gettext_lazy("fatal"),
}


@dataclass(frozen=True, slots=True)
class Pressure:
    """A blood pressure in mmHg; `why` says which limit it was above, empty within all."""

    text: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An adverse event in words; `severe` from SEVERE on, and every serious one."""

    text: str
    severe: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One visit. `dissociation` is the worst of it, `spo2` the lowest; `given` and `monitored` how long each took."""

    session: Session
    number: str
    dose: str
    per_kg: str
    before: Pressure | None
    middle: Pressure | None
    leaving: Pressure | None
    dissociation: int | None
    spo2: int | None
    given: str
    monitored: str
    events: tuple[Event, ...]


def rows(visits: Iterable[Visit]) -> list[Row]:
    """Those to which the patient came, the latest first."""
    came = [visit for visit in visits if visit.session.checked_in_at is not None]
    return [_row(visit) for visit in sorted(came, key=lambda visit: visit.session.starts_at, reverse=True)]


def dose(mg: Decimal | None) -> str:
    """A dose without noughts at its end: "34 mg"."""
    return "" if mg is None else _("%(mg)s mg") % {"mg": plain(mg)}


def plain(number: Decimal) -> str:
    """A figure without noughts at its end, in no language's own way."""
    return f"{number.normalize():f}"


def _row(visit: Visit) -> Row:
    session, record, rounds = visit.session, visit.record, visit.rounds
    amount = (record.mg_given if record.mg_given is not None else record.mg) if record else None
    since = session.dose_started_at
    after = [one for one in rounds if since is not None and one.taken_at > since]
    return Row(
        session=session,
        number=number(session),
        dose=dose(amount) if since else "",
        per_kg=_("%(dose)s mg/kg") % {"dose": plain(record.mg_per_kg)} if record and record.mg_per_kg else "",
        before=_pressure(visit.before, Stage.BEFORE),
        middle=_pressure(_middle(session, after), Stage.GIVING),
        leaving=_leaving(visit),
        dissociation=max((one.dissociation for one in rounds), default=None),
        spo2=min((one.spo2 for one in rounds), default=None),
        given=_length(since, session.dose_ended_at),
        monitored=_length(session.dose_ended_at, session.left_at),
        events=tuple(
            Event(f"{event.type}, {GRADES[event.severity]}", event.serious or event.severity >= SEVERE)
            for event in visit.events
        ),
    )


def _middle(session: Session, after: Sequence[VitalsRound]) -> VitalsRound | None:
    if session.dose_started_at is None:
        return None
    aim = session.dose_started_at + MIDDLE
    near = [one for one in after if abs(one.taken_at - aim) <= NEAR]
    return min(near, key=lambda one: abs(one.taken_at - aim), default=None)


def _leaving(visit: Visit) -> Pressure | None:
    """The last of a visit that is over."""
    last = visit.last if visit.session.left_at is not None else None
    shown = _pressure(last, Stage.MONITORING)
    if shown is None or last is None or shown.why or not is_above((last.systolic, last.diastolic), RAISED):
        return shown
    return Pressure(shown.text, _("At discharge above %(upper)s/%(lower)s.") % {"upper": RAISED[0], "lower": RAISED[1]})


def _pressure(round_: VitalsRound | None, stage: Stage) -> Pressure | None:
    if round_ is None:
        return None
    found = [one for one in visit_safety.while_here(charts.as_vitals(round_), stage) if one.rule.startswith("bp-")]
    why = " ".join(wording.sentence(one.text, one.values) for one in found)
    return Pressure(f"{round_.systolic}/{round_.diastolic}", why)


def _length(start: datetime | None, end: datetime | None) -> str:
    """Hours and minutes: "2:05"; empty for what has not ended."""
    if start is None or end is None:
        return ""
    hours, minutes = divmod(round((end - start) / timedelta(minutes=1)), 60)
    return f"{hours}:{minutes:02}"
