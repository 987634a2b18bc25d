"""What a visit says of itself on the day board, and how it is drawn: planned phases where nothing has happened yet,
real ones from then on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.formats import date_format
from django.utils.safestring import SafeString

from clinic.phrases import gettext as _
from scheduling import wording
from scheduling.board import Board
from scheduling.models import OPEN, SessionState
from scheduling.phases import Visit
from scheduling.protocols.visit_safety import FRESH_AT_DISCHARGE
from scheduling.templatetags.visits import STATES
from scheduling.views.day_block import Block, Part, draw_alert, draw_by, draw_fact, draw_state, draw_visit
from scheduling.views.day_scale import Scale, draw_icon
from scheduling.views.day_words import (
    MINUTE,
    agreed,
    alarming,
    droplet,
    is_late,
    leads_to,
    measured,
    missing,
    nth,
    overdue,
    since,
)
from scheduling.visits import absence

PHASES = ("prepare", "give", "monitor", "turn-over")

#: A phase of at least so many rows has room for a line of text, or for two.
ROOM, ROOM_FOR_TWO = 4, 7
#: So many lines of text find room in ten rows.
LINES = 3
#: A dose that began so much later than planned is told.
BEGAN_LATE = timedelta(minutes=5)
#: Whoever comes so soon and has an answer to item 9 that nobody has seen is shown with it (P).
SOON = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What all parts of a day share while they are drawn: the board and its scale, whether it is today's, whether the
    reader runs visits, books, and reviews as a clinician, at which path the page is, the words of the states, and
    until when late visits could still begin."""

    board: Board
    scale: Scale
    today: bool
    runs: bool
    books: bool
    reviews: bool
    path: str
    words: Mapping[str, str]
    latest: Mapping[int, datetime | None]

    @property
    def now(self) -> datetime:
        """The moment that is shown."""
        return self.board.now


def reading(board: Board, scale: Scale, *, runs: bool, books: bool, reviews: bool, path: str) -> Reading:
    """Prepare to draw a day. No query."""
    awaited = (SessionState.BOOKED, SessionState.CONFIRMED)
    late = [v.session for v in board.visits if is_late(v.session, board.now) and v.session.state in awaited]
    return Reading(
        board=board,
        scale=scale,
        today=board.now.astimezone(board.site.zone).date() == board.date,
        runs=runs,
        books=books,
        reviews=reviews,
        path=path,
        words={state: str(state.label) for state in SessionState},
        latest=absence.latest_starts(board.facts, late),
    )


def draw(visit: Visit, read: Reading) -> SafeString:
    """A visit in its chair."""
    return draw_visit(_Drawn(visit, read).block())


def state_of(visit: Visit, read: Reading) -> tuple[str, str, SafeString | str]:
    """Icon and word of a state, and the clock that runs in it."""
    session, times, now = visit.session, visit.times, read.now
    state = SessionState(session.state)
    icon, word = STATES[state][0], read.words[state]
    match state:
        case SessionState.HELD if until := getattr(session, "held_until", None):
            return icon, _("Held until %(time)s") % {"time": _until(until, read)}, ""
        case SessionState.CHECKED_IN if session.checked_in_at:
            return icon, word, read.scale.clock(session.checked_in_at)
        case SessionState.GIVING:
            length = (session.dose_ends_at - session.dose_starts_at) // MINUTE
            return droplet(session), word, since("of", times.dose_starts_at, now, of=length)
        case SessionState.MONITORING:
            return icon, word, since("hm", times.dose_ends_at, now)
        case SessionState.DISCHARGED | SessionState.LEFT_EARLY | SessionState.TRANSFERRED:
            return icon, word, read.scale.clock(times.discharge_at)
    return icon, word, ""


def home_from(visit: Visit, read: Reading) -> tuple[str, SafeString | str]:
    """When the patient may leave, and the words before it: nobody knows it of those who are late."""
    session = visit.session
    if expected := agreed(session, read.now):
        return _("Home from about"), read.scale.clock(session.discharge_at + (expected - session.starts_at))
    if session.pk in read.latest:
        latest = read.latest[session.pk]
        return (_("Can start until"), read.scale.clock(latest)) if latest and latest >= read.now else ("", "")
    if visit.running or session.state in OPEN:
        return _("Home from"), read.scale.clock(visit.home_from)
    return "", ""


class _Drawn:
    """A visit while it is drawn."""

    def __init__(self, visit: Visit, read: Reading) -> None:
        self.visit, self.read, self.session = visit, read, visit.session
        self.now, self.scale = read.now, read.scale

    def block(self) -> Block:
        """Its phases to scale. Who runs over ends as planned; what is beyond is drawn by the chair."""
        session, times = self.session, self.visit.times
        end = max(self.visit.planned_end, times.starts_at) if self.visit.running else times.ends_at
        since = self.visit.begins_at
        instants = [since, times.dose_starts_at, times.dose_ends_at, times.discharge_at, end]
        edges = [self.scale.row(max(since, min(at, end))) for at in instants]
        rows = [later - earlier for earlier, later in pairwise(edges)]
        named = next((place for place, high in enumerate(rows[:3]) if high >= ROOM), 2)
        giving = session.state == SessionState.GIVING and rows[1] >= ROOM_FOR_TWO
        dosed = None if giving else 1 if rows[1] >= ROOM and named != 1 else 2
        told = dict[int, tuple[SafeString, ...]]()
        if rows[0] >= ROOM_FOR_TWO + 1:
            told[0] = tuple(self.began())
        if giving:
            told[1] = tuple(self.state())
        last = max((place for place in range(3) if rows[place]), default=2)
        said = [] if giving else list(self.state())
        told[last] = (*told.get(last, ()), *said, *self.rest(LINES * rows[last] // 10 - len(said)))
        dose = self.scale.span(times.dose_starts_at, times.dose_ends_at)
        name = str(session.patient)
        parts = tuple(
            Part(
                looks=SafeString(f"{phase} h{high}"),
                name=name if place == named else "",
                dose=dose if place == dosed else "",
                icon=draw_icon(droplet(session)),
                lines=told.get(place, ()),
            )
            for place, (phase, high) in enumerate(zip(PHASES, rows, strict=True))
            if high
        )
        return Block(
            pk=session.pk,
            place=self.scale.place(since, end),
            looks=self.looks(),
            url=leads_to(session, runs=self.read.runs, today=self.now.astimezone(self.scale.zone).date()),
            name=name,
            planned=self.scale.span(session.starts_at, session.ends_at),
            parts=parts,
        )

    def looks(self) -> SafeString:
        """The classes of its look: state, whether it is over, and what is wrong."""
        session = self.session
        looks = [session.state]
        if self.visit.running:
            looks.append("under-way")
        elif session.state not in OPEN or session.ends_at <= self.now:
            looks.append("past")
        if session.state in OPEN and (
            session.needs_replan or (is_late(session, self.now) and not agreed(session, self.now))
        ):
            looks.append("late")
        elif alarming(self.visit):
            looks.append("overdue")
        return SafeString(" ".join(looks))

    def began(self) -> Iterator[SafeString]:
        """How late the dose began."""
        started: datetime | None = self.session.dose_started_at
        if started is not None and started - self.session.dose_starts_at >= BEGAN_LATE:
            late = wording.length(started - self.session.dose_starts_at)
            yield draw_fact("began", _("Began %(length)s late") % {"length": late}, "")

    def state(self) -> Iterator[SafeString]:
        """Its state, and the next measurement."""
        icon, word, clock = state_of(self.visit, self.read)
        yield draw_state(draw_icon(icon), word, clock)
        due = self.visit.is_due("vitals")
        if due is None:
            return
        at = self.scale.clock(due.at)
        if due.overdue:
            text = _("Vitals due %(time)s, %(length)s overdue")
            if self.session.state == SessionState.GIVING:
                text = _("Vitals %(time)s")  # its phase has room for one line beside its state
            said = SafeString(text % {"time": at, "length": since("min", due.at, self.now)})
            yield draw_alert("red", draw_icon("clock-exclamation"), said)
        else:
            yield draw_fact("due", _("Vitals next"), at)

    def rest(self, room: int) -> list[SafeString]:
        """What is wrong, when the patient may leave and what that lacks, who treats; the last values where there is
        still room for a line."""
        lines = list(self.alerts())
        label, value = home_from(self.visit, self.read)
        if label:
            lines.append(draw_fact("home", label, value))
        lacks = missing(self.visit)
        if lacks and self.now >= self.visit.home_from - FRESH_AT_DISCHARGE:
            lines.append(draw_fact("lacks", _("Missing: %(what)s") % {"what": lacks}, ""))
        if self.visit.running and self.visit.last and len(lines) + 1 < room:
            lines.append(draw_fact("last", self.scale.clock(self.visit.last.taken_at), measured(self.visit.last)))
        return [*lines, draw_by(self.session.prescriber.short_name, nth(self.session))]

    def alerts(self) -> Iterator[SafeString]:
        """What has to be noticed about a visit."""
        session, now, clock = self.session, self.now, self.scale.clock
        phone, late = draw_icon("phone"), draw_icon("clock-exclamation")
        if coming := agreed(session, now):
            yield draw_alert("amber", phone, _("Comes %(time)s (late)") % {"time": clock(coming)})
        elif is_late(session, now):
            ago = since("min", session.starts_at, now)
            yield draw_alert("amber", late, SafeString(_("Late %(length)s") % {"length": ago}))
            if expected := session.expected_at:
                yield draw_alert("amber", phone, _("Comes at %(time)s") % {"time": clock(expected)})
        if self.visit.delay:
            values = {"planned": clock(session.starts_at), "free": clock(self.visit.times.starts_at)}
            text = _("Planned %(planned)s, chair free %(free)s") % values
            yield draw_alert("rose", draw_icon("arrows-vertical"), text)
        comes_soon = session.state in OPEN and session.starts_at - now <= SOON
        if self.visit.unseen or (comes_soon and getattr(session, "unseen", False)):
            yield draw_alert("red", draw_icon("alert-circle"), _("Item 9 not seen"))
        if ended := overdue(self.visit, "dose-end"):
            yield draw_alert("red", late, _("Dose over since %(time)s") % {"time": clock(ended.at)})
        if self.visit.alone_from:
            leaving = {"name": session.prescriber.short_name, "time": str(clock(self.visit.alone_from))}
            yield draw_alert("rose", draw_icon("user-off"), _("%(name)s leaves %(time)s") % leaving)
        if session.needs_replan and session.state in OPEN:
            yield draw_alert("amber", draw_icon("arrows-exchange"), _("Needs a new time"))
        elif session.state in OPEN and getattr(session, "move_asked", False):
            yield draw_alert("amber", draw_icon("arrows-exchange"), _("Asks for another time"))
        if session.state in OPEN and getattr(session, "call_asked", False):
            yield draw_alert("amber", phone, _("Asks for a call"))


def _until(at: datetime, read: Reading) -> str:
    """A clock time of today, otherwise with its day."""
    zone = read.scale.zone
    local = at.astimezone(zone)
    if local.date() == read.now.astimezone(zone).date():
        return wording.clock(at, zone)
    return f"{date_format(local, 'D j M')} {wording.clock(at, zone)}"


def minutes_over(span: timedelta) -> str:
    """By how much somebody runs over: "+24 min"."""
    return _("+%(length)s") % {"length": wording.length(span)}
