"""On which days the sessions of a course are best: an exact dynamic programme over (session, day). Pure.

What a choice of days is worth is one sum, `Aim` says of what; its weights are so far apart that the sum compares
like a tuple, most important first.

In its state the programme has, beside session and day, the sessions already chosen in the day's month where there is
`month-max`, and the earliest start on that day where starts can be so far apart that the hours of `gap-min` bind
beside its days (a day longer than 11 h 20 min, or a change of the clocks in a slightly shorter one).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache

from scheduling.protocols.plan_task import COUNT, LONGEST, NEVER, SUM, Aim, Choice, Rules, Task

#: A state in one integer: the day, then the new sessions in its month, then the earliest start.
_DAY = (1 << 16) - 1
_CROWD_SHIFT = 16
_CROWD = 0xFF << _CROWD_SHIFT
_START_SHIFT = 24

#: Dearer than any choice.
NOTHING = NEVER * SUM * COUNT * COUNT

Layer = dict[int, int]


def choose_days(task: Task, aim: Aim) -> Choice | None:
    """The best days for the sessions, None if there are none within the rules."""
    search = _Search(task, aim)
    for tried, bound in enumerate(search.bounds()):
        if tried == 2 and first_possible(task) is None:
            break
        if best := search.within(bound):
            return best
    return None


def first_possible(task: Task) -> int | None:
    """The first day on which the phase can begin so that all sessions find a day within the rules, None without.

    Taking the earliest possible start again and again finds room for as many as any other way: what is possible after
    a start is possible after an earlier one.
    """
    search = _Search(task, Aim(unmet=0, warn=0))
    firsts = [first for first, _ in search.firsts()]
    return next((first for first in (firsts if task.relative else firsts[:1]) if search.has_room(first)), None)


class _Search:
    """One search. A state is a day, and where it matters the month's count and the earliest start on it, as one
    integer; a layer holds the least cost of every state of the k-th session. Costs never fall along a choice of
    days, so what is above a bound is given up at once.
    """

    def __init__(self, task: Task, aim: Aim) -> None:
        self.task = task
        self.aim = aim
        self.sessions = task.count + len(task.standing)
        self.days = sorted(task.starts)
        self.candidates = [(day, 0 if day in task.wished else aim.unmet) for day in self.days]
        self.last_standing = task.standing[-1] if task.standing else -1
        self.timed = task.free_gap > task.rules.gap
        self.step = self._step_with_state if self.timed or task.rules.month else self._step
        self.gaps = _gap_costs(aim, task.rules, task.gaps, self.sessions)
        self.offs = _off_costs(aim)
        #: What is still to come at least after the first session, and by first days where that is known.
        self.rest = 0 if task.standing else aim.last * task.rules.gap * (self.sessions - 1)
        self.floors: dict[int, int] = {}
        self.rows: dict[int, tuple[int, ...]] = {}

    def bounds(self) -> Iterator[int]:
        """Ever wider limits of cost to search within. The first mostly holds the best choice and leaves little to
        look at; the last excludes nothing."""
        task, aim = self.task, self.aim
        if aim.last:
            last = self._soonest_end() if task.relative else task.preferred[-1]
            for slack in (0, 3, 7):
                yield aim.last * (last + slack + 1) - 1
        else:
            yield 3 * aim.off + 2 * aim.square
            yield 12 * aim.off + 21 * aim.square
        if task.relative and not task.standing and aim.unmet > aim.warn:
            self.rows = self._wished_rows()
            self.floors = {
                first: aim.unmet * self._fewest_unmet(first, task.count, first) for first, _ in self.firsts()
            }
            for unmet in range(min(self.floors.values(), default=0), aim.unmet * task.count, aim.unmet):
                yield unmet + aim.unmet - 1
        yield NOTHING - 1

    def within(self, bound: int) -> Choice | None:
        """The best choice that costs at most `bound`; of equal ones that which begins and ends first."""
        if not self.task.relative:
            return self._chain(self.firsts(), NEVER, bound)
        best = None
        for first, cost in self.firsts():
            if cost + self.rest + self.floors.get(first, 0) > bound:
                continue
            if found := self._chain([(first, cost)], first, bound):
                best = found
                bound = best.cost - 1
        return best

    def firsts(self) -> Iterator[tuple[int, int]]:
        """The days on which the phase can begin, with what that costs beside the wishes."""
        task, aim = self.task, self.aim
        aimed = task.first_day if task.relative else task.preferred[0]
        since, until = 0, task.first_until
        if task.standing:
            until = min(until, task.standing[0] - 1)
            if task.relative:
                since = self.last_standing - task.rules.span  # a new day 0 must not leave others outside the span
        for day in self.days[bisect_left(self.days, since) : bisect_right(self.days, until)]:
            off = 0 if task.relative else self.offs[day - aimed]
            yield day, aim.last * day + aim.first * abs(day - aimed) + off
        if task.standing:
            yield task.standing[0], aim.last * task.standing[0]

    def _soonest_end(self) -> int:
        """A day before which no choice of days without warnings ends."""
        task = self.task
        day, least = 0, 0
        for _ in range(task.count):
            at = bisect_left(self.days, least)
            if at < len(self.days):
                day = self.days[at]
                least = day + task.rules.gap
        return max([day, self.last_standing, *[first + task.rules.last_from for first in self.days[:1]]])

    def _wished_rows(self) -> dict[int, tuple[int, ...]]:
        """For every day the most days that meet the wishes from it on and keep the gap: always the next one."""
        rows: dict[int, tuple[int, ...]] = {}
        row: tuple[int, ...] = ()
        for day in reversed(self.days):
            if day in self.task.wished:
                at = bisect_left(self.days, day + self.task.rules.gap)
                row = (day, *(rows[self.days[at]] if at < len(self.days) else ()))[: self.task.count]
            rows[day] = row
        return rows

    def _fewest_unmet(self, day: int, sessions: int, anchor: int) -> int:
        """How many of so many sessions at least do not meet the wishes, from this day to the end of the phase."""
        at = bisect_left(self.days, day)
        row = self.rows[self.days[at]] if at < len(self.days) else ()
        return max(0, sessions - bisect_right(row, anchor + self.task.rules.span))

    def has_room(self, first: int) -> bool:
        """Whether there are days for all sessions of a phase that begins on this one."""
        task = self.task
        until = first + task.rules.span if task.relative else NEVER
        found, state = 0, None
        for day in self.days[bisect_left(self.days, first) : bisect_right(self.days, until)]:
            if found < task.count and (state is None or day - (state & _DAY) >= task.rules.gap):
                entered = min([entered for entered, _ in self._enter(day, 0, state)], default=None)
                if entered is not None:
                    found, state = found + 1, entered
        return found >= task.count

    def _chain(self, firsts: Iterable[tuple[int, int]], anchor: int, bound: int) -> Choice | None:
        """The best choice that begins on one of these days; `anchor` is day 0 of the phase, NEVER without `span`."""
        standing = self.task.standing
        layer = {
            state: cost
            for first, base in firsts
            for state, cost in (((first, base),) if first in standing else self._enter(first, base))
            if cost <= bound
        }
        trail: list[Layer] = []
        for index in range(1, self.sessions):
            if not layer:
                return None
            layer, came = self.step(layer, index, anchor, bound)
            trail.append(came)
        ends = [
            (cost + self._ending(state & _DAY, anchor), state)
            for state, cost in layer.items()
            if state & _DAY >= self.last_standing
        ]
        cost, state = min(ends, default=(NOTHING, 0))
        if cost > bound:
            return None
        days = [state & _DAY]
        for came in reversed(trail):
            state = came[state]
            days.append(state & _DAY)
        return Choice(cost, tuple(reversed(days)))

    def _ending(self, day: int, anchor: int) -> int:
        """What counts against the phase for ending on this day."""
        rules = self.task.rules
        return 0 if anchor == NEVER or rules.last_from <= day - anchor <= rules.last_to else self.aim.warn

    def _room(self, day: int, index: int, anchor: int) -> tuple[int, int, int]:
        """Where a session after one on this day can be: up to which day, which one is preferred for it, and the next
        standing session, before which it has to be, or NEVER."""
        task = self.task
        passed = bisect_right(task.standing, day)
        after = task.standing[passed] if passed < len(task.standing) else NEVER
        if task.relative:
            return min(anchor + task.rules.span, after - 1), anchor + task.preferred[index], after
        return after - 1, task.preferred[min(index - passed, task.count - 1)], after

    def _step(self, layer: Layer, index: int, anchor: int, bound: int) -> tuple[Layer, Layer]:
        """From the states of one session to those of the next, where a state is a day and nothing else: the least
        costs, and the states they come from."""
        reached: Layer = {}
        came: Layer = {}
        task, gaps = self.task, self.gaps[index - 1]
        rules = task.rules
        gap = rules.gap
        left = self.sessions - index
        if not task.standing:
            bound -= self.aim.last * gap * (left - 1)
            last, preferred, after = self._room(-1, index, anchor)
            last = min(last - gap * (left - 1), max(layer) + (rules.long_gap if bound < self.aim.warn else NEVER))
            nodes = self._nodes(min(layer) + gap, last, preferred, bound - min(layer.values()))
        for day, cost in layer.items():
            if task.standing:
                last, preferred, after = self._room(day, index, anchor)
                nodes = self._nodes(day + gap, last, preferred, bound - cost)
            spare = bound - cost
            if self.rows:
                spare -= self.aim.unmet * self._fewest_unmet(day + gap, left, anchor)
                if spare < 0:
                    continue
            widest = rules.long_gap if spare < self.aim.warn else NEVER
            for later, node in nodes:
                if gap <= later - day <= widest:
                    total = cost + gaps[later - day] + node
                    if total <= bound and total < reached.get(later, NOTHING):
                        reached[later] = total
                        came[later] = day
            if after != NEVER:
                total = cost + self._to_standing(day, after, index)
                if total <= bound and total < reached.get(after, NOTHING):
                    reached[after] = total
                    came[after] = day
        return reached, came

    def _nodes(self, since: int, until: int, preferred: int, bound: int) -> list[tuple[int, int]]:
        """The days from one to the other that cost at most `bound` in themselves, and what they cost."""
        offs, days = self.offs, self.days
        return [
            (day, cost)
            for day, miss in self.candidates[bisect_left(days, since) : bisect_right(days, until)]
            if (cost := miss + offs[day - preferred]) <= bound
        ]

    def _step_with_state(self, layer: Layer, index: int, anchor: int, bound: int) -> tuple[Layer, Layer]:
        """The same where a state is more than a day."""
        reached: Layer = {}
        came: Layer = {}
        days, gaps, offs, months = self.days, self.gaps[index - 1], self.offs, self.task.months
        for state, cost in layer.items():
            day = state & _DAY
            last, preferred, after = self._room(day, index, anchor)
            nexts = [
                (entered, total)
                for later in days[bisect_left(days, day + self.task.rules.gap) : bisect_right(days, last)]
                for entered, total in self._enter(later, cost + gaps[later - day] + offs[later - preferred], state)
            ]
            if after != NEVER:
                crowd = state & _CROWD if months.get(day) == months.get(after) else 0
                nexts.append((after | crowd, cost + self._to_standing(day, after, index)))
            for entered, total in nexts:
                if total <= bound and total < reached.get(entered, NOTHING):
                    reached[entered] = total
                    came[entered] = state
        return reached, came

    def _to_standing(self, day: int, after: int, index: int) -> int:
        """The cost of the gap to a session that stands; nobody is blamed for one between two of them."""
        if day in self.task.standing:
            return self.aim.last * (after - day)
        return self.gaps[index - 1][min(after - day, LONGEST)]

    def _enter(self, day: int, cost: int, state: int | None = None) -> Iterator[tuple[int, int]]:
        """The states in which a new session can be on this day, the one before it being in `state`."""
        task = self.task
        rules = task.rules
        entered = day
        if rules.month:
            month = task.months[day]
            crowd = 1 + (
                (state & _CROWD) >> _CROWD_SHIFT if state is not None and task.months[state & _DAY] == month else 0
            )
            if crowd + task.stood.get(month, 0) > rules.month:
                return
            entered |= crowd << _CROWD_SHIFT
        if not self.timed:
            yield entered, cost + (0 if day in task.wished else self.aim.unmet)
            return
        midnight = task.midnights[day]
        least = 0
        if state is not None and day - (state & _DAY) < task.free_gap:
            # A standing session is at 0, before all midnights: what is too near to it is no start at all.
            least = max(0, (state >> _START_SHIFT) + rules.cells - midnight)
        first = _first_from(task.starts[day], least)
        wished = _first_from(task.wished.get(day, 0), least)
        if wished >= 0:
            yield entered | (midnight + wished) << _START_SHIFT, cost
        if 0 <= first != wished:
            yield entered | (midnight + first) << _START_SHIFT, cost + self.aim.unmet


def _first_from(mask: int, cell: int) -> int:
    """The first cell of the mask that is not before this one, -1 without any."""
    rest = mask >> cell
    return cell + (rest & -rest).bit_length() - 1 if rest else -1


@lru_cache(maxsize=256)
def _gap_costs(aim: Aim, rules: Rules, preferred: tuple[int, ...], gaps: int) -> tuple[tuple[int, ...], ...]:
    """What a gap of so many days costs, for the gap after each session."""
    preferred += preferred[-1:] * (gaps - len(preferred))
    return tuple([_gap_cost(aim, rules.short_gap, rules.long_gap, wanted) for wanted in preferred])


@lru_cache(maxsize=256)
def _gap_cost(aim: Aim, short: int, long: int, wanted: int) -> tuple[int, ...]:
    return tuple(
        [
            aim.last * days + aim.square * (days - wanted) ** 2 + (0 if short <= days <= long else aim.warn)
            for days in range(LONGEST + 1)
        ]
    )


@lru_cache(maxsize=64)
def _off_costs(aim: Aim) -> tuple[int, ...]:
    """What it costs to be so many days off the preferred day; days before it index from the end."""
    late = [aim.off * days for days in range(LONGEST + 1)]
    early = [(aim.off + aim.early) * days for days in range(LONGEST, 0, -1)]
    return (*late, *early)
