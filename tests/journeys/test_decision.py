"""A clinician decides how a course goes on, in a real browser: three clicks, by keyboard alone, without scripts, on a
phone; and what somebody is told whose page is older than another one's decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from clinic import clock
from clinic.models import Staff
from patients.models import Patient
from scheduling import booking
from scheduling.models import Course
from scheduling.protocols.types import Place
from tests import treated
from tests.factories import NEW_YORK, Clinic, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in

PATTERN = (0, 3, 7, 10, 14, 17)


@pytest.fixture
def course(clinic: Clinic, patient: Patient, settings: Settings, tmp_path: Path) -> Course:
    """Five of six visits were given; the clinic's clock stands on the day after the fifth, a Tuesday."""
    today = timezone.localdate()
    monday = today + timedelta(days=7 - today.weekday())
    starts = [datetime.combine(monday + timedelta(days=day), time(9), NEW_YORK) for day in PATTERN]
    booked = booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=[Place(start, clinic.chairs[0].pk, clinic.prescriber.pk) for start in starts],
        now=timezone.now(),
    ).course
    treated.give(booked, clinic.nurse, 5)
    treated.answer(booked)
    Staff.objects.filter(pk=clinic.prescriber.pk).update(username="doctor")
    Staff.objects.filter(pk=clinic.prescribers[1].pk).update(username="second")
    settings.CLOCK_FILE = str(tmp_path / "clock")
    clock.set_shift(datetime.combine(monday + timedelta(days=15), time(10, 30), NEW_YORK) - timezone.now())
    return booked
