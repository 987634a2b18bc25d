"""What the provider that carries our mails tells of them afterwards: an address that is none, mail that is unwanted.

The mail server takes a mail and says yes; that it came back is told hours later, to an address of ours
(`scheduling/views/mail_events.py`). An event names the address and sometimes the mail.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason

from clinic.findings import gettext_noop
from patients import contact, worklist
from patients.models import AddressFault, ConsentSource, Patient, TaskKind
from scheduling import writes
from scheduling.mails import letters
from scheduling.models import Attempt, Mail, MailState

#: What is known of a mail that came back without a word.
RETURNED = gettext_noop("It came back.")

#: An event speaks of mails that were sent lately (P): later nothing about them matters any more, ...
LATELY = timedelta(days=30)
#: ... and a provider's clock may differ from ours so much.
_CLOCKS = timedelta(minutes=5)

#: A status of SMTP (RFC 5321, RFC 3463). The first in an answer counts, behind it may stand any number; one with a 4
#: means: not now, perhaps later.
_STATUS = re.compile(r"(?<![\d.])([245])(?:\d\d|\.\d{1,3}\.\d{1,3})(?![\d.])")
#: What Postmark and SendGrid call a bounce though it says nothing of the address.
_SOFT = frozenset({"SoftBounce", "blocked"})


def received(event: AnymailTrackingEvent, *, now: datetime) -> None:
    """Act on what a provider tells: what came back for good is the fault of the address and fails the mail; who
    reported mail as unwanted, or unsubscribed at the provider, gets no more. All else changes nothing, and nor does the
    same event again. Locks the patients' rows, then the mail's.
    """
    kind, reason = event.event_type, event.reject_reason
    if kind == EventType.COMPLAINED or reason == RejectReason.SPAM:
        writes.commit(lambda: _unwanted(event, ConsentSource.COMPLAINT, now))
    elif kind == EventType.UNSUBSCRIBED or reason == RejectReason.UNSUBSCRIBED:
        writes.commit(lambda: _unwanted(event, ConsentSource.UNSUBSCRIBE, now))
    elif kind == EventType.REJECTED or (kind == EventType.BOUNCED and not _is_soft(event)):
        writes.commit(lambda: _came_back(event, now))
    elif kind == EventType.FAILED:  # the provider's doing, not the address's
        writes.commit(lambda: _fail(_named(event, now), event, now))


def _unwanted(event: AnymailTrackingEvent, source: ConsentSource, now: datetime) -> None:
    for patient in _patients(event):
        contact.stop(actor=None, patient=patient, source=source, now=now)


def _came_back(event: AnymailTrackingEvent, now: datetime) -> None:
    """The mail is the one that the event names, otherwise the last to the address; that of an address which is known to
    be bad was failed before."""
    new = contact.fault(address=event.recipient or "", fault=AddressFault.BOUNCED, now=now)
    mail = _named(event, now) or _last_to(new, event, now)
    if mail is not None and _return(mail, event, now) and not new:
        _tell(mail, now)


def _fail(mail: Mail | None, event: AnymailTrackingEvent, now: datetime) -> None:
    if mail is not None and _return(mail, event, now):
        _tell(mail, now)


def _return(mail: Mail, event: AnymailTrackingEvent, now: datetime) -> bool:
    """Fail a mail that had been sent; whether it was not failed before."""
    said = " ".join(str(event.mta_response or event.description or "").split())
    reason = "".join(character for character in said if character.isprintable())[:300] or RETURNED
    sent = Mail.objects.filter(pk=mail.pk, state=MailState.SENT)
    if not sent.update(state=MailState.FAILED, sent_at=None, settled_at=now, error=reason):
        return False
    mail.state, mail.sent_at, mail.error = MailState.FAILED, None, reason
    Attempt.objects.create(mail=mail, at=now, state=MailState.FAILED, answer=reason)
    return True


def _tell(mail: Mail, now: datetime) -> None:
    """A line for a mail that is lost though the patient's address is as good as before."""
    details = {"mail": mail.pk, "kind": mail.kind, "reason": mail.error}
    key = f"mail-{mail.pk}"
    worklist.open_task(
        kind=TaskKind.FAILED_MAIL, patient=mail.patient, course=mail.course, key=key, details=details, now=now
    )


def _patients(event: AnymailTrackingEvent) -> list[Patient]:
    """Who has the address now; an event without an address is nobody's."""
    return list(Patient.objects.filter(email__iexact=event.recipient or "").exclude(email="").order_by("pk"))


def _named(event: AnymailTrackingEvent, now: datetime) -> Mail | None:
    """The mail whose Message-ID the event has, among those that went to the address lately: providers that take mails
    by SMTP often give them numbers of their own."""
    name = str(event.message_id or "").strip("<>").partition("@")[0]
    if not name:
        return None
    recent = Mail.objects.filter(state__in=[MailState.SENT, MailState.FAILED], due_at__gte=now - LATELY)
    mine = recent.filter(patient__email__iexact=event.recipient or "").select_related("patient", "course")
    return next((mail for mail in mine.order_by("-pk") if letters.key_of(mail) == name), None)


def _last_to(patients: list[Patient], event: AnymailTrackingEvent, now: datetime) -> Mail | None:
    """The last mail that went to these patients before the event."""
    until = min(event.timestamp or now, now) + _CLOCKS
    sent = Mail.objects.filter(patient__in=patients, state=MailState.SENT, sent_at__range=(now - LATELY, until))
    return sent.select_related("patient", "course").order_by("-sent_at", "-pk").first()


def _is_soft(event: AnymailTrackingEvent) -> bool:
    """Whether the address may be good: the mailbox is full, the server asks to come back later."""
    raw = event.esp_event if isinstance(event.esp_event, dict) else {}
    kinds = {str(raw.get(name, "")) for name in ("Type", "type")}
    status = _STATUS.search(str(event.mta_response or ""))
    return bool(kinds & _SOFT or (status and status[1] == "4"))
