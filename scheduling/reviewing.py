"""The worklist's lines about courses: what a score brings and what a decision answers. What time brings is found by
`lapses.py`; beat calls that.

Scores come in here: `patients/scoring.py` writes them, and in the same transaction the lines that they open and close.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from clinic.models import Staff
from patients import scoring, worklist
from patients.measures import PHQ9
from patients.models import Patient, Score, Task, TaskKind
from scheduling import lapses, response, writes
from scheduling.models import Course, Session
from scheduling.protocols import response as rules
from scheduling.protocols.response import Advice

#: Which line an advice opens; the other codes are said on the course's page only, `item-9` has a line of its own.
LINES = {
    "worse": TaskKind.WORSE,
    "relapse": TaskKind.RELAPSE,
    "early-review": TaskKind.NO_BENEFIT,
    "stop-advised": TaskKind.NO_BENEFIT,
    "offer-maintenance": TaskKind.PHASE_END,
    "extend": TaskKind.PHASE_END,
}

#: What a decision about the course answers.
ANSWERED = (TaskKind.WORSE, TaskKind.RELAPSE, TaskKind.NO_BENEFIT, TaskKind.PHASE_END)


def record_score(
    *,
    actor: Staff | None,
    patient: Patient,
    instrument: str,
    items: Sequence[int] | None = None,
    total: int | None = None,
    taken_at: datetime,
    session: Session | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> tuple[Score, bool]:
    """Write a score down and bring the worklist in line with it; returns it and whether the request had been carried
    out before. A full calendar has no part in it: a score is never lost.

    Locks the patient, so that two scores at once see each other. Raises as `scoring.record`.
    """

    def act() -> Score:
        writes.lock_patient(patient.pk)
        score = scoring.record(
            actor=actor,
            patient=patient,
            instrument=instrument,
            items=items,
            total=total,
            taken_at=taken_at,
            session=session,
            now=now,
        )
        if instrument == PHQ9.code:
            after_score(patient, now=now)
        return score

    asked = {
        "actor": actor.pk if actor else None,
        "patient": patient.pk,
        "instrument": instrument,
        "items": items,
        "total": total,
        "taken_at": taken_at,
        "session": session.pk if session else None,
    }
    return writes.carry_out_once("score", request_id, asked, act, _score, now=now)


def void_score(*, actor: Staff, score: Score, request_id: UUID | None = None, now: datetime) -> tuple[Score, bool]:
    """Take a score back and bring the worklist in line with those that are left. Locks the patient, then the score.

    Raises as `scoring.void`.
    """

    def act() -> Score:
        writes.lock_patient(score.patient_id)
        void = scoring.void(actor=actor, score=score, now=now)
        if void.instrument == PHQ9.code:
            after_score(void.patient, now=now)
        return void

    asked = {"actor": actor.pk, "score": score.pk}
    return writes.carry_out_once("void-score", request_id, asked, act, _score, now=now)


def see_score(
    *, actor: Staff, score: Score, note: str = "", request_id: UUID | None = None, now: datetime
) -> tuple[Score, bool]:
    """Acknowledge an item 9 above 0, once. Raises as `scoring.see`."""
    asked = {"actor": actor.pk, "score": score.pk, "note": note}
    act = lambda: scoring.see(actor=actor, score=score, note=note, now=now)  # noqa: E731 one expression, used once
    return writes.carry_out_once("see-score", request_id, asked, act, _score, now=now)


def _score(pk: int) -> Score:
    return Score.objects.select_related("patient", "by", "seen_by").get(pk=pk)


def after_score(patient: Patient, *, now: datetime) -> None:
    """Open and close the lines that a patient's PHQ-9 bring: `worse`, and with a running course `relapse`, little
    benefit, the end of the phase. Belongs into the transaction that wrote or took back the score.

    A line names its score, so what somebody has taken off comes again with the next score only. `worse` stays until
    somebody has looked at it, the others go when a later score takes their reason away. Seven
    queries at most; the patient is locked by the caller.
    """
    course = Course.objects.running().filter(patient=patient).select_related("site", "protocol").first()
    if course is None:
        scores = list(
            Score.objects.filter(patient=patient, instrument=PHQ9.code, voided_at=None).order_by("taken_at", "pk")
        )
        advice = tuple(rules.worse(response.scored(scores)))
    else:
        sessions = list(course.sessions.live())
        scores = [score for score in response.scores_of(course, sessions) if score.instrument == PHQ9.code]
        advice = response.advice_of(course, course.protocol.protocol, sessions, scores)
        # A score knows of no course; the line that it has opened belongs to the one under way.
        Task.objects.filter(kind=TaskKind.ITEM_9, patient=patient, course=None, done_at=None).update(course=course)
    key = f"score-{scores[-1].pk}" if scores else ""
    wanted = {LINES[one.code]: one for one in reversed(advice) if one.code in LINES}
    kept = {(TaskKind.WORSE, f"score-{score.pk}") for score in scores if TaskKind.WORSE not in wanted}
    kept |= {(kind, key) for kind in wanted}
    known = Task.objects.filter(kind__in=ANSWERED, patient=patient, key__startswith="score-")
    lines = list(known.values_list("pk", "kind", "key", "done_at", "done_by"))
    gone = [pk for pk, kind, line, done_at, _by in lines if done_at is None and (kind, line) not in kept]
    Task.objects.filter(pk__in=gone).update(done_at=now, done_by=None)
    seen = {kind for _pk, kind, line, done_at, who in lines if line == key and done_at is not None and who is not None}
    for kind, one in wanted.items():
        if kind not in seen:
            details = {"code": one.code, "reasons": as_json(one)}
            worklist.open_task(kind=kind, patient=patient, course=course, key=key, details=details, now=now)


def as_json(advice: Advice) -> list[dict[str, Any]]:
    """The reasons of an advice as a line keeps them, to be said in the reader's language."""
    return [{"text": reason.text, "values": dict(reason.values)} for reason in advice.reasons]


def answered(course: Course, *, by: Staff | None, now: datetime) -> None:
    """A decision was recorded: the lines that asked for it go, and those about the course's dates are looked at again.
    Belongs into the decision's transaction, at its end."""
    Task.objects.filter(kind__in=ANSWERED, course=course, done_at=None).update(done_at=now, done_by=by)
    lapses.review(now=now, course=course)


def review(*, now: datetime) -> None:
    """Open and close what time brings, for every course: beat calls this. See `lapses.review`."""
    writes.commit(lambda: lapses.review(now=now))
