"""What all parts of the day board draw with: where a time stands, in rows of five minutes, and icons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from django.utils.safestring import SafeString

from clinic.templatetags import icons
from scheduling import wording
from scheduling.board import Board
from scheduling.openings import Interval
from scheduling.protocols.windows import day_bounds

ROW = timedelta(minutes=5)
HALF_HOUR = timedelta(minutes=30)

# What is made of figures, or of names in this code, is safe as it is: escaping it would cost as much as all the rest.

#: An icon as it is drawn; a day of forty chairs has hundreds of them.
draw_icon = lru_cache(maxsize=100)(icons.icon)

#: A day of up to so many hours is drawn with half an hour around it.
SHORT_DAY = timedelta(hours=9, minutes=30)


@dataclass(frozen=True, slots=True)
class Scale:
    """The time that is drawn, whole half hours of the site's clocks."""

    start: datetime
    end: datetime
    zone: tzinfo

    @property
    def rows(self) -> int:
        return (self.end - self.start) // ROW

    def row(self, at: datetime) -> int:
        """The row that is nearest to an instant; the first or the last one for what lies outside."""
        return min(max(round((at - self.start) / ROW), 0), self.rows)

    def place(self, start: datetime, end: datetime) -> SafeString:
        """The classes of a box from start to end; never thinner than a row."""
        first = min(self.row(start), self.rows - 1)
        return SafeString(f"y{first} h{max(self.row(end) - first, 1)}")

    def percent(self, at: datetime) -> str:
        """How far down an instant is, for attributes of SVG: whatever the language, with a point."""
        return f"{100 * ((at - self.start) / (self.end - self.start)):.3f}%"

    def clock(self, at: datetime) -> SafeString:
        """A local time as it is written."""
        return _clock(at, self.zone)

    def span(self, start: datetime, end: datetime) -> SafeString:
        """From then till then."""
        return SafeString(f"{self.clock(start)}–{self.clock(end)}")

    def halves(self) -> list[Interval]:
        """Half hour by half hour."""
        count = (self.end - self.start) // HALF_HOUR
        return [(self.start + number * HALF_HOUR, self.start + (number + 1) * HALF_HOUR) for number in range(count)]

    def hours(self) -> list[tuple[str, str]]:
        """The full hours: where, and how they are written."""
        shown = ((start, start.astimezone(self.zone)) for start, _ in self.halves())
        return [(f"y{self.row(at)} h12", f"{local:%H:%M}") for at, local in shown if local.minute == 0]

    def lines(self) -> list[tuple[str, bool]]:
        """Where a line is drawn, and whether it is that of a full hour."""
        return [(self.percent(start), start.astimezone(self.zone).minute == 0) for start, _ in self.halves()[1:]]


def scale_of(board: Board) -> Scale | None:
    """From opening to closing, and as far as visits reach, today those that run over, too; None when there is
    neither."""
    zone = board.site.zone
    edges = [*board.facts.opening, *((booked.starts_at, booked.ends_at) for booked in board.facts.booked)]
    first, last = day_bounds(board.date, zone)
    if first <= board.now < last:  # a visit that nobody has ended runs on, but not through other days
        edges += [(visit.begins_at, min(visit.times.ends_at, last)) for visit in board.visits]
    if not edges:
        return None
    start = _half_hour(min(edge[0] for edge in edges), zone)
    last = max(edge[1] for edge in edges)
    end = _half_hour(last, zone)
    if end < last:
        end += HALF_HOUR
    if end - start <= SHORT_DAY:
        start, end = start - HALF_HOUR, end + HALF_HOUR
    return Scale(start, end, zone)


@lru_cache(maxsize=5000)
def _clock(at: datetime, zone: tzinfo) -> SafeString:
    return SafeString(wording.clock(at, zone))


def _half_hour(at: datetime, zone: tzinfo) -> datetime:
    """The full or half hour before, by the clocks of the zone."""
    local = at.astimezone(zone)
    return at - timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
