"""The scale of a score line: where bands, lines, points and sessions stand in a drawing of so many pixels.
Whole pixels, so that no language writes them in its own way. No query here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import pairwise

from django.utils.formats import date_format

from patients.measures import RESPONSE, Instrument


@dataclass(frozen=True, slots=True)
class Size:
    """A drawing's width and height; `gap` is what two labels of points keep apart."""

    width: int
    height: int
    gap: int = 20

    left = 40
    right = 10
    top = 16
    bottom = 48


WIDE = Size(640, 300)
NARROW = Size(350, 270, gap=22)

#: Room beside the first and the last mark, so that neither stands on the frame.
_MARGIN = 22

#: The width of a letter of an axis and the radius of a session's number.
_LETTER, _RADIUS = 6.4, 10


@dataclass(frozen=True, slots=True)
class Point:
    """A total at an instant."""

    at: datetime
    total: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A session on the line: its number, and whether drug was given or it is still to come."""

    at: datetime
    label: str
    given: bool


@dataclass(frozen=True, slots=True)
class Band:
    """How severe totals between two lines are; `y` and `height` of its field, `middle` of its name."""

    name: str
    y: int
    height: int
    middle: int
    even: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A total on the scale."""

    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of the line; without a label where another one is too near. `anchor` is where the label begins."""

    x: int
    y: int
    label: str
    label_y: int
    anchor: str
    last: bool


@dataclass(frozen=True, slots=True)
class Marker:
    """A session: its line, its number and its date; either is left out where another one is too near."""

    x: int
    label: str
    day: str
    given: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn. `response` and `remission` are heights of their lines, `response` None without a baseline
    that says something, `most` the highest total that is one."""

    size: Size
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    line: str
    dots: tuple[Dot, ...]
    markers: tuple[Marker, ...]
    response: int | None
    most: int | None
    remission: int

    @property
    def floor(self) -> int:
        """Where the scale begins."""
        return self.size.height - self.size.bottom

    @property
    def end(self) -> int:
        """Where the lines end on the right."""
        return self.size.width - self.size.right

    @property
    def across(self) -> int:
        """How wide the scale is."""
        return self.end - self.size.left

    @property
    def ticks_at(self) -> int:
        """Where the totals of the scale end."""
        return self.size.left - 7

    @property
    def says_at(self) -> int:
        """Where the words of the lines begin."""
        return self.size.left + 7

    @property
    def names_at(self) -> int:
        """Where the names of the bands end."""
        return self.end - 6


def draw(
    *,
    instrument: Instrument,
    points: Sequence[Point],
    stops: Sequence[Stop],
    baseline: int | None,
    remission: int,
    zone: tzinfo,
    size: Size = WIDE,
) -> Chart:
    """The chart of one instrument: `points` and `stops` in order of time, `baseline` only where a percentage of it
    says something, `remission` the highest total in remission."""
    scale = _Scale(instrument.highest, [*(point.at for point in points), *(stop.at for stop in stops)], size)
    most = None if baseline is None else int(baseline * (100 - RESPONSE) / 100)
    return Chart(
        size=size,
        bands=tuple(_bands(instrument, scale)),
        ticks=tuple(Tick(scale.y(total), str(total)) for total in _ticks(instrument)),
        line=" ".join(f"{scale.x(point.at)},{scale.y(point.total)}" for point in points),
        dots=tuple(_dots(points, scale)),
        markers=tuple(_markers(stops, scale, zone)),
        response=None if most is None else scale.y(most),
        most=most,
        remission=scale.y(remission + 0.5),
    )


class _Scale:
    """Totals and instants to pixels. A single instant stands a fifth from the left: more are to come."""

    def __init__(self, highest: int, instants: Sequence[datetime], size: Size) -> None:
        self.highest, self.size = highest, size
        self.first = min(instants, default=None)
        self.length = (max(instants) - min(instants)).total_seconds() if instants else 0

    def x(self, at: datetime) -> int:
        start = self.size.left + _MARGIN
        room = self.size.width - self.size.right - _MARGIN - start
        share = (at - self.first).total_seconds() / self.length if self.first and self.length else 0.2
        return round(start + share * room)

    def y(self, total: float) -> int:
        room = self.size.height - self.size.top - self.size.bottom
        return round(self.size.top + (self.highest - total) / self.highest * room)


def _ticks(instrument: Instrument) -> list[int]:
    return [*(band.lowest for band in instrument.bands), instrument.highest]


def _bands(instrument: Instrument, scale: _Scale) -> Iterator[Band]:
    for place, (band, (low, high)) in enumerate(zip(instrument.bands, pairwise(_ticks(instrument)), strict=True)):
        top, foot = scale.y(high), scale.y(low)
        yield Band(band.name, top, foot - top, (top + foot) // 2 + 4, even=place % 2 == 0)


def _dots(points: Sequence[Point], scale: _Scale) -> Iterator[Dot]:
    """The first and the last total are always said, and of the others those that have room."""
    last = len(points) - 1
    shown = {0, last}
    nearest = scale.x(points[last].at) if points else 0
    for place in reversed(range(1, last)):
        x = scale.x(points[place].at)
        if min(nearest - x, x - scale.x(points[0].at)) >= scale.size.gap:
            shown.add(place)
            nearest = x
    for place, point in enumerate(points):
        x, y = scale.x(point.at), scale.y(point.total)
        falls = place == last > 0 and points[place - 1].total >= point.total
        below = (falls and point.total > scale.highest / 8) or y < scale.size.top + 12
        yield Dot(
            x=x,
            y=y,
            label=str(point.total) if place in shown else "",
            label_y=y + 19 if below else y - 10,
            anchor="end" if x > scale.size.width * 0.8 else "middle",
            last=place == last,
        )


def _markers(stops: Sequence[Stop], scale: _Scale, zone: tzinfo) -> Iterator[Marker]:
    """Every session has its line; numbers and dates stand where there is room, the latest numbers first."""
    numbered: set[int] = set()
    nearest = float("inf")
    for place in reversed(range(len(stops))):
        if nearest - scale.x(stops[place].at) >= 2 * _RADIUS + 2:
            numbered.add(place)
            nearest = scale.x(stops[place].at)
    edge, before = 0.0, None
    for place, stop in enumerate(stops):
        x, day = scale.x(stop.at), stop.at.astimezone(zone).date()
        text = _dated(day, before)
        start = x - len(text) * _LETTER / 2
        said = place in numbered and start >= edge and x + len(text) * _LETTER / 2 <= scale.size.width
        if said:
            edge, before = start + (len(text) + 1) * _LETTER, day
        yield Marker(x, stop.label if place in numbered else "", text if said else "", stop.given)


def _dated(day: date, before: date | None) -> str:
    """Day and month; the day alone in the month that was said before, the year where it is another one."""
    if before is None or day.year == before.year:
        return str(day.day) if before and day.month == before.month else date_format(day, "j M")
    return date_format(day, "j M Y")
