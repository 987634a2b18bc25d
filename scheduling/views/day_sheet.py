"""The day board as it is drawn: chairs beside each other over rows of five minutes.

Here facts become words and whole numbers of rows, so that the template only places them: forty chairs have to be
rendered in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString

from clinic.models import Closure
from clinic.phrases import gettext as _
from scheduling import wording
from scheduling.board import ChairDay
from scheduling.models import SessionState
from scheduling.phases import Visit
from scheduling.protocols.library import STANDARD
from scheduling.protocols.windows import subtract
from scheduling.views.day_block import Lane, draw_chair, draw_stretch
from scheduling.views.day_scale import Scale, draw_icon
from scheduling.views.day_visit import Reading, draw, home_from, minutes_over, state_of
from scheduling.views.day_words import agreed, alarming, is_late, since

#: A free stretch of at least so much is named.
NAMED = timedelta(minutes=30)

#: The icons that are named here and in what comes next, beside those of the states.
ICONS = frozenset(
    {
        *("alert-circle", "arrows-exchange", "arrows-vertical", "ban", "circle", "clock-exclamation", "door-exit"),
        *("droplet", "heart-rate-monitor", "phone", "refresh", "spray", "user-off"),
    }
)


@dataclass(frozen=True, slots=True)
class Shut:
    """A time in which the whole site is closed, and why."""

    place: SafeString
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that is drawn of a day, its chairs put together already."""

    scale: Scale
    lanes: tuple[SafeString, ...]
    shut: tuple[Shut, ...]
    now: str


def sheet(read: Reading) -> Sheet:
    """Draw a day."""
    drawn, now = _Drawing(read), read.now
    return Sheet(
        scale=read.scale,
        lanes=tuple(draw_chair(drawn.lane(row), read.scale.rows) for row in read.board.chairs),
        shut=tuple(drawn.shut()),
        now=read.scale.percent(now) if read.scale.start <= now < read.scale.end else "",
    )


class _Drawing:
    """What all chairs of a day share while they are drawn."""

    def __init__(self, read: Reading) -> None:
        self.read, self.board, self.scale, self.now = read, read.board, read.scale, read.now
        self.outages: dict[int, list[Closure]] = {}
        for closure in self.board.closures:
            if closure.chair_id is not None:
                self.outages.setdefault(closure.chair_id, []).append(closure)

    # The site

    def shut(self) -> Iterator[Shut]:
        """When the whole site is closed, before, between and after its hours, and why."""
        whole = [closure for closure in self.board.closures if closure.chair_id is None]
        for start, end in subtract([(self.scale.start, self.scale.end)], self.board.facts.open):
            reasons = [c.reason for c in whole if c.during.lower < end and c.during.upper > start]
            if start == self.scale.start and end == self.scale.end:
                text = _("Closed all day")
            elif start == self.scale.start:
                text = _("Closed until %(end)s") % {"end": self.scale.clock(end)}
            elif end == self.scale.end:
                text = _("Closed from %(start)s") % {"start": self.scale.clock(start)}
            else:
                text = _("Closed %(start)s–%(end)s") % {"start": self.scale.clock(start), "end": self.scale.clock(end)}
            yield Shut(self.scale.place(start, end), text, ", ".join(reasons))

    # A chair

    def lane(self, row: ChairDay) -> Lane:
        """A chair's header and its day."""
        outages = self.outages.get(row.chair.pk, [])
        placed: list[tuple[datetime, SafeString]] = [*self._outages(outages), *self._free(row, outages)]
        placed += [(visit.begins_at, draw(visit, self.read)) for visit in row.visits]
        placed += [(visit.planned_end, self._tail(visit)) for visit in row.visits if visit.overrun]
        placed.sort(key=lambda one: one[0])
        icon, now, clock, edge = self._status(row, outages)
        who, then = self._short(row)
        return Lane(
            pk=row.chair.pk,
            name=row.chair.name,
            edge=edge,
            icon=draw_icon(icon) if icon else "",
            now=now,
            clock=clock,
            who=who,
            then=then,
            items=tuple(item for _, item in placed),
        )

    def _outages(self, outages: Sequence[Closure]) -> Iterator[tuple[datetime, SafeString]]:
        for outage in outages:
            start, end = max(outage.during.lower, self.scale.start), min(outage.during.upper, self.scale.end)
            if start < end:
                text = _("Out of order")
                if end < self.scale.end:
                    text = _("Out of order until %(end)s") % {"end": self.scale.clock(end)}
                yield start, draw_stretch("shut", self.scale.place(start, end), text, outage.reason)

    def _free(self, row: ChairDay, outages: Sequence[Closure]) -> Iterator[tuple[datetime, SafeString]]:
        """What is left of the chair's day from now on, and whether a visit by the default protocol still fits in."""
        taken = [(visit.session.starts_at, visit.session.ends_at) for visit in row.visits]
        taken += [(visit.begins_at, visit.times.ends_at) for visit in row.visits]
        taken += [(outage.during.lower, outage.during.upper) for outage in outages]
        if not row.chair.active:
            return
        for start, end in subtract(
            self.board.facts.open, [*taken, (self.scale.start, max(self.now, self.scale.start))]
        ):
            if end - start < NAMED:
                continue
            note = ""
            if end - start < STANDARD.visit.length:
                note = _("Shorter than a visit of %(length)s") % {"length": wording.length(STANDARD.visit.length)}
            text = _("Free %(start)s–%(end)s") % {"start": self.scale.clock(start), "end": self.scale.clock(end)}
            yield start, draw_stretch("free", self.scale.place(start, end), text, note)

    def _tail(self, visit: Visit) -> SafeString:
        """What a visit takes of its chair beyond its planned end."""
        end = visit.times.ends_at
        text = _("Overrun until %(time)s") % {"time": self.scale.clock(end)}
        return draw_stretch("tail", self.scale.place(visit.planned_end, end), minutes_over(visit.overrun), text)

    def _status(self, row: ChairDay, outages: Sequence[Closure]) -> tuple[str, str, SafeString | str, str]:
        """Icon and words of what the chair does now, its clock, and the colour of what is wrong."""
        if not row.chair.active:
            return "ban", _("not planned any more"), "", ""
        if not self.read.today:
            return "", "", "", ""
        seated = next((visit for visit in row.visits if visit.running), None)
        if seated is not None:
            icon, word, clock = state_of(seated, self.read)
            following = row.after(seated)
            if seated.session.state == SessionState.READY:
                clock = since("min", seated.home_from, self.now)
            return icon, word, clock, "red" if alarming(seated) or (following and following.delay) else ""
        for outage in outages:
            if outage.during.lower <= self.now < outage.during.upper:
                return "ban", _("Out of order"), "", ""
        return next(self._waits(row), None) or self._rests(row)

    def _waits(self, row: ChairDay) -> Iterator[tuple[str, str, SafeString | str, str]]:
        """A chair that waits for somebody."""
        for visit in row.visits:
            session = visit.session
            if expected := agreed(session, self.now):
                yield "phone", _("Comes %(time)s") % {"time": self.scale.clock(expected)}, "", ""
            elif is_late(session, self.now):
                ago = since("min", session.starts_at, self.now)
                yield "clock-exclamation", _("Waiting"), SafeString(_("%(length)s late") % {"length": ago}), "amber"

    def _rests(self, row: ChairDay) -> tuple[str, str, SafeString | str, str]:
        """A chair that waits for nobody yet."""
        for visit in row.visits:
            if visit.session.left_at is not None and visit.session.left_at <= self.now < visit.times.ends_at:
                return "refresh", _("Turn over until"), self.scale.clock(visit.times.ends_at), ""
        ahead = [visit.times.starts_at for visit in row.visits if visit.times.starts_at > self.now]
        if ahead:
            return "circle", _("Free until"), self.scale.clock(min(ahead)), ""
        return "circle", _("Free"), "", ""

    def _short(self, row: ChairDay) -> tuple[str, str]:
        """Who is in the chair or comes next, and what follows: the two lines of a narrow screen."""
        coming = [visit for visit in row.visits if visit.due]
        if not coming:
            return "", _("Nobody comes any more") if row.visits else ""
        first = coming[0]
        session = first.session
        facts = []
        if first.running and (due := first.is_due("vitals")):
            facts.append(_("Vitals %(time)s") % {"time": self.scale.clock(due.at)})
        if first.running or agreed(session, self.now) or is_late(session, self.now):
            label, value = home_from(first, self.read)
            facts.append(f"{label} {value}".strip())
        else:
            facts.append(f"{self.scale.clock(session.starts_at)} {self.read.words[SessionState(session.state)]}")
        facts += [
            _("then %(name)s %(time)s")
            % {"name": later.session.patient.last_name, "time": self.scale.clock(later.times.starts_at)}
            for later in coming[1:2]
        ]
        return str(session.patient), " · ".join(fact for fact in facts if fact)
