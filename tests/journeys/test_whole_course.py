"""Whole courses in the browser, over simulated weeks, with every process of a clinic on the same clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.test_mail_journey import in_sink, wait
from tests.journeys.weeks import NOON, Weeks, weeks

#: PHQ-9 before each session, item by item: from 20 to 7.
BETTER = (
    (3, 3, 3, 2, 2, 2, 3, 2, 0),
    (3, 3, 2, 2, 2, 2, 2, 1, 0),
    (2, 2, 2, 2, 2, 1, 2, 1, 0),
    (2, 2, 1, 1, 2, 1, 1, 1, 0),
    (1, 1, 1, 1, 1, 1, 1, 1, 0),
    (1, 1, 1, 1, 1, 1, 1, 0, 0),
)


@pytest.fixture
def clinic(var: Path) -> Iterator[Weeks]:
    with weeks(var) as opened:
        yield opened
        assert opened.complaints() == []


def local_dates(sessions: list[dict[str, Any]], phase: str) -> list[date]:
    return [datetime.fromisoformat(row["starts_at"]).date() for row in sessions if row["phase"] == phase]


def gaps(dates: list[date]) -> list[int]:
    return [(later - earlier).days for earlier, later in pairwise(dates)]


def test_a_course_from_screening_to_maintenance(clinic: Weeks, var: Path) -> None:
    patient = clinic.register("Johanna", "Castellanos")
    clinic.screen(patient, NOON.date())
    planned = clinic.book(patient)
    assert [row["state"] for row in planned] == ["booked"] * 6

    for session, answers in zip(planned, BETTER, strict=True):
        clinic.visit(session, patient, answers)
    given = clinic.sessions(patient)
    assert [row["state"] for row in given] == ["discharged"] * 6
    (course,) = {row["course"] for row in given}
    progress = clinic.clinician.read(f"courses/{course}/progress/")
    assert [advice["code"] for advice in progress["advice"]] == ["offer-maintenance"]

    clinic.decide(course, "Begin maintenance", "Response", "Record: start maintenance")
    maintained = clinic.sessions(patient)
    dates = local_dates(maintained, "maintenance")
    last = local_dates(maintained, "initial")[-1]
    assert gaps([last, *dates]) == [21] * len(dates)
    assert timedelta(weeks=9) < dates[-1] - last <= timedelta(weeks=13)

    first = maintained[6]
    clinic.visit(first, patient, None)
    assert clinic.sessions(patient)[6]["state"] == "discharged"

    # A month later beat has looked after the next three; all that was sent says nothing of what it is about.
    clinic.it_is(datetime.fromisoformat(first["starts_at"]) + timedelta(weeks=4))
    wait(lambda: local_dates(clinic.sessions(patient), "maintenance")[-1] > dates[-1])
    wait(lambda: len(in_sink(var, "castellanos@example.org")) >= 3)
    parts = [part for message in in_sink(var, "castellanos@example.org") for part in message.walk()]
    sent = [str(part.get_content()).lower() for part in parts if not part.is_multipart()]
    assert [word for word in ("ketamine", "phq", "maintenance", "infusion") for text in sent if word in text] == []
    assert any("johanna" in text for text in sent)


def test_a_course_with_esketamine_to_its_weekly_phase(clinic: Weeks) -> None:
    patient = clinic.register("Mateo", "Ibarra")
    clinic.screen(patient, NOON.date())
    planned = clinic.book(patient, "Esketamine nasal spray, US label · v1")
    assert [row["state"] for row in planned] == ["booked"] * 8

    for number, session in enumerate(planned):
        answers = BETTER[min(number, 3)]
        clinic.visit(session, patient, answers, mg="84" if number else "56")
    (course,) = {row["course"] for row in clinic.sessions(patient)}
    wait(lambda: clinic.forms_wait(patient) == 8)

    clinic.decide(course, "Go on", "Response", "Record: go on")
    weekly = [row for row in clinic.sessions(patient) if row["phase"] == "taper"]
    assert gaps(local_dates(weekly, "taper")) == [7, 7, 7]
    clinic.visit(weekly[0], patient, BETTER[3], mg="84")
    assert [row["state"] for row in clinic.sessions(patient)] == ["discharged"] * 9 + ["booked"] * 3
