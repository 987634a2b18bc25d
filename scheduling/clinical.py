"""What the course page of a clinician shows: one read, with the same number of queries however much there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from clinic.findings import Finding
from patients import screening
from patients.answers import Answers
from patients.models import Screening
from scheduling import queries, response
from scheduling.models import Course, Mail, MailState, PhaseChoice, Session
from scheduling.response import Progress


@dataclass(frozen=True, slots=True)
class Clinical:
    """A course with what was measured and given, what the rules say to its dates, and the screening that counts.

    `reminders` are the instants at which reminders of sessions go out, by the session's id, the next one first.
    """

    course: Course
    progress: Progress
    findings: tuple[Finding, ...]
    screening: Screening | None
    reminders: Mapping[int, tuple[datetime, ...]]

    @property
    def answers(self) -> Answers | None:
        """What was answered in the screening, None without one."""
        return screening.answers_of(self.screening)


def course_page(course: int) -> Clinical:
    """Everything the page shows. Eleven queries. Raises Course.DoesNotExist."""
    found = queries.courses().get(pk=course)
    waiting: dict[int, tuple[datetime, ...]] = {}
    due = Mail.objects.filter(course=found, state=MailState.DUE, session__isnull=False)
    for session, at in due.order_by("due_at").values_list("session_id", "due_at"):
        if session is not None:
            waiting[session] = (*waiting.get(session, ()), at)
    return Clinical(
        course=found,
        progress=response.progress_of(found),
        findings=queries.findings_of([found])[found.pk],
        screening=screening.latest(found.patient_id),
        reminders=waiting,
    )


def number(session: Session) -> str:
    """What a visit is called in its course: 5, T2 in the taper, M3 in maintenance; empty where it does not count."""
    letters = {PhaseChoice.TAPER.value: "T", PhaseChoice.MAINTENANCE.value: "M"}
    return f"{letters.get(session.phase, '')}{session.number}" if session.is_live else ""
