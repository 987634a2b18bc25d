"""Register a patient, change what is known of one. A likely double is asked about before it is made."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from difflib import SequenceMatcher
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, Value
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import DomainError, Invalid
from clinic.models import Staff
from clinic.permissions import Verb
from patients import contact
from patients.models import Channel, ContactLevel, Patient

#: Names this alike, on one birth date, may be the same person (P); 1 is equal.
ALIKE = 0.8

#: Family names with so few letters that differ, on one birth date, may be the same person (P).
FEW_LETTERS = 2

#: Any number will do, as long as nothing else in the database locks by it.
_REGISTERING = 7_305_001

#: What `change` may change.
CHANGEABLE = frozenset({"first_name", "last_name", "birth_date", "email", "phone", "referred_by", "language"})

FIRST_BIRTH_DATE = date(1900, 1, 1)


class PossibleDuplicate(DomainError):
    """Somebody like this is registered already. `candidates` are those patients, the likeliest first."""

    code = "possible_duplicate"
    status = 409

    def __init__(self, message: str, *, candidates: Sequence[Patient]) -> None:
        super().__init__(message, candidates=list(candidates))
        self.candidates = tuple(candidates)


def digits(phone: str) -> str:
    """What a search by phone compares: the digits of a number alone."""
    return "".join(filter(str.isdecimal, unicodedata.normalize("NFKC", phone)))


def record_number(number: int) -> str:
    """The record number of the patient with this id."""
    return f"P{number:06}"


def register(
    *,
    actor: Staff,
    first_name: str,
    last_name: str,
    birth_date: date,
    email: str = "",
    phone: str = "",
    referred_by: str = "",
    language: str = "en",
    not_duplicate: bool = False,
    mail_consent: ContactLevel | None = None,
    phone_consent: ContactLevel | None = None,
    now: datetime,
) -> Patient:
    """Register a patient under a new record number.

    `mail_consent` and `phone_consent` are what the patient has said about being reached; an address without a word on
    mails means neutral ones (`contact.renewed`). Registrations wait for each other, so that two at once see each other.
    Raises RoleRefused, Invalid for a birth date that cannot be or a consent that cannot be given, and PossibleDuplicate
    unless `not_duplicate` says that it is somebody else.
    """
    permissions.require(actor, Verb.BOOK)
    _check_birth_date(birth_date, now)
    with transaction.atomic():
        number = _next_number()
        if not not_duplicate and (candidates := possible_duplicates(first_name, last_name, birth_date, phone)):
            raise PossibleDuplicate(_("Somebody like this is registered already."), candidates=candidates)
        patient = Patient.objects.create(
            pk=number,
            record_number=record_number(number),
            first_name=first_name,
            last_name=last_name,
            birth_date=birth_date,
            email=email,
            phone=phone,
            phone_digits=digits(phone),
            referred_by=referred_by,
            language=language,
            created_at=now,
            email_since=now if email else None,
        )
        contact.renewed(actor=actor, patient=patient, level=mail_consent, changed=bool(email), now=now)
        if phone_consent is not None:
            contact.told(actor=actor, patient=patient, channel=Channel.PHONE, level=phone_consent, now=now)
    return patient


def change(
    *,
    actor: Staff,
    patient: Patient,
    mail_consent: ContactLevel | None = None,
    phone_consent: ContactLevel | None = None,
    now: datetime,
    **fields: Any,
) -> Patient:
    """Change some of CHANGEABLE, the others stay; locks the patient's row and returns it as it then is.

    Another mail address is neither verified nor faulty; what the patient says about mails and calls is `mail_consent`
    and `phone_consent`, see `contact.renewed`. Raises RoleRefused, and Invalid for a birth date that cannot be or a
    consent that cannot be given.
    """
    permissions.require(actor, Verb.BOOK)
    if unknown := fields.keys() - CHANGEABLE:
        raise TypeError(f"no field of a patient that can be changed: {', '.join(sorted(unknown))}")
    if "birth_date" in fields:
        _check_birth_date(fields["birth_date"], now)
    if "phone" in fields:
        fields["phone_digits"] = digits(fields["phone"])
    with transaction.atomic():
        fresh = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        before = fresh.email
        for name, value in fields.items():
            setattr(fresh, name, value)
        fresh.save(update_fields=list(fields))
        changed = fresh.email.casefold() != before.casefold()
        contact.renewed(actor=actor, patient=fresh, level=mail_consent, changed=changed, now=now)
        if phone_consent is not None:
            contact.told(actor=actor, patient=fresh, channel=Channel.PHONE, level=phone_consent, now=now)
    return fresh


def possible_duplicates(first_name: str, last_name: str, birth_date: date, phone: str = "") -> list[Patient]:
    """Who may be this person, the likeliest first: the same name, in either order; or the same birth date and a similar
    name, one name of the two, a family name of which FEW_LETTERS differ, or the same phone number. One query."""
    first, last = Lower(Value(first_name)), Lower(Value(last_name))
    known = Patient.objects.alias(first=Lower("first_name"), last=Lower("last_name")).filter(
        Q(birth_date=birth_date) | Q(last=last, first=first) | Q(last=first, first=last)
    )
    given, number = (_plain(first_name), _plain(last_name)), digits(phone)
    alike = []
    for other in known:
        names = _plain(other.first_name), _plain(other.last_name)
        likeness = _likeness(given, names)
        if likeness >= ALIKE or _share(given, names) or (number and number == other.phone_digits):
            alike.append((-likeness, other.birth_date != birth_date, other.pk, other))
    return [other for *_rank, other in sorted(alike)]


def _share(given: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether one of the two names is the same, or the family names differ by FEW_LETTERS at the most.

    Names of which those are all the letters, or nearly all, have to be the same.
    """
    (first, last), (other_first, other_last) = given, other
    if first == other_first or last == other_last:
        return True
    return min(len(last), len(other_last)) > FEW_LETTERS + 1 and _letters_apart(last, other_last) <= FEW_LETTERS


def _letters_apart(one: str, other: str) -> int:
    """How many letters have to be put in, taken out or replaced to make one word of the other."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, start=1):
        above, row = row, [place]
        for column, match in enumerate(other, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != match)))
    return row[-1]


def _likeness(given: tuple[str, str], other: tuple[str, str]) -> float:
    """How alike two names are, from 0 to 1, also when first and last name are swapped.

    Both halves have to be alike; a first name counts as alike when it begins as the other does (Alex, Alexander).
    """
    return max(
        min(max(_ratio(a, c), float(a.startswith(c) or c.startswith(a))), _ratio(b, d))
        for (a, b), (c, d) in ((given, other), (given[::-1], other))
    )


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _plain(name: str) -> str:
    """A name without case, accents, spaces and hyphens."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def _next_number() -> int:
    """Wait for other registrations, then take the next id of a patient; has to run inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s), nextval(pg_get_serial_sequence('patients_patient', 'id'))",
            [_REGISTERING],
        )
        return int(cursor.fetchone()[1])


def _check_birth_date(birth_date: date, now: datetime) -> None:
    # Somewhere it is tomorrow already.
    if not FIRST_BIRTH_DATE <= birth_date <= (now + timedelta(hours=14)).date():
        raise Invalid.at("birth_date", _("A birth date is neither in the future nor before 1900."))
