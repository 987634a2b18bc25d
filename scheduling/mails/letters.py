"""What a queued mail says at the moment at which it is sent, or why it is not sent any more.

A row of the outbox says only whom it concerns and what happened; dates are read when it goes out, so no mail tells a
date that has changed since. What the patient has not been told by an earlier mail - it was replaced, or failed - is
told along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from email.utils import parseaddr
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format

from clinic.findings import gettext_noop
from clinic.models import OpeningHours, Site
from patients.models import AddressFault, ContactLevel, Patient, TaskKind
from scheduling.mails import gathering, links
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.emails import Letter, Preparation
from scheduling.mails.gathering import NEWS, REMINDERS, Facts, News
from scheduling.missing import Missing
from scheduling.models import (
    FREED,
    RUNNING,
    Course,
    Evaluation,
    EvaluationState,
    Mail,
    MailKind,
    MailState,
    Session,
    SessionState,
)
from scheduling.protocols.reminder_times import QuietHours

#: The patient is expected and has not come yet.
EXPECTED = (SessionState.BOOKED, SessionState.CONFIRMED)

#: What does not go out in the quiet hours.
QUIET = frozenset((*REMINDERS, MailKind.MISSED))

NO_ADDRESS = gettext_noop("The patient has no mail address.")
UNASKED = gettext_noop("Nobody has asked the patient about mails.")
NOT_ASKED = gettext_noop("The patient was not asked about mails yet: tell dates and changes by phone, and ask.")
STOPPED = gettext_noop("The patient wants no mails.")
FAULTY = gettext_noop("Mails do not reach the patient at this address.")
REPLACED = gettext_noop("A later mail says it.")
NOT_EXPECTED = gettext_noop("The patient is not expected then any more.")
MOVED = gettext_noop("The visit was moved.")
FREED_VISIT = gettext_noop("The visit was cancelled.")
NOT_COME = gettext_noop("The patient did not come.")
HAS_COME = gettext_noop("The patient has come.")
EVALUATION_CANCELLED = gettext_noop("The evaluation was cancelled.")
NOT_MISSED = gettext_noop("The visit was not missed after all.")
NOTHING_NEW = gettext_noop("Nothing is left to tell.")
NOTHING_MISSING = gettext_noop("Nothing is missing.")
CONFIRMED = gettext_noop("The patient has confirmed and nothing is missing.")
NO_OFFER = gettext_noop("None of the offered times can be taken any more.")
NEEDS_TIME = gettext_noop("The visit needs a new time.")
QUIET_NOW = gettext_noop("It waits for the end of the quiet hours.")
TOO_LATE = gettext_noop("It could not be sent in time.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a mail, and why when it is not sent.

    `tried`: the mail server was asked, at `at` when that was before now. What stays due is looked at again at `again`,
    without it after a while. What has failed is a line of kind `line`.
    """

    state: MailState
    reason: str = ""
    tried: bool = False
    at: datetime | None = None
    again: datetime | None = None
    line: TaskKind = TaskKind.FAILED_MAIL


def withheld(patient: Patient) -> Outcome | None:
    """Why no mail goes to a patient at all, None when mails do."""
    if not patient.email:
        return Outcome(MailState.FAILED, NO_ADDRESS, line=TaskKind.NO_ADDRESS)
    if patient.mail_level == ContactLevel.STOPPED:
        return Outcome(MailState.FAILED, STOPPED, line=TaskKind.MAIL_STOPPED)
    if patient.mail_level == ContactLevel.UNASKED:
        return Outcome(MailState.FAILED, UNASKED, line=TaskKind.MAIL_STOPPED)
    if patient.email_fault != AddressFault.NONE:
        return Outcome(MailState.FAILED, FAULTY, line=TaskKind.BAD_ADDRESS)
    return None


def explained(hindrance: Outcome) -> dict[str, Any]:
    """What a line on the worklist says beside its kind: of somebody who was never asked."""
    return {"reasons": [{"text": NOT_ASKED, "values": {}}]} if hindrance.reason == UNASKED else {}


def quiet_hours(site: Site) -> QuietHours:
    """When a site reminds nobody."""
    return QuietHours(site.quiet_from, site.quiet_until, site.zone)


def write_all(mails: Sequence[Mail], *, now: datetime) -> list[Letter | Outcome]:
    """What each of these mails (from `gathering.read`) says now, or what becomes of it instead. Reads as much for many
    mails as for one (`gathering.gather`)."""
    facts = gathering.gather(mails, now=now)
    return [_write(mail, facts, now) for mail in mails]


def private_values(patient: Patient) -> tuple[str, ...]:
    """The patient's own values that no mail may show: record number, and the birth date as it is written."""
    # A shorter number would be found in dates and house numbers.
    number = [patient.record_number] if len(patient.record_number) > 4 else []
    return (*number, *_written(patient.birth_date))


@lru_cache(maxsize=4096)
def _written(day: date) -> tuple[str, ...]:
    """The usual ways to write a date, in all languages of the clinic."""
    numbers = [day.strftime(form) for form in ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d.%m.%Y")]
    numbers += [f"{day.month}/{day.day}/{day.year}", f"{day.day}/{day.month}/{day.year}"]
    words = []
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            words += [date_format(day, form) for form in ("j F Y", "F j, Y", r"j \d\e F \d\e Y")]
    return tuple(dict.fromkeys(numbers + words))


def _write(mail: Mail, facts: Facts, now: datetime) -> Letter | Outcome:
    if hindrance := withheld(mail.patient):
        # Who wants no mails is not called about a reminder either; a change of the dates has to be told.
        if hindrance.line == TaskKind.MAIL_STOPPED and mail.kind in REMINDERS:
            return Outcome(MailState.WITHDRAWN, hindrance.reason)
        return hindrance
    said = _said(mail, facts, now)
    if isinstance(said, Letter):
        if _expired(mail, now) and mail.kind not in NEWS:  # news goes out as long as there is any
            return Outcome(MailState.FAILED, TOO_LATE)
        if mail.kind in QUIET and (around := quiet_hours(gathering.site_of(mail)).around(now)):
            if mail.expires_at is not None and mail.expires_at <= around[1]:
                return Outcome(MailState.FAILED, TOO_LATE)
            return Outcome(MailState.DUE, QUIET_NOW, again=around[1])
    return said


def _said(mail: Mail, facts: Facts, now: datetime) -> Letter | Outcome:
    if mail.evaluation is not None:
        return _evaluation(mail, mail.evaluation, facts, now)
    course = mail.course
    assert course is not None  # noqa: S101 the constraint mail_about: a course or an evaluation
    if mail.session is None:
        return _blank(mail, facts, now) if mail.kind == MailKind.CALL_US else _news(mail, course, facts, now)
    if mail.kind == MailKind.MISSED:
        return _missed(mail, mail.session, course, facts, now)
    return _session(mail, mail.session, course, facts, now)


def _session(mail: Mail, session: Session, course: Course, facts: Facts, now: datetime) -> Letter | Outcome:
    """A reminder of a visit, or other times for it."""
    if session.times_version != mail.times_version or session.state not in EXPECTED:
        return Outcome(MailState.WITHDRAWN, NOT_EXPECTED)
    if session.starts_at <= now:
        return Outcome(MailState.FAILED, TOO_LATE)
    letter = replace(_blank(mail, facts, now), visits=(visit_of(session, course),), until=session.ends_at)
    if mail.kind == MailKind.OFFER:
        offers = tuple(facts.offers[mail.pk])
        return replace(letter, offers=offers) if offers else Outcome(MailState.WITHDRAWN, NO_OFFER)
    lacking = facts.missing[session.pk]
    if mail.kind == MailKind.SCORE_DUE and Missing.FORM not in lacking:
        return Outcome(MailState.WITHDRAWN, NOTHING_MISSING)
    if session.state == SessionState.CONFIRMED and not lacking:
        return Outcome(MailState.WITHDRAWN, CONFIRMED)
    if session.needs_replan:  # nobody is reminded of a time that no longer fits; it may fit again, or be moved
        return Outcome(MailState.FAILED, TOO_LATE) if _expired(mail, now) else Outcome(MailState.DUE, NEEDS_TIME)
    preparation = None
    if gathering.is_detailed(mail.patient):
        preparation = Preparation(*facts.protocols[course.protocol_id].fasting(session.starts_at))
    return replace(letter, missing=frozenset(lacking), preparation=preparation)


def _missed(mail: Mail, session: Session, course: Course, facts: Facts, now: datetime) -> Letter | Outcome:
    if session.state != SessionState.NO_SHOW or course.state not in RUNNING:
        return Outcome(MailState.WITHDRAWN, NOT_MISSED)
    return replace(_blank(mail, facts, now), visits=(visit_of(session, course),))


def _evaluation(mail: Mail, evaluation: Evaluation, facts: Facts, now: datetime) -> Letter | Outcome:
    if mail.kind == MailKind.CALL_US:
        return _blank(mail, facts, now)
    wanted = EvaluationState.CANCELLED if mail.kind == MailKind.CANCELLED else EvaluationState.BOOKED
    if evaluation.state != wanted:
        return Outcome(MailState.WITHDRAWN, NOT_EXPECTED)
    if evaluation.starts_at <= now:
        return Outcome(MailState.FAILED, TOO_LATE)
    visit = evaluation_of(evaluation)
    letter = replace(_blank(mail, facts, now), until=evaluation.ends_at)
    return replace(letter, cancelled=(visit,)) if mail.kind == MailKind.CANCELLED else replace(letter, visits=(visit,))


def _news(mail: Mail, course: Course, facts: Facts, now: datetime) -> Letter | Outcome:
    news = facts.news[course.pk]
    if any(one.mail > mail.pk for one in news):
        return Outcome(MailState.WITHDRAWN, REPLACED)
    untold = _untold(news)
    # What a new course takes the place of is told with it, in one mail.
    others = {pk for pk in untold.cancelled if pk in facts.known and facts.known[pk].course_id != course.pk}
    sessions = sorted(
        [*facts.sessions.get(course.pk, ()), *(facts.known[pk] for pk in others)], key=lambda one: one.starts_at
    )
    moved, added, cancelled, standing = [], [], [], []
    for session in sessions:
        visit = visit_of(session, session.course)
        was = untold.was.get(session.pk, session.starts_at)
        if session.state in EXPECTED and session.starts_at > now:
            standing.append(visit)
            if session.pk in untold.added:
                added.append(visit)
            elif was != session.starts_at:
                moved.append((was, visit))
        elif session.pk in untold.cancelled and was > now:
            cancelled.append(replace(visit, starts_at=was, home_at=was + (visit.home_at - visit.starts_at)))
    if standing if mail.kind == MailKind.BOOKED else moved or added or cancelled:
        return replace(
            _blank(mail, facts, now),
            visits=tuple(standing),
            moved=tuple(moved),
            added=tuple(added),
            cancelled=tuple(cancelled),
        )
    if _expired(mail, now):
        return Outcome(MailState.FAILED, TOO_LATE)
    return Outcome(MailState.WITHDRAWN, NOTHING_NEW)


@dataclass(slots=True)
class _Untold:
    """What has changed since the patient last heard of a course: earlier starts of what was moved, by session."""

    was: dict[int, datetime] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)

    def also(self, details: Mapping[str, Any]) -> None:
        """Take in what a verb has told `outbox.renew`; the earliest start is the one that the patient knows."""
        for move in details.get("moved", ()):
            self.was.setdefault(move["session"], datetime.fromisoformat(move["from"]["starts_at"]))
        self.added.update(details.get("added", ()))
        self.cancelled.update(details.get("cancelled", ()))


def _untold(news: Sequence[News]) -> _Untold:
    """What the last of these mails has to tell beside the dates that stand."""
    untold = _Untold()
    for one in news:
        if one.told:
            untold = _Untold()
        else:
            untold.also(one.details)
    return untold


def _expired(mail: Mail, now: datetime) -> bool:
    return mail.expires_at is not None and mail.expires_at <= now


def _blank(mail: Mail, facts: Facts, now: datetime) -> Letter:
    """The mail without any dates."""
    site, token = gathering.site_of(mail), links.token(mail.seed)
    agreed = facts.agreed.get(mail.patient_id)
    return Letter(
        kind=MailKind(mail.kind),
        key=key_of(mail),
        recipient=mail.patient.email,
        first_name=mail.patient.first_name,
        language=mail.patient.language,
        host=host_of(site, facts.hours.get(site.pk, ())),
        level=ContactLevel.DETAILED if gathering.is_detailed(mail.patient) else ContactLevel.NEUTRAL,
        link=links.address("portal", token),
        until=now + links.NEWS_OPENS,
        stop=links.address("portal-stop", token),
        agreed_on=agreed.astimezone(site.zone).date() if agreed else None,
    )


def host_of(site: Site, hours: Sequence[OpeningHours] = ()) -> Host:
    """Who expects a patient, in neutral words; `hours` tell when somebody answers the phone."""
    return Host(
        name=site.neutral_name,
        address=site.address,
        phone=site.phone,
        mail=_address_in(settings.DEFAULT_FROM_EMAIL),
        zone=ZoneInfo(site.time_zone),
        open=tuple((row.weekday, row.opens, row.closes) for row in hours),
    )


@lru_cache(maxsize=8)
def _address_in(sender: str) -> str:
    return parseaddr(sender)[1]


def visit_of(session: Session, course: Course) -> Visit:
    """A visit as a calendar knows it: one step past its last version when it was given up, so that it is taken out."""
    return Visit(
        uid=_key("visit", session.pk, course.created_at),
        sequence=session.times_version + (session.state in FREED),
        starts_at=session.starts_at,
        home_at=session.discharge_at,
    )


def evaluation_of(evaluation: Evaluation) -> Visit:
    """An evaluation as a calendar knows it; see `visit_of`."""
    return Visit(
        uid=_key("evaluation", evaluation.pk, evaluation.at),
        sequence=1 + (evaluation.state == EvaluationState.CANCELLED),
        starts_at=evaluation.starts_at,
        home_at=evaluation.ends_at,
    )


def key_of(mail: Mail) -> str:
    """What names a mail for ever, in its Message-ID."""
    return _key("mail", mail.pk, mail.created_at)


def _key(what: str, pk: int, created_at: datetime) -> str:
    """A name that stays the same, is nobody else's in the world, and shows no number of ours."""
    return str(uuid5(NAMESPACE_OID, f"{what} {pk} {created_at.isoformat()}"))
