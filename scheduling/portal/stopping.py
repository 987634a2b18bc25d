"""No more mails: by the button of a mail program (RFC 8058), or of the page behind a mail's link. For ever, from any
mail: neither a move nor a date makes this link void."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from clinic.errors import Stale
from patients import contact
from patients.models import AddressFault, Channel, ConsentSource, ContactLevel
from scheduling import writes
from scheduling.mails import outbox
from scheduling.models import Mail
from scheduling.portal import access


def is_about(mail: Mail) -> bool:
    """Whether whoever has this mail speaks for the patient's present address: nothing goes to an earlier one anyway,
    and it is not theirs to say what goes to the next."""
    return mail.patient.email_fault != AddressFault.NOT_MINE and access.went_to_present_address(mail)


def stop(mail: Mail, *, source: ConsentSource, language: str | None = None, now: datetime) -> None:
    """Send the patient no more mails, once however often it is asked; the desk sees a line on the worklist. Does
    nothing for a mail that went to an earlier address. Locks the patient's row."""

    def work() -> None:
        contact.stop(actor=None, patient=mail.patient, source=source, language=language, now=now)

    if is_about(mail):
        with suppress(Stale):  # the address has just become another
            writes.commit(work)


def keep(mail: Mail, *, language: str | None = None, now: datetime) -> None:
    """Stopping was a mistake: send neutral mails, and what was not queued meanwhile. Does nothing for a mail that went
    to an earlier address, or for a patient who has not stopped mails. Locks the patient's row."""

    def work() -> None:
        contact.agree(
            actor=None,
            patient=mail.patient,
            channel=Channel.EMAIL,
            level=ContactLevel.NEUTRAL,
            source=ConsentSource.PAGE,
            language=language,
            now=now,
        )
        outbox.catch_up(patient=mail.patient, now=now)

    if is_about(mail) and mail.patient.email and mail.patient.mail_level == ContactLevel.STOPPED:
        with suppress(Stale):
            writes.commit(work)
