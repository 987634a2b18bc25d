"""What happens next on a day: what is overdue first, then the hour ahead, then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.models import Chair
from scheduling import visits
from scheduling.board import Board, Visit
from scheduling.models import OPEN, UNDER_WAY, Session, SessionState
from scheduling.templatetags.visits import STATES
from scheduling.views.day_scale import HALF_HOUR, Scale, draw_icon
from scheduling.views.day_words import agreed, is_late, overdue
from scheduling.wording import length

SOON = 2 * HALF_HOUR

#: A longer list is read by nobody; what is further ahead stands in the chairs.
MOST = 40

#: What can be done from here, while the state allows it; the visit's own steps have pages of their own.
AWAITED = (SessionState.BOOKED, SessionState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Item:
    """Something to do or to expect. `tone` is red, amber or green where it has to be noticed, otherwise empty."""

    pk: int
    at: datetime
    time: str
    chair: str
    tone: str
    icon: SafeString
    title: str
    name: str
    url: str
    notes: tuple[str, ...]
    phone: str = ""
    confirm: str = ""
    late: bool = False
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """A visit that will not take place in its time."""

    pk: int
    time: str
    chair: str
    icon: SafeString
    word: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Next:
    """The panel: `now` is what is overdue, the worst first; on another day everything stands in `later`, as far as it
    is listed; so many are `beyond`."""

    now: tuple[Item, ...]
    soon: tuple[Item, ...]
    later: tuple[Item, ...]
    beyond: int
    gone: tuple[Gone, ...]
    today: bool

    @property
    def more(self) -> int:
        return len(self.later) + self.beyond

    @property
    def count(self) -> int:
        return len(self.now) + len(self.soon)


def whats_next(board: Board, scale: Scale) -> Next:
    """Everything that is to be done or expected on a day. No query."""
    local = board.now.astimezone(board.site.zone).date()
    told = _Telling(board, scale)
    items = [item for row in board.chairs for item in told.chair(row.chair, row.visits)]
    items.sort(key=lambda item: item.at)
    pressing = [item for item in items if item.tone]
    pressing.sort(key=lambda item: (("red", "amber", "green").index(item.tone), item.at))
    ahead = [item for item in items if not item.tone]
    today = board.date == local
    soon = [item for item in ahead if today and item.at < board.now + SOON]
    later = ahead[len(soon) :]
    return Next(
        now=tuple(pressing),
        soon=tuple(soon),
        later=tuple(later[:MOST]),
        beyond=max(0, len(later) - MOST),
        gone=tuple(told.gone()),
        today=today,
    )


class _Telling:
    """What all items of a day share while they are told."""

    def __init__(self, board: Board, scale: Scale) -> None:
        self.board, self.scale, self.now = board, scale, board.now
        self.words: Mapping[str, str] = {state: str(state.label) for state in SessionState}
        late = [v.session for v in board.visits if is_late(v.session, board.now) and v.session.state in AWAITED]
        self.until = visits.latest_starts(board.facts, late)

    def chair(self, chair: Chair, told: tuple[Visit, ...]) -> Iterator[Item]:
        """What is next about each visit of a chair."""
        for place, visit in enumerate(told):
            following = told[place + 1].session if place + 1 < len(told) else None
            for due in visit.due:
                yield self.item(chair, visit.session, due.what, due.at, following)

    def item(self, chair: Chair, session: Session, what: str, at: datetime, following: Session | None) -> Item:
        """One line: what, when, who, and what can be done about it."""
        expected = agreed(session, self.now)
        at = expected or at
        tone, icon, title = self.headline(session, what, at)
        return Item(
            pk=session.pk,
            at=at,
            time=self.scale.clock(at),
            chair=chair.name,
            tone=tone,
            icon=draw_icon(icon),
            title=title,
            name=str(session.patient),
            url=reverse("course", args=[session.course_id]),
            notes=tuple(self.notes(session, following)),
            phone=session.patient.phone if session.state in OPEN else "",
            confirm=reverse("session-confirm", args=[session.pk]) if self.can_be_confirmed(session) else "",
            late=is_late(session, self.now) and session.state in AWAITED,
            expected=expected is not None,
        )

    def can_be_confirmed(self, session: Session) -> bool:
        """The patient can still say yes to it."""
        return session.state == SessionState.BOOKED and session.starts_at > self.now and not session.needs_replan

    def headline(self, session: Session, what: str, at: datetime) -> tuple[str, str, str]:
        """Colour, icon and words."""
        late = self.now - at
        for_long = {"length": length(late)}
        if overdue(session, self.now):
            if session.ends_at <= self.now:
                over = {"length": length(self.now - session.ends_at)}
                return "red", "clock-exclamation", _("Overrun, %(length)s") % over
            return "red", "clock-exclamation", _("End of dose, %(length)s overdue") % for_long
        if expected := agreed(session, self.now):
            return "", "phone", _("Comes %(time)s (late)") % {"time": self.scale.clock(expected)}
        if session.state in OPEN and is_late(session, self.now):
            return "amber", "clock-exclamation", _("Not arrived, %(length)s late") % for_long
        if session.needs_replan and session.state in OPEN:
            return "amber", "arrows-exchange", _("Needs a new time")
        if what == "dose" and late > timedelta():
            return "amber", "clock-exclamation", _("Dose, %(length)s late") % for_long
        if what == "discharge" and late >= timedelta():
            return "green", "door-exit", _("May go home, since %(time)s") % {"time": self.scale.clock(at)}
        match what:
            case "arrival":
                icon = STATES[SessionState(session.state)][0]
                return "", icon, _("Arrival, %(state)s") % {"state": self.words[session.state].lower()}
            case "dose":
                return "", "droplet", _("Dose begins")
            case "dose-end":
                return "", "droplet", _("Dose ends")
        return "", "door-exit", _("Earliest discharge")

    def notes(self, session: Session, following: Session | None) -> Iterator[str]:
        """What helps to decide."""
        if session.expected_at and session.state in AWAITED and not agreed(session, self.now):
            yield _("Rang: comes at %(time)s.") % {"time": self.scale.clock(session.expected_at)}
        if session.pk in self.until:
            latest = self.until[session.pk]
            if latest is None or latest < self.now:
                yield _("Too late to start today: the visit needs a new time.")
            else:
                yield _("Can start until %(time)s.") % {"time": self.scale.clock(latest)}
        if session.needs_replan and is_late(session, self.now):
            yield _("Needs a new time.")
        if following and session.state in UNDER_WAY and session.ends_at <= self.now:
            values = {"name": following.patient, "time": self.scale.clock(following.starts_at)}
            yield _("Next in this chair: %(name)s at %(time)s.") % values

    def gone(self) -> Iterator[Gone]:
        """Who is not coming in the time that was theirs."""
        chairs = {row.chair.pk: row.chair.name for row in self.board.chairs}
        for session in self.board.freed:
            yield Gone(
                pk=session.pk,
                time=self.scale.clock(session.starts_at),
                chair=chairs.get(session.chair_id, ""),
                icon=draw_icon(STATES[SessionState(session.state)][0]),
                word=self.words[session.state],
                name=str(session.patient),
                url=reverse("course", args=[session.course_id]),
            )


def counted(board: Board) -> list[str]:
    """The day in numbers: visits, how many are over, in the chairs and late."""
    states = [visit.session.state for visit in board.visits]
    late = sum(is_late(visit.session, board.now) for visit in board.visits)
    flagged = sum(visit.session.needs_replan and visit.session.state in OPEN for visit in board.visits)
    over = sum(state == SessionState.DISCHARGED for state in states)
    seated = sum(state in UNDER_WAY for state in states)
    said = [ngettext("%(count)s visit", "%(count)s visits", len(states)) % {"count": len(states)}]
    if over:
        said.append(ngettext("%(count)s discharged", "%(count)s discharged", over) % {"count": over})
    if seated:
        said.append(ngettext("%(count)s in a chair", "%(count)s in chairs", seated) % {"count": seated})
    if late:
        said.append(ngettext("%(count)s late", "%(count)s late", late) % {"count": late})
    if flagged:
        said.append(ngettext("%(count)s needs a new time", "%(count)s need a new time", flagged) % {"count": flagged})
    return said
