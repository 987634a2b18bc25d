"""A course as the desk reads it: each visit with the steps that fit its state, and what comes next. No query here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.findings import Finding, worst
from scheduling import history, wording
from scheduling.history import Entry
from scheduling.models import DOSED, FREED, OPEN, UNDER_WAY, Course, CourseState, PhaseChoice, Session, SessionState
from scheduling.protocols import progress
from scheduling.protocols.types import Protocol
from scheduling.visits.absence import AWAITED

#: Visits that are always shown of a long course; earlier ones that are over fold together.
SHOWN = 5

#: A course of so many visits is shown whole.
WHOLE = 10


@dataclass(frozen=True, slots=True)
class Step:
    """Something that can be done next: a link, or with `posts` a button that does it. `about` tells equal ones apart
    for those who do not see the row."""

    label: str
    url: str
    icon: str = ""
    posts: bool = False
    danger: bool = False
    about: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Late:
    """A patient who should be here: since how long, and until when the visit can start; None: not any more."""

    by: timedelta
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """A visit on the course's page. `steps` are in the order of their likelihood; `why` is the reason of its end."""

    session: Session
    day: int
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    late: Late | None
    why: str

    @property
    def tone(self) -> str:
        """How the row stands out."""
        return str(worst(self.findings) or "")

    @property
    def first(self) -> tuple[Step, ...]:
        """The most likely next step, which is shown."""
        return self.steps[:1]

    @property
    def others(self) -> tuple[Step, ...]:
        """The rest, in the row's menu."""
        return self.steps[1:]

    @property
    def when(self) -> str:
        return _dated(self.session)

    @property
    def open(self) -> bool:
        """The patient has not arrived yet."""
        return self.session.state in OPEN

    @property
    def over(self) -> bool:
        """Nothing about it waits for anybody."""
        return self.session.state in FREED or self.session.state in _ENDED


_ENDED = (SessionState.DISCHARGED, SessionState.LEFT_EARLY, SessionState.TRANSFERRED)


@dataclass(frozen=True)
class Standing:
    """How a course stands at a moment: its visits, its events, and what the rules say to it."""

    course: Course
    findings: Sequence[Finding]
    told: tuple[Entry, ...]
    now: datetime
    books: bool
    marks_no_show: bool
    latest: Mapping[int, datetime | None] = field(default_factory=dict)
    runs: bool = False

    @cached_property
    def protocol(self) -> Protocol:
        return self.course.protocol.protocol

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.course.site.zone).date()

    @cached_property
    def sessions(self) -> list[Session]:
        return list(self.course.sessions.all())

    @cached_property
    def live(self) -> list[Session]:
        return [session for session in self.sessions if session.is_live]

    @cached_property
    def coming(self) -> list[Session]:
        """Expected, and not begun by the clock."""
        return [session for session in self.live if session.state in OPEN and session.starts_at > self.now]

    @cached_property
    def running(self) -> bool:
        return self.course.ended_at is None

    @cached_property
    def missing(self) -> int:
        """Sessions that the plan of the present phase still lacks; in maintenance none, for it has no such plan."""
        if self.course.phase == PhaseChoice.MAINTENANCE:
            return 0
        standing = sum(session.phase == PhaseChoice.INITIAL for session in self.live)
        return progress.remaining_initial(self.protocol, standing)

    @cached_property
    def planned(self) -> int:
        """How many sessions the initial phase is planned to have; 0 in maintenance."""
        return 0 if self.course.phase == PhaseChoice.MAINTENANCE else self.protocol.initial_plan

    @cached_property
    def given(self) -> int:
        """Sessions of the initial phase in which drug was given."""
        return sum(session.state in DOSED and session.phase == PhaseChoice.INITIAL for session in self.sessions)

    @cached_property
    def last_day(self) -> tuple[int, date] | None:
        """The number and the date of the last day on which an initial session keeps its span."""
        if not self.running or not self.live:
            return None
        longest = self.protocol.limits["span-max"].value
        return longest, self.live[0].local_date + timedelta(days=longest)

    @cached_property
    def to_make_up(self) -> list[Session]:
        """The visits that fell out and can be made up, the latest first: as many as are missing.

        In maintenance those of a month that has no other visit.
        """
        if self.course.state != CourseState.ACTIVE:
            return []
        lost = [session for session in reversed(self.sessions) if session.state in _MADE_UP]
        if self.course.phase != PhaseChoice.MAINTENANCE:
            return [session for session in lost if session.phase == PhaseChoice.INITIAL][: self.missing]
        months = {_month(session.local_date) for session in self.live}
        return [
            session
            for session in lost
            if session.phase == PhaseChoice.MAINTENANCE and _month(session.local_date) not in months
        ][:1]

    def make_up(self, session: Session) -> Step:
        """To the page on which one visit is planned in the place of one that fell out, from the next day on."""
        earliest = max(self.today, session.local_date + timedelta(days=1))
        return Step(_("Book a make-up"), self.add(1, earliest), "calendar-plus", about=_dated(session))

    def add(self, sessions: int | None = None, earliest: date | None = None) -> str:
        """Where visits are added; with so many asked for, and from a date on."""
        asked = {"sessions": sessions, "earliest": earliest and earliest.isoformat()}
        query = urlencode({name: value for name, value in asked.items() if value})
        return reverse("course-add", args=[self.course.pk]) + (f"?{query}" if query else "")

    # The table

    @cached_property
    def rows(self) -> list[Row]:
        """Every visit in order of time, with what is found at the last visit it concerns."""
        first = (self.live or self.sessions)[0].local_date if self.sessions else self.today
        starts = {session.pk: session.starts_at for session in self.sessions}
        blamed: dict[int, list[Finding]] = {}
        for finding in self.findings:
            mine = [session for session in finding.sessions if session in starts]
            if mine:
                blamed.setdefault(max(mine, key=starts.__getitem__), []).append(finding)
        return [
            Row(
                session=session,
                day=(session.local_date - first).days,
                findings=tuple(blamed.get(session.pk, ())),
                steps=tuple(self._steps(session)),
                late=self.late(session),
                why=self._why(session),
            )
            for session in self.sessions
        ]

    def late(self, session: Session) -> Late | None:
        """Who was expected earlier today and has not come."""
        if not is_late(session, self.now, self.today):
            return None
        latest = self.latest.get(session.pk)
        return Late(self.now - session.starts_at, latest if latest and latest > self.now else None)

    def _why(self, session: Session) -> str:
        """Why this visit fell out, or who said yes to it; the end of the whole course is told beside the table."""
        if session.state == SessionState.CONFIRMED:
            said = (one for one in self.told if one.kind == "confirmed" and session.pk in one.sessions)
            return _("By the patient alone.") if (yes := next(said, None)) and yes.by is None else ""
        if session.state not in FREED:
            return ""
        entry = history.about(self.told, session.pk)
        return entry.reason if entry and entry.kind in ("session-cancelled", "no-show") else ""

    def _steps(self, session: Session) -> list[Step]:
        if session in self.to_make_up:
            return [self.make_up(session)] if self.books else []
        if session.state in UNDER_WAY or session.checked_in_at is not None:
            return [self._step("visit", session)]
        if not self.running or session.state not in OPEN:
            return []
        awaited = session.state in AWAITED
        past, over = session.starts_at <= self.now, session.ends_at <= self.now
        later = [self._step("session-expect", session)] if awaited and session.local_date == self.today else []
        gone = [self._step("session-no-show", session)] if awaited and past else []
        late = self.late(session)
        # Who can still be treated may be on the way.
        day = [] if over else [*later, *gone] if late and late.latest else [*gone, *later]
        told = (gone if over else day if past else []) if self.marks_no_show else []
        desk = self._of_desk(session, [] if past else later) if self.books and not over else []
        steps = [*desk[:1], *told, *desk[1:]] if past and self.agreed(session) else [*told, *desk]
        arrives = [self._step("visit", session)] if self.runs and awaited and session.local_date == self.today else []
        return [*steps[:1], *arrives, *steps[1:]]

    def agreed(self, session: Session) -> bool:
        """The patient has said when to come, and that is still ahead: nobody has to be called."""
        return session.state in AWAITED and session.expected_at is not None and session.expected_at > self.now

    def _of_desk(self, session: Session, later: list[Step]) -> list[Step]:
        """What the desk does with a visit that has not begun."""
        move = self._step("session-find" if session.needs_replan else "session-move", session)
        cancel = self._step("session-cancel", session)
        if session.state == SessionState.BOOKED and session.starts_at > self.now and not session.needs_replan:
            return [self._step("session-confirm", session), *later, move, cancel]
        return [move, *later, cancel]

    def _step(self, name: str, session: Session) -> Step:
        label, icon = {
            "session-move": (_("Move"), "arrows-exchange"),
            "session-find": (_("Find a new time"), "arrows-exchange"),
            "session-cancel": (_("Cancel…"), "x"),
            "session-expect": (_("Comes at…") if session.expected_at else _("Comes later…"), "clock-exclamation"),
            "session-no-show": (_("Nobody came…"), "user-off"),
            "session-confirm": (_("Said yes"), "check"),
            "visit": (_("Visit"), "heart-rate-monitor") if session.checked_in_at else (_("Check in"), "door-enter"),
        }[name]
        url = reverse("session-move" if name == "session-find" else name, args=[session.pk])
        confirms, cancels = name == "session-confirm", name == "session-cancel"
        return Step(label, url, icon, posts=confirms, danger=cancels, about=_dated(session))


def folded(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The earlier visits of a long course, which are over and fold together, and those that are always shown."""
    if len(rows) <= WHOLE:
        return [], list(rows)
    waiting = next((place for place, row in enumerate(rows) if not row.over), len(rows))
    cut = min(waiting, len(rows) - SHOWN)
    return list(rows[:cut]), list(rows[cut:])


def is_late(session: Session, now: datetime, today: date) -> bool:
    """Expected earlier today, and not there."""
    return session.state in AWAITED and session.local_date == today and session.starts_at < now < session.ends_at


def can_be_no_show(session: Session, now: datetime) -> bool:
    """Whether somebody can have stayed away: booked, and the planned start is past."""
    return session.state in AWAITED and session.starts_at <= now


_MADE_UP = (SessionState.CANCELLED, SessionState.NO_SHOW, SessionState.NOT_DOSED)


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _dated(session: Session) -> str:
    """A visit by its date and time, for labels; the session has to know its site."""
    return wording.short(session.starts_at, session.site.zone)
