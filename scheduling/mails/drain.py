"""The drain of the outbox: a loop over the mails that are due.

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

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction

from clinic.findings import gettext_noop
from patients import worklist
from patients.models import TaskKind
from scheduling.mails import emails, letters, privacy
from scheduling.mails.letters import Outcome
from scheduling.mails.server import Server
from scheduling.models import Mail, MailState

logger = logging.getLogger(__name__)

#: How long after a failed try the next one follows; it doubles with each, up to the longest.
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=1)

#: A mail that has been due for so long without success makes a line on the worklist, and is tried on.
OVERDUE = timedelta(hours=4)

BAD_ADDRESS = gettext_noop("Mail cannot go to this address.")
BROKEN = gettext_noop("It could not be written.")


def send_batch(*, now: datetime, size: int = 100, seconds: float = 30.0) -> int:
    """Deal with up to `size` mails that are due, over one connection to the mail server; begins none after `seconds`.

    Returns how many are settled: sent, failed or withdrawn. Locks one mail at a time, see above; drains that run at
    the same time share the work. Raises what the database raises, nothing that a mail or the mail server does.
    """
    ends = time.monotonic() + seconds
    due = Mail.objects.filter(state=MailState.DUE, try_at__lte=now).order_by("try_at", "pk")
    settled = 0
    with Server() as server:
        for pk in list(due.values_list("pk", flat=True)[:size]):
            if time.monotonic() >= ends:
                break
            settled += _settle(pk, server, now)
    return settled


def _settle(pk: int, server: Server, now: datetime) -> bool:
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


def _deliver(mail: Mail, server: Server, now: datetime) -> Outcome:
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
