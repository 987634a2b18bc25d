"""What the screens show, the board apart (`board.py`): one read for each, with the same number of queries however much
there is to show.

Pages and interface show the same values. Nothing here writes or locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from clinic.findings import Finding
from patients.models import Patient, Task, TaskKind
from scheduling.models import (
    Course,
    CourseState,
    Mail,
    MailState,
    PhaseChoice,
    ProtocolVersion,
    Session,
)
from scheduling.protocols import spacing
from scheduling.protocols.types import Phase, Protocol, Spot

# Courses


def courses() -> QuerySet[Course]:
    """Every course with all that belongs to it, the newest first. Four queries with its rows."""
    return Course.objects.with_history().order_by("-pk")


@dataclass(frozen=True, slots=True)
class CoursePage:
    """A course with its findings, its mails (the latest first) and the open request to pass over rules as
    {"details", "since"}, or None."""

    course: Course
    findings: tuple[Finding, ...]
    mails: tuple[Mail, ...]
    asked: Mapping[str, Any] | None


def course_page(course: int) -> CoursePage:
    """Everything a course's page shows. Six queries. Raises Course.DoesNotExist."""
    tasks = Task.objects.filter(course=OuterRef("pk"), kind=TaskKind.OVERRIDE_ASKED, done_at=None)
    line = tasks.values(line=JSONObject(details="details", since="since"))[:1]
    found = courses().annotate(asked=Subquery(line)).get(pk=course)
    return CoursePage(
        course=found,
        findings=findings_of([found])[found.pk],
        mails=tuple(reminders().filter(course=found).order_by("-due_at", "-pk")),
        asked=found.asked,
    )


def findings_of(found: Sequence[Course]) -> dict[int, tuple[Finding, ...]]:
    """What the schedule rules say to the courses as they stand, by id; findings name sessions by id. One query.

    The courses come from `courses`, or with their sessions fetched otherwise.
    """
    standing: dict[int, list[Session]] = {}
    patients = {course.patient_id for course in found}
    for session in Session.objects.filter(patient__in=patients).live().only("course", "patient", "phase", "during"):
        standing.setdefault(session.patient_id, []).append(session)
    protocols: dict[int, Protocol] = {}
    findings = {}
    for course in found:
        if course.protocol_id not in protocols:
            protocols[course.protocol_id] = course.protocol.protocol
        findings[course.pk] = _judged(course, protocols[course.protocol_id], standing.get(course.patient_id, ()))
    return findings


def _judged(course: Course, protocol: Protocol, standing: Iterable[Session]) -> tuple[Finding, ...]:
    """The initial phase is over once maintenance is decided or the course has ended with its treatment."""
    ended = course.state in (CourseState.COMPLETED, CourseState.STOPPED)
    spots = [
        Spot(session.pk, session.starts_at, Phase(session.phase), counts=session.course_id == course.pk)
        for session in standing
    ]
    mine = {spot.ref for spot in spots if spot.counts}
    found = spacing.judge(
        protocol=protocol,
        sessions=spots,
        zone=course.site.zone,
        closed=ended or course.phase == PhaseChoice.MAINTENANCE,
    )
    return tuple(finding for finding in found if mine.intersection(finding.sessions) or not finding.sessions)


# Patients and what waits


@dataclass(frozen=True, slots=True)
class PatientPage:
    """A patient, all courses (the newest first) with their findings, open worklist lines and the latest mails."""

    patient: Patient
    courses: tuple[Course, ...]
    findings: Mapping[int, tuple[Finding, ...]]
    tasks: tuple[Task, ...]
    mails: tuple[Mail, ...]

    @property
    def running(self) -> Course | None:
        """The course under way; a patient has at most one."""
        return next((course for course in self.courses if course.ended_at is None), None)


def patient_page(patient: Patient, *, mails: int = 60) -> PatientPage:
    """Everything a patient's page shows. Seven queries."""
    found = tuple(courses().filter(patient=patient))
    return PatientPage(
        patient=patient,
        courses=found,
        findings=findings_of(found),
        tasks=tuple(worklist().filter(patient=patient)),
        mails=tuple(reminders().filter(patient=patient).order_by("-due_at", "-pk")[:mails]),
    )


def with_running_course(patients: QuerySet[Patient]) -> QuerySet[Patient]:
    """The same patients, each with `running`: the id of the course under way, or None."""
    course = Course.objects.running().filter(patient=OuterRef("pk")).values("pk")
    return patients.annotate(running=Subquery(course))


def worklist() -> QuerySet[Task]:
    """The lines that wait for somebody, the oldest first, with patient and course. One query."""
    return Task.objects.filter(done_at=None).select_related("patient", "course__site").order_by("since", "pk")


def reminders() -> QuerySet[Mail]:
    """Every mail that waits, went out, failed or was withdrawn, by when it is due. One query."""
    return Mail.objects.select_related("course__site", "session", "patient", "evaluation__site").order_by(
        "due_at", "pk"
    )


def in_turn(mails: Sequence[Mail]) -> tuple[list[Mail], list[Mail]]:
    """Mails, the latest first, in the order in which somebody should look at them: those that failed, what goes out
    next, what was sent. And those that were withdrawn."""
    by_state: dict[str, list[Mail]] = {state: [] for state in MailState}
    for mail in mails:
        by_state[mail.state].append(mail)
    waiting = reversed(by_state[MailState.DUE])
    return [*by_state[MailState.FAILED], *waiting, *by_state[MailState.SENT]], by_state[MailState.WITHDRAWN]


def protocols() -> QuerySet[ProtocolVersion]:
    """The protocols that a course can be booked by: the newest version of each that is not retired. One query."""
    newer = ProtocolVersion.objects.filter(code=OuterRef("code"), version__gt=OuterRef("version"), retired=False)
    return ProtocolVersion.objects.filter(~Exists(newer), retired=False).order_by("pk")
