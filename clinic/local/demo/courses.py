"""The courses of the demonstration, made by the verbs at the times at which they would have been.

What was long ago - visits that went well, ends other than a cancellation - is written here as it would stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F, Q

from clinic.local.demo import charts, replies
from clinic.local.demo.diary import Diary, grid
from clinic.local.demo.house import House
from clinic.local.demo.people import READY
from clinic.models import Staff
from patients import worklist
from patients.models import Patient, Task, TaskKind
from scheduling import booking, cancelling, deciding, moving, placing
from scheduling.booking import Signature
from scheduling.models import (
    FREED,
    OPEN,
    Course,
    CourseState,
    Mail,
    MailKind,
    MailState,
    ProtocolVersion,
    Session,
    SessionState,
)
from scheduling.protocols.library import ESKETAMINE, FLEX, INTENSIVE, STANDARD
from scheduling.protocols.types import Place, Protocol
from scheduling.visits import absence

#: Days from one initial session to the next, at least; the next open day is taken.
STEPS = {STANDARD.code: 3, ESKETAMINE.code: 3, FLEX.code: 7, INTENSIVE.code: 2}
MAINTENANCE_STEP = 21


@dataclass(frozen=True)
class Plot:
    """A course around a day: `anchor` days from today, with so many sessions before and after the one on that day.

    `minutes` is when today's visit begins, from now; its `state` tells how far it is.
    """

    protocol: Protocol
    before: int
    after: int
    anchor: int = 0
    minutes: int | None = None
    state: SessionState = SessionState.BOOKED
    ends: CourseState | None = None
    maintenance: tuple[int, int] | None = None  # sessions before the anchor and after it; the initial ones are earlier


IN, OUT = SessionState, CourseState
COURSES = (
    Plot(STANDARD, 6, 0, minutes=-210, state=IN.DISCHARGED),  # a seventh session, by an override
    Plot(STANDARD, 3, 2, minutes=-200, state=IN.READY),
    Plot(ESKETAMINE, 4, 3, minutes=-80, state=IN.MONITORING),
    Plot(STANDARD, 1, 4, minutes=-50, state=IN.GIVING),
    Plot(FLEX, 2, 3, minutes=-10, state=IN.CHECKED_IN),
    Plot(STANDARD, 2, 3, minutes=-30),  # late
    Plot(STANDARD, 1, 4, minutes=-150, state=IN.NO_SHOW),
    Plot(STANDARD, 6, 0, minutes=20, state=IN.CONFIRMED, maintenance=(1, 3)),
    Plot(STANDARD, 6, 0, minutes=70, maintenance=(0, 3)),
    Plot(STANDARD, 0, 5, anchor=4),  # coming; its first mail came back
    Plot(INTENSIVE, 0, 5, anchor=3),  # held: two days running, a prescriber is asked
    Plot(STANDARD, 6, 0, anchor=-14, ends=OUT.COMPLETED, maintenance=(1, 0)),
    Plot(INTENSIVE, 2, 3, anchor=-18, ends=OUT.STOPPED),
    Plot(STANDARD, 0, 5, anchor=6, ends=OUT.CANCELLED),
    Plot(FLEX, 2, 3, anchor=-9, ends=OUT.PAUSED),
)
#: Courses that nothing is told of: they fill the days around today, and never today itself.
AROUND = (
    Plot(STANDARD, 1, 4, anchor=1),
    Plot(ESKETAMINE, 5, 2, anchor=1),
    Plot(STANDARD, 6, 0, anchor=1, maintenance=(1, 3)),
    Plot(INTENSIVE, 1, 4, anchor=1),
    Plot(FLEX, 3, 2, anchor=1),
    Plot(STANDARD, 3, 2, anchor=1),
    Plot(STANDARD, 2, 3, anchor=2),
    Plot(STANDARD, 0, 5, anchor=2),
    Plot(ESKETAMINE, 2, 5, anchor=2),
    Plot(STANDARD, 6, 0, anchor=2, maintenance=(2, 3)),
    Plot(STANDARD, 4, 1, anchor=2),
    Plot(STANDARD, 2, 2, anchor=-1),  # nobody has written down that the patient went home
    Plot(STANDARD, 1, 0, anchor=-16),  # too few, and too late for more
    Plot(STANDARD, 3, 0, anchor=-5),  # nobody has booked the last two
    Plot(STANDARD, 6, 0, anchor=-65, maintenance=(0, 0)),  # two months without a visit
)
#: Whose last visit is still open in the record.
OPEN_RECORD = len(COURSES) + 11
REASONS = {
    OUT.COMPLETED: "In remission; the patient calls when it gets worse.",
    OUT.STOPPED: "No response, and the patient does not want to go on.",
    OUT.PAUSED: "Surgery on the knee; goes on when the surgeon agrees.",
}
SEVENTH, MOVED, COMING, HELD = 0, 4, 9, 10


def write(house: House, patients: Sequence[Patient], now: datetime) -> list[Patient]:
    """Write the courses with their sessions, events, mails and lines on the worklist; returns the patient of each.

    The READY patients after those of COURSES get none: a visitor books for them.
    """
    diary = Diary(house)
    treated = [*patients[: len(COURSES)], *patients[len(COURSES) + READY :]]
    cast = enumerate(zip(COURSES + AROUND, treated, strict=False))
    tellers = [Teller(house, diary, plot, patient, number, now) for number, (plot, patient) in cast]
    for teller in sorted(tellers, key=lambda teller: teller.plot.minutes or 1440):  # today's visits choose first
        teller.find_places()
    # Whoever did not come has left a chair to somebody else, so their course is told first.
    for teller in sorted(tellers, key=lambda teller: teller.plot.state not in FREED):
        teller.tell()
    return [teller.patient for teller in tellers]


class Teller:
    """Tells one course, in the order in which things happened."""

    def __init__(self, house: House, diary: Diary, plot: Plot, patient: Patient, number: int, now: datetime) -> None:
        self.house, self.diary, self.plot, self.patient, self.now = house, diary, plot, patient, now
        self.number = number
        self.rules = plot.protocol
        self.initial: list[Place] = []
        self.later: list[Place] = []
        self.usual = number  # each patient has an hour that suits them

    def find_places(self) -> None:
        """Look for a place for every session: the anchor's first, then those around it.

        Only whoever has a story today comes today: where the weekend pushes others onto it, or a day is full, the next
        one further from today is tried.
        """
        direction = 1 if self.plot.anchor >= 0 else -1
        day = self._open(self.house.today + timedelta(days=self.plot.anchor), direction)
        kept = self.diary.visits
        while not self._around(day):
            self.diary.visits = kept
            day = self._open(day + timedelta(days=direction), direction)

    def _comes_today(self) -> bool:
        zone, today = self.house.zone, self.house.today
        return any(place.starts_at.astimezone(zone).date() == today for place in (*self.initial, *self.later))

    def _around(self, day: date) -> bool:
        """Whether there are places for everything with the anchor on this day."""
        try:
            self._find_around(day)
        except LookupError:
            if self.plot.minutes is not None:
                raise
            return False
        return self.plot.minutes is not None or self.plot.ends is not None or not self._comes_today()

    def _find_around(self, day: date) -> None:
        plot, step = self.plot, STEPS[self.rules.code]
        anchor = self._anchor(day)
        if plot.maintenance is None:
            self.initial = [*self._before(day, plot.before, step), anchor, *self._after(day, plot.after, step)]
            return
        before, after = plot.maintenance
        earlier = self._before(day, before, MAINTENANCE_STEP)
        self.later = [*earlier, anchor, *self._after(day, after, MAINTENANCE_STEP)]
        first = earlier[0].starts_at.astimezone(self.house.zone).date() if earlier else day
        last = self._open(first - timedelta(days=MAINTENANCE_STEP), -1)
        self.initial = [*self._before(last, plot.before - 1, step), self._on(last)]

    def tell(self) -> None:
        """Write the course."""
        if self.number == HELD:
            self._hold()
            return
        added = [self.initial.pop()] if self.number == SEVENTH else []
        course = self._book()
        if self.later:
            self._go_on_to_maintenance(course)
        if added:
            self._time_passes(course, self.now - timedelta(days=1))
            by = self._prescriber(added[0])
            reason = "Better by a third after six sessions; one more was agreed with the patient and the psychologist."
            override = Signature(by=by, rules=frozenset({"initial-max", "span-max"}), reason=reason)
            booking.add_sessions(
                actor=by, course=course, places=added, override=override, now=self.now - timedelta(days=1)
            )
        if self.number == COMING:
            self._mail_comes_back(course)
        if self.plot.ends:
            self._end(course, self.plot.ends)
        else:
            self._today(course)
            self._time_passes(course, self.now)
        if self.number == OPEN_RECORD:
            forgotten = course.sessions.filter(state=SessionState.DISCHARGED).latest("during")
            Session.objects.filter(pk=forgotten.pk).update(state=SessionState.MONITORING, left_at=None)
        if self.number == MOVED:
            self._move_the_last(course)

    def _book(self) -> Course:
        first = min(place.starts_at for place in self.initial)
        then = min(first - timedelta(days=5), self.now - timedelta(hours=20))
        return booking.book_course(
            actor=self.house.desk, patient=self.patient, protocol=self._version(), places=self.initial, now=then
        ).course

    def _hold(self) -> None:
        """Two sessions on days running need a prescriber's override: the times are held, the question is asked."""
        first, second, *rest = self.initial
        start = first.starts_at.astimezone(self.house.zone)
        next_day = self._open(start.date() + timedelta(days=1), 1)
        self.diary.leave(second)
        places = [first, self.diary.on(next_day, self.rules.visit, self.usual), *rest]
        booking.book_course(
            actor=self.house.desk,
            patient=self.patient,
            protocol=self._version(),
            places=places,
            hold=True,
            now=self.now,
        )

    def _go_on_to_maintenance(self, course: Course) -> None:
        last = self.initial[-1]
        then = last.starts_at + timedelta(hours=4)
        self._time_passes(course, then)
        by = self._prescriber(last)
        reason = "PHQ-9 from 19 to 7 after six sessions; the patient wants to go on."
        placed = deciding.decide(
            actor=by, course=course, decision="maintenance", reason=reason, interval_days=MAINTENANCE_STEP, now=then
        ).placed
        # The story has its own dates; those that the decision found are taken back as if nobody had heard of them.
        Mail.objects.filter(Q(session__in=placed) | Q(session=None, state=MailState.DUE), course=course).delete()
        Session.objects.filter(pk__in=[session.pk for session in placed]).delete()
        Task.objects.filter(kind=TaskKind.NO_DATES, course=course).delete()
        course.refresh_from_db()
        booking.add_sessions(actor=self.house.desk, course=course, places=self.later, now=then)

    def _time_passes(self, course: Course, until: datetime) -> None:
        """Visits that ended by then took place - today's say themselves how far they are -, and mails went out."""
        Session.objects.filter(course=course, state__in=OPEN, discharge_at__lte=until).exclude(
            local_date=self.house.today
        ).update(
            state=SessionState.DISCHARGED,
            checked_in_at=F("during__startswith"),
            dose_started_at=F("dose_starts_at"),
            dose_ended_at=F("dose_ends_at"),
            left_at=F("discharge_at"),
        )
        Mail.objects.filter(course=course, state=MailState.DUE, due_at__lt=until).update(
            state=MailState.SENT, sent_at=F("due_at"), settled_at=F("due_at"), attempts=1
        )

    def _today(self, course: Course) -> None:
        if self.plot.minutes is None or self.plot.state == SessionState.BOOKED:
            return
        session = Session.objects.get(course=course, local_date=self.house.today)
        if self.plot.state == SessionState.CONFIRMED:
            self._time_passes(course, self.now - timedelta(days=1))
            replies.come(session, "Chidi Eze", now=self.now - timedelta(days=1))
            return
        if self.plot.state in FREED:
            absence.no_show(actor=self.house.desk, session=session, now=self.now - timedelta(minutes=60))
            return
        self._time_passes(course, self.now - timedelta(days=1))  # what was given before today makes no first dose
        charts.Today(session).tell(self.plot.state)

    def _end(self, course: Course, state: CourseState) -> None:
        """The course ended, or paused, after the anchor's session; those that were still to come are cancelled."""
        anchor = (self.later or self.initial)[(self.plot.maintenance or (self.plot.before,))[0]]
        then = min(anchor.starts_at + timedelta(hours=5), self.now - timedelta(hours=2))
        self._time_passes(course, then)
        if state == CourseState.CANCELLED:
            reason = "The patient prefers to begin after the holidays."
            cancelling.cancel_course(actor=self.house.desk, course=course, reason=reason, now=then)
        else:
            fresh, live = placing.lock_course(course, then)
            left = [session for session in live if session.state in OPEN]
            by = self._prescriber(anchor)
            placing.free(left, SessionState.CANCELLED, by=by, now=then)
            placing.record(fresh, str(state), by=by, now=then, sessions=left, reason=REASONS[state])
            if left:
                cancelled = [session.pk for session in left]
                placing.tell(fresh, left, MailKind.CANCELLED, then, {"cancelled": cancelled})
            if state == CourseState.PAUSED:
                fresh.state = state
                fresh.save(update_fields=["state"])
            else:
                placing.end(fresh, state, then)
        self._time_passes(course, self.now)

    def _move_the_last(self, course: Course) -> None:
        """The patient asked for another time of the day; the mail about it goes out when the worker starts."""
        session = Session.objects.filter(course=course).select_related("course__site").latest("during")
        place = self.diary.on(session.local_date, self.rules.visit, self.usual + 1)
        moving.move_session(actor=self.house.desk, session=session, place=place, now=self.now)

    def _mail_comes_back(self, course: Course) -> None:
        mail = Mail.objects.get(course=course, kind=MailKind.BOOKED)
        mail.state, mail.attempts, mail.error = MailState.FAILED, 1, "550 5.1.1 Mailbox does not exist"
        mail.settled_at = mail.due_at
        mail.save(update_fields=["state", "attempts", "error", "settled_at"])
        worklist.open_task(
            kind=TaskKind.FAILED_MAIL,
            patient=self.patient,
            course=course,
            key=f"mail-{mail.pk}",
            details={"mail": mail.pk, "kind": mail.kind, "reason": mail.error},
            now=mail.due_at,
        )

    def _anchor(self, day: date) -> Place:
        if self.plot.minutes is None:
            return self._on(day)
        start = grid(self.now, self.house) + timedelta(minutes=self.plot.minutes)
        place = self.diary.at(start, self.rules.visit)
        if self.plot.state in FREED:
            self.diary.leave(place)
        return place

    def _on(self, day: date) -> Place:
        return self.diary.on(day, self.rules.visit, self.usual)

    def _before(self, day: date, count: int, step: int) -> list[Place]:
        """So many sessions before the day, in order of time."""
        places: list[Place] = []
        for _ in range(count):
            day = self._open(day - timedelta(days=step), -1)
            places.insert(0, self._on(day))
        return places

    def _after(self, day: date, count: int, step: int) -> list[Place]:
        places = []
        for _ in range(count):
            day = self._open(day + timedelta(days=step), 1)
            places.append(self._on(day))
        return places

    def _open(self, day: date, direction: int) -> date:
        """The day, or the nearest one in that direction on which the site is open."""
        while not self.house.is_open(day):
            day += timedelta(days=direction)
        return day

    def _version(self) -> ProtocolVersion:
        return ProtocolVersion.objects.get(code=self.rules.code, version=self.rules.version)

    def _prescriber(self, place: Place) -> Staff:
        return next(member for member in self.house.prescribers if member.pk == place.prescriber)
