"""What the planner has to place, under which rules and with which aims: the values that planning's steps share. Pure.

Days are numbers: any consecutive count of a site's local dates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

#: A number of days that no plan reaches: the value of a limit that is absent.
NEVER = 1 << 20

#: The weight that outweighs any count (of sessions, of days), and any sum of days or of their squares.
COUNT = 1 << 10
SUM = 1 << 24

#: Days that tables reach. Candidates and preferred days lie within; standing sessions beyond count as this far.
LONGEST = 2000


class Aim(NamedTuple):
    """What counts against a choice of days, by weight.

    `unmet`: sessions that do not meet the wishes. `warn`: warnings. `last`: the day of the last session. `early` and
    `off`: days before, and days off, the day preferred for a session. `square`: squared days by which a gap is off
    the preferred one. `first`: days by which the first session is later than the first date, or off its aimed one.
    """

    unmet: int
    warn: int
    last: int = 0
    early: int = 0
    off: int = 0
    square: int = 0
    first: int = 0


class Rules(NamedTuple):
    """The schedule rules of one phase. `gap` and `cells` (start to start), `span` and `month` are never broken; the
    others are warnings: a gap under `short_gap` or above `long_gap`, a last day number under `last_from` or above
    `last_to`."""

    gap: int = 1
    cells: int = 0
    span: int = NEVER
    month: int = 0
    short_gap: int = 0
    long_gap: int = NEVER
    last_from: int = 0
    last_to: int = NEVER


@dataclass(frozen=True, slots=True)
class Task:
    """Sessions to be placed on days.

    `standing` are the days of the sessions that stand in this phase; new ones may lie before, between and after
    them. `starts` are the possible starts of every day as cells, too near to no session that stands; `wished` those
    that meet the wishes. With `relative` the phase counts its days from its first session: `preferred` are day
    numbers of all its sessions, and it begins from `first_day` until `first_until`; else `preferred` are the aimed
    days of the new sessions. `gaps` are the preferred ones. `months` number the days' months, `stood` counts the
    sessions that stand in each. From `free_gap` days on the hours of `gap-min` cannot bind; where they can,
    `midnights` are the days' beginnings in cells of elapsed time, none before `cells`.
    """

    count: int
    rules: Rules
    standing: tuple[int, ...]
    starts: Mapping[int, int]
    wished: Mapping[int, int]
    preferred: tuple[int, ...]
    gaps: tuple[int, ...]
    relative: bool
    first_day: int
    first_until: int
    free_gap: int
    midnights: Mapping[int, int]
    months: Mapping[int, int]
    stood: Mapping[int, int]


class Choice(NamedTuple):
    """Days of all sessions of the phase, those that stand among them, and what counts against them."""

    cost: int
    days: tuple[int, ...]


class Warned(NamedTuple):
    """The warnings of a choice of days: gaps too short or too long, and a phase that ends too early or too late."""

    gaps: int
    ending: bool

    def within(self, other: Warned) -> bool:
        """Whether there is nothing that the other has not."""
        return self.gaps <= other.gaps and self.ending <= other.ending


def warnings(task: Task, days: Sequence[int]) -> Warned | None:
    """The warnings of these days of all sessions of the phase, in ascending order; None if a rule is broken.

    The hours of `gap-min` are not looked at.
    """
    rules = task.rules
    new = set(days).difference(task.standing)
    gaps = [later - earlier for earlier, later in pairwise(days) if earlier in new or later in new]
    last = days[-1] if days[0] in new else max(new)
    if any(gap < rules.gap for gap in gaps) or (task.relative and last - days[0] > rules.span):
        return None
    if rules.month:
        months = Counter(task.months[day] for day in new)
        if any(count + task.stood.get(month, 0) > rules.month for month, count in months.items()):
            return None
    ending = task.relative and not rules.last_from <= days[-1] - days[0] <= rules.last_to
    return Warned(sum(not rules.short_gap <= gap <= rules.long_gap for gap in gaps), ending)
