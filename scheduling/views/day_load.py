"""How full a day is, half hour by half hour: each prescriber's patients at once, nursing, chairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.safestring import SafeString

from clinic.models import Shift, Staff
from clinic.phrases import gettext as _
from scheduling.board import Board
from scheduling.models import Session
from scheduling.openings import Interval
from scheduling.protocols import load
from scheduling.protocols.types import VisitTimes
from scheduling.protocols.windows import merge
from scheduling.views.day_block import fill
from scheduling.views.day_scale import Scale
from scheduling.views.day_words import initials

ONE = Fraction(1)

#: Beside the chairs as long as there is room for both, otherwise folded under them.
MOST_CHAIRS, MOST_PRESCRIBERS = 6, 4

#: So many characters of hours fit over a column.
SHORT = 8


class Cell(NamedTuple):
    """One half hour of a resource as it is drawn; `looks` is off where nobody is there, full at the limit."""

    looks: str
    drawn: SafeString


@dataclass(frozen=True, slots=True)
class Column:
    """A prescriber, the nurses, or the chairs; the `head` is for a narrow column."""

    head: str
    name: str
    when: str
    cells: tuple[Cell, ...]

    @property
    def drawn(self) -> SafeString:
        """All cells one after the other."""
        return SafeString("".join(cell.drawn for cell in self.cells))

    @property
    def full(self) -> bool:
        return any(cell.looks == "full" for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Load:
    """The columns, and the time of each row; `folded` when they do not fit beside the chairs."""

    times: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, str, SafeString], ...]
    folded: bool
    tight: tuple[str, ...]


def load_of(board: Board, scale: Scale) -> Load:
    """What is used and there in each half hour that is drawn. No query."""
    halves = scale.halves()
    sessions = [visit.session for visit in board.visits]
    columns = [*_prescribers(board, scale, halves, sessions), _nurses(board, scale, halves, sessions)]
    columns.append(_chairs(board, scale, halves, sessions))
    times = tuple(scale.clock(start) for start, _end in halves)
    rows = tuple(
        (f"y{6 * number} h6", times[number], SafeString("".join(column.cells[number].drawn for column in columns)))
        for number in range(len(halves))
    )
    people = len(columns) - 2
    return Load(
        times=times,
        columns=tuple(columns),
        rows=rows,
        folded=len(board.chairs) > MOST_CHAIRS or people > MOST_PRESCRIBERS,
        tight=tuple(column.name for column in columns[:people] if column.full),
    )


def _prescribers(board: Board, scale: Scale, halves: Sequence[Interval], sessions: Sequence[Session]) -> list[Column]:
    """Each prescriber who has a shift or a visit on the day."""
    people: dict[int, Staff] = {}
    for shift in board.shifts:
        if shift.staff.is_prescriber:
            people.setdefault(shift.staff_id, shift.staff)
    for session in sessions:
        people.setdefault(session.prescriber_id, session.prescriber)
    columns = []
    for pk, person in people.items():
        shifts = [shift for shift in board.shifts if shift.staff_id == pk]
        care = [(one.dose_starts_at, one.discharge_at, ONE) for one in sessions if one.prescriber_id == pk]
        limits = [
            max((shift.patients_at_once for shift in shifts if _touch(shift, half)), default=None) for half in halves
        ]
        used = load.peaks(care, halves)
        columns.append(Column(initials(person), str(person), _when(shifts, scale), _cells(used, limits)))
    return columns


def _nurses(board: Board, scale: Scale, halves: Sequence[Interval], sessions: Sequence[Session]) -> Column:
    """The share of nurses that visits take; how many there are only where their shifts are known."""
    spans = [
        span
        for one in sessions
        for span in load.nursing(
            VisitTimes(one.starts_at, one.dose_starts_at, one.dose_ends_at, one.discharge_at, one.ends_at)
        )
    ]
    used = load.peaks(spans, halves)
    shifts = [shift for shift in board.shifts if not shift.staff.is_prescriber]
    there: list[int | None] = [sum(_touch(shift, half) for shift in shifts) for half in halves]
    cells = _cells(used, there) if shifts else tuple(_drawn("", fill("<b>{}</b>", _number(one))) for one in used)
    return Column(_("Nurses"), _("Nurses"), _("load"), cells)


def _chairs(board: Board, scale: Scale, halves: Sequence[Interval], sessions: Sequence[Session]) -> Column:
    """Chairs that are used and that are there: open, and not out of order."""
    used = load.peaks([(one.starts_at, one.ends_at, ONE) for one in sessions], halves)
    active = [row.chair.pk for row in board.chairs if row.chair.active]
    opened = merge(board.facts.open)
    there: list[int | None] = []
    for start, end in halves:
        broken = {chair for chair, (since, until) in board.facts.outages if since < end and start < until}
        is_open = any(since < end and start < until for since, until in opened)
        there.append(sum(chair not in broken for chair in active) if is_open else None)
    return Column(_("Chairs"), _("Chairs"), _("used"), _cells(used, there))


def _cells(used: Iterable[Fraction], there: Iterable[int | None]) -> tuple[Cell, ...]:
    off = _("off")
    used = tuple(used)
    numbers = {some: _number(some) for some in set(used)}
    return tuple(_cell(numbers[some], some, limit, off) for some, limit in zip(used, there, strict=True))


@lru_cache(maxsize=1000)
def _cell(number: str, used: Fraction, limit: int | None, off: str) -> Cell:
    """Kept, for a day of forty chairs has hundreds of them, and few that differ."""
    if limit is None:
        return _drawn("off", fill("<b>{}</b>" if used else "{}", number if used else off))
    tenths = min(10, round(10 * used / limit)) if limit else 10 * bool(used)
    share = fill('<svg class="share" aria-hidden="true"><rect width="{}0%" height="3"/></svg>', str(tenths))
    text = fill("<b>{}</b>/{}{}", number, str(limit), share if tenths else "")
    return _drawn("full" if used and used >= limit else "", text)


def _drawn(looks: str, text: SafeString) -> Cell:
    return Cell(looks, fill('<td class="{}">{}</td>' if looks else "<td{}>{}</td>", looks, text))


def _number(some: Fraction) -> str:
    """In the reader's language: "2.25"."""
    return str(number_format(str(float(some)).removesuffix(".0")))


def _when(shifts: Sequence[Shift], scale: Scale) -> str:
    """The hours of a prescriber, as short as a narrow column wants them: "08-16:30", otherwise "to 18:30"."""
    spans = [f"{_short(shift.during.lower, scale)}–{_short(shift.during.upper, scale)}" for shift in shifts]
    if len(spans) == 1 and len(spans[0]) <= SHORT:
        return spans[0]
    return _("to %(end)s") % {"end": _short(shifts[-1].during.upper, scale)} if shifts else ""


def _short(at: datetime, scale: Scale) -> str:
    local = at.astimezone(scale.zone)
    return f"{local:%H:%M}" if local.minute else f"{local:%H}"


def _touch(shift: Shift, half: Interval) -> bool:
    start, end = half
    lower: datetime = shift.during.lower
    upper: datetime = shift.during.upper
    return lower < end and start < upper
