"""Clinics for benchmarks: a site with chairs, prescribers, shifts for months, and visits in a share of its times."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
VISITS_A_DAY = 3  # of 200 minutes, from 8 to 18


@dataclass(frozen=True)
class Bench:
    """Ids of what a benchmark asks about."""

    site: int
    desk: int
    chairs: tuple[int, ...]
    prescribers: tuple[int, ...]
    protocol: int
    first: date


def clinic(*, chairs: int, weeks: int, full: float, name: str) -> Bench:
    """A site that is open every day from 8 to 18, one prescriber for four chairs and eight patients at once, and visits
    in the share `full` of all times of the next `weeks`, spread by a fixed seed."""
    from django.contrib.auth.hashers import make_password
    from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

    from clinic.models import Chair, OpeningHours, Role, Shift, Site, Staff
    from scheduling.models import ProtocolVersion

    site = Site.objects.create(name=name, neutral_name="Bench", time_zone=str(ZONE))
    OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=weekday, opens="08:00", closes="18:00") for weekday in range(7)
    )
    people = Staff.objects.bulk_create(
        Staff(
            username=f"{name}-{number}",
            role=Role.CLINICIAN if number else Role.DESK,
            is_prescriber=bool(number),
            patients_at_once=8,
            password=make_password(None),
        )
        for number in range(chairs // 4 + 1)
    )
    for person in people:
        person.sites.add(site)
    seats = Chair.objects.bulk_create(
        Chair(site=site, name=f"Chair {number}", position=number) for number in range(chairs)
    )
    first = datetime.now(UTC).astimezone(ZONE).date() + timedelta(days=1)
    days = [first + timedelta(days=ahead) for ahead in range(7 * weeks)]
    Shift.objects.bulk_create(
        (
            Shift(staff=person, site=site, during=DateTimeTZRange(_at(day, 8), _at(day, 18)), patients_at_once=8)
            for person in people[1:]
            for day in [first + timedelta(days=ahead) for ahead in range(7 * weeks + 180)]
        ),
        batch_size=2000,
    )
    bench = Bench(
        site.pk,
        people[0].pk,
        tuple(seat.pk for seat in seats),
        tuple(person.pk for person in people[1:]),
        ProtocolVersion.objects.get(code="iv-ketamine-standard", version=1).pk,
        first,
    )
    if full:
        _fill(bench, days, full, f"v-{name}")
    return bench


def patients(count: int, name: str) -> list[int]:
    """Patients without a course, screened and accepted."""
    from clinic.models import Staff
    from patients.models import Patient, Screening
    from tests.screenings import WELL

    found = [
        patient.pk
        for patient in Patient.objects.bulk_create(
            (
                Patient(
                    record_number=f"{name}-{number}",
                    first_name="Alex",
                    last_name=f"Morgan {number}",
                    birth_date=date(1980, 1, 1),
                    created_at=datetime.now(UTC),
                )
                for number in range(count)
            ),
            batch_size=2000,
        )
    ]
    by = Staff.objects.filter(is_prescriber=True).earliest("pk").pk
    answers = WELL.to_data()
    Screening.objects.bulk_create(
        (
            Screening(patient_id=pk, version=1, answers=answers, decision="accepted", by_id=by, at=datetime.now(UTC))
            for pk in found
        ),
        batch_size=2000,
    )
    return found


def _fill(bench: Bench, days: list[date], full: float, name: str) -> None:
    from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

    from scheduling.models import Course, CourseState, PhaseChoice, Session, SessionState

    dice = random.Random(20270201)  # noqa: S311 a repeatable spread
    visit = timedelta(minutes=200)
    slots = [
        (day, chair, number)
        for day in days
        for chair in range(len(bench.chairs))
        for number in range(VISITS_A_DAY)
        if dice.random() < full
    ]
    now = datetime.now(UTC)
    courses = Course.objects.bulk_create(
        (
            Course(
                patient_id=patient,
                site_id=bench.site,
                protocol_id=bench.protocol,
                state=CourseState.ACTIVE,
                created_at=now,
            )
            for patient in patients(len(slots), name)
        ),
        batch_size=2000,
    )
    sessions = []
    for course, (day, chair, number) in zip(courses, slots, strict=True):
        start = _at(day, 8) + visit * number
        sessions.append(
            Session(
                course=course,
                patient_id=course.patient_id,
                site_id=bench.site,
                chair_id=bench.chairs[chair],
                prescriber_id=bench.prescribers[chair // 4],
                number=1,
                phase=PhaseChoice.INITIAL,
                state=SessionState.BOOKED,
                during=DateTimeTZRange(start, start + visit),
                local_date=day,
                dose_starts_at=start + timedelta(minutes=30),
                dose_ends_at=start + timedelta(minutes=70),
                discharge_at=start + timedelta(minutes=190),
            )
        )
    Session.objects.bulk_create(sessions, batch_size=1000)


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).astimezone(UTC)
