"""What the worker does by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from clinic import clock
from clinic.celery import app
from patients.models import Task
from scheduling import booking, holding, tasks
from scheduling.models import Course, CourseState, Day, Mail, MailState
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, protocol
from tests.mail_server import MailServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    server = MailServer()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    with server.running():
        yield server


@pytest.fixture(autouse=True)
def at_now(settings: Settings, tmp_path: Path) -> None:
    """The clinic's clock shows NOW, as in a demonstration that was set ahead."""
    settings.CLOCK_FILE = str(tmp_path / "clock")
    clock.set_shift(NOW - timezone.now())


def book(clinic: Clinic, number: int, *, hold: bool = False) -> Course:
    places = [
        Place(local(MONDAY + timedelta(days=day), "09:00"), clinic.chairs[number].pk, clinic.prescriber.pk)
        for day in (1, 4, 8, 11)
    ]
    return booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=places, hold=hold, now=NOW
    ).course


def test_beat_names_tasks_that_exist_and_lets_none_pile_up() -> None:
    app.loader.import_default_modules()
    entries = app.conf.beat_schedule
    assert {entry["task"] for entry in entries.values()} == {
        "scheduling.tasks.send_mail",
        "scheduling.tasks.expire_holds",
        "scheduling.tasks.create_days",
        "scheduling.tasks.mark_ready",
        "scheduling.tasks.review_courses",
        "scheduling.tasks.roll_on",
    }
    assert [entry["task"] for entry in entries.values() if entry["task"] not in app.tasks] == []
    periods = {name: entry["schedule"].run_every.total_seconds() for name, entry in entries.items()}
    assert [name for name, entry in entries.items() if entry["options"]["expires"] > periods[name]] == []


def test_beat_follows_the_clock_of_the_clinic() -> None:
    hourly = app.conf.beat_schedule["roll on"]["schedule"]
    begun = clock.now()
    clock.set_shift(clock.shift() + timedelta(minutes=50))
    before = hourly.is_due(begun).is_due
    clock.set_shift(clock.shift() + timedelta(minutes=11))
    assert (before, hourly.is_due(begun).is_due) == (False, True)


@pytest.mark.django_db(transaction=True)
def test_sending_mail_empties_the_outbox(clinic: Clinic, server: MailServer) -> None:
    for number in range(3):
        book(clinic, number)
    tasks.send_mail()
    assert len(server.received) == 3
    assert Mail.objects.filter(state=MailState.DUE, try_at__lte=clock.now()).count() == 0


@pytest.mark.django_db(transaction=True)
def test_while_one_process_of_a_worker_sends_the_others_do_something_else(clinic: Clinic, server: MailServer) -> None:
    book(clinic, 0)
    with closing(connection.copy()) as another, another.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [tasks.DRAINING, os.getppid()])
        tasks.send_mail()
        meanwhile = len(server.received)
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [tasks.DRAINING, os.getppid()])
    tasks.send_mail()
    tasks.send_mail()

    assert (meanwhile, len(server.received)) == (0, 1)


def test_holds_that_have_run_out_expire(clinic: Clinic) -> None:
    course = book(clinic, 0, hold=True)
    tasks.expire_holds()
    assert Course.objects.get(pk=course.pk).state == CourseState.HELD
    clock.set_shift(NOW + holding.HOLD + timedelta(minutes=1) - timezone.now())
    tasks.expire_holds()
    assert Course.objects.get(pk=course.pk).state == CourseState.CANCELLED


def test_days_are_made_ahead(clinic: Clinic) -> None:
    Day.objects.all().delete()
    tasks.create_days()
    assert (Day.objects.count(), Day.objects.earliest("date").date) == (400, MONDAY)


def test_courses_are_looked_at_by_themselves(clinic: Clinic) -> None:
    course = book(clinic, 0)
    clock.set_shift(NOW + timedelta(days=30) - timezone.now())
    tasks.review_courses()
    assert (
        sorted(Task.objects.values_list("kind", "course"))
        == [("no-dates", course.pk)] + [("open-record", course.pk)] * 4
    )
