"""The two ways to work through reminders that are compared: in batches, and as a Celery task each. Both do all that the
drain does, up to the moment at which the mail server would be asked."""

from __future__ import annotations

from datetime import datetime

from clinic.celery import app


def deliver(size: int, now: datetime) -> int:
    """Claim up to so many reminders that are due, read and write what they say, hold it to the list of what no mail
    says, and record them as sent; returns how many."""
    from django.db import transaction

    from scheduling.mails import drain, gathering, letters
    from scheduling.mails.letters import Outcome
    from scheduling.mails.mime import Message
    from scheduling.mails.server import Server
    from scheduling.models import MailState

    class Nowhere(Server):
        """Takes every mail, without a connection."""

        def send(self, message: Message) -> Outcome:
            return Outcome(MailState.SENT if message.as_bytes() else MailState.FAILED, tried=True)

    server = Nowhere()
    with transaction.atomic(durable=True):
        claimed, results = drain._claim(size, now)  # noqa: SLF001 the drain's own steps are measured, not a copy
        mails = gathering.read(claimed)
        for mail, letter in zip(mails, letters.write_all(mails, now=now), strict=True):
            if not isinstance(letter, Outcome):
                letter = drain._deliver(mail, letter, server, now)  # noqa: SLF001, PLW2901 as above; what became of it
            results.append((mail, letter))
        drain._record(results, now)  # noqa: SLF001 as above
    return len(results)


@app.task(name="benchmark.reminder")
def reminder(now: str) -> None:
    """One reminder as a task of its own."""
    deliver(1, datetime.fromisoformat(now))
