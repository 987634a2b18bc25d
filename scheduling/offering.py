"""The desk offers a patient other times for a visit: the first tap on one of them takes it (`portal/moving.py`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.findings import Level
from clinic.models import Staff
from clinic.permissions import Verb
from patients.models import Task, TaskKind
from scheduling import fitting, judging, placing, writes
from scheduling.mails import outbox
from scheduling.mails.letters import EXPECTED
from scheduling.models import Course, Offer, OfferState, Session

#: More times at once are no choice but a search (P).
MOST_STARTS = 3

#: How far apart they may lie (P).
FARTHEST = timedelta(days=fitting.MOST_DAYS - 2)

#: So much more than the hours without food lies before a time that is offered: the mail has to be read first (P).
TO_READ = timedelta(hours=2)

#: What may be offered: a time that breaks a rule has to be signed, and nobody signs when the patient taps.
OFFERED = (None, Level.WARN)


@dataclass(frozen=True, slots=True)
class Offered:
    """The times that stand now, in their order. `repeated`: the request had succeeded before."""

    offers: tuple[Offer, ...]
    repeated: bool


def offer_times(
    *,
    actor: Staff,
    session: Session,
    starts: Collection[datetime],
    until: datetime,
    request_id: UUID | None = None,
    now: datetime,
) -> Offered:
    """Offer up to MOST_STARTS other times for a visit, by mail, until a moment.

    They are not kept free, and none begins before `soonest`. Earlier offers for the visit lapse, and a wish for another
    time is put off `until` then. Locks the days of the course's sessions, then the patient. Raises RoleRefused,
    RequestReused, Stale when the visit is not to come any more, and Invalid for a time that cannot be had, is too soon
    or would need an override, for a moment that is past or after the visit, and for a patient to whom no mail can go.
    """
    course = session.course
    permissions.require(actor, Verb.BOOK, at=course.site)
    wanted = sorted({at.astimezone(UTC) for at in starts})
    asked = {"actor": actor.pk, "session": session.pk, "starts": wanted, "until": until}
    once = writes.Once("offer", request_id, asked)
    if not wanted:
        raise Invalid.at("starts_at", _("Choose at least one time."))
    if len(wanted) > MOST_STARTS:
        raise Invalid.at("starts_at", _("Offer at most %(most)s times.") % {"most": MOST_STARTS})
    for at in wanted:
        judging.check_start(at, now)
    if wanted[-1] - wanted[0] > FARTHEST:
        values = {"days": FARTHEST.days}
        raise Invalid.at("starts_at", _("Offer times that lie less than %(days)s days apart.") % values)

    def work() -> tuple[Sequence[int], bool]:
        if earlier := once.claim(now):
            return earlier["offers"], True
        fresh, sessions = placing.lock_course(course, now)
        mine = next((one for one in sessions if one.pk == session.pk), None)
        if mine is None or mine.state not in EXPECTED or mine.starts_at <= now:
            raise Stale(_("This visit has begun, ended or been cancelled; it cannot be moved."))
        if wanted[0] < soonest(fresh, now):
            raise Invalid.at("starts_at", _("One of these times is too soon: the patient has to fast before it."))
        if not now < until <= mine.starts_at:
            raise Invalid.at("until", _("Offers end in the future, and before the visit."))
        _require_possible(mine, wanted, now)
        open_ = Offer.objects.filter(session=mine, state=OfferState.OPEN)
        open_.update(state=OfferState.LAPSED, closed_at=now)
        known = Offer.objects.filter(session=mine, times_version=mine.times_version)
        turn = (known.aggregate(last=Max("turn"))["last"] or 0) + 1
        made = [
            Offer(
                session=mine,
                times_version=mine.times_version,
                turn=turn,
                starts_at=at,
                until=min(until, at),
                made_at=now,
                made_by=actor,
            )
            for at in wanted
        ]
        # A time that was offered before is offered anew.
        Offer.objects.bulk_create(
            made,
            update_conflicts=True,
            unique_fields=["session", "times_version", "starts_at"],
            update_fields=["turn", "until", "state", "made_at", "made_by", "closed_at"],
        )
        outbox.offer(course=fresh, session=mine, turn=turn, now=now, expires_at=max(one.until for one in made))
        wish = Task.objects.filter(kind=TaskKind.MOVE_ASKED, patient=fresh.patient_id, key=str(mine.pk), done_at=None)
        wish.update(snoozed_until=until)
        placing.record(fresh, "offered", by=actor, now=now, sessions=[mine], offered=[at.isoformat() for at in wanted])
        pks = list(known.filter(turn=turn).values_list("pk", flat=True))
        once.remember(offers=pks)
        return pks, False

    pks, repeated = writes.commit(work)
    return Offered(tuple(Offer.objects.filter(pk__in=pks).order_by("starts_at")), repeated)


def soonest(course: Course, now: datetime) -> datetime:
    """Before then nothing is offered: who reads the mail has to be able to fast (`no_food_hours` of the protocol)."""
    return now + timedelta(hours=course.protocol.protocol.no_food_hours) + TO_READ


def meets(wish: Task | None, at: datetime) -> bool:
    """Whether a local time is what a patient has wished; nothing meets a wish that names neither days nor a part."""
    details = wish.details if wish else {}
    days, part = details.get("weekdays", ()), details.get("part", "")
    if not (days or part):
        return False
    return (not days or at.weekday() in days) and (not part or (at.hour < 12) == (part == "morning"))


def lapse(*, now: datetime) -> int:
    """End the offers whose time is over; returns how many. Locks their rows."""
    over = Offer.objects.filter(state=OfferState.OPEN, until__lte=now)
    return over.update(state=OfferState.LAPSED, closed_at=now)


def of(session: Session) -> QuerySet[Offer]:
    """All times that were ever offered for a visit, the latest first."""
    return Offer.objects.filter(session=session).order_by("-made_at", "starts_at")


def standing(session: Session, now: datetime) -> tuple[Offer, ...]:
    """Those that can still be taken, by time. One query."""
    found = Offer.objects.filter(session=session, times_version=session.times_version, state=OfferState.OPEN)
    return tuple(found.filter(until__gt=now).order_by("starts_at"))


def _require_possible(session: Session, starts: Sequence[datetime], now: datetime) -> None:
    """Raise Invalid unless the visit could go to each of these as things stand."""
    site = session.course.site
    step = timedelta(minutes=site.start_step)
    first, last = (at.astimezone(site.zone).date() for at in (starts[0], starts[-1]))
    windows = fitting.windows(session, first=first, last=last, now=now)
    able = {at for window in windows if window.level in OFFERED for at in window.starts(step)} - {session.starts_at}
    if not able.issuperset(starts):
        raise Invalid.at("starts_at", _("One of these times cannot be offered any more. Please choose again."))
