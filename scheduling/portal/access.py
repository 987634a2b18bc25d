"""What opens behind the link of a mail, and when it no longer does. Reads only: mail scanners open links, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from clinic.models import Site
from patients import contact
from patients.models import AddressFault, Patient
from scheduling.mails import links
from scheduling.mails.links import NEWS_OPENS
from scheduling.models import (
    FREED,
    Course,
    CourseState,
    Evaluation,
    EvaluationState,
    Mail,
    MailKind,
    MailState,
    Session,
    SessionState,
)

#: The patient is awaited: these can still be answered.
AWAITED = (SessionState.BOOKED, SessionState.CONFIRMED)


class Void(StrEnum):
    """Why a link no longer opens anything."""

    UNKNOWN = "unknown"  # never made, or taken back
    MOVED = "moved"  # the dates have changed since: a later mail has the link
    CANCELLED = "cancelled"
    OVER = "over"  # the visit has ended
    EXPIRED = "expired"  # the mail is too old
    READDRESSED = "readdressed"  # the patient has another address since
    NOT_MINE = "not-mine"  # whoever has this mailbox is not the patient


class LinkVoid(Exception):
    """The link opens nothing. `site` is whom to call and `language` the patient's, where the `mail` is known."""

    def __init__(self, reason: Void, mail: Mail | None = None) -> None:
        super().__init__(reason.value)
        self.reason, self.mail = reason, mail
        self.site = site_of(mail) if mail else None
        self.language = mail.patient.language if mail else ""


@dataclass(frozen=True, slots=True)
class Access:
    """What a link opens: one patient's visits of one course, or one evaluation, and nothing else of the patient.

    `session` is the mail's own, for news of a course the next one to come, none where nothing is planned; `sessions`
    are those of the course to come, by time. `token` is what the address holds, `language` the patient's.
    """

    token: str
    mail: Mail
    patient: Patient
    site: Site
    language: str
    course: Course | None = None
    evaluation: Evaluation | None = None
    session: Session | None = None
    sessions: tuple[Session, ...] = ()

    def its(self, session_id: str) -> Session | None:
        """The visit with this number among those that the link opens."""
        known = [*self.sessions, *([self.session] if self.session else [])]
        return next((session for session in known if str(session.pk) == session_id), None)


def read(token: str, *, now: datetime) -> Access:
    """What the link opens now. Two queries, none for a token that was never made; writes nothing.

    A link of a visit opens until the visit's planned end, as long as it keeps its time; one of a course's news as long
    as no date of the course changes, NEWS_OPENS at most; one of an evaluation as long as it is booked, until its end.
    Raises LinkVoid.
    """
    mail = links.find(token)
    if mail is None:
        raise LinkVoid(Void.UNKNOWN)
    patient = mail.patient
    if patient.email_fault == AddressFault.NOT_MINE:
        raise LinkVoid(Void.NOT_MINE, mail)
    if not went_to_present_address(mail):
        raise LinkVoid(Void.READDRESSED, mail)
    if mail.evaluation is not None:
        evaluation = _evaluation(mail, mail.evaluation, now)
        return Access(token, mail, patient, evaluation.site, patient.language, evaluation=evaluation)
    course = mail.course
    assert course is not None  # noqa: S101 the constraint mail_about: a course or an evaluation
    session = None
    if mail.session is not None and mail.kind != MailKind.MISSED:  # who has missed one is told of the next
        session = _standing(mail, mail.session, course, now)
    if session is None and (mail.sent_at or mail.created_at) + NEWS_OPENS <= now:
        raise LinkVoid(Void.EXPIRED, mail)
    if mail.session is None and mail.times_version != course.times_version:
        raise LinkVoid(Void.CANCELLED if course.state == CourseState.CANCELLED else Void.MOVED, mail)
    course.patient = patient
    sessions = tuple(
        Session.objects.filter(course=course, state__in=AWAITED, during__startswith__gt=now).with_site().in_order()
    )
    for known in sessions:
        known.course = course
    mine = session or (sessions[0] if sessions else None)
    return Access(token, mail, patient, course.site, patient.language, course, None, mine, sessions)


def went_to_present_address(mail: Mail) -> bool:
    """Whether the mail went to the address that the patient has now, also if it came back; one that is only just going
    out does."""
    return mail.state == MailState.DUE or contact.was_reached(mail.patient, mail.sent_at or mail.due_at)


def _standing(mail: Mail, session: Session, course: Course, now: datetime) -> Session:
    """The mail's own visit, which has to stand as it stood then."""
    if session.state in FREED:
        raise LinkVoid(Void.CANCELLED, mail)
    if session.times_version != mail.times_version:
        raise LinkVoid(Void.MOVED, mail)
    if session.ends_at <= now:
        raise LinkVoid(Void.OVER, mail)
    session.course, session.site = course, course.site
    return session


def _evaluation(mail: Mail, evaluation: Evaluation, now: datetime) -> Evaluation:
    if evaluation.state in (EvaluationState.CANCELLED, EvaluationState.NO_SHOW):
        raise LinkVoid(Void.CANCELLED, mail)
    if evaluation.ends_at <= now:
        raise LinkVoid(Void.OVER, mail)
    return evaluation


def site_of(mail: Mail) -> Site | None:
    """The clinic that has sent it."""
    return mail.course.site if mail.course else mail.evaluation.site if mail.evaluation else None
