"""A clinic and somebody who is treated there."""

from __future__ import annotations

import pytest

from patients.models import Patient
from tests.factories import Clinic, PatientFactory, make_clinic


@pytest.fixture
def clinic(db: None) -> Clinic:
    return make_clinic()


@pytest.fixture
def patient(db: None) -> Patient:
    return PatientFactory.create()
