"""What every test of the interface starts from: a clinic, a patient, the clock at NOW."""

from __future__ import annotations

import pytest

from patients.models import Patient
from tests.api import Api, signed_in
from tests.factories import Clinic, PatientFactory, make_clinic


@pytest.fixture
def clinic(at_now: None, db: None) -> Clinic:
    return make_clinic()


@pytest.fixture
def patient(db: None) -> Patient:
    return PatientFactory.create()


@pytest.fixture
def desk(clinic: Clinic) -> Api:
    return signed_in(clinic.desk)


@pytest.fixture
def doctor(clinic: Clinic) -> Api:
    return signed_in(clinic.prescriber)
