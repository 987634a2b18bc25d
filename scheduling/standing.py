"""How far patients are with the course under way, in one line each; and what those without mail have to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Min, Q

from patients.models import Patient, Task, TaskKind
from scheduling.models import DOSED, LIVE, OPEN, Course, Session


@dataclass(frozen=True, slots=True)
class Standing:
    """A running course in its phase: `given` of `planned` visits, and when the next one starts, on the site's clocks.

    `coming` counts the visits to come, of any phase.
    """

    course: Course
    given: int
    planned: int
    coming: int
    next_at: datetime | None


def standings(patients: Iterable[Patient], *, now: datetime) -> Mapping[int, Standing]:
    """The running courses of these patients, by the patient's id. One query."""
    mine = Q(sessions__phase=F("phase"))
    coming = Q(sessions__state__in=OPEN, sessions__during__startswith__gte=now)
    found = (
        Course.objects.running()
        .filter(patient__in=[patient.pk for patient in patients])
        .select_related("site")
        .annotate(
            given=Count("sessions", mine & Q(sessions__state__in=DOSED)),
            planned=Count("sessions", mine & Q(sessions__state__in=LIVE)),
            coming=Count("sessions", coming),
            next_at=Min("sessions__during__startswith", filter=coming),
        )
    )
    return {course.patient_id: _standing(course) for course in found}


def _standing(course: Course) -> Standing:
    next_at = course.next_at.astimezone(course.site.zone) if course.next_at else None  # type: ignore[attr-defined]  # annotated above
    return Standing(course, course.given, course.planned, course.coming, next_at)  # type: ignore[attr-defined]  # likewise


@dataclass(frozen=True, slots=True)
class Telling:
    """The visits to come of a patient, whom nobody can mail. `task`: the open line of the worklist that asks for a
    call, None when nobody has to call any more."""

    sessions: tuple[Session, ...]
    task: Task | None


def to_tell(patients: Iterable[Patient], *, now: datetime) -> Mapping[int, Telling]:
    """What each of these patients has to be told by phone, by the patient's id. Two queries."""
    known = [patient.pk for patient in patients]
    coming = Session.objects.filter(patient__in=known, state__in=OPEN, during__startswith__gte=now)
    sessions: dict[int, list[Session]] = {pk: [] for pk in known}
    for session in coming.select_related("site").in_order():
        sessions[session.patient_id].append(session)
    open_lines = Task.objects.filter(patient__in=known, kind=TaskKind.NO_ADDRESS, done_at=None)
    lines = {task.patient_id: task for task in open_lines}
    return {pk: Telling(tuple(mine), lines.get(pk)) for pk, mine in sessions.items()}
