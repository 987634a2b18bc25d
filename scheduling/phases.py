"""In which phase a visit is, and what is due about it next: one session beside what was measured and what is planned.

Everything is worked out from rows that are there already; nothing here reads, writes or locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinic.findings import Finding
from scheduling.models import OPEN, UNDER_WAY, Session
from scheduling.protocols import visit_safety
from scheduling.protocols.projection import projected
from scheduling.protocols.types import VisitTimes
from scheduling.protocols.visit_safety import VisitFacts
from scheduling.protocols.vitals import Stage, Times, Vitals, vitals_due
from scheduling.visits.charts import times_of

#: A visit whose chair is free so much later than planned runs over; less is lost in the turn-over of the next (P).
RUNS_OVER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done next about a visit, and when: `arrival` as planned; `dose` as planned, but not before the
    chair is free; `vitals`; `dose-end` and `discharge` by when the dose began and ended in truth."""

    what: str
    at: datetime
    overdue: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """A session on the board, with its patient and prescriber, and what is due about it.

    `times` are those of its steps where they were taken, and projected for those that are left. `home_from` is the
    earliest discharge, `missing` what stands against it now, said while the patient is monitored. `last` is the last
    round of measurements. `unseen`: an answer to item 9 that no clinician has acknowledged, while the patient is here.
    `alone_from`: when the prescriber's shift ends, where that is before the projected discharge.
    """

    session: Session
    times: VisitTimes
    due: tuple[Due, ...]
    home_from: datetime
    last: Vitals | None = None
    missing: tuple[Finding, ...] = ()
    unseen: bool = False
    alone_from: datetime | None = None

    @property
    def running(self) -> bool:
        """The patient is here."""
        return self.session.state in UNDER_WAY

    @property
    def overrun(self) -> timedelta:
        """By how much the chair will be free later than planned, the wait for it apart; nothing below RUNS_OVER."""
        late = self.times.ends_at - self.planned_end
        return late if self.running and late >= RUNS_OVER else timedelta()

    @property
    def delay(self) -> timedelta:
        """How much longer than planned a patient waits for the chair, nothing below RUNS_OVER."""
        late = self.times.starts_at - self.session.starts_at
        return late if self.session.dose_started_at is None and late >= RUNS_OVER else timedelta()

    @property
    def begins_at(self) -> datetime:
        """From when on it takes the chair in which it is now."""
        return max(self.times.starts_at, self.session.chair_since or self.times.starts_at)

    @property
    def planned_end(self) -> datetime:
        """When the chair was to be free, later by as much as the patient waits for it."""
        return self.session.ends_at + self.delay

    def is_due(self, what: str) -> Due | None:
        """What is due of this kind."""
        return next((due for due in self.due if due.what == what), None)


def visit_of(
    session: Session,
    rounds: Sequence[Vitals] = (),
    *,
    free_from: datetime | None = None,
    off_from: datetime | None = None,
    now: datetime,
) -> Visit:
    """A session as the board shows it. No query.

    `rounds` are its last ones, in order of time; the chair is free and the prescriber's shift ends at `free_from` and
    `off_from`, None where that is not known.
    """
    steps = times_of(session)
    times = projected(_planned(session), steps, now=now, free_from=free_from)
    home_from = visit_safety.earliest_discharge(steps) or times.discharge_at
    running = session.state in UNDER_WAY
    unseen = running and getattr(session, "unseen", False)
    facts = VisitFacts(times=steps, rounds=rounds, item_9_unseen=unseen, escort=getattr(session, "escort", None) or "")
    late = running or times.starts_at > session.starts_at
    return Visit(
        session=session,
        times=times,
        due=tuple(sorted(_due(session, steps, times, home_from, rounds, now), key=lambda due: due.at)),
        home_from=home_from,
        last=rounds[-1] if rounds else None,
        missing=visit_safety.at_discharge(facts, now=now) if steps.stage is Stage.MONITORING else (),
        unseen=unseen,
        alone_from=off_from if late and off_from is not None and off_from < times.discharge_at else None,
    )


def seated(
    sessions: Iterable[Session],
    rounds: Mapping[int, Sequence[Vitals]],
    off_from: Mapping[int, datetime],
    now: datetime,
) -> tuple[Visit, ...]:
    """The visits of a chair, given in order of time: who runs over lets the next one wait. No query.

    `rounds` are the last ones by session, `off_from` when the last shift of each prescriber ends.
    """
    visits: list[Visit] = []
    for session in sessions:
        visits.append(
            visit_of(
                session,
                rounds.get(session.pk, ()),
                free_from=visits[-1].times.ends_at if visits else None,
                off_from=off_from.get(session.prescriber_id),
                now=now,
            )
        )
    return tuple(visits)


def _due(
    session: Session, steps: Times, times: VisitTimes, home_from: datetime, rounds: Sequence[Vitals], now: datetime
) -> Iterator[Due]:
    if session.state in OPEN:
        yield Due("arrival", session.starts_at, overdue=session.starts_at < now)
    if session.state not in UNDER_WAY:
        return
    measured_at = vitals_due(
        route=getattr(session, "route", None) or "iv",
        times=steps,
        rounds=rounds,
        dose_planned_at=session.dose_starts_at,
    )
    if measured_at is not None:
        yield Due("vitals", measured_at, overdue=measured_at < now)
    match steps.stage:
        case Stage.BEFORE:
            what, at = "dose", session.dose_starts_at + (times.starts_at - session.starts_at)
        case Stage.GIVING:
            what, at = "dose-end", times.dose_starts_at + (session.dose_ends_at - session.dose_starts_at)
        case _:
            what, at = "discharge", home_from
    yield Due(what, at, overdue=at < now)


def _planned(session: Session) -> VisitTimes:
    return VisitTimes(
        starts_at=session.starts_at,
        dose_starts_at=session.dose_starts_at,
        dose_ends_at=session.dose_ends_at,
        discharge_at=session.discharge_at,
        ends_at=session.ends_at,
    )
