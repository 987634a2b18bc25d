"""The drain of the outbox: a loop over the mails that are due, batch by batch.

How it keeps its promises:
- Nothing is lost. A row stays due until its result is committed. A batch is one transaction that locks its rows
  (FOR NO KEY UPDATE SKIP LOCKED), sends what they say and records the results; when a worker dies, PostgreSQL frees
  the rows that it held, and the next drain finds them still due.
- Nothing is sent twice, but for one moment. The instant the mail server has accepted a mail, that is committed as an
  Attempt, on a connection of its own (`notes.py`); whoever claims the rows of a worker that died settles by it what was
  sent. So a double takes a worker, or a connection, that ends between the server's answer and that commit: at most one
  mail for each that ends so; its Message-ID stays the same, so the double can be recognised.
- Nothing stale is sent. What mails say is read after their rows are locked (`letters.py`), and again when a slow server
  has let that grow old; a verb that changes dates withdraws what is due. It never waits for a drain: a mail that is on
  its way in that moment is let go, the news of the change follows it.
- Nobody waits for another's mail. What the server refuses for good (5xx) fails at once onto the worklist; everything
  else is tried again, after a minute at most, for as long as it is worth sending, then it fails onto the worklist. A
  row that cannot be read or written is put aside, the others go out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, connection, transaction

from clinic.findings import gettext_noop
from patients import worklist
from patients.models import Task, TaskKind
from scheduling.mails import emails, gathering, letters, mime, privacy
from scheduling.mails.emails import Letter
from scheduling.mails.letters import Outcome
from scheduling.mails.notes import Notes
from scheduling.mails.server import Server
from scheduling.models import Attempt, Mail, MailState

logger = logging.getLogger(__name__)

#: How long after a failed try the next one follows; it doubles with each, up to the longest.
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=1)

#: A mail that has been due for so long without success makes a line on the worklist, and is tried on.
OVERDUE = timedelta(hours=4)

#: What was read for a batch is read again after so many seconds.
FRESH = 1.0

BAD_ADDRESS = gettext_noop("Mail cannot go to this address.")
BROKEN = gettext_noop("It could not be written.")

_UPDATE = """
UPDATE scheduling_mail AS mail
SET state = done.state, error = done.error, attempts = done.attempts, sent_at = done.sent_at,
    settled_at = done.settled_at, try_at = done.try_at
FROM unnest(%s::bigint[], %s::varchar[], %s::varchar[], %s::smallint[], %s::timestamptz[], %s::timestamptz[],
            %s::timestamptz[])
    AS done (id, state, error, attempts, sent_at, settled_at, try_at)
WHERE mail.id = done.id
"""

Results = list[tuple[Mail, Outcome]]


def send_batch(*, now: datetime, size: int = 100, seconds: float = 30.0, fresh: float = FRESH) -> int:
    """Deal with up to `size` mails that are due, over one connection to the mail server; begins none after `seconds`.

    Returns how many are settled: sent, failed or withdrawn. Locks them until all are dealt with; drains that run at
    the same time share the work. As many queries for many mails as for one, and the reading again for each `fresh`
    seconds that the batch takes. Raises what the database raises, nothing that a mail or the mail server does.
    """
    ends = time.monotonic() + seconds
    with Server() as server, Notes() as notes, transaction.atomic(durable=True):
        left, results = _claim(size, now)
        while left and time.monotonic() < ends:
            done = _send(left, server, notes, now, min(ends, time.monotonic() + fresh))
            results += done
            left = left[len(done) :]
        _record(results, now)
    return sum(outcome.state != MailState.DUE for _, outcome in results)


def _claim(size: int, now: datetime) -> tuple[list[int], Results]:
    """Lock mails that are due and that nobody else holds; returns those to be sent, and those of which a worker that
    died has written down that they went out."""
    due = Mail.objects.filter(state=MailState.DUE, try_at__lte=now).order_by("try_at", "pk")
    free = due.select_for_update(skip_locked=True, of=("self",), no_key=True)
    claimed = list(free.values_list("pk", flat=True)[:size])
    tries = Attempt.objects.filter(mail__in=claimed, state=MailState.SENT).order_by("pk")
    sent = dict(reversed(tries.values_list("mail_id", "at")))
    known = gathering.read(sent.keys()) if sent else []
    results = [(mail, Outcome(MailState.SENT, tried=True, at=sent[mail.pk])) for mail in known]
    return [pk for pk in claimed if pk not in sent], results


def _send(claimed: Sequence[int], server: Server, notes: Notes, now: datetime, until: float) -> Results:
    """Read these mails and deal with one of them at least, in their order, and with as many more as begin in time."""
    mails = gathering.read(claimed)
    results: Results = []
    for mail, letter in zip(mails, _write(mails, now), strict=True):
        if isinstance(letter, Letter):
            _still_hold()
            outcome = _deliver(mail, letter, server, now)
        else:
            outcome = letter
        if outcome.state == MailState.SENT:
            notes.sent(mail.pk, now)
        results.append((mail, outcome))
        if time.monotonic() >= until:
            break
    return results


def _still_hold() -> None:
    """Raise when the connection of the batch has ended, and its locks with it: by now others may send these mails.

    Asked for every mail, past Django: the one question that is not asked for a batch as a whole, and reads nothing.
    """
    with connection.wrap_database_errors:
        connection.connection.execute("SELECT")


def _write(mails: Sequence[Mail], now: datetime) -> list[Letter | Outcome]:
    """What the mails say; where one of them cannot be read, the halves are read apart, down to that one."""
    try:
        with transaction.atomic():
            return letters.write_all(mails, now=now)
    except (OperationalError, InterfaceError):  # the database is away, no mail is to blame
        raise
    except Exception:  # whatever is wrong with one mail, the others go out; this one once it is repaired
        if len(mails) == 1:
            logger.exception("Mail %s could not be written.", mails[0].pk)
            return [_broken(mails[0], now)]
    half = len(mails) // 2
    return [*_write(mails[:half], now), *_write(mails[half:], now)]


def _deliver(mail: Mail, letter: Letter, server: Server, now: datetime) -> Outcome:
    if server.down:
        return Outcome(MailState.DUE, server.down, tried=True)
    try:
        message = emails.compose(letter, now=now)
        hits = privacy.examine(message, values=letters.private_values(mail.patient), recipient=letter.recipient)
        if hits:
            found = "; ".join(f"{hit.where}: {hit.words}" for hit in hits)
            return Outcome(MailState.FAILED, f"Held back, it would have said: {found}")
        return server.send(message)
    except mime.BadAddress:
        return Outcome(MailState.FAILED, BAD_ADDRESS)
    except Exception:  # as above
        logger.exception("Mail %s could not be written.", mail.pk)
        server.close()
        return _broken(mail, now)


def _broken(mail: Mail, now: datetime) -> Outcome:
    """Tried again while it is worth sending; otherwise it would be the first of every batch, for ever."""
    over = mail.expires_at is not None and mail.expires_at <= now
    return Outcome(MailState.FAILED if over else MailState.DUE, BROKEN, tried=True)


def _record(results: Results, now: datetime) -> None:
    """Write the results down, and onto the worklist what somebody has to know. Four statements at most."""
    tries, arrived, lines = [], [], []
    for mail, outcome in results:
        reason = outcome.reason[:300]
        if outcome.tried and outcome.state != MailState.SENT and reason != mail.error:  # the same again is no news
            tries.append(Attempt(mail=mail, at=now, state=outcome.state, answer=reason))
        if outcome.state == MailState.SENT:
            mail.sent_at = outcome.at or now
            if mail.attempts or mail.error:
                arrived.append(_key(mail))
        elif outcome.state == MailState.DUE:
            mail.try_at = _next_try(mail, outcome, now)
        if outcome.state != MailState.DUE:
            mail.settled_at = outcome.at or now
        mail.state, mail.error = outcome.state, reason
        mail.attempts = min(mail.attempts + outcome.tried, 32767)
        overdue = outcome.state == MailState.DUE and now - mail.due_at >= OVERDUE
        if outcome.state == MailState.FAILED or overdue:
            lines.append(_line(mail, outcome, now))
    _update([mail for mail, _ in results])
    Attempt.objects.bulk_create(tries)
    worklist.open_tasks(lines)
    if arrived:
        Task.objects.filter(kind=TaskKind.FAILED_MAIL, key__in=arrived, done_at=None).update(done_at=now)


def _update(mails: Sequence[Mail]) -> None:
    """Write back what has become of these mails, in one statement: Django's own would be the slowest of a batch."""
    rows = [
        (mail.pk, mail.state, mail.error, mail.attempts, mail.sent_at, mail.settled_at, mail.try_at) for mail in mails
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, [list(column) for column in zip(*rows, strict=True)])


def _next_try(mail: Mail, outcome: Outcome, now: datetime) -> datetime:
    pause = min(FIRST_PAUSE * 2 ** min(mail.attempts, 8), LONGEST_PAUSE) if outcome.tried else LONGEST_PAUSE
    again = outcome.again or now + pause
    return min(again, mail.expires_at) if mail.expires_at and mail.expires_at > now else again


def _line(mail: Mail, outcome: Outcome, now: datetime) -> Task:
    """The line that says what has become of a mail; of a patient to whom none can go there is one for all of them."""
    if outcome.line == TaskKind.FAILED_MAIL:
        key, details = _key(mail), {"mail": mail.pk, "kind": mail.kind, "reason": mail.error}
    else:
        key, details = "", letters.explained(outcome)
    return Task(kind=outcome.line, patient=mail.patient, course=mail.course, key=key, details=details, since=now)


def _key(mail: Mail) -> str:
    return f"mail-{mail.pk}"
