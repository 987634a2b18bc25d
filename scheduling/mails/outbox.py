"""The outbox: mails are rows, written in the commit that makes them necessary and sent by a loop over what is due.

How it keeps its promises:
- Nothing is lost. A row stays due until its result is committed. Each row is locked (FOR NO KEY UPDATE SKIP LOCKED),
  read, sent and recorded in a transaction of its own; when a worker dies, PostgreSQL frees the one row that it held,
  and the next drain finds that row and all the others still due.
- Nothing is sent twice, but for one moment: the mail server has accepted a mail and the commit that records it is
  lost, or the server's answer is. At most one mail for each worker that dies; its Message-ID stays the same, so the
  double can be recognised.
- Nothing stale is sent. What a mail says is read after its row is locked (`letters.py`), and a verb that changes dates
  withdraws what is due. It never waits for a drain: a mail that is on its way in that moment is let go, the news of
  the change follows it.
- Nobody waits for another's mail. What the server refuses for good (5xx) fails at once onto the worklist; everything
  else is tried again, after a minute at most, for as long as it is worth sending, then it fails onto the worklist.
"""

from __future__ import annotations

import contextlib
import logging
import smtplib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction
from django.db.models import F, Q

from clinic.findings import gettext_noop
from patients import worklist
from patients.models import Patient, TaskKind
from scheduling.mails import emails, letters, privacy
from scheduling.mails.letters import EXPECTED, Outcome
from scheduling.models import Course, CourseState, Mail, MailKind, MailState, Session
from scheduling.protocols import reminder_times

logger = logging.getLogger(__name__)

#: How long after a failed try the next one follows; it doubles with each, up to the longest.
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=1)

#: A mail that has been due for so long without success makes a line on the worklist, and is tried on.
OVERDUE = timedelta(hours=4)

BAD_ADDRESS = gettext_noop("Mail cannot go to this address.")
BROKEN = gettext_noop("It could not be written.")


def renew(
    *,
    course: Course,
    sessions: Sequence[Session],
    news: MailKind | None,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> None:
    """Bring the outbox in line with sessions that were made, moved or freed; belongs into the writer's transaction.

    Withdraws their reminders that no longer stand and queues those that do, none for a time that is past; queues one
    mail of kind `news` about the course instead of news that has not gone out. `details` says what happened:
    `moved` (`{"session", "from": {"starts_at"}}`), `added` and `cancelled` (ids); a move that keeps its time is no
    news. `fresh`: nothing was queued for the course before. A patient without an address makes a line on the worklist
    instead. At most two statements, waiting for no lock, when patient and site of the course are at hand.
    """
    details = dict(details or {})
    starts = {session.pk: session.starts_at for session in sessions}
    known = [datetime.fromisoformat(move["from"]["starts_at"]) for move in details.get("moved", ())]
    if details.keys() == {"moved"} and known == [starts[move["session"]] for move in details["moved"]]:
        news = None
    if not fresh:
        _withdraw(course, sessions, told_anew=news is not None)
    mails = [mail for session in sessions if session.state in EXPECTED for mail in _reminders(course, session, now)]
    if news is not None:
        mails.append(
            Mail(
                kind=news,
                times_version=course.times_version,
                due_at=now,
                expires_at=max([*starts.values(), *known], default=None),
                details=details,
            )
        )
    if mails and not course.patient.email:
        worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=course.patient, course=course, now=now)
        return
    for mail in mails:
        mail.patient_id, mail.course_id = course.patient_id, course.pk
        mail.created_at, mail.try_at = now, mail.due_at
    Mail.objects.bulk_create(mails, ignore_conflicts=True)


def catch_up(*, patient: Patient, now: datetime) -> None:
    """Queue what was not queued while a patient had no address: reminders of the sessions to come, the dates of a
    course of which no mail has told; takes the line off the worklist. Does nothing without an address, or twice."""
    if not patient.email:
        return
    with transaction.atomic():
        # A patient has one running course at most.
        course = Course.objects.filter(patient=patient, state=CourseState.ACTIVE).select_related("site").first()
        if course is not None:
            course.patient = patient
            sessions = list(Session.objects.filter(course=course, state__in=EXPECTED, during__startswith__gt=now))
            told = not sessions or Mail.objects.filter(course=course, session=None).exists()
            renew(course=course, sessions=sessions, news=None if told else MailKind.BOOKED, now=now, fresh=True)
        worklist.close_tasks(kind=TaskKind.NO_ADDRESS, patient=patient, now=now)


def send_batch(*, now: datetime, size: int = 100, seconds: float = 30.0) -> int:
    """Deal with up to `size` mails that are due, over one connection to the mail server; begins none after `seconds`.

    Returns how many are settled: sent, failed or withdrawn. Locks one mail at a time, see above; drains that run at
    the same time share the work. Raises what the database raises, nothing that a mail or the mail server does.
    """
    ends = time.monotonic() + seconds
    due = Mail.objects.filter(state=MailState.DUE, try_at__lte=now).order_by("try_at", "pk")
    settled = 0
    with _Server() as server:
        for pk in list(due.values_list("pk", flat=True)[:size]):
            if time.monotonic() >= ends:
                break
            settled += _settle(pk, server, now)
    return settled


def _withdraw(course: Course, sessions: Sequence[Session], *, told_anew: bool) -> None:
    stale = Q(session__in=sessions) & ~Q(session__state__in=EXPECTED, times_version=F("session__times_version"))
    if told_anew:
        stale |= Q(session=None)
    due = Mail.objects.filter(stale, course=course, state=MailState.DUE)
    # One that is being sent is not waited for.
    free = due.select_for_update(skip_locked=True, of=("self",), no_key=True)
    Mail.objects.filter(pk__in=free.values("pk")).update(state=MailState.WITHDRAWN)


def _reminders(course: Course, session: Session, now: datetime) -> list[Mail]:
    """A reminder is worth sending until the next one is due, the last one until the session starts."""
    times = reminder_times.reminders(starts_at=session.starts_at, zone=course.site.zone, now=now)
    ends = [*(due for _, due in times), session.starts_at][1:]
    return [
        Mail(session=session, kind=kind, times_version=session.times_version, due_at=due, expires_at=end)
        for (kind, due), end in zip(times, ends, strict=True)
    ]


def _settle(pk: int, server: _Server, now: datetime) -> bool:
    """Send one mail, if it still is ours to send, and record what came of it; whether it needs no more tries."""
    with transaction.atomic(durable=True):
        mail = (
            Mail.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
            .select_related("patient", "course__site", "session")
            .filter(pk=pk, state=MailState.DUE, try_at__lte=now)
            .first()
        )
        if mail is None:
            return False
        outcome = _deliver(mail, server, now)
        _record(mail, outcome, now)
    return outcome.state != MailState.DUE


def _deliver(mail: Mail, server: _Server, now: datetime) -> Outcome:
    letter = letters.write(mail, now=now)
    if isinstance(letter, Outcome):
        return letter
    try:
        message = emails.compose(letter, now=now)
        hits = privacy.examine(message, values=letters.private_values(mail.patient), recipient=letter.recipient)
    except emails.BadAddress:
        return Outcome(MailState.FAILED, BAD_ADDRESS)
    except Exception:  # whatever is wrong with one mail, the next one goes out; this one once it is repaired
        logger.exception("Mail %s could not be written.", mail.pk)
        return Outcome(MailState.DUE, BROKEN, tried=True)
    if hits:
        found = "; ".join(f"{hit.where}: {hit.words}" for hit in hits)
        return Outcome(MailState.FAILED, f"Held back, it would have said: {found}")
    return server.send(message)


def _record(mail: Mail, outcome: Outcome, now: datetime) -> None:
    """Write the result down, and onto the worklist what somebody has to know."""
    key = f"mail-{mail.pk}"
    first_try = mail.attempts == 0
    mail.state, mail.error = outcome.state, outcome.reason[:300]
    mail.attempts = min(mail.attempts + outcome.tried, 32767)
    if outcome.state == MailState.SENT:
        mail.sent_at = now
        if not first_try:
            worklist.close_tasks(kind=TaskKind.FAILED_MAIL, patient=mail.patient, key=key, now=now)
    elif outcome.state == MailState.DUE:
        pause = min(FIRST_PAUSE * 2 ** min(mail.attempts - 1, 8), LONGEST_PAUSE) if outcome.tried else LONGEST_PAUSE
        mail.try_at = min(now + pause, mail.expires_at) if mail.expires_at else now + pause
    mail.save(update_fields=["state", "error", "attempts", "sent_at", "try_at"])
    overdue = outcome.state == MailState.DUE and now - mail.due_at >= OVERDUE
    if outcome.reason == letters.NO_ADDRESS:
        worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=mail.patient, course=mail.course, now=now)
    elif outcome.state == MailState.FAILED or overdue:
        details = {"mail": mail.pk, "kind": mail.kind, "reason": mail.error}
        worklist.open_task(
            kind=TaskKind.FAILED_MAIL, patient=mail.patient, course=mail.course, key=key, details=details, now=now
        )


class _Server:
    """The connection of one batch: opened by the first mail that needs it, opened again when it was lost; once it
    cannot be opened, the rest of the batch is not tried."""

    def __init__(self) -> None:
        self.backend = EmailBackend()
        self.down = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> smtplib.SMTP:
        """The connection, greeted. Raises what the network and smtplib raise."""
        self.backend.open()
        connection = self.backend.connection
        assert connection is not None  # noqa: S101 open() makes one or raises
        connection.ehlo_or_helo_if_needed()
        return connection

    def close(self) -> None:
        """Take leave, if the server still listens."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.backend.close()

    def send(self, message: EmailMessage) -> Outcome:
        """Hand one mail to the server; what it refuses for good has failed, all else stays due."""
        if self.down:
            return Outcome(MailState.DUE, self.down, tried=True)
        try:
            connection = self.open()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            self.down = f"The mail server cannot be reached ({type(error).__name__})."
            return Outcome(MailState.DUE, self.down, tried=True)
        sender, recipient = message["From"].addresses[0].addr_spec, message["To"].addresses[0].addr_spec
        code: int
        answer: bytes | str
        try:
            connection.sendmail(sender, [recipient], message.as_bytes())
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = error.recipients[recipient]
        except smtplib.SMTPResponseException as error:
            code, answer = error.smtp_code, error.smtp_error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Outcome(MailState.DUE, f"The mail server broke off ({type(error).__name__}).", tried=True)
        else:
            return Outcome(MailState.SENT, tried=True)
        if code == 421:  # the server takes leave with it
            self.close()
        said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        text = "".join(character if character.isprintable() else " " for character in said)  # no NUL fits in a column
        return Outcome(MailState.FAILED if code >= 500 else MailState.DUE, f"{code} {text}", tried=True)
