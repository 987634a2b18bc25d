"""A patient who cannot come: the times to choose from, the move, the wish for another time.

Nothing of it needs the clinic's consent beforehand: the desk has opened these times, or offered them for this visit,
and the rules are judged under the same locks as the desk's own moves (`scheduling/moving.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.utils.translation import gettext as _

from clinic.errors import DomainError, Invalid, RulesBroken, Stale
from clinic.findings import Level
from patients import worklist
from patients.models import Task, TaskKind
from scheduling import fitting, judging, moving, offering, placing, self_service, writes
from scheduling.booking import Change, SlotTaken, answer
from scheduling.fitting import Window
from scheduling.judging import Verdict
from scheduling.models import Course, CourseState, Offer, OfferState, Request, Session
from scheduling.portal import typed
from scheduling.portal.access import AWAITED
from scheduling.proposing import Proposal
from scheduling.protocols.types import Place
from scheduling.self_service import SelfService

#: How many days with times to choose from are shown, and how many times of each: a screenful on a phone (P).
DAYS = 6
A_DAY = 4

#: How far from the visit other times are looked for (P): three weeks after it, and before it as far as notice allows.
AHEAD = timedelta(days=21)

#: How long a wish may be (P).
LONGEST_WISH = 200

#: Parts of a day that can be wished.
PARTS = ("morning", "afternoon")


class TimeGone(DomainError):
    """The time that was chosen cannot be had any more: somebody was quicker, or it is no longer open."""

    code = "slot_taken"
    status = 409


@dataclass(frozen=True, slots=True)
class Day:
    """A local date with a few starts to choose from."""

    date: date
    starts: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a patient may choose from: `offers` are times that the desk has offered for this visit, all of them `until`
    a moment; `days` what is open to all. `asked` is the wish that waits at the desk. `too_late`: times are open in
    general, but the visit is too near."""

    offers: tuple[datetime, ...]
    until: datetime | None
    days: tuple[Day, ...]
    asked: Task | None
    too_late: bool

    def has(self, starts_at: datetime) -> bool:
        """Whether this start can be chosen."""
        return starts_at in self.offers or any(starts_at in day.starts for day in self.days)


def choices(session: Session, *, now: datetime) -> Choices:
    """Other times for a visit to come. Twelve queries, nine more where times are offered.

    Times that are open to all break no rule and raise no new warning; one that the desk has offered may have a warning
    that it has seen. The days nearest to the visit, by date.
    """
    open_ = self_service.read(session.course.site)
    offered = offers_of(session, now)
    movable = session.course.state == CourseState.ACTIVE and session.state in AWAITED and session.starts_at > now
    by_themselves = movable and open_.may_leave(session.starts_at, now)
    days = _days(session, open_, now) if by_themselves else ()
    able = _still_possible(session, offered, now) if movable else []
    return Choices(
        offers=tuple(offer.starts_at for offer in able),
        until=min((offer.until for offer in able), default=None),
        days=days,
        asked=wish_of(session),
        too_late=movable and bool(open_.windows) and not by_themselves,
    )


def move(*, session: Session, starts_at: datetime, request_id: UUID | None, now: datetime) -> Change:
    """Give a visit the start that its patient has chosen; chair and prescriber are found under lock, the same where
    possible. The patient comes: it is confirmed. The same request again changes nothing and returns the same.

    `session` is as the page has shown it. Locks the days of the course and the new one, then the patient. Raises
    TimeGone when the start cannot be had any more, Stale when the visit has another time by now, has begun or was
    cancelled, RequestReused.
    """
    course = session.course
    starts_at = starts_at.astimezone(UTC)
    once = writes.Once("move-alone", request_id, {"session": session.pk, "starts_at": starts_at})
    dates = judging.dates_of(course.site, course.protocol.protocol, [Place(starts_at, 0, 0)])

    def choose(fresh: Course, sessions: Sequence[Session]) -> list[moving.Move]:
        mine = next((one for one in sessions if one.pk == session.pk and one.state in AWAITED), None)
        if mine is None or mine.times_version != session.times_version or mine.starts_at <= now:
            raise Stale(_("This date has changed meanwhile."))
        return [(mine, _place(mine, starts_at, now))]

    def work() -> Change:
        change = moving.carry_out(course, once, choose, by=None, also=dates, now=now)
        if not change.repeated:
            mine = Offer.objects.filter(session=session, times_version=session.times_version, starts_at=starts_at)
            mine.filter(closed_at=now, until__gt=now).update(state=OfferState.TAKEN)
        return change

    try:
        return answer(work, lambda: Verdict(()), lambda rows: Proposal())
    except (SlotTaken, RulesBroken) as error:
        raise _gone() from error


def done(request_id: UUID, course: int) -> Session | None:
    """The visit of this course as it stands, when this request has moved it: for who taps twice. Two queries."""
    stored = Request.objects.filter(pk=request_id, verb="move-alone").first()
    if stored is None or stored.result.get("course") != course:
        return None
    sessions = Session.objects.select_related("course__site", "course__patient", "site")
    return sessions.get(pk=stored.result["sessions"][0])


def ask(*, session: Session, weekdays: Iterable[int] = (), part: str = "", text: str = "", now: datetime) -> None:
    """Put the wish for another time on the desk's worklist, once for each visit while it waits there: another wish
    takes its place, and is no longer put off.

    `weekdays` are wished ones, 0 for Monday, `part` one of PARTS or empty. Locks the visit's day, so that boards see
    it, then the patient. Raises Invalid, also for a wish that says nothing, and Stale when the visit is not to come any
    more.
    """
    days, text = sorted(set(weekdays)), typed.line(text)
    if len(text) > LONGEST_WISH:
        raise Invalid.at("text", _("At most %(most)s letters, please.") % {"most": LONGEST_WISH})
    if any(day not in range(7) for day in days) or part not in ("", *PARTS):
        raise Invalid.at("weekdays", _("Choose among the days of the week."))
    if not (days or part or text):
        raise Invalid.at("weekdays", _("Please say what suits you: a day, a time of day, or a few words."))
    details = {"weekdays": days, "part": part, "text": text}

    def work() -> None:
        fresh = _awaited(session, now)
        if waiting := wish_of(fresh):
            if waiting.details == details:
                return
            Task.objects.filter(pk=waiting.pk).update(details=details, snoozed_until=None)
        else:
            worklist.open_task(
                kind=TaskKind.MOVE_ASKED,
                patient=fresh.patient,
                course=fresh.course,
                key=str(fresh.pk),
                details=details,
                now=now,
            )
        placing.record(fresh.course, "move-asked", by=None, now=now, sessions=[fresh])

    writes.commit(work)


def take_back(*, session: Session, now: datetime) -> None:
    """The patient needs no other time any more: the wish goes from the worklist. Locks as `ask`; does nothing without
    one. Raises Stale when the visit is not to come any more."""

    def work() -> None:
        fresh = _awaited(session, now)
        if wish_of(fresh) is not None:
            worklist.close_tasks(kind=TaskKind.MOVE_ASKED, patient=fresh.patient, key=str(fresh.pk), now=now)
            placing.record(fresh.course, "move-taken-back", by=None, now=now, sessions=[fresh])

    writes.commit(work)


def _awaited(session: Session, now: datetime) -> Session:
    """The visit under lock, as the page has shown it. Raises Stale."""
    known = {Session.objects.values_list("local_date", flat=True).get(pk=session.pk)}
    placing.lock(session.course.site, known, session.course.patient_id, now)
    fresh = Session.objects.select_related("course", "patient").get(pk=session.pk)
    placing.require_locked([fresh], known)
    if fresh.state not in AWAITED or fresh.times_version != session.times_version or fresh.starts_at <= now:
        raise Stale(_("This date has changed meanwhile."))
    return fresh


def wish_of(session: Session) -> Task | None:
    """The wish for another time that waits at the desk. One query."""
    lines = Task.objects.filter(kind=TaskKind.MOVE_ASKED, patient=session.patient_id, key=str(session.pk))
    return lines.filter(done_at=None).first()


def offers_of(session: Session, now: datetime) -> list[Offer]:
    """What the desk has offered for the visit as it stands and is not over."""
    return [offer for offer in offering.standing(session, now) if offer.starts_at > now]


def _still_possible(session: Session, offers: Sequence[Offer], now: datetime) -> list[Offer]:
    """Those of the offers that nobody else has taken, each found in the windows of its date."""
    zone = session.course.site.zone
    able = []
    dates = sorted({offer.starts_at.astimezone(zone).date() for offer in offers})
    # Offers lie near each other: the few spans that are read hold all of them.
    while dates:
        first = dates[0]
        last = max(day for day in dates if day <= first + timedelta(days=fitting.MOST_DAYS - 1))
        windows = fitting.windows(session, first=first, last=last, now=now)
        able += [offer for offer in offers if _windows_at(windows, offer.starts_at, session, warned=True)]
        dates = [day for day in dates if day > last]
    return sorted(able, key=lambda offer: offer.starts_at)


def _days(session: Session, open_: SelfService, now: datetime) -> tuple[Day, ...]:
    """The days nearest to the visit on which it could be, with the starts nearest to its hour."""
    zone = open_.site.zone
    soonest = (now + open_.notice).astimezone(zone).date()
    last = session.local_date + AHEAD
    first = max(soonest, last - timedelta(days=fitting.MOST_DAYS - 1))
    wall = session.starts_at.astimezone(zone).time()
    days = []
    windows = fitting.windows(session, first=first, last=last, now=now)
    for day, found in groupby(windows, key=lambda window: window.date):
        step = timedelta(minutes=open_.site.start_step)
        starts = {
            start
            for window in found
            if window.level is None
            for start in window.starts(step)
            if start != session.starts_at and open_.may_take(start, now)
        }
        aim = datetime.combine(day, wall, zone).astimezone(UTC)
        if starts:
            days.append(Day(day, fitting.few(sorted(starts), aim, A_DAY)))
    nearest = sorted(days, key=lambda day: (abs((day.date - session.local_date).days), day.date))[:DAYS]
    return tuple(sorted(nearest, key=lambda day: day.date))


def _place(session: Session, starts_at: datetime, now: datetime) -> Place:
    """Where the visit goes that its patient wants to begin then: read under lock. Raises TimeGone."""
    site = session.course.site
    offered = any(offer.starts_at == starts_at for offer in offers_of(session, now))
    open_ = self_service.read(site)
    by_themselves = open_.may_leave(session.starts_at, now) and open_.may_take(starts_at, now)
    if session.course.state != CourseState.ACTIVE or starts_at == session.starts_at or not (offered or by_themselves):
        raise _gone()
    day = starts_at.astimezone(site.zone).date()
    windows = fitting.windows(session, first=day, last=day, now=now)
    able = _windows_at(windows, starts_at, session, warned=offered)
    if not able:
        raise _gone()
    best = min(able, key=lambda one: (one.prescriber != session.prescriber_id, one.chair != session.chair_id))
    return Place(starts_at, best.chair, best.prescriber)


def _windows_at(windows: Iterable[Window], start: datetime, session: Session, *, warned: bool) -> list[Window]:
    """The windows in which a visit can begin then, without a finding; with a warning where it was `warned` of."""
    step = timedelta(minutes=session.course.site.start_step)
    levels = (None, Level.WARN) if warned else (None,)
    return [window for window in windows if window.level in levels and start in window.starts(step)]


def _gone() -> TimeGone:
    return TimeGone(_("This time has just been taken. Nothing was changed: your date still stands."))
