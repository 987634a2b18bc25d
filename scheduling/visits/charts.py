"""The record of a visit as it is read: what was measured, given and seen, what is due, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from clinic.findings import Finding
from patients import worklist
from patients.models import Instrument, Score
from scheduling.models import DOSED, Addendum, AdverseEvent, Session, SessionState, VisitRecord, VitalsRound
from scheduling.protocols import visit_safety, vitals
from scheduling.protocols.visit_safety import VisitFacts
from scheduling.protocols.vitals import Stage, Times, Vitals


@dataclass(frozen=True, slots=True)
class Chart:
    """One visit with all that was written down. `rounds` and `voided` are in order of time; `missing` is what stands
    against discharge while the patient is observed; `earliest` is when the patient may go home at the earliest."""

    session: Session
    record: VisitRecord | None
    rounds: tuple[VitalsRound, ...]
    voided: tuple[VitalsRound, ...]
    events: tuple[AdverseEvent, ...]
    addenda: tuple[Addendum, ...]
    facts: VisitFacts
    vitals_due: datetime | None
    overdue: bool
    missing: tuple[Finding, ...]

    @property
    def stage(self) -> Stage:
        """Where the visit stands."""
        return self.facts.times.stage

    @property
    def earliest(self) -> datetime | None:
        """When the patient may go home, None before the dose has ended."""
        return visit_safety.earliest_discharge(self.facts.times)

    @property
    def closed(self) -> bool:
        """Only addenda are written any more."""
        return self.stage is Stage.OVER


def read(session: Session, *, now: datetime) -> Chart:
    """The chart of a visit. Seven queries when the course, its protocol and its site are at hand."""
    record = record_of(session)
    rounds = list(session.rounds.select_related("by").order_by("taken_at", "pk"))
    valid = [round_ for round_ in rounds if round_.voided_at is None]
    facts = facts_of(session, record, valid, now=now)
    due = due_of(session, valid, session.course.protocol.protocol.route)
    return Chart(
        session=session,
        record=record,
        rounds=tuple(valid),
        voided=tuple(round_ for round_ in rounds if round_.voided_at is not None),
        events=tuple(session.adverse_events.select_related("by").order_by("onset", "pk")),
        addenda=tuple(session.addenda.select_related("by").order_by("at", "pk")),
        facts=facts,
        vitals_due=due,
        overdue=due is not None and due < now,
        missing=visit_safety.at_discharge(facts, now=now) if facts.times.stage is Stage.MONITORING else (),
    )


def record_of(session: Session) -> VisitRecord | None:
    """What was written down at the steps of a visit, None before check-in. One query."""
    people = ("checked_in_by", "reviewed_by", "started_by", "confirmed_by", "ended_by", "waste_witness")
    return VisitRecord.objects.select_related(*people, "signed_by", "seen_by").filter(session=session).first()


def rounds_of(session: Session) -> list[VitalsRound]:
    """The rounds that count, in order of time. One query."""
    return list(session.rounds.filter(voided_at=None).order_by("taken_at", "pk"))


def facts_of(
    session: Session, record: VisitRecord | None, rounds: Sequence[VitalsRound], *, now: datetime
) -> VisitFacts:
    """What the rules of a visit need to know. Three queries; `course__site` is at hand."""
    zone = session.course.site.zone
    phq9 = Score.objects.filter(
        patient=session.patient_id, instrument=Instrument.PHQ9, voided_at=None, taken_at__lte=now
    ).order_by("-taken_at")
    taken = phq9.values_list("taken_at", flat=True).first()
    dosed = Session.objects.filter(course=session.course_id, state__in=DOSED).exclude(pk=session.pk)
    return VisitFacts(
        times=times_of(session),
        rounds=[as_vitals(round_) for round_ in rounds],
        changed=record.changed if record else {},
        reviewed=record is not None and record.reviewed_at is not None,
        item_9_unseen=bool(unseen([session.patient_id])),
        first_dose=not dosed.exists(),
        phq9_age=(now.astimezone(zone).date() - taken.astimezone(zone).date()).days if taken else None,
        confirmed=record is not None and record.confirmed_by_id is not None,
        escort=record.escort_name if record else "",
    )


def unseen(patients: Iterable[int]) -> set[int]:
    """Those of the patients who have an answer to item 9, sent or not, that no clinician has acknowledged. One
    query."""
    asked = list(patients)
    waiting = Score.objects.filter(patient__in=asked, item_9__gt=0, seen_at=None, voided_at=None)
    unsent = worklist.unseen_before_sending().filter(patient__in=asked)
    return set(waiting.values_list("patient_id", flat=True).union(unsent.values_list("patient_id", flat=True)))


def may_leave(sessions: Sequence[Session], *, now: datetime) -> set[int]:
    """Those visits, by their ids, against whose discharge no block stands. Two queries, whatever their number."""
    if not sessions:
        return set()
    waiting = unseen({session.patient_id for session in sessions})
    rounds: dict[int, list[Vitals]] = {session.pk: [] for session in sessions}
    for round_ in VitalsRound.objects.filter(session__in=sessions, voided_at=None).order_by("taken_at", "pk"):
        rounds[round_.session_id].append(as_vitals(round_))
    return {
        session.pk
        for session in sessions
        if visit_safety.may_leave(
            VisitFacts(
                times=times_of(session),
                rounds=rounds[session.pk],
                item_9_unseen=session.patient_id in waiting,
            ),
            now=now,
        )
    }


def observed(*, now: datetime) -> list[Session]:
    """The visits that can have become ready, or have ceased to be. One query."""
    sessions = Session.objects.filter(state__in=(SessionState.MONITORING, SessionState.READY))
    two_hours = sessions.filter(dose_ended_at__lte=now - visit_safety.OBSERVED_FOR)
    return list(two_hours.select_related("course__site").order_by("pk"))


def due_of(session: Session, rounds: Sequence[VitalsRound], route: str) -> datetime | None:
    """When the next round of a visit is due; `rounds` are those that count, in order of time. No query."""
    return vitals.vitals_due(
        route=route,
        times=times_of(session),
        rounds=[as_vitals(round_) for round_ in rounds],
        dose_planned_at=session.dose_starts_at,
    )


def times_of(session: Session) -> Times:
    """When the steps of a visit were."""
    return Times(
        checked_in_at=session.checked_in_at,
        dose_started_at=session.dose_started_at,
        dose_ended_at=session.dose_ended_at,
        left_at=session.left_at,
    )


def as_vitals(round_: VitalsRound) -> Vitals:
    """A stored round as the rules see it."""
    return Vitals(
        taken_at=round_.taken_at,
        systolic=round_.systolic,
        diastolic=round_.diastolic,
        heart_rate=round_.heart_rate,
        spo2=round_.spo2,
        respiratory_rate=round_.respiratory_rate,
        sedation=round_.sedation,
        dissociation=round_.dissociation,
    )
