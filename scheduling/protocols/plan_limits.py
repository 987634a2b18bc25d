"""Why there is no plan: limits are taken away one at a time, until sessions fit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta

from clinic.findings import gettext_noop
from scheduling.protocols.masks import DayMask, local_day, pack
from scheduling.protocols.plan_days import first_possible
from scheduling.protocols.plan_scan import HORIZON, Request, scan
from scheduling.protocols.types import NoPlan, Phase


def too_many(request: Request) -> NoPlan | None:
    """A refusal if the phase cannot take so many sessions, whatever is free."""
    limit = request.protocol.limit("initial-max")
    standing = len(request.chain())
    if request.phase is not Phase.INITIAL or limit is None or standing + request.count <= limit.value:
        return None
    text = gettext_noop(
        "The initial phase takes at most %(most)s sessions; %(standing)s stand, %(count)s are asked for."
    )
    values = {"most": limit.value, "standing": standing, "count": request.count}
    return NoPlan("initial-max", text, None, values)


def explain(request: Request) -> NoPlan:
    """The limit that is in the way of a request without a plan, and the first date from which there is one.

    The limit named is the first of those without which, alone, the sessions fit: the patient's dates, prescribers,
    chairs, both, the rules, the site's hours. Only a new phase can begin later; for another there is no first date.
    """
    request = replace(request, strict=False)
    first = _first_date(request)
    for limit, text, values, relaxed in _relaxations(request):
        if _fits(relaxed):
            return NoPlan(limit, text, first, values)
    text = gettext_noop("The sessions do not fit from %(earliest)s on, and no single limit is in the way.")
    return NoPlan("hours", text, first, {"earliest": request.earliest.isoformat()})


def _fits(request: Request) -> bool:
    return first_possible(scan(request).task) is not None


def _first_date(request: Request) -> date | None:
    """The first date on which the phase can begin, among all dates that are known."""
    if request.phase is not Phase.INITIAL or request.chain():
        return None
    found = scan(replace(request, start_within=HORIZON))
    first = first_possible(found.task)
    return None if first is None else date.fromordinal(found.zero + first)


def _relaxations(request: Request) -> Iterator[tuple[str, str, dict[str, object], Request]]:
    """The limits that can be in the way: their code, what to say, and the request without them."""
    wishes, limits = request.wishes, request.protocol.limits
    if wishes.except_dates:
        text = gettext_noop("The sessions do not fit beside the dates on which the patient cannot come.")
        yield "except_dates", text, {}, replace(request, wishes=replace(wishes, except_dates=frozenset()))
    text = gettext_noop("Chairs are free, but no prescriber can take enough visits from dose to discharge.")
    yield "doctor", text, {}, _with_days(request, _with_doctor)
    text = gettext_noop("Prescribers have time, but no chair is free for enough visits.")
    yield "chair", text, {}, _with_days(request, _with_chair)
    text = gettext_noop("Neither chairs nor prescribers have time for enough visits.")
    yield "chair", text, {}, _with_days(request, lambda day: _with_doctor(_with_chair(day)))
    nearest = limits.get("gap-min")
    rules = {
        "span-max": gettext_noop("The sessions do not fit by day %(limit)s of the phase."),
        "gap-min": gettext_noop("The sessions fit only closer together than %(limit)s days and %(hours)s hours.")
        if nearest and nearest.hours
        else gettext_noop("The sessions fit only closer together than %(limit)s days."),
        "month-max": gettext_noop("The sessions fit only with more than %(limit)s in a calendar month."),
    }
    for rule, text in rules.items():
        if rule in limits:
            left = {code: limit for code, limit in limits.items() if code != rule}
            relaxed = replace(request, protocol=replace(request.protocol, limits=left))
            yield rule, text, {"limit": limits[rule].value, "hours": limits[rule].hours}, relaxed
    minutes = int(request.protocol.visit.length.total_seconds()) // 60
    text = gettext_noop("The site is not open on enough days, or not long enough, for visits of %(minutes)s minutes.")
    yield "hours", text, {"minutes": minutes}, replace(request, days=_always_open(request))


def _with_days(request: Request, change: Callable[[DayMask], DayMask]) -> Request:
    return replace(request, days=[change(day) for day in request.days])


def _with_doctor(day: DayMask) -> DayMask:
    """The day with a prescriber who has time whenever the site is open."""
    return replace(day, prescribers=(0,), care=pack([day.open]))


def _with_chair(day: DayMask) -> DayMask:
    """The day with a chair that is free whenever the site is open."""
    return replace(day, chairs=(0,), free=pack([day.open]))


def _always_open(request: Request) -> list[DayMask]:
    """All dates up to the last one given, with a chair and a prescriber at any hour."""
    last = max((day.date for day in request.days), default=request.earliest)
    days = []
    for offset in range((last - request.earliest).days + 1):
        day = request.earliest + timedelta(days=offset)
        origin, clock = local_day(day, request.zone)
        lane = pack([(1 << clock.cells) - 1])
        days.append(DayMask(day, origin, clock, lane, (0,), lane, (0,), lane))
    return days
