"""The day board as it is drawn: chairs beside each other over rows of five minutes.

Here facts become words and whole numbers of rows, so that the template only places them: forty chairs have to be
rendered in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.models import Closure
from scheduling import wording
from scheduling.board import Board, ChairDay, Visit
from scheduling.models import OPEN, UNDER_WAY, Session, SessionState
from scheduling.protocols.library import STANDARD
from scheduling.protocols.windows import subtract
from scheduling.templatetags.visits import STATES
from scheduling.views.day_block import Alert, Block, Body, Part, draw_visit
from scheduling.views.day_scale import Scale, draw_icon
from scheduling.views.day_words import agreed, droplet, is_late, nth, overdue, since

MINUTE = timedelta(minutes=1)

#: A phase of at least so many rows has room for a line of text.
ROOM = 4
#: A free stretch of at least so much is named.
NAMED = timedelta(minutes=30)

#: The icons that are named here and in what comes next, beside those of the states.
ICONS = frozenset({"arrows-exchange", "ban", "circle", "clock-exclamation", "door-exit", "droplet", "phone", "spray"})

WORD_LATE = gettext_lazy("Late")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a chair is free (`kind` free) or cannot be used (shut), and why."""

    kind: str
    place: SafeString
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A chair: what it does now, and its day in order of time. The `short` line is for a narrow screen."""

    pk: int
    name: str
    active: bool
    edge: str
    icon: SafeString | str
    now: str
    clock: SafeString | str
    who: str
    then: str
    items: tuple[SafeString | Stretch, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that is drawn of a day."""

    scale: Scale
    lanes: tuple[Lane, ...]
    shut: tuple[Stretch, ...]
    now: str


def sheet(board: Board, scale: Scale) -> Sheet:
    """Draw a day."""
    drawn = _Drawing(board, scale)
    return Sheet(
        scale=scale,
        lanes=tuple(drawn.lane(row) for row in board.chairs),
        shut=tuple(drawn.shut()),
        now=scale.percent(board.now) if scale.start <= board.now < scale.end else "",
    )


class _Drawing:
    """What all chairs of a day share while they are drawn."""

    def __init__(self, board: Board, scale: Scale) -> None:
        self.board, self.scale, self.now = board, scale, board.now
        self.today = board.now.astimezone(board.site.zone).date() == board.date
        self.words = {state: str(state.label) for state in SessionState}
        self.outages: dict[int, list[Closure]] = {}
        for closure in board.closures:
            if closure.chair_id is not None:
                self.outages.setdefault(closure.chair_id, []).append(closure)

    # The site

    def shut(self) -> Iterator[Stretch]:
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
            yield Stretch("shut", self.scale.place(start, end), text, ", ".join(reasons))

    # A chair

    def lane(self, row: ChairDay) -> Lane:
        """A chair's header and its day."""
        outages = self.outages.get(row.chair.pk, [])
        placed: list[tuple[datetime, SafeString | Stretch]] = [*self._outages(outages), *self._free(row, outages)]
        placed += [(visit.session.starts_at, draw_visit(self.block(visit))) for visit in row.visits]
        placed.sort(key=lambda one: one[0])
        icon, now, clock, edge = self._status(row, outages)
        who, then = self._short(row)
        return Lane(
            pk=row.chair.pk,
            name=row.chair.name,
            active=row.chair.active,
            edge=edge,
            icon=draw_icon(icon) if icon else "",
            now=now,
            clock=clock,
            who=who,
            then=then,
            items=tuple(item for _, item in placed),
        )

    def _outages(self, outages: Sequence[Closure]) -> Iterator[tuple[datetime, Stretch]]:
        for outage in outages:
            start, end = max(outage.during.lower, self.scale.start), min(outage.during.upper, self.scale.end)
            if start < end:
                text = _("Out of order")
                if end < self.scale.end:
                    text = _("Out of order until %(end)s") % {"end": self.scale.clock(end)}
                yield start, Stretch("shut", self.scale.place(start, end), text, outage.reason)

    def _free(self, row: ChairDay, outages: Sequence[Closure]) -> Iterator[tuple[datetime, Stretch]]:
        """What is left of the chair's day from now on, and whether a visit by the default protocol still fits in."""
        taken = [(visit.session.starts_at, visit.session.ends_at) for visit in row.visits]
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
            yield start, Stretch("free", self.scale.place(start, end), text, note)

    def _status(self, row: ChairDay, outages: Sequence[Closure]) -> tuple[str, str, SafeString | str, str]:
        """Icon and words of what the chair does now, its clock, and the colour of what is wrong."""
        if not row.chair.active:
            return "ban", _("not planned any more"), "", ""
        if not self.today:
            return "", "", "", ""
        for visit in row.visits:
            session = visit.session
            if session.state in UNDER_WAY:
                edge = "red" if overdue(session, self.now) else ""
                return *self.state(session), edge
            if expected := agreed(session, self.now):
                return "phone", _("Comes %(time)s") % {"time": self.scale.clock(expected)}, "", ""
            if is_late(session, self.now):
                return "clock-exclamation", str(WORD_LATE), since("min", session.starts_at, self.now), "amber"
        for outage in outages:
            if outage.during.lower <= self.now < outage.during.upper:
                return "ban", _("Out of order"), "", ""
        ahead = [visit.session.starts_at for visit in row.visits if visit.session.starts_at > self.now]
        if ahead:
            return "circle", _("Free until %(start)s") % {"start": self.scale.clock(min(ahead))}, "", ""
        return "circle", _("Free"), "", ""

    def _short(self, row: ChairDay) -> tuple[str, str]:
        """Who is in the chair or comes next, and what follows: the two lines of a narrow screen."""
        coming = [visit.session for visit in row.visits if visit.due]
        if not coming:
            return "", _("Nobody comes any more") if row.visits else ""
        first = coming[0]
        name = str(first.patient)
        if expected := agreed(first, self.now):
            about = self.scale.clock(first.discharge_at + (expected - first.starts_at))
            facts = [_("Home from about %(time)s") % {"time": about}]
        elif first.state in UNDER_WAY or is_late(first, self.now):
            facts = [_("Home from %(time)s") % {"time": self.scale.clock(first.discharge_at)}]
        else:
            facts = [f"{self.scale.clock(first.starts_at)} {self.words[SessionState(first.state)]}"]
        facts += [
            _("then %(name)s %(time)s") % {"name": later.patient.last_name, "time": self.scale.clock(later.starts_at)}
            for later in coming[1:2]
        ]
        return name, " · ".join(facts)

    # A visit

    def block(self, visit: Visit) -> Block:
        """A visit, its phases to scale."""
        session = visit.session
        instants = [
            session.starts_at,
            session.dose_starts_at,
            session.dose_ends_at,
            session.discharge_at,
            session.ends_at,
        ]
        edges = [self.scale.row(at) for at in instants]
        rows = [end - start for start, end in pairwise(edges)]
        named = next((place for place, high in enumerate(rows[:3]) if high >= ROOM), 2)
        dosed = 1 if rows[1] >= ROOM and named != 1 else 2
        name = str(session.patient)
        dose = self.scale.span(session.dose_starts_at, session.dose_ends_at)
        parts = tuple(
            Part(
                looks=SafeString(f"{phase} h{high}"),
                name=name if place == named else "",
                dose=dose if place == dosed else "",
                icon=draw_icon(droplet(session)),
                body=self.body(session) if place == 2 else None,
            )
            for place, (phase, high) in enumerate(zip(PHASES, rows, strict=True))
            if high
        )
        return Block(
            pk=session.pk,
            place=self.scale.place(session.starts_at, session.ends_at),
            looks=self.looks(session),
            url=reverse("course", args=[session.course_id]),
            name=name,
            planned=self.scale.span(session.starts_at, session.ends_at),
            parts=parts,
        )

    def looks(self, session: Session) -> SafeString:
        """The classes of its look: state, whether it is over, and what is wrong."""
        looks = [session.state]
        if session.state in UNDER_WAY:
            looks.append("under-way")
        elif session.state not in OPEN or session.ends_at <= self.now:
            looks.append("past")
        if session.needs_replan or (is_late(session, self.now) and not agreed(session, self.now)):
            looks.append("late")
        elif overdue(session, self.now):
            looks.append("overdue")
        return SafeString(" ".join(looks))

    def body(self, session: Session) -> Body:
        """The words of a visit."""
        icon, word, clock = self.state(session)
        leaves = session.state in OPEN or session.state in UNDER_WAY
        expected = agreed(session, self.now)
        home_at = session.discharge_at + (expected - session.starts_at) if expected else session.discharge_at
        return Body(
            icon=draw_icon(icon),
            word=word,
            clock=clock,
            alerts=tuple(self.alerts(session)),
            about=expected is not None,
            home=self.scale.clock(home_at) if leaves else "",
            by=session.prescriber.short_name,
            nth=nth(session),
        )

    def state(self, session: Session) -> tuple[str, str, SafeString | str]:
        """Icon and word of a state, and the clock that runs in it."""
        state = SessionState(session.state)
        icon, word = STATES[state][0], self.words[state]
        match state:
            case SessionState.HELD if session.course.held_until:
                return icon, _("Held until %(time)s") % {"time": self.until(session.course.held_until)}, ""
            case SessionState.GIVING:
                length = (session.dose_ends_at - session.dose_starts_at) // MINUTE
                return droplet(session), word, since("of", session.dose_starts_at, self.now, of=length)
            case SessionState.MONITORING:
                return icon, word, since("hm", session.dose_ends_at, self.now)
        return icon, word, ""

    def alerts(self, session: Session) -> Iterator[Alert]:
        """What has to be noticed about a visit."""
        if coming := agreed(session, self.now):
            yield Alert("amber", draw_icon("phone"), _("Comes %(time)s (late)") % {"time": self.scale.clock(coming)})
        elif is_late(session, self.now):
            ago = wording.length(self.now - session.starts_at)
            yield Alert("amber", draw_icon("clock-exclamation"), _("Late %(length)s") % {"length": ago})
            if expected := session.expected_at:
                yield Alert("amber", draw_icon("phone"), _("Comes at %(time)s") % {"time": self.scale.clock(expected)})
        if overdue(session, self.now):
            over = wording.length(self.now - session.ends_at)
            if session.ends_at <= self.now:
                yield Alert("red", draw_icon("clock-exclamation"), _("Over %(length)s") % {"length": over})
            else:
                text = _("Dose over since %(time)s") % {"time": self.scale.clock(session.dose_ends_at)}
                yield Alert("red", draw_icon("clock-exclamation"), text)
        if session.needs_replan and session.state in OPEN:
            yield Alert("amber", draw_icon("arrows-exchange"), _("Needs a new time"))

    def until(self, at: datetime) -> str:
        """A clock time of today, otherwise with its day."""
        local = at.astimezone(self.scale.zone)
        if local.date() == self.now.astimezone(self.scale.zone).date():
            return wording.clock(at, self.scale.zone)
        return f"{date_format(local, 'D j M')} {wording.clock(at, self.scale.zone)}"


PHASES = ("prepare", "give", "monitor", "turn-over")
