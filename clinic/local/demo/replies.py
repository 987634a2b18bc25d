"""What the patients of the demonstration answered behind the links of their mails, and how those mails fared.

All of it by the verbs that the pages call, at the times at which the patients would have tapped. Only that a mail
server took the mails is written here as it would stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q

from clinic.local.demo.house import House
from patients import contact, worklist
from patients.models import AddressFault, ConsentSource, ContactLevel, Patient, TaskKind
from scheduling import missing
from scheduling.mails import links, outbox
from scheduling.mails.letters import CONFIRMED
from scheduling.models import Attempt, Course, Mail, MailKind, MailState, Session
from scheduling.portal import access as opening
from scheduling.portal import answering, moving, questionnaires, stopping
from scheduling.portal.access import Access
from scheduling.portal.answering import BestTime

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

#: Places among the treated patients, in the order of `courses.COURSES` and `courses.AROUND`.
CALLED, MOVING, STOPPED, DETAILED, BOUNCED, FULL, ASKED_TO_CALL = 8, 17, 21, 22, 23, 24, 27
#: Of these the first whose questionnaire is due answers half of it.
ANSWERING = (20, 16, 25, 2, 3)

#: What a mail server says when it takes a mail, and when nobody listens.
TAKEN = "250 2.0.0 OK: queued"
SILENT = "The mail server cannot be reached (ConnectionRefusedError)."


def come(session: Session, escort: str, *, now: datetime) -> None:
    """The patient says alone that they come, and who takes them home."""
    opened = _opened(session, now)
    answering.come(access=opened, visits={session.pk: session.times_version}, now=now)
    answering.escort(access=opened, visits=[session.pk], name=escort, phone="(555) 010-0142", now=now + MINUTE)
    answering.acted(access=opened, now=now)


def write(house: House, patients: Sequence[Patient], now: datetime) -> None:
    """What the patients have answered lately; `patients` are in the order of the stories."""
    _served(now)
    _refused(patients[FULL], now)
    for place, ago, act in _ACTS:
        session = _next(patients[place], now)
        act(session, _opened(session, now - ago), now - ago)
    coming = (_next(patients[place], now) for place in ANSWERING)
    _answers_half(next(session for session in coming if missing.forms_due(session, now=now - HOUR)), now - HOUR)
    course = Course.objects.filter(patient=patients[ASKED_TO_CALL]).latest("pk")
    outbox.call_us(actor=house.desk, patient=patients[ASKED_TO_CALL], course=course, now=now)
    last = Mail.objects.filter(patient=patients[BOUNCED], state=MailState.SENT).latest("sent_at")
    came_back = min((last.sent_at or now) + 4 * MINUTE, now)
    contact.fault(fault=AddressFault.BOUNCED, address=patients[BOUNCED].email, now=came_back)


def _served(now: datetime) -> None:
    """The mail server's answers. It was away for a few minutes on the way of one; who had confirmed and lacked nothing
    was not reminded once more."""
    confirmed = Mail.objects.filter(
        session__confirmed_at__lte=now - 3 * HOUR, kind=MailKind.TWO_HOURS, state=MailState.SENT
    )
    confirmed.update(state=MailState.WITHDRAWN, sent_at=None, settled_at=F("due_at"), attempts=0, error=CONFIRMED)
    sent = list(Mail.objects.filter(state=MailState.SENT).order_by("sent_at", "pk"))
    failed = list(Mail.objects.filter(state=MailState.FAILED, attempts__gt=0))
    tries = [Attempt(mail=mail, at=mail.sent_at or now, state=MailState.SENT, answer=TAKEN) for mail in sent]
    tries += [Attempt(mail=mail, at=mail.due_at, state=MailState.FAILED, answer=mail.error) for mail in failed]
    late = sent[-1]
    tries += [
        Attempt(mail=late, at=late.due_at - minutes * MINUTE, state=MailState.DUE, answer=SILENT)
        for minutes in (3, 2, 1)
    ]
    Attempt.objects.bulk_create(tries)
    Mail.objects.filter(pk=late.pk).update(attempts=4, due_at=late.due_at - 3 * MINUTE)


def _refused(patient: Patient, now: datetime) -> None:
    """The last mail to a patient was not taken: the desk has to tell by phone."""
    mail = Mail.objects.filter(patient=patient, state=MailState.SENT).select_related("course").latest("sent_at")
    mail.state, mail.sent_at, mail.error = MailState.FAILED, None, "552 5.2.2 Mailbox full"
    mail.settled_at = mail.due_at
    mail.save(update_fields=["state", "sent_at", "error", "settled_at"])
    mail.tries.update(state=MailState.FAILED, answer=mail.error)
    worklist.open_task(
        kind=TaskKind.FAILED_MAIL,
        patient=patient,
        course=mail.course,
        key=f"mail-{mail.pk}",
        details={"mail": mail.pk, "kind": mail.kind, "reason": mail.error},
        now=mail.due_at,
    )


def _calls(session: Session, opened: Access, now: datetime) -> None:
    answering.call(access=opened, best=BestTime.AFTERNOON, now=now)


def _asks_for_another_time(session: Session, opened: Access, now: datetime) -> None:
    text = "My sister drives me, and she works in the mornings."
    moving.ask(session=session, weekdays=(1, 3), part="afternoon", text=text, now=now)


def _answers_half(session: Session, now: datetime) -> None:
    for step, value in enumerate((2, 1, 2, 1), start=1):
        questionnaires.answer(session=session, step=step, value=value, now=now + step * MINUTE / 6)


def _stops(session: Session, opened: Access, now: datetime) -> None:
    stopping.stop(opened.mail, source=ConsentSource.UNSUBSCRIBE, now=now)


def _wants_details(session: Session, opened: Access, now: datetime) -> None:
    come(session, "Renate Bauer", now=now)
    opened.patient.refresh_from_db()
    answering.agree(access=opened, level=ContactLevel.DETAILED, language=opened.language, now=now + 2 * MINUTE)


#: Who, how long ago, and what they did on the page about their next visit.
_ACTS: Sequence[tuple[int, timedelta, Callable[[Session, Access, datetime], None]]] = (
    (CALLED, 25 * MINUTE, _calls),
    (MOVING, 2 * HOUR, _asks_for_another_time),
    (STOPPED, 5 * HOUR, _stops),
    (DETAILED, 90 * MINUTE, _wants_details),
)


def _next(patient: Patient, now: datetime) -> Session:
    """The patient's next visit to come."""
    coming = Session.objects.live().filter(patient=patient, during__startswith__gt=now)
    return coming.select_related("course__site", "course__patient", "course__protocol", "site", "patient").earliest(
        "during"
    )


def _opened(session: Session, now: datetime) -> Access:
    """The page behind the latest mail that the patient had then."""
    had = Mail.objects.filter(Q(session=session) | Q(session=None, times_version=session.course.times_version))
    mail = had.filter(course=session.course, state=MailState.SENT, sent_at__lte=now).latest("sent_at")
    return opening.read(links.token(mail.seed), now=now)
