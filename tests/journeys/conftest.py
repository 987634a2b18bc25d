"""Whole clinics, each in a folder of its own that nothing outlives; and a desk with a browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, sync_playwright
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from patients.models import Patient
from tests import browser
from tests.clinic.local.conftest import var
from tests.factories import Clinic, PatientFactory, make_clinic, protocol

__all__ = ["var"]


@pytest.fixture
def clinic(live_server: LiveServer) -> Clinic:
    """A clinic whose shifts begin this week: the browser has the machine's clock."""
    protocol()
    today = timezone.localdate()
    clinic = make_clinic(first=today - timedelta(days=today.weekday()), weeks=10)
    Staff.objects.filter(pk=clinic.desk.pk).update(username="desk")
    return clinic


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return PatientFactory.create(last_name="Vance-Okonkwo", first_name="Eleanor Marguerite", email="e@example.org")


@pytest.fixture
def chromium(patient: Patient) -> Iterator[Browser]:
    """The last fixture that is made, for nothing may ask the database while it is there."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser.executable(), args=list(browser.OPTIONS))
        yield started
        started.close()
