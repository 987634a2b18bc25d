"""What patients answer behind the link of a mail: that they come, that they want to be called, who takes them home.

The verbs of whoever holds a link: `Access` says of whom and of which visits, and only of those. Events name nobody
(`by=None`). Each locks as the desk's verbs do, reads again, and taken twice has happened once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.errors import Invalid, Stale
from patients import contact, worklist
from patients.models import AddressFault, Channel, Consent, ConsentSource, ContactLevel, Patient, Task, TaskKind
from scheduling import placing, writes
from scheduling.mails import outbox
from scheduling.models import Mail, Reply, Session, SessionState
from scheduling.portal import typed
from scheduling.portal.access import AWAITED, Access

LONGEST_NAME, LONGEST_PHONE = 100, 40


class BestTime(StrEnum):
    """When a patient likes to be called."""

    ANY = ""
    MORNING = "morning"
    NOON = "noon"
    AFTERNOON = "afternoon"


def come(*, access: Access, visits: Mapping[int, int], coming: bool = True, now: datetime) -> tuple[Session, ...]:
    """The patient says yes to visits to come, or with `coming` False takes it back; returns those that were changed.

    `visits` are their ids, each with the version of its times that the patient saw. Locks their days, so that boards
    see it, then the patient. Raises Stale, and changes nothing, when one is not the link's, was moved or given up, has
    begun, or needs a new time.
    """
    course = access.course

    def work() -> tuple[Session, ...]:
        if course is None or not visits:
            raise Stale(_("There is nothing to answer any more."))
        fresh = _locked(access, visits, now)
        for session in fresh:
            if session.state not in AWAITED or session.starts_at <= now or session.needs_replan:
                raise Stale(_("This date can no longer be answered here. Please call us."))
            if session.times_version != visits[session.pk]:
                raise Stale(_("The dates have changed since you opened the page. Please look again."))
        wanted = SessionState.CONFIRMED if coming else SessionState.BOOKED
        changed = [session for session in fresh if session.state != wanted]
        if not changed:
            return ()
        at = now if coming else None
        for session in changed:
            session.state, session.confirmed_at = wanted, at
        Session.objects.filter(pk__in=[session.pk for session in changed]).update(state=wanted, confirmed_at=at)
        kind = "confirmed" if coming else "not-confirmed"
        placing.record(course, kind, by=None, now=now, sessions=changed, page=True)
        return tuple(changed)

    return writes.commit(work)


def call(
    *,
    access: Access,
    best: BestTime = BestTime.ANY,
    phone: str = "",
    request_id: UUID | None = None,
    now: datetime,
) -> bool:
    """The patient asks to be called, at a number that is not ours yet if they say one; whether a line was put on the
    worklist. While one is open there is no second: it says what was asked last. The same request does nothing again.

    Locks the patient. Raises Invalid without any number to call.
    """
    phone = typed.line(phone)
    if not phone and not access.patient.phone:
        raise Invalid.at("phone", _("Please say at which number we reach you."))
    if phone and (len(phone) > LONGEST_PHONE or sum(letter.isdigit() for letter in phone) < 5):
        raise Invalid.at("phone", _("This is no phone number."))
    once = writes.Once("portal-call", request_id, {"mail": access.mail.pk, "best": best, "phone": phone})

    def work() -> bool:
        if once.claim(now):
            return False
        writes.lock_patient(access.patient.pk)
        details: dict[str, object] = {"best": best.value, "phone": phone}
        if waiting := _call_asked(access.patient):
            said = {**waiting.details, **details}
            Task.objects.filter(pk=waiting.pk).update(details=said, snoozed_until=None)
            once.remember(asked=False)
            return False
        details |= {"session": access.session.pk} if access.session else {}
        worklist.open_task(
            kind=TaskKind.CALL_ASKED, patient=access.patient, course=access.course, details=details, now=now
        )
        if access.course is not None:
            sessions = [access.session] if access.session else []
            placing.record(access.course, "call-asked", by=None, now=now, sessions=sessions)
        once.remember(asked=True)
        return True

    return writes.commit(work)


def call_off(*, access: Access, now: datetime) -> None:
    """The patient needs no call any more: the line goes from the worklist. Locks the patient."""

    def work() -> None:
        writes.lock_patient(access.patient.pk)
        if _call_asked(access.patient) is not None:
            worklist.close_tasks(kind=TaskKind.CALL_ASKED, patient=access.patient, now=now)
            if access.course is not None:
                sessions = [access.session] if access.session else []
                placing.record(access.course, "call-taken-back", by=None, now=now, sessions=sessions)

    writes.commit(work)


def _call_asked(patient: Patient) -> Task | None:
    """The line that asks the desk to call. One query."""
    return patient.tasks.filter(kind=TaskKind.CALL_ASKED, done_at=None).first()


def escort(*, access: Access, visits: Collection[int], name: str, phone: str, now: datetime) -> None:
    """The patient says who takes them home from these visits; an empty name takes it back.

    Locks their days, so that boards see it, then the patient. Raises Invalid for what is no name or number, and for no
    name where nobody was named; Stale for visits that are not the link's, given up, or under way: then it is said at
    the desk.
    """
    name, phone = typed.line(name), typed.line(phone)
    if len(name) > LONGEST_NAME:
        raise Invalid.at("escort_name", _("This name is too long."))
    if phone and (len(phone) > LONGEST_PHONE or sum(letter.isdigit() for letter in phone) < 5):
        raise Invalid.at("escort_phone", _("This is no phone number."))
    if phone and not name:
        raise Invalid.at("escort_name", _("Please say a name, too."))
    course = access.course

    def work() -> None:
        if course is None or not visits:
            raise Stale(_("There is nothing to answer any more."))
        fresh = _locked(access, visits, now)
        if any(session.state not in AWAITED for session in fresh):
            raise Stale(_("This visit has begun: please tell us when you see us."))
        told = {
            reply.session_id: (reply.escort_name, reply.escort_phone)
            for reply in Reply.objects.filter(session__in=fresh)
        }
        changed = [session for session in fresh if told.get(session.pk, ("", "")) != (name, phone)]
        if not changed and not name:
            raise Invalid.at("escort_name", _("Please write a name."))
        replies = [Reply(session=session, escort_name=name, escort_phone=phone, updated_at=now) for session in changed]
        Reply.objects.bulk_create(
            replies,
            update_conflicts=True,
            unique_fields=["session"],
            update_fields=["escort_name", "escort_phone", "updated_at"],
        )
        if changed:
            kind = "escort-named" if name else "escort-taken-back"
            placing.record(course, kind, by=None, now=now, sessions=changed)

    writes.commit(work)


def speak(*, access: Access, language: str, now: datetime) -> None:
    """Mails and pages come in this language from now on. Locks the patient's row."""

    def work() -> None:
        writes.lock_patient(access.patient.pk)
        Patient.objects.filter(pk=access.patient.pk).update(language=language)

    writes.commit(work)


def agree(*, access: Access, level: ContactLevel, language: str, now: datetime) -> Consent:
    """The patient chooses neutral or detailed mails, and has read the words in this language. See `contact.agree`. Who
    had stopped them hears what was withheld meanwhile."""

    def work() -> Consent:
        consent = contact.agree(
            actor=None,
            patient=access.patient,
            channel=Channel.EMAIL,
            level=level,
            source=ConsentSource.PAGE,
            language=language,
            now=now,
        )
        outbox.catch_up(patient=access.patient, now=now)
        return consent

    return writes.commit(work)


def not_mine(*, access: Access, now: datetime) -> None:
    """Whoever reads this mailbox is not the patient: no mail goes there and no link opens any more."""
    contact.fault(fault=AddressFault.NOT_MINE, patient=access.patient, now=now)


def acted(*, access: Access, now: datetime) -> None:
    """Somebody has pressed a button behind this link: the mail was read, its address is the patient's, and what was
    withheld while mails came back from it is told now.

    Waits for no batch in which the mail still is; then the next press notes it.
    """
    mail = access.mail
    if mail.opened_at is None:
        unread = Mail.objects.filter(pk=mail.pk, opened_at=None)
        with_lock = unread.select_for_update(skip_locked=True, of=("self",), no_key=True)
        writes.commit(lambda: Mail.objects.filter(pk__in=with_lock.values("pk")).update(opened_at=now))
    if contact.was_reached(access.patient, mail.sent_at):
        patient = access.patient
        was_faulty = patient.email_fault != AddressFault.NONE
        with transaction.atomic():
            contact.verify(patient=patient, address=patient.email, now=now)
            if was_faulty:
                outbox.catch_up(patient=patient, now=now)


def _locked(access: Access, visits: Collection[int], now: datetime) -> Sequence[Session]:
    """These visits under lock, read again. Raises Stale for one that the link does not open."""
    assert access.course is not None  # noqa: S101 asked by the verbs
    opened = [*access.sessions, *([access.session] if access.session else [])]
    dates = {session.local_date for session in opened if session.pk in visits}
    if not set(visits) <= {session.pk for session in opened}:
        raise Stale(_("The dates have changed since you opened the page. Please look again."))
    placing.lock(access.site, dates, access.patient.pk, now)
    fresh = list(Session.objects.filter(pk__in=visits, course=access.course).in_order())
    placing.require_locked(fresh, dates)
    return fresh
