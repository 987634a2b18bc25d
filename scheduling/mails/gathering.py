"""What the letters of a whole batch are written from, read in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from clinic.models import OpeningHours, Site
from patients.models import Channel, Consent, ContactLevel, Patient
from scheduling import missing
from scheduling.missing import Missing
from scheduling.models import (
    Attempt,
    Mail,
    MailKind,
    MailState,
    Offer,
    OfferState,
    ProtocolVersion,
    Session,
)
from scheduling.protocols.types import Protocol

#: What tells of a course as a whole; a later one says what an earlier one has not said.
NEWS = (MailKind.BOOKED, MailKind.CHANGED, MailKind.CANCELLED)
REMINDERS = (MailKind.PREPARATION, MailKind.TWO_DAYS, MailKind.SCORE_DUE, MailKind.TWO_HOURS)


@dataclass(frozen=True, slots=True)
class News:
    """One mail about a course as a whole; `told`: it has gone out, recorded on its row or not yet, and has not come
    back."""

    mail: int
    told: bool
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the mails' own rows: `news` and `sessions` by course, both in order; `known` all these
    sessions, `missing` what a visit still lacks, by session; the starts that are offered, by mail; protocols by
    version; when patients agreed to mails, by patient; opening hours by site."""

    news: Mapping[int, Sequence[News]]
    sessions: Mapping[int, Sequence[Session]]
    known: Mapping[int, Session]
    missing: Mapping[int, frozenset[Missing]]
    offers: Mapping[int, Sequence[datetime]]
    protocols: Mapping[int, Protocol]
    agreed: Mapping[int, datetime]
    hours: Mapping[int, Sequence[OpeningHours]]


def read(mails: Collection[int]) -> list[Mail]:
    """These mails in the order in which they are tried, with patient, course, session, evaluation and sites. One
    query."""
    found = Mail.objects.select_related("patient", "course__site", "session", "evaluation__site")
    return list(found.filter(pk__in=mails).order_by("try_at", "pk"))


def site_of(mail: Mail) -> Site:
    """Where a mail's visits are."""
    if mail.course is not None:
        return mail.course.site
    assert mail.evaluation is not None  # noqa: S101 the constraint mail_about: a course or an evaluation
    return mail.evaluation.site


def is_detailed(patient: Patient) -> bool:
    """Whether a patient has agreed to detailed mails, at an address that is surely the patient's."""
    return patient.mail_level == ContactLevel.DETAILED and patient.email_verified_at is not None


def gather(mails: Sequence[Mail], *, now: datetime) -> Facts:
    """Everything that these mails (from `read`) need. At most seven queries, each only where a kind of mail among them
    asks for it."""
    reminded = [mail for mail in mails if mail.session is not None and mail.kind in REMINDERS]
    detailed = {mail.course.protocol_id for mail in reminded if mail.course and is_detailed(mail.patient)}
    news = _news({mail.course_id for mail in mails if mail.course_id and mail.kind in NEWS})
    known = _sessions(news)
    sessions = defaultdict(list)
    for session in known:
        sessions[session.course_id].append(session)
    hours = defaultdict(list)
    for row in OpeningHours.objects.filter(site__in={site_of(mail).pk for mail in mails}).order_by("weekday", "opens"):
        hours[row.site_id].append(row)
    return Facts(
        news=news,
        sessions=sessions,
        known={session.pk: session for session in known},
        missing=missing.of([mail.session for mail in reminded if mail.session is not None], now=now),
        offers=_offers([mail for mail in mails if mail.kind == MailKind.OFFER], now),
        protocols={version.pk: version.protocol for version in ProtocolVersion.objects.filter(pk__in=detailed)},
        agreed=_agreed({mail.patient_id for mail in mails}),
        hours=hours,
    )


def _news(courses: Collection[int]) -> Mapping[int, Sequence[News]]:
    # Another batch may have sent one without having recorded it yet.
    sent = Exists(Attempt.objects.filter(mail=OuterRef("pk"), state=MailState.SENT))
    rows = Mail.objects.filter(course__in=courses, kind__in=NEWS).order_by("pk")
    news = defaultdict(list)
    for course, pk, state, tried, details in rows.values_list("course_id", "pk", "state", sent, "details"):
        if course is not None:
            news[course].append(News(pk, state == MailState.SENT or (state == MailState.DUE and tried), details))
    return news


def _sessions(news: Mapping[int, Sequence[News]]) -> list[Session]:
    """The sessions of these courses, and those that they took the place of, in order."""
    others = {pk for told in news.values() for one in told for pk in one.details.get("cancelled", ())}
    found = Session.objects.filter(Q(course__in=news.keys()) | Q(pk__in=others)) if news else Session.objects.none()
    return list(found.select_related("course").order_by("during__startswith", "pk"))


def _offers(mails: Sequence[Mail], now: datetime) -> Mapping[int, Sequence[datetime]]:
    """The starts that are still to be had."""
    offered = defaultdict(list)
    open_ = Offer.objects.filter(
        session__in={mail.session_id for mail in mails}, state=OfferState.OPEN, until__gt=now, starts_at__gt=now
    )
    for offer in open_.order_by("starts_at"):
        offered[offer.session_id, offer.times_version, offer.turn].append(offer.starts_at)
    return {mail.pk: offered[mail.session_id or 0, mail.times_version, mail.turn] for mail in mails}


def _agreed(patients: Collection[int]) -> Mapping[int, datetime]:
    latest = Consent.objects.filter(patient__in=patients, channel=Channel.EMAIL).order_by("patient", "-pk")
    return dict(latest.distinct("patient").values_list("patient_id", "at"))
