"""What happens next on a day: what is overdue first, then the hour ahead, then the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, ngettext, pgettext

from clinic.phrases import gettext as _
from scheduling.board import Board, ChairDay
from scheduling.models import OPEN, UNDER_WAY, Session, SessionState
from scheduling.phases import Due, Visit
from scheduling.templatetags.visits import STATES
from scheduling.views.day_item import Item, draw_item
from scheduling.views.day_scale import HALF_HOUR, draw_icon
from scheduling.views.day_visit import Reading, minutes_over
from scheduling.views.day_words import address, agreed, droplet, is_late, leads_to, measured, missing
from scheduling.wording import length, short

#: What is told of what is overdue, the same for as long as it lasts.
SAID = {
    "vitals": gettext_lazy("Vitals overdue"),
    "dose": gettext_lazy("Dose late"),
    "dose-end": gettext_lazy("End of dose overdue"),
    "overrun": gettext_lazy("Overrun"),
}

SOON = 2 * HALF_HOUR

#: A longer list is read by nobody; what is further ahead stands in the chairs.
MOST = 40

#: Who is expected.
AWAITED = (SessionState.BOOKED, SessionState.CONFIRMED)

#: The one thing to do about what is due: its name, and that of its form on the page of the visit.
STEPS = {
    "arrival": (gettext_lazy("Check in"), "check-in"),
    "vitals": (gettext_lazy("Enter"), "vitals"),
    "dose": (gettext_lazy("Start dose"), "dose"),
    "dose-end": (gettext_lazy("End dose"), "finish"),
    "discharge": (gettext_lazy("Discharge"), "discharge"),
    "item-9": (gettext_lazy("Acknowledge"), "seen"),
}


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
    """The panel, its lines drawn: `now` is what is overdue, the worst first; on another day everything stands in
    `later`, as far as it is listed; so many are `beyond`."""

    now: tuple[SafeString, ...]
    soon: tuple[SafeString, ...]
    later: tuple[SafeString, ...]
    beyond: int
    gone: tuple[Gone, ...]
    today: bool

    @property
    def more(self) -> int:
        return len(self.later) + self.beyond

    @property
    def count(self) -> int:
        return len(self.now) + len(self.soon)


def whats_next(read: Reading) -> Next:
    """Everything that is to be done or expected on a day. No query."""
    told = _Telling(read)
    items = [item for row in read.board.chairs for visit in row.visits for item in told.visit(row, visit)]
    items.sort(key=lambda item: item.at)
    pressing = [item for item in items if item.tone]
    pressing.sort(key=lambda item: (("red", "amber", "green").index(item.tone), item.at))
    ahead = [item for item in items if not item.tone]
    soon = [item for item in ahead if read.today and item.at < read.now + SOON]
    later = ahead[len(soon) :]
    now, near, far = (
        tuple(draw_item(item, back=read.path) for item in items) for items in (pressing, soon, later[:MOST])
    )
    return Next(
        now=now,
        soon=near,
        later=far,
        beyond=max(0, len(later) - MOST),
        gone=tuple(told.gone()),
        today=read.today,
    )


class _Telling:
    """What all items of a day share while they are told."""

    def __init__(self, read: Reading) -> None:
        self.read, self.board, self.scale, self.now = read, read.board, read.scale, read.now
        self.day = read.now.astimezone(read.scale.zone).date()

    def visit(self, row: ChairDay, visit: Visit) -> Iterator[Item]:
        """What is next about a visit: what is due, and what is wrong beside it."""
        for due in visit.due:
            at = agreed(visit.session, self.now) or due.at
            yield self.item(row, visit, due.what, at, *self.headline(visit, due, at), tuple(self.notes(visit, due)))
        following = row.after(visit)
        if visit.overrun or (visit.running and following and following.delay):
            yield self.overrun(row, visit)
        elif visit.alone_from:
            title = _("%(name)s leaves %(time)s") % self.leaving(visit)
            note = _("Home from %(time)s: hand over before.") % {"time": self.scale.clock(visit.times.discharge_at)}
            yield self.item(row, visit, "alone", visit.alone_from, "red", "user-off", title, (note,))
        if visit.unseen:
            note = _("A clinician has to see it before the dose and before discharge.")
            since = visit.session.checked_in_at or self.now
            yield self.item(row, visit, "item-9", since, "red", "alert-circle", _("Item 9 above 0, not seen"), (note,))

    def item(
        self,
        row: ChairDay,
        visit: Visit,
        what: str,
        at: datetime,
        tone: str,
        icon: str,
        title: str,
        notes: tuple[str, ...],
    ) -> Item:
        """One line: what, when, who, and what can be done about it."""
        session = visit.session
        late = is_late(session, self.now) and session.state in AWAITED
        return Item(
            pk=session.pk,
            what=what,
            at=at,
            time=self.scale.clock(at),
            chair=row.chair.name,
            tone=tone,
            icon=draw_icon(icon),
            title=title,
            said=_("Not arrived") if late and what == "arrival" else str(SAID.get(what, title)),
            name=str(session.patient),
            url=leads_to(session, runs=self.read.runs, today=self.day),
            notes=notes,
            phone=session.patient.phone if session.state in OPEN else "",
            confirm=address("session-confirm", session.pk) if self.can_be_confirmed(session) else "",
            act=self.act(visit, what),
            late=late,
            expected=agreed(session, self.now) is not None,
        )

    def act(self, visit: Visit, what: str) -> tuple[str, str] | None:
        """What is to be done about it, for those who run visits: otherwise the next step of the visit."""
        if not self.read.runs or not self.read.today or visit.session.state == SessionState.HELD:
            return None
        if what == "item-9" and not self.read.reviews:
            return pgettext("to open something", "Open"), address("visit", visit.session.pk)
        step = what if what in STEPS else next((due.what for due in visit.due if due.what != "vitals"), "vitals")
        label, form = STEPS[step]
        return str(label), address("visit-act", visit.session.pk, form)

    def can_be_confirmed(self, session: Session) -> bool:
        """The patient can still say yes to it, and the reader write that down."""
        return (
            self.read.books
            and session.state == SessionState.BOOKED
            and session.starts_at > self.now
            and not session.needs_replan
        )

    def headline(self, visit: Visit, due: Due, at: datetime) -> tuple[str, str, str]:
        """Colour, icon and words of what is due."""
        session = visit.session
        if due.what == "arrival":
            return self.arrival(session, at)
        late = {"length": length(self.now - at)}
        match due.what:
            case "vitals" if due.overdue:
                return "red", "clock-exclamation", _("Vitals, %(length)s overdue") % late
            case "vitals":
                return "", "heart-rate-monitor", _("Vitals")
            case "dose-end" if due.overdue:
                return "red", "clock-exclamation", _("End of dose, %(length)s overdue") % late
            case "dose-end":
                return "", droplet(session), _("Dose ends")
            case "dose" if due.overdue:
                return "amber", "clock-exclamation", _("Dose, %(length)s late") % late
            case "dose":
                return "", droplet(session), _("Dose begins")
            case _ if not due.overdue:
                return "", "door-exit", _("Earliest discharge")
        since = {"time": self.scale.clock(at)}
        if session.state == SessionState.READY:
            return "green", "door-exit", _("May go home, since %(time)s") % since
        return "amber", "door-exit", _("Discharge waits, since %(time)s") % since

    def arrival(self, session: Session, at: datetime) -> tuple[str, str, str]:
        """Colour, icon and words of somebody who is awaited."""
        if expected := agreed(session, self.now):
            return "", "phone", _("Comes %(time)s (late)") % {"time": self.scale.clock(expected)}
        if is_late(session, self.now):
            late = {"length": length(self.now - at)}
            return "amber", "clock-exclamation", _("Not arrived, %(length)s late") % late
        if session.needs_replan:
            return "amber", "arrows-exchange", _("Needs a new time")
        state = SessionState(session.state)
        return "", STATES[state][0], _("Arrival, %(state)s") % {"state": self.read.words[state].lower()}

    def notes(self, visit: Visit, due: Due) -> Iterator[str]:
        """What helps to decide."""
        session = visit.session
        if session.expected_at and session.state in AWAITED and not agreed(session, self.now):
            yield _("Rang: comes at %(time)s.") % {"time": self.scale.clock(session.expected_at)}
        if session.pk in self.read.latest:
            latest = self.read.latest[session.pk]
            if latest is None or latest < self.now:
                yield _("Too late to start today: the visit needs a new time.")
            else:
                yield _("Can start until %(time)s.") % {"time": self.scale.clock(latest)}
        if session.needs_replan and is_late(session, self.now):
            yield _("Needs a new time.")
        if due.what == "arrival" and getattr(session, "call_asked", False):
            yield _("Asks for a call.")
        if due.what == "arrival" and getattr(session, "said_alone", False):
            yield _("Said yes by themselves.")
        if due.what == "arrival" and (escort := getattr(session, "escort_told", None)):
            yield _("Taken home by %(name)s.") % {"name": escort}
        if due.what == "arrival" and (sent_at := getattr(session, "form_at", None)):
            yield _("Form answered %(time)s.") % {"time": self.day_time(sent_at)}
        if due.what == "vitals" and visit.last:
            last = {"time": self.scale.clock(visit.last.taken_at), "values": measured(visit.last)}
            yield _("Last %(time)s: %(values)s") % last
        if due.what == "discharge" and (lacks := missing(visit)):
            yield _("Missing: %(what)s") % {"what": lacks}
        if visit.delay and due.what in ("arrival", "dose"):
            yield _("The chair is free from %(time)s.") % {"time": self.scale.clock(visit.times.starts_at)}

    def day_time(self, at: datetime) -> str:
        """The time on the site's clocks, with the day where it is another one."""
        zone = self.scale.zone
        return self.scale.clock(at) if at.astimezone(zone).date() == self.day else short(at, zone)

    def overrun(self, row: ChairDay, visit: Visit) -> Item:
        """A visit that takes longer than planned: who has to wait for it, and until when; the worse one of the two
        colours where somebody has to, or where nobody is there to see it to its end."""
        following, notes = row.after(visit), []
        waits = following if following and following.delay else None
        if waits:
            values = {
                "name": waits.session.patient,
                "planned": self.scale.clock(waits.session.starts_at),
                "free": self.scale.clock(waits.times.starts_at),
                "home": self.scale.clock(waits.home_from),
            }
            notes.append(_("Next: %(name)s, planned %(planned)s.") % values)
            notes.append(_("The chair is free %(free)s, home from %(home)s.") % values)
        else:
            notes.append(_("The chair is free %(time)s.") % {"time": self.scale.clock(visit.times.ends_at)})
        alone = [one for one in (visit, waits) if one and one.alone_from]
        notes += [_("%(name)s leaves %(time)s, before %(patient)s may go home.") % self.leaving(one) for one in alone]
        title = _("Overrun %(length)s") % {"length": minutes_over(visit.times.ends_at - visit.session.ends_at)}
        tone = "red" if waits or alone else "amber"
        return self.item(row, visit, "overrun", visit.session.ends_at, tone, "arrows-vertical", title, tuple(notes))

    def leaving(self, visit: Visit) -> dict[str, object]:
        """Which prescriber leaves too early, when, and for whom."""
        return {
            "name": visit.session.prescriber.short_name,
            "time": self.scale.clock(visit.alone_from or self.now),
            "patient": visit.session.patient,
        }

    def gone(self) -> Iterator[Gone]:
        """Who is not coming in the time that was theirs."""
        chairs = {row.chair.pk: row.chair.name for row in self.board.chairs}
        for session in self.board.freed:
            yield Gone(
                pk=session.pk,
                time=self.scale.clock(session.starts_at),
                chair=chairs.get(session.chair_id, ""),
                icon=draw_icon(STATES[SessionState(session.state)][0]),
                word=self.read.words[SessionState(session.state)],
                name=str(session.patient),
                url=address("course", session.course_id),
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
