"""Fictional people and places for tests.

A test says what it is about and takes the rest from here. `make_clinic()` is a small clinic in New York from MONDAY
on: six chairs, open 8 to 18 on weekdays, two prescribers on shift throughout. NOW is MONDAY, an hour before it opens;
the spring change is on 2027-03-14, the autumn fold on 2027-11-07.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import factory
from django.contrib.auth.hashers import make_password
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F, QuerySet
from factory.django import DjangoModelFactory

from clinic.models import Chair, Closure, OpeningHours, Role, Shift, Site, Staff
from patients.answers import Answers
from patients.models import Patient, Screening, ScreeningDecision
from scheduling.models import (
    FREED,
    RUNNING,
    Course,
    CourseState,
    PhaseChoice,
    ProtocolVersion,
    Session,
    SessionState,
)
from scheduling.protocols import library
from tests.screenings import WELL

NEW_YORK = ZoneInfo("America/New_York")
MONDAY = date(2027, 2, 1)
NOW = datetime(2027, 2, 1, 7, tzinfo=NEW_YORK).astimezone(UTC)
PASSWORD = "correct horse battery staple"


def local(day: date, clock: str = "09:00", zone: ZoneInfo = NEW_YORK) -> datetime:
    """A wall time of the zone, in UTC as it is stored: `local(MONDAY, "09:00")`."""
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


class SiteFactory(DjangoModelFactory[Site]):
    class Meta:
        model = Site

    name = factory.Sequence(lambda n: f"Site {n}")
    neutral_name = factory.Sequence(lambda n: f"Practice {n}")
    address = "1 Main Street, Springfield"
    phone = "+1 555 010 0100"
    time_zone = "America/New_York"
    rems_certified = True


class ChairFactory(DjangoModelFactory[Chair]):
    class Meta:
        model = Chair

    site = factory.SubFactory(SiteFactory)
    position = factory.Sequence(lambda n: n)
    name = factory.LazyAttribute(lambda chair: f"Chair {chair.position}")


def _set_sites(staff: Staff, create: bool, sites: Sequence[Site] | None, **_: object) -> None:
    if create and sites:
        staff.sites.set(sites)


class StaffFactory(DjangoModelFactory[Staff]):
    """Somebody at the front desk, unless told otherwise; the password is PASSWORD. `sites` adds where they work."""

    class Meta:
        model = Staff
        skip_postgeneration_save = True

    class Params:
        prescriber = factory.Trait(role=Role.CLINICIAN, is_prescriber=True, title="Dr.")

    username = factory.Sequence(lambda n: f"staff{n}")
    first_name = "Robin"
    last_name = factory.Sequence(lambda n: f"Keller{n}")
    role = Role.DESK
    password = factory.LazyFunction(lambda: make_password(PASSWORD))

    sites = factory.PostGeneration(_set_sites)


class ShiftFactory(DjangoModelFactory[Shift]):
    """A shift of ten hours on `day`; `opens` and `closes` are wall times of the site."""

    class Meta:
        model = Shift

    class Params:
        day = MONDAY
        opens = "08:00"
        closes = "18:00"

    staff = factory.SubFactory(StaffFactory, prescriber=True)
    site = factory.SubFactory(SiteFactory)
    during = factory.LazyAttribute(
        lambda shift: DateTimeTZRange(
            local(shift.day, shift.opens, ZoneInfo(shift.site.time_zone)),
            local(shift.day, shift.closes, ZoneInfo(shift.site.time_zone)),
        )
    )


class ClosureFactory(DjangoModelFactory[Closure]):
    """A closed day of a site, or an outage of `chair`."""

    class Meta:
        model = Closure

    class Params:
        day = MONDAY
        days = 1

    site = factory.SubFactory(SiteFactory)
    during = factory.LazyAttribute(
        lambda closure: DateTimeTZRange(
            local(closure.day, "00:00", ZoneInfo(closure.site.time_zone)),
            local(closure.day + timedelta(days=closure.days), "00:00", ZoneInfo(closure.site.time_zone)),
        )
    )
    reason = "Painting"


def _screen(patient: Patient, create: bool, screened: Answers | Literal[False] | None, **_: object) -> None:
    if create and screened is not False:
        prescriber = {"role": Role.CLINICIAN, "is_prescriber": True}
        by, _made = Staff.objects.get_or_create(username="screener", defaults=prescriber)
        ScreeningFactory.create(patient=patient, by=by, answers=(screened or WELL).to_data())


class PatientFactory(DjangoModelFactory[Patient]):
    """Somebody who was screened and accepted long ago, nothing speaks against them; `screened` gives other answers,
    False none."""

    class Meta:
        model = Patient
        skip_postgeneration_save = True

    record_number = factory.Sequence(lambda n: f"T{n:07}")
    first_name = factory.Sequence(lambda n: f"Alex{n}")
    last_name = factory.Sequence(lambda n: f"Morgan{n}")
    birth_date = date(1980, 5, 17)
    email = factory.LazyAttribute(lambda patient: f"{patient.first_name}@example.org".lower())
    mail_level = factory.LazyAttribute(lambda patient: "neutral" if patient.email else "")
    phone = factory.Sequence(lambda n: f"+1 555 020 {n % 10_000:04}")
    phone_digits = factory.LazyAttribute(lambda patient: "".join(filter(str.isdigit, patient.phone)))
    created_at = NOW

    screened = factory.PostGeneration(_screen)


class ScreeningFactory(DjangoModelFactory[Screening]):
    """An accepted version in which nothing speaks against the patient."""

    class Meta:
        model = Screening

    patient = factory.SubFactory(PatientFactory, screened=False)
    version = 1
    answers = factory.LazyFunction(WELL.to_data)
    decision = ScreeningDecision.ACCEPTED
    by = factory.SubFactory(StaffFactory, prescriber=True)
    at = NOW


def protocol(code: str = "iv-ketamine-standard") -> ProtocolVersion:
    """A built-in protocol as the clinic has it stored."""
    known = {built_in.code: built_in for built_in in library.builtin()}[code]
    version, _ = ProtocolVersion.objects.get_or_create(
        code=code, version=known.version, defaults={"name": known.name, "data": library.to_data(known)}
    )
    return version


class CourseFactory(DjangoModelFactory[Course]):
    class Meta:
        model = Course

    patient = factory.SubFactory(PatientFactory)
    site = factory.SubFactory(SiteFactory)
    protocol = factory.LazyFunction(protocol)
    state = CourseState.ACTIVE
    phase = PhaseChoice.INITIAL
    created_at = NOW
    held_until = factory.LazyAttribute(
        lambda course: NOW + timedelta(hours=48) if course.state == CourseState.HELD else None
    )
    ended_at = factory.LazyAttribute(lambda course: None if course.state in RUNNING else NOW)


class SessionFactory(DjangoModelFactory[Session]):
    """A visit at `starts_at` in the shape of its course's protocol. The database wants the prescriber on shift."""

    class Meta:
        model = Session

    class Params:
        starts_at = local(MONDAY)
        shape = factory.LazyAttribute(lambda session: session.course.protocol.protocol.visit)

    course = factory.SubFactory(CourseFactory)
    patient = factory.SelfAttribute("course.patient")
    site = factory.SelfAttribute("course.site")
    chair = factory.SubFactory(ChairFactory, site=factory.SelfAttribute("..site"))
    prescriber = factory.SubFactory(StaffFactory, prescriber=True)
    number = factory.LazyAttribute(lambda session: session.course.sessions.count() + 1)
    phase = factory.SelfAttribute("course.phase")
    state = factory.LazyAttribute(
        lambda session: SessionState.HELD if session.course.state == CourseState.HELD else SessionState.BOOKED
    )
    during = factory.LazyAttribute(
        lambda session: DateTimeTZRange(session.starts_at, session.starts_at + session.shape.length)
    )
    local_date = factory.LazyAttribute(
        lambda session: session.starts_at.astimezone(ZoneInfo(session.site.time_zone)).date()
    )
    dose_starts_at = factory.LazyAttribute(lambda session: session.starts_at + timedelta(minutes=session.shape.prepare))
    dose_ends_at = factory.LazyAttribute(lambda session: session.dose_starts_at + timedelta(minutes=session.shape.give))
    discharge_at = factory.LazyAttribute(lambda session: session.starts_at + session.shape.home_after)
    confirmed_at = factory.LazyAttribute(lambda session: NOW if session.state == SessionState.CONFIRMED else None)
    freed_at = factory.LazyAttribute(lambda session: NOW if session.state in FREED else None)
    checked_in_at = factory.LazyAttribute(
        lambda session: session.starts_at if "checked_in_at" in taken(session.state) else None
    )
    dose_started_at = factory.LazyAttribute(
        lambda session: session.dose_starts_at if "dose_started_at" in taken(session.state) else None
    )
    dose_ended_at = factory.LazyAttribute(
        lambda session: session.dose_ends_at if "dose_ended_at" in taken(session.state) else None
    )
    left_at = factory.LazyAttribute(lambda session: session.discharge_at if "left_at" in taken(session.state) else None)


#: The steps of a visit, and when each was planned.
STEPS = {
    "checked_in_at": "during__startswith",
    "dose_started_at": "dose_starts_at",
    "dose_ended_at": "dose_ends_at",
    "left_at": "discharge_at",
}
_TAKEN = {
    SessionState.CHECKED_IN: 1,
    SessionState.GIVING: 2,
    SessionState.MONITORING: 3,
    SessionState.READY: 3,
    SessionState.DISCHARGED: 4,
    SessionState.LEFT_EARLY: 4,
    SessionState.TRANSFERRED: 4,
}


def taken(state: str) -> list[str]:
    """The steps that a visit in this state has behind it."""
    if state == SessionState.NOT_DOSED:
        return ["checked_in_at", "left_at"]
    return list(STEPS)[: _TAKEN.get(SessionState(state), 0)]


def went(sessions: QuerySet[Session], state: SessionState = SessionState.DISCHARGED, **columns: object) -> None:
    """Let these visits have got as far as the state, each step at its planned time; `columns` are set beside it."""
    sessions.update(state=state, **{step: F(STEPS[step]) for step in taken(state)}, **columns)


@dataclass(frozen=True)
class Clinic:
    """A site with everybody who works there."""

    site: Site
    chairs: tuple[Chair, ...]
    desk: Staff
    clinician: Staff  # who may not prescribe
    nurse: Staff
    manager: Staff
    prescribers: tuple[Staff, ...]

    @property
    def prescriber(self) -> Staff:
        return self.prescribers[0]

    @property
    def staff(self) -> tuple[Staff, ...]:
        """One of each kind that the matrix of roles tells apart."""
        return (self.desk, self.clinician, self.prescriber, self.nurse, self.manager)


def make_clinic(
    *, chairs: int = 6, prescribers: int = 2, weeks: int = 8, first: date = MONDAY, zone: str = "America/New_York"
) -> Clinic:
    """A site as the module's docstring says; shifts last from the day `first` for so many weeks."""
    site = SiteFactory.create(time_zone=zone)
    tz = ZoneInfo(zone)
    # A test with transactions of its own leaves an empty database behind, without what migrations had put there.
    ProtocolVersion.objects.bulk_create(
        (
            ProtocolVersion(code=known.code, version=known.version, name=known.name, data=library.to_data(known))
            for known in library.builtin()
        ),
        ignore_conflicts=True,
    )
    OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=weekday, opens=time(8), closes=time(18)) for weekday in range(5)
    )
    doctors = tuple(StaffFactory.create_batch(prescribers, prescriber=True, sites=[site]))
    days = [first + timedelta(days=number) for number in range(7 * weeks)]
    Shift.objects.bulk_create(
        Shift(staff=doctor, site=site, during=DateTimeTZRange(local(day, "08:00", tz), local(day, "18:00", tz)))
        for day in days
        if day.weekday() < 5
        for doctor in doctors
    )
    return Clinic(
        site=site,
        chairs=tuple(ChairFactory.create(site=site, position=number) for number in range(1, chairs + 1)),
        desk=StaffFactory.create(role=Role.DESK, sites=[site]),
        clinician=StaffFactory.create(role=Role.CLINICIAN, sites=[site]),
        nurse=StaffFactory.create(role=Role.NURSE, sites=[site]),
        manager=StaffFactory.create(role=Role.MANAGER, sites=[site]),
        prescribers=doctors,
    )
