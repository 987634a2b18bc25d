"""How a patient may be reached: what they agree to, what they take back, and whether their address is any good.

Who agrees does so to words, and the words are kept as they were read: in the patient's language, of that day. Nobody
who was not asked is mailed. The verbs write for the desk (`actor`) and for patients themselves (nobody) alike; each
locks the patient's row, and what has happened already happens once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.findings import gettext_noop
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import AddressFault, Channel, Consent, ConsentSource, ContactLevel, Patient, TaskKind

#: What is read out, or stands beside the button, when somebody agrees (protocol.md, part 5). That of the detailed mails
#: is the warning. Nobody agrees to more than a neutral message on the phone.
AGREED: Mapping[tuple[Channel, ContactLevel], str] = {
    (Channel.EMAIL, ContactLevel.NEUTRAL): gettext_noop(
        "We may send you mails about your appointments: our neutral name, your first name, dates, times, the place and "
        "our phone number. They never say what you come for, and you can stop them at any time."
    ),
    (Channel.EMAIL, ContactLevel.DETAILED): gettext_noop(
        "The mails may also say how to prepare: what to eat and drink, which medicines to ask us about, that somebody "
        "has to take you home. Mails are not secret: whoever reads yours - at home, at work, on a phone that is "
        "lost - could guess from this what you come for. You can go back to neutral mails at any time."
    ),
    (Channel.PHONE, ContactLevel.NEUTRAL): gettext_noop(
        "We may call you about your appointments. To anybody else, and on an answering machine, we leave only our "
        "neutral name and our number."
    ),
}

#: What is read out when somebody wants to hear no more on a channel.
TAKEN_BACK: Mapping[Channel, str] = {
    Channel.EMAIL: gettext_noop("We send you no mails; we tell you your dates by phone."),
    Channel.PHONE: gettext_noop("We do not call you."),
}

#: Who stops mails from a mail program has read none of our words: this is what has happened.
_UNREAD: Mapping[ConsentSource, str] = {
    ConsentSource.UNSUBSCRIBE: gettext_noop("The mail program asked us to send no more mails."),
    ConsentSource.COMPLAINT: gettext_noop("A mail of ours was reported as unwanted."),
}


def wording(channel: Channel, level: ContactLevel, language: str) -> str:
    """The words to which somebody agrees at this level, or with which they take it back, in a language."""
    with translation.override(language):
        return _(TAKEN_BACK[channel] if level == ContactLevel.STOPPED else AGREED[channel, level])


def words_of(patient: Patient) -> Mapping[str, str]:
    """What is read out to this patient about each level of mails, by its code."""
    levels = (ContactLevel.NEUTRAL, ContactLevel.DETAILED, ContactLevel.STOPPED)
    return {level.value: wording(Channel.EMAIL, level, patient.language) for level in levels}


@dataclass(frozen=True, slots=True)
class Standing:
    """What was ever agreed to and taken back, the latest first; of mails and the phone what counts now."""

    history: tuple[Consent, ...]

    @property
    def mail(self) -> Consent | None:
        """What counts for mails."""
        return self._latest(Channel.EMAIL)

    @property
    def phone(self) -> Consent | None:
        """What counts for the phone."""
        return self._latest(Channel.PHONE)

    def _latest(self, channel: Channel) -> Consent | None:
        return next((consent for consent in self.history if consent.channel == channel), None)


def read(patient: Patient) -> Standing:
    """What a patient has said about being reached. One query."""
    return Standing(tuple(Consent.objects.filter(patient=patient).select_related("by").order_by("-pk")))


def may_be_detailed(patient: Patient) -> bool:
    """Whether detailed mails can be agreed to: the address is the patient's, and works."""
    return bool(patient.email) and patient.email_verified_at is not None and not patient.email_fault


def level_of(patient: Patient, channel: Channel) -> ContactLevel:
    """What a patient has agreed to on a channel, UNASKED before anything was said. One query."""
    latest = latest_of(patient, channel)
    return ContactLevel(latest.level) if latest else ContactLevel.UNASKED


def latest_of(patient: Patient, channel: Channel) -> Consent | None:
    """The consent that counts on a channel. One query."""
    return Consent.objects.filter(patient=patient, channel=channel).order_by("-pk").first()


def was_reached(patient: Patient, sent_at: datetime | None) -> bool:
    """Whether a mail that went out then went to the address that the patient has now."""
    since = patient.email_since
    return bool(patient.email) and (since is None or (sent_at is not None and sent_at >= since))


def agree(
    *,
    actor: Staff | None,
    patient: Patient,
    channel: Channel,
    level: ContactLevel,
    source: ConsentSource,
    now: datetime,
    language: str | None = None,
) -> Consent:
    """Write down that a patient agrees to be reached on a channel, and to which words; returns what counts now.

    `language` is that in which the words were read, the patient's without. To agree again to the same words at the same
    address changes nothing. Takes the lines off the worklist that told of a stop. Locks the patient's row. Raises
    RoleRefused, Stale for a patient alone whose address was changed since `patient` was read, and Invalid for a channel
    without an address or number, for detailed mails to an address that is not verified, and for what can be agreed to
    nowhere.
    """
    if actor is not None:
        permissions.require(actor, Verb.BOOK)
    if (channel, level) not in AGREED:
        raise Invalid.at("level", _("This cannot be agreed to."))
    with transaction.atomic():
        fresh = _asked(patient, actor)
        address = fresh.email if channel == Channel.EMAIL else fresh.phone
        if not address:
            missing = _("There is no mail address.") if channel == Channel.EMAIL else _("There is no phone number.")
            raise Invalid.at("level", missing)
        if level == ContactLevel.DETAILED and not may_be_detailed(fresh):
            raise Invalid.at("level", _("Detailed mails go only to an address that the patient has verified."))
        words = wording(channel, level, language or fresh.language)
        consent = _write(fresh, channel, level, words, address, source, actor, now, language)
        if channel == Channel.EMAIL:
            worklist.close_tasks(kind=TaskKind.MAIL_STOPPED, patient=fresh, by=actor, now=now)
    patient.mail_level = fresh.mail_level
    return consent


def stop(
    *,
    actor: Staff | None,
    patient: Patient,
    channel: Channel = Channel.EMAIL,
    source: ConsentSource,
    now: datetime,
    language: str | None = None,
) -> Consent:
    """Write down that a patient wants to hear no more on a channel; returns what counts now.

    Who has stopped already is stopped as before. Mails that somebody stopped away from the desk make a line on the
    worklist. Locks the patient's row. Raises RoleRefused, and Stale as `agree` does.
    """
    if actor is not None:
        permissions.require(actor, Verb.BOOK)
    with transaction.atomic():
        fresh = _asked(patient, actor)
        latest = latest_of(fresh, channel)
        if latest is None or latest.level != ContactLevel.STOPPED:
            address = fresh.email if channel == Channel.EMAIL else fresh.phone
            with translation.override(language or fresh.language):
                words = _(_UNREAD.get(source, TAKEN_BACK[channel]))
            latest = _write(fresh, channel, ContactLevel.STOPPED, words, address, source, actor, now, language)
            if channel == Channel.EMAIL and source != ConsentSource.DESK:
                details = {"source": source.value}
                worklist.open_task(kind=TaskKind.MAIL_STOPPED, patient=fresh, details=details, now=now)
    patient.mail_level = fresh.mail_level
    return latest


def verify(*, patient: Patient, address: str, now: datetime) -> bool:
    """Write down that somebody has acted on a mail to this address, so that it is the patient's; whether it is verified
    now. A mail that has arrived also shows that the address works.

    Does nothing when the patient has another address by now, or when somebody has said that it is not the patient's.
    Locks the patient's row, once for each address.
    """
    if patient.email_verified_at is not None and not patient.email_fault and _same(patient.email, address):
        return True
    with transaction.atomic():
        fresh = _locked(patient)
        good = bool(fresh.email) and _same(fresh.email, address) and fresh.email_fault != AddressFault.NOT_MINE
        if good:
            fresh.email_verified_at = fresh.email_verified_at or now
            _without_fault(fresh, by=None, now=now)
            fresh.save(update_fields=["email_verified_at", "email_fault", "email_fault_at"])
            patient.email_verified_at, patient.email_fault = fresh.email_verified_at, fresh.email_fault
            patient.email_fault_at = fresh.email_fault_at
    return good


def fault(
    *, fault: AddressFault, address: str | None = None, patient: Patient | None = None, now: datetime
) -> list[Patient]:
    """Write down that no mail can go to an address any more: of everybody who has it (`address`, in capitals or not),
    or of one patient. Returns those for whom that is new; each is a line on the worklist. Locks their rows, by id.
    """
    if address is not None:
        known = Patient.objects.filter(email__iexact=address).exclude(email="")
    elif patient is not None:
        known = Patient.objects.filter(pk=patient.pk).exclude(email="")
    else:
        raise TypeError("a fault is that of an address or of a patient")
    with transaction.atomic():
        found = list(known.filter(email_fault=AddressFault.NONE).order_by("pk").select_for_update(no_key=True))
        for one in found:
            one.email_fault, one.email_fault_at = fault, now
            details = {"fault": fault.value}
            worklist.open_task(kind=TaskKind.BAD_ADDRESS, patient=one, details=details, now=now)
        Patient.objects.filter(pk__in=[one.pk for one in found]).update(email_fault=fault, email_fault_at=now)
    return found


def trust(*, actor: Staff, patient: Patient, now: datetime) -> Patient:
    """The desk has asked: the address is right, and mails are tried again; takes the line off. Locks the patient's row
    and returns it as it then is. Raises RoleRefused."""
    permissions.require(actor, Verb.BOOK)
    with transaction.atomic():
        fresh = _locked(patient)
        _without_fault(fresh, by=actor, now=now)
        fresh.save(update_fields=["email_fault", "email_fault_at"])
    return fresh


def renewed(*, actor: Staff, patient: Patient, level: ContactLevel | None, changed: bool, now: datetime) -> None:
    """Bring consent on mail in line with an address that was just entered (`changed`) or with what the desk was told.

    For `registering`, which holds the patient's row locked. An address without a word on mails is one that the desk has
    asked about: neutral mails. Who has stopped mails stays so until they say otherwise. Raises Invalid as `agree` does.
    """
    if changed:
        patient.email_verified_at, patient.email_since = None, now
        _without_fault(patient, by=actor, now=now)
        patient.save(update_fields=["email_verified_at", "email_since", "email_fault", "email_fault_at"])
    if level is None:
        if not (changed and patient.email) or patient.mail_level == ContactLevel.STOPPED:
            return
        level = ContactLevel.NEUTRAL
    told(actor=actor, patient=patient, channel=Channel.EMAIL, level=level, now=now)


def told(*, actor: Staff, patient: Patient, channel: Channel, level: ContactLevel, now: datetime) -> Consent:
    """Write down what a patient has said at the desk: that they agree, or that they want to hear no more. Locks the
    patient's row. Raises RoleRefused, and Invalid as `agree` does, at the name that forms have for it."""
    if level == ContactLevel.STOPPED:
        return stop(actor=actor, patient=patient, channel=channel, source=ConsentSource.DESK, now=now)
    try:
        return agree(actor=actor, patient=patient, channel=channel, level=level, source=ConsentSource.DESK, now=now)
    except Invalid as refusal:
        name = "mail_consent" if channel == Channel.EMAIL else "phone_consent"
        raise Invalid.at(name, refusal.message) from refusal


def _write(
    patient: Patient,
    channel: Channel,
    level: ContactLevel,
    words: str,
    address: str,
    source: ConsentSource,
    by: Staff | None,
    now: datetime,
    language: str | None,
) -> Consent:
    language, latest = language or patient.language, latest_of(patient, channel)
    if latest and (latest.level, latest.wording, latest.language, latest.address) == (level, words, language, address):
        return latest
    if channel == Channel.EMAIL and patient.mail_level != level:
        patient.mail_level = level
        patient.save(update_fields=["mail_level"])
    return Consent.objects.create(
        patient=patient,
        channel=channel,
        level=level,
        wording=words,
        language=language,
        address=address,
        source=source,
        at=now,
        by=by,
    )


def _without_fault(patient: Patient, *, by: Staff | None, now: datetime) -> None:
    patient.email_fault, patient.email_fault_at = AddressFault.NONE, None
    worklist.close_tasks(kind=TaskKind.BAD_ADDRESS, patient=patient, by=by, now=now)


def _asked(patient: Patient, actor: Staff | None) -> Patient:
    """The patient under lock. Who speaks from a mailbox speaks for that address, not for one that was entered since."""
    fresh = _locked(patient)
    if actor is None and not _same(fresh.email, patient.email):
        raise Stale(_("The mail address has changed meanwhile."))
    return fresh


def _locked(patient: Patient) -> Patient:
    return Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
