"""A course before it is booked: rows that the desk can change, on their way between the page and the verbs.

Nothing is kept between requests. The values here are what the page's form carries, and what it shows of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.findings import Finding, Level, worst
from clinic.models import Chair, Site, Staff
from scheduling import judging, wording
from scheduling.booking import Offer, SlotTaken
from scheduling.models import Course
from scheduling.protocols.types import Place, Protocol, Spot, VisitShape


@dataclass(frozen=True, slots=True)
class Row:
    """One visit of a draft. `was` is the place it had before it was changed, `others` are the next possible ones."""

    place: Place
    others: tuple[Place, ...] = ()
    was: Place | None = None
    dropped: bool = False
    taken: bool = False


Rows = tuple[Row, ...]

#: The next possible places that a row shows.
MOST_OTHERS = 2


def encode(place: Place) -> str:
    """A place as a hidden field carries it: time in UTC, chair, prescriber."""
    return f"{place.starts_at.astimezone(UTC):%Y-%m-%dT%H:%M}/{place.chair}/{place.prescriber}"


def decode(text: str) -> Place:
    """The place that `encode` wrote; raises ValueError for anything else."""
    instant, chair, prescriber = text.split("/")
    starts_at = datetime.strptime(instant, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    if not (chair.isdecimal() and prescriber.isdecimal() and len(chair) < 19 and len(prescriber) < 19):
        raise ValueError("a chair and a prescriber are numbers")
    if not 1899 <= starts_at.year <= 2200:
        raise ValueError("no day that can be planned has this time")
    return Place(starts_at, int(chair), int(prescriber))


def encode_row(row: Row) -> str:
    """A row as a hidden field carries it."""
    fate = "dropped" if row.dropped else "taken" if row.taken else "kept"
    return " ".join([fate, encode(row.place), encode(row.was) if row.was else "-", *map(encode, row.others)])


def decode_row(text: str) -> Row:
    """The row that `encode_row` wrote; raises ValueError for anything else."""
    fate, place, was, *others = text.split()
    if fate not in ("kept", "dropped", "taken") or len(others) > MOST_OTHERS:
        raise ValueError("no row of a draft")
    return Row(
        place=decode(place),
        others=tuple(map(decode, others)),
        was=None if was == "-" else decode(was),
        dropped=fate == "dropped",
        taken=fate == "taken",
    )


def from_offer(offer: Offer, keeping: Rows = ()) -> Rows:
    """The rows of a plan as it was offered; those of `keeping` that it was planned around stay as they are."""
    kept = {row.place: row for row in keeping}
    return tuple(kept.get(session.place, Row(session.place, session.alternatives)) for session in offer.sessions)


def edited(rows: Rows) -> Rows:
    """The rows that the desk has put where they are."""
    return tuple(row for row in kept(rows) if row.was and not row.taken)


def in_order(rows: Iterable[Row]) -> Rows:
    """By time, as they are numbered."""
    return tuple(sorted(rows, key=lambda row: row.place.starts_at))


def moved(row: Row, place: Place) -> Row:
    """The row at another place; the place it leaves is the first of those that are offered next."""
    others = [other for other in (row.place, *row.others) if other != place]
    was = row.was or row.place
    return replace(row, place=place, others=tuple(others[:MOST_OTHERS]), was=None if was == place else was, taken=False)


def kept(rows: Rows) -> Rows:
    """The rows that would be booked."""
    return tuple(row for row in rows if not row.dropped)


def after_loss(rows: Rows, error: SlotTaken) -> Rows:
    """The rows after a lost race: those that are still free as they were, a replacement in those that are not.

    Of the plans that the refusal offers, the one that stays nearest to the lost times.
    """
    active = kept(rows)
    free = {row.place for index, row in enumerate(active) if index not in error.taken}
    lost = [row for row in rows if not row.dropped and row.place not in free]
    plans = [_replacements(offer, free) for offer in error.plans]
    fitting = [plan for plan in plans if len(plan) == len(lost)]
    best = min(fitting, key=lambda plan: _distance(lost, plan), default=())
    instead = dict(zip((row.place for row in lost), best, strict=False))
    result = []
    for row in rows:
        fresh = None if row.dropped else instead.get(row.place)
        if fresh is not None:
            result.append(replace(fresh, was=row.place, taken=True))
        elif row in lost:
            result.append(replace(row, was=None, taken=True))
        else:
            # A replacement of an earlier loss was looked at and sent: it is a row like others, and nobody's edit.
            result.append(replace(row, was=None, taken=False) if row.taken else row)
    return in_order(result)


def _replacements(offer: Offer, free: Collection[Place]) -> Rows:
    return tuple(row for row in from_offer(offer) if row.place not in free)


def _distance(lost: Sequence[Row], plan: Rows) -> timedelta:
    pairs = zip(lost, plan, strict=True)
    return sum((abs(new.place.starts_at - old.place.starts_at) for old, new in pairs), timedelta())


def possible(
    rows: Rows, *, site: Site, patient: int, protocol: Protocol, course: Course | None, names: Names, now: datetime
) -> Rows:
    """The rows without those next places that cannot be taken as the other rows are now.

    Left out is what is past or another booking's, what a rule blocks, and what would change the order of the rows or
    share a date with one. Five queries.
    """
    active = kept(rows)
    offered = [
        (index, other)
        for index, row in enumerate(active)
        for other in row.others
        if other.starts_at > now and other.chair in names.chairs and other.prescriber in names.prescribers
    ]
    if not offered:
        return tuple(replace(row, others=()) if not row.dropped else row for row in rows)
    places = [row.place for row in active]
    known = {key: other for key, (_index, other) in enumerate(offered)}
    calendar = judging.calendar_findings(site=site, protocol=protocol, places=known)
    blocked = {key for finding in calendar if finding.level == Level.BLOCK for key in finding.sessions}
    standing = judging.standing_of(patient)
    phases = judging.phases_of(course, protocol, places, standing)
    spots = judging.spots_of(standing, course, by_id=False)

    def fits(index: int, other: Place) -> bool:
        days = [place.starts_at.astimezone(site.zone).date() for place in places]
        day = other.starts_at.astimezone(site.zone).date()
        if any(day <= before for before in days[:index]) or any(day >= after for after in days[index + 1 :]):
            return False
        new = [*places[:index], other, *places[index + 1 :]]
        found = judging.new_findings(
            protocol=protocol,
            zone=site.zone,
            standing=spots,
            spots=[
                Spot(row, place.starts_at, phase) for row, (place, phase) in enumerate(zip(new, phases, strict=True))
            ],
        )
        return not any(finding.level == Level.BLOCK and index in finding.sessions for finding in found)

    left = {pair for key, pair in enumerate(offered) if key not in blocked and fits(*pair)}
    indexes = iter(range(len(active)))

    def without(row: Row) -> Row:
        index = next(indexes)
        return replace(row, others=tuple(other for other in row.others if (index, other) in left))

    return tuple(row if row.dropped else without(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Shown:
    """A place in words: its local start, when the patient can go home, chair and prescriber."""

    code: str
    starts_at: datetime
    home_at: datetime
    chair: str
    prescriber: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row as the page shows it. `index` is its place in the form, `number` among those that would be booked; `unmet`
    says in which ways it is not as the patient wished."""

    index: int
    row: Row
    number: int | None
    day: int
    now: Shown
    was: Shown | None
    others: tuple[Shown, ...]
    findings: tuple[Finding, ...]
    at_limit: bool = False
    unmet: tuple[str, ...] = ()

    @property
    def nearest(self) -> str:
        """How far the replacement of a taken row is from what was lost."""
        if self.was is None:
            return ""
        days = (self.now.starts_at.date() - self.was.starts_at.date()).days
        minutes = self.now.starts_at - self.was.starts_at
        if days:
            text = (
                ngettext("The nearest: %(count)s day later.", "The nearest: %(count)s days later.", days)
                if days > 0
                else ngettext("The nearest: %(count)s day earlier.", "The nearest: %(count)s days earlier.", -days)
            )
            return text % {"count": abs(days)}
        if not minutes:
            return _("The nearest: the same time.")
        text = _("The nearest: %(length)s later.") if minutes > timedelta() else _("The nearest: %(length)s earlier.")
        return text % {"length": wording.length(abs(minutes))}

    @property
    def tone(self) -> str:
        """How the row stands out: the worst of what is found."""
        if self.row.dropped:
            return "dropped"
        if self.row.taken or any(finding.rule == "taken" for finding in self.findings):
            return "taken"
        return str(worst(self.findings) or "")


@dataclass(frozen=True, slots=True)
class Names:
    """What chairs and prescribers of a site are called, and its zone."""

    zone: tzinfo
    chairs: Mapping[int, str]
    prescribers: Mapping[int, str]

    @classmethod
    def of(cls, site: Site) -> Names:
        """The site's. Two queries."""
        staff = Staff.objects.filter(sites=site, is_prescriber=True)
        return cls(
            site.zone,
            {chair.pk: chair.name for chair in Chair.objects.filter(site=site)},
            {member.pk: member.short_name for member in staff},
        )

    def show(self, place: Place, shape: VisitShape) -> Shown:
        """The place in words, with local times."""
        starts_at = place.starts_at.astimezone(self.zone)
        return Shown(
            code=encode(place),
            starts_at=starts_at,
            home_at=(place.starts_at + shape.home_after).astimezone(self.zone),
            chair=self.chairs.get(place.chair, "-"),
            prescriber=self.prescribers.get(place.prescriber, "-"),
        )


def lines(
    rows: Rows,
    findings: Sequence[Finding],
    names: Names,
    shape: VisitShape,
    first_day: date | None = None,
    last_day: int | None = None,
) -> tuple[Line, ...]:
    """The rows with what is found about them; a finding stands at the last of its rows, where the desk would move.

    Day numbers count from `first_day`, or from the first row; `last_day` is the number of the last one that is lawful.
    """
    blamed: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.sessions:
            blamed.setdefault(max(finding.sessions), []).append(finding)
    active = kept(rows)
    origin = first_day or (active or rows)[0].place.starts_at.astimezone(names.zone).date() if rows else date.min
    result = []
    number = 0
    for index, row in enumerate(rows):
        mine = () if row.dropped else tuple(blamed.get(number, ()))
        number += not row.dropped
        now = names.show(row.place, shape)
        day = (now.starts_at.date() - origin).days
        result.append(
            Line(
                index=index,
                row=row,
                number=None if row.dropped else number,
                day=day,
                now=now,
                was=names.show(row.was, shape) if row.was else None,
                others=tuple(names.show(other, shape) for other in row.others),
                findings=mine,
                at_limit=day == last_day and not row.dropped,
            )
        )
    return tuple(result)


def elsewhere(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """What is found about no row of its own."""
    return tuple(finding for finding in findings if not finding.sessions)
