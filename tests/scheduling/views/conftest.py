"""A clinic and its clients, for pages."""

from __future__ import annotations

import pytest
from django.test import Client

from patients.models import Patient
from scheduling.models import Course
from tests.factories import Clinic, PatientFactory, make_clinic
from tests.pages import signed_in
from tests.scheduling.views import book


@pytest.fixture
def clinic(at_now: None, db: None) -> Clinic:
    return make_clinic()


@pytest.fixture
def desk(clinic: Clinic) -> Client:
    return signed_in(clinic.desk)


@pytest.fixture
def prescriber(clinic: Clinic) -> Client:
    return signed_in(clinic.prescriber)


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return PatientFactory.create(last_name="Vance", first_name="Eleanor", email="eleanor@example.org")


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    """Six visits at nine in the first chair, by the pattern 0, 3, 7, 10, 14, 17 from MONDAY."""
    return book(clinic, patient)
