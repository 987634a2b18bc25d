"""`book-1` and `book-16`: the verb against the statements it sends, sent by plain psycopg.

One booking of the verb is recorded, statement by statement. The reference replays those statements for other patients
and times: every value in them that belongs to a booking is exchanged for that of the next one, and what an INSERT
returns stands in for the recorded ids. Both sides run in the same processes on the same database, in turn, so the
difference is what Python does around the statements.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS = (0, 3, 7, 10, 14, 17)
#: Ids of one kind never look like those of another, so that a recorded value is found again by what it is.
RANGES = {
    "scheduling_course": 1_000_000_000,
    "scheduling_session": 2_000_000_000,
    "patients_patient": 3_000_000_000,
    "clinic_chair": 4_000_000_000,
    "clinic_staff": 5_000_000_000,
    "clinic_site": 6_000_000_000,
    "scheduling_courseevent": 7_000_000_000,
    "scheduling_protocolversion": 8_000_000_000,
}
ZONE = ZoneInfo("America/New_York")
FIRST = date(2027, 2, 1)
NOW = datetime(2027, 1, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Job:
    """One booking: whose, in which chair, with whom, when."""

    patient: int
    chair: int
    prescriber: int
    starts: tuple[datetime, ...]


@dataclass(frozen=True)
class Stage:
    """A clinic with more times than both sides need; ids of what every booking uses."""

    actor: int
    protocol: int
    jobs: tuple[Job, ...]


def build(clients: int, each: int, rounds: int) -> Stage:
    """Make a clinic with room for `clients` x `each` bookings a side and round, no two of them at the same time."""
    from django.contrib.auth.hashers import make_password
    from django.db import connection
    from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

    from clinic.models import Chair, OpeningHours, Role, Shift, Site, Staff
    from patients.models import Patient, Screening
    from scheduling.models import ProtocolVersion
    from tests.screenings import WELL

    with connection.cursor() as cursor:
        for table, start in RANGES.items():
            cursor.execute(
                "SELECT setval(ids, greatest(%s, nextval(ids)))"
                " FROM to_regclass(pg_get_serial_sequence(%s, 'id')) AS ids",
                [start, table],
            )
    site = Site.objects.create(name=f"Bench {time.time()}", neutral_name="Bench", time_zone=str(ZONE))
    OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=weekday, opens="08:00", closes="18:00") for weekday in range(7)
    )
    count = clients * each * rounds * 2
    chairs = Chair.objects.bulk_create(
        Chair(site=site, name=f"Chair {number}", position=number) for number in range(40)
    )
    doctors = Staff.objects.bulk_create(
        Staff(
            username=f"bench-{site.pk}-{number}",
            role=Role.CLINICIAN,
            is_prescriber=True,
            last_name=f"Doctor {number}",
            password=make_password(None),
        )
        for number in range(10)
    )
    for doctor in doctors:
        doctor.sites.add(site)
    weeks = count // (40 * 3) + 1
    Shift.objects.bulk_create(
        Shift(staff=doctor, site=site, during=DateTimeTZRange(_at(day, 8), _at(day, 18)), patients_at_once=20)
        for doctor in doctors
        for day in (FIRST + timedelta(days=ahead) for ahead in range(weeks * 21 + 21))
    )
    patients = Patient.objects.bulk_create(
        Patient(
            record_number=f"B{site.pk}-{number}",
            first_name="Alex",
            last_name=f"Morgan {number}",
            birth_date=date(1980, 1, 1),
            email=f"b{number}@example.org",
            mail_level="neutral",
            created_at=NOW,
        )
        for number in range(count)
    )
    answers = WELL.to_data()
    Screening.objects.bulk_create(
        Screening(patient=patient, version=1, answers=answers, decision="accepted", by=doctors[0], at=NOW)
        for patient in patients
    )
    jobs = []
    for number, patient in enumerate(patients):
        chair, rest = number % 40, number // 40
        start, week = rest % 3, rest // 3
        first = FIRST + timedelta(days=21 * week)
        clock = timedelta(hours=8) + timedelta(minutes=200) * start
        jobs.append(
            Job(
                patient.pk,
                chairs[chair].pk,
                doctors[chair % 10].pk,
                tuple(_at(first + timedelta(days=ahead), 0) + clock for ahead in DAYS),
            )
        )
    protocol = ProtocolVersion.objects.get(code="iv-ketamine-standard", version=1)
    return Stage(doctors[0].pk, protocol.pk, tuple(jobs))


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).astimezone(UTC)


@dataclass(frozen=True)
class Asked:
    """The arguments of the verb, read before the clock runs."""

    actor: Any
    protocol: Any
    patients: Mapping[int, Any]


def ask(stage: Stage, jobs: Sequence[Job]) -> Asked:
    """Read what the verb is given."""
    from clinic.models import Staff
    from patients.models import Patient
    from scheduling.models import ProtocolVersion

    return Asked(
        Staff.objects.get(pk=stage.actor),
        ProtocolVersion.objects.get(pk=stage.protocol),
        Patient.objects.in_bulk([job.patient for job in jobs]),
    )


def book(asked: Asked, job: Job) -> None:
    """One booking by the verb."""
    from scheduling import booking
    from scheduling.protocols.types import Place

    booking.book_course(
        actor=asked.actor,
        patient=asked.patients[job.patient],
        protocol=asked.protocol,
        places=[Place(start, job.chair, job.prescriber) for start in job.starts],
        now=NOW,
    )


Recorded = list[tuple[str, Any, bool]]


def record(stage: Stage, job: Job) -> tuple[Recorded, dict[Any, Any]]:
    """Book once and return the statements with their parameters, and the ids that came of it by table."""
    from django.db import connection

    from scheduling.models import Course

    statements: Recorded = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params, "RETURNING" in sql))
        return execute(sql, params, many, context)

    asked = ask(stage, [job])
    with connection.execute_wrapper(listen):
        book(asked, job)
    course = Course.objects.get(patient=job.patient)
    return statements, {
        "course": course.pk,
        "sessions": list(course.sessions.order_by("pk").values_list("pk", flat=True)),
    }


def replay(cursor: Any, statements: Recorded, ids: Mapping[str, Any], before: Job, job: Job) -> None:
    """Send the recorded statements for another booking; ids that come back take the place of the recorded."""
    exchange: dict[Any, Any] = {before.patient: job.patient, before.chair: job.chair, before.prescriber: job.prescriber}
    shift = job.starts[0] - before.starts[0]
    for sql, params, returning in statements:
        cursor.execute(sql, _exchanged(params, exchange, shift))
        if returning:
            returned = [row[0] for row in cursor.fetchall()]
            if 'scheduling_course"' in sql:
                exchange[ids["course"]] = returned[0]
            elif 'INSERT INTO "scheduling_session"' in sql:
                exchange.update(zip(ids["sessions"], returned, strict=True))
        elif cursor.description:
            cursor.fetchall()


def _exchanged(value: Any, exchange: Mapping[Any, Any], shift: timedelta) -> Any:
    match value:
        case tuple() | list():
            return type(value)(_exchanged(item, exchange, shift) for item in value)
        case datetime() if value > NOW + timedelta(days=1):
            return value + shift
        case datetime():
            return value
        case date():
            return value + timedelta(days=shift.days + (1 if shift.seconds > 43200 else 0))
        case int() if value in exchange:
            return exchange[value]
    if hasattr(value, "lower") and hasattr(value, "upper") and hasattr(value, "bounds"):
        return type(value)(value.lower + shift, value.upper + shift, value.bounds)
    return value


def client(side: str, stage: Stage, jobs: Sequence[Job], told: Any, start: Any, done: Any) -> None:
    """One process: its own connection, all its jobs one after the other."""
    from django.db import connection

    statements, ids, before = told
    asked = ask(stage, jobs)
    times = []
    start.wait(60)
    for job in jobs:
        began = time.perf_counter()
        if side == "verb":
            book(asked, job)
        else:
            raw = connection.connection
            with raw.transaction(), raw.cursor() as cursor:
                replay(cursor, statements, ids, before, job)
        times.append(time.perf_counter() - began)
    done.put(times)
    connection.close()


def rates(clients: int, each: int, rounds: int) -> Iterator[tuple[float, float]]:
    """Bookings a second of the verb and of plain psycopg, round by round, in turn."""
    from django.db import connection

    from scheduling.models import Course, Session

    stage = build(clients, each, rounds + 1)
    jobs = list(stage.jobs)
    sample = jobs.pop()
    told = (*record(stage, sample), sample)
    site = Course.objects.get(patient=sample.patient).site
    booked = 1
    connection.close()
    context = multiprocessing.get_context("fork")
    for _ in range(rounds):
        measured = {}
        for side in ("verb", "sql"):
            start, done = context.Barrier(clients + 1), context.Queue()
            processes = [
                context.Process(
                    target=client, args=(side, stage, [jobs.pop(0) for _ in range(each)], told, start, done)
                )
                for _ in range(clients)
            ]
            for process in processes:
                process.start()
            start.wait(60)
            began = time.perf_counter()
            spent = [done.get(timeout=300) for _ in processes]
            measured[side] = clients * each / (time.perf_counter() - began)
            for process in processes:
                process.join()
            booked += clients * each
            if len(spent) != clients or Session.objects.filter(course__site=site).count() != len(DAYS) * booked:
                raise AssertionError(f"{side} did not book what it was asked to")
            connection.close()
        yield measured["verb"], measured["sql"]


def measure(clients: int, each: int, rounds: int) -> dict[str, Any]:
    """The share of plain psycopg's throughput that the verb reaches: the median of the rounds' ratios."""
    measured = list(rates(clients, each, rounds))
    ratio = statistics.median(verb / sql for verb, sql in measured)
    plain = statistics.median(sql for _, sql in measured)
    return {
        "value": round(ratio, 3),
        "unit": "ratio",
        "reference": round(plain, 1),
        "aim": 0.5,
        "holds": ratio >= 0.5,
        "runs": len(measured),
        "how": (
            f"{clients} processes book {each} six-session courses each, by the verb and by plain psycopg sending the "
            f"same statements, in turn, {rounds} rounds; the reference is plain psycopg's courses a second, the verb's "
            f"were {statistics.median(verb for verb, _ in measured):.1f}; the ratios of the rounds were "
            f"{', '.join(f'{verb / sql:.2f}' for verb, sql in measured)}."
        ),
    }
