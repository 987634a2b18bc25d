"""How a course works: its scores, its visits with what was measured and given, and what that advises. One read for the
course's page and the interface, with the same number of queries however much there is to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Prefetch, Q

from patients import measures
from patients.measures import INSTRUMENTS, PHQ9
from patients.models import Score
from scheduling.models import (
    DOSED,
    LIVE,
    RUNNING,
    AdverseEvent,
    Course,
    Session,
    SessionState,
    VisitRecord,
    VitalsRound,
)
from scheduling.protocols import response
from scheduling.protocols.response import Advice, Given, Scored
from scheduling.protocols.types import Phase, Protocol

#: A score from so long before the first dose still is its baseline (P: twice what PHQ-9 looks back).
LOOK_BACK = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Series:
    """The scores of one instrument within a course, the first one first; `baseline` is the last before the first
    dose."""

    instrument: measures.Instrument
    scores: tuple[Score, ...]
    baseline: Score | None

    @property
    def now(self) -> Score | None:
        """The latest."""
        return self.scores[-1] if self.scores else None

    @property
    def best(self) -> Score | None:
        """The lowest, of equal ones the first."""
        return min(self.scores, key=lambda score: score.total, default=None)

    @property
    def percent(self) -> int | None:
        """How many percent better than the baseline the latest is; None where that says nothing."""
        if self.baseline is None or self.now is None or self.now == self.baseline:
            return None
        return measures.change(self.baseline.total, self.now.total)

    @property
    def response(self) -> bool:
        """The latest is at most half of the baseline."""
        return self.percent is not None and self.percent >= measures.RESPONSE

    @property
    def remission(self) -> bool:
        """The latest is in remission."""
        return self.now is not None and measures.remitted(self.instrument, self.now.total)


@dataclass(frozen=True, slots=True)
class Visit:
    """One session with its record: the rounds of measurements in order of time, what was untoward."""

    session: Session
    record: VisitRecord | None
    rounds: tuple[VitalsRound, ...]
    events: tuple[AdverseEvent, ...]

    @property
    def given_at(self) -> datetime | None:
        """When the dose began, None when none was given."""
        return dose_of(self.session)

    @property
    def before(self) -> VitalsRound | None:
        """The last round before the dose."""
        return next(
            (one for one in reversed(self.rounds) if self.given_at is None or one.taken_at <= self.given_at), None
        )

    @property
    def highest(self) -> VitalsRound | None:
        """The round with the highest systolic pressure since the dose began."""
        since = [one for one in self.rounds if self.given_at is not None and one.taken_at > self.given_at]
        return max(since, key=lambda one: one.systolic, default=None)

    @property
    def last(self) -> VitalsRound | None:
        """The last round since the dose began: what the discharge rests on."""
        last = self.rounds[-1] if self.rounds else None
        return last if last is not None and self.given_at is not None and last.taken_at > self.given_at else None


@dataclass(frozen=True, slots=True)
class Progress:
    """A course as a clinician decides on it. `series` has every instrument, those without a score empty; `visits` are
    those that stand and those in which nothing was given, by planned start; `given` counts the doses."""

    course: Course
    protocol: Protocol
    series: Mapping[str, Series]
    advice: tuple[Advice, ...]
    visits: tuple[Visit, ...]

    @property
    def given(self) -> int:
        """In how many sessions of the phase that the course is in drug was given."""
        return sum(visit.given_at is not None and visit.session.phase == self.course.phase for visit in self.visits)


def progress_of(course: Course) -> Progress:
    """Everything that is known of how a course works. Four queries when its site and protocol are at hand."""
    sessions = list(
        course.sessions.filter(Q(state__in=LIVE) | Q(state=SessionState.NOT_DOSED))
        .select_related("site", "chair", "prescriber", "record")
        .prefetch_related(
            Prefetch("rounds", VitalsRound.objects.filter(voided_at=None).order_by("taken_at", "pk")),
            Prefetch("adverse_events", AdverseEvent.objects.order_by("onset", "pk")),
        )
        .in_order()
    )
    protocol = course.protocol.protocol
    scores = scores_of(course, sessions)
    first = min(filter(None, map(dose_of, sessions)), default=None)
    return Progress(
        course=course,
        protocol=protocol,
        series={
            code: _series(used, [score for score in scores if score.instrument == code], first)
            for code, used in INSTRUMENTS.items()
        },
        advice=advice_of(course, protocol, sessions, scores),
        visits=tuple(
            Visit(
                session,
                getattr(session, "record", None),  # absent until check-in
                tuple(session.rounds.all()),
                tuple(session.adverse_events.all()),
            )
            for session in sessions
        ),
    )


def dose_of(session: Session) -> datetime | None:
    """When the dose of a session began, None when none was given."""
    return session.dose_started_at if session.state in DOSED else None


def scores_of(course: Course, sessions: Iterable[Session]) -> list[Score]:
    """The scores that belong to a course: from LOOK_BACK before its first dose, or before it was booked, until its end,
    by when they were taken. One query."""
    began = min(filter(None, map(dose_of, sessions)), default=course.created_at)
    found = Score.objects.filter(patient=course.patient_id, voided_at=None, taken_at__gte=began - LOOK_BACK)
    if course.ended_at is not None:
        found = found.filter(taken_at__lte=course.ended_at)
    return list(found.select_related("by", "seen_by").order_by("taken_at", "pk"))


def advice_of(
    course: Course, protocol: Protocol, sessions: Iterable[Session], scores: Iterable[Score]
) -> tuple[Advice, ...]:
    """What the scores of a course advise, the most urgent first; nothing once it has ended. Pure."""
    if course.state not in RUNNING:
        return ()
    return response.advise(
        protocol=protocol,
        phase=Phase(course.phase),
        scores=scored(scores),
        given=[Given(at, Phase(session.phase)) for session in sessions if (at := dose_of(session)) is not None],
        zone=course.site.zone,
    )


def scored(scores: Iterable[Score]) -> list[Scored]:
    """The PHQ-9 among the scores, as the rules see them."""
    return [Scored(score.taken_at, score.total, score.item_9) for score in scores if score.instrument == PHQ9.code]


def _series(used: measures.Instrument, scores: Sequence[Score], first_dose_at: datetime | None) -> Series:
    start = response.baseline([Scored(score.taken_at, score.total) for score in scores], first_dose_at)
    known = [score for score in scores if start is not None and score.taken_at == start.at]
    return Series(used, tuple(scores), known[-1] if known else None)
