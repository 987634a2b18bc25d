"""The worklist: what waits, where to act on it, and taking it off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients import worklist
from patients.models import Patient, Task, TaskKind
from scheduling.models import Course
from tests.factories import NOW, Clinic, PatientFactory
from tests.pages import page, says, signed_in


def ask(kind: TaskKind, patient: Patient, course: Course | None = None, minutes: int = 0, **more: object) -> Task:
    """Open a line, so many minutes ago."""
    worklist.open_task(kind=kind, patient=patient, course=course, now=NOW - timedelta(minutes=minutes), **more)  # type: ignore[arg-type]  # passed on
    return Task.objects.latest("pk")


def test_an_empty_worklist_says_so_and_what_would_come(desk: Client) -> None:
    (empty,) = says(desk.get("/worklist/"), ".empty")

    assert empty.startswith("Nothing waits for anybody. Last look 07:00.")


def test_every_kind_of_line_says_what_to_do_and_leads_there(desk: Client, course: Course) -> None:
    patient, session = course.patient, course.sessions.in_order()[0]
    ask(TaskKind.NO_ADDRESS, patient, minutes=240)
    ask(TaskKind.FAILED_MAIL, patient, minutes=180)
    ask(TaskKind.OVERRIDE_ASKED, patient, course, minutes=120, details={"rules": ["gap-min"]})
    ask(TaskKind.NEEDS_TIME, patient, course, minutes=60, key=str(session.pk))
    rows = page(desk.get("/worklist/")).all("tr")[1:]
    who = f"Vance, Eleanor {patient.phone}"

    assert [row.text for row in rows] == [
        (
            f"No mail address {who} There is no mail address: tell the patient the dates by phone. "
            "Mon 1 Feb 03:00 (4 h) Add an address Done : Vance, Eleanor"
        ),
        (
            f"Mail not delivered {who} A mail could not be delivered: tell the patient by phone. "
            "Mon 1 Feb 04:00 (3 h) See the mails Done : Vance, Eleanor"
        ),
        (
            f"Override asked for {who} The times are held; a prescriber is asked to pass over gap-min. "
            "Mon 1 Feb 05:00 (2 h) Review Done : Vance, Eleanor"
        ),
        (
            f"Needs a new time {who} A visit no longer fits and needs a new time. "
            "Mon 1 Feb 06:00 (1 h) Find a time Done : Vance, Eleanor"
        ),
    ]
    assert [row.all("a.button")[0].attributes["href"] for row in rows] == [
        f"/patients/{patient.pk}/edit/",
        f"/patients/{patient.pk}/",
        f"/courses/{course.pk}/",
        f"/sessions/{session.pk}/move/",
    ]


def test_the_bar_counts_what_is_open(desk: Client, patient: Patient) -> None:
    ask(TaskKind.NO_ADDRESS, patient)

    assert says(desk.get("/"), ".count") == ["1 open"]


def test_a_line_is_taken_off_once(desk: Client, clinic: Clinic, patient: Patient) -> None:
    task = ask(TaskKind.NO_ADDRESS, patient)
    path = f"/worklist/{task.pk}/acknowledge/"
    desk.post(path)
    first = says(desk.get("/worklist/"), ".notice")
    desk.post(path)
    second = says(desk.get("/worklist/"), ".notice")
    task.refresh_from_db()

    assert (first, second) == (
        ["Done: No mail address, Vance, Eleanor"],
        ["This line has been dealt with already."],
    )
    assert (task.done_by, task.done_at) == (clinic.desk, NOW)


def test_everybody_may_take_lines_off_and_nobody_by_looking(clinic: Clinic, patient: Patient) -> None:
    task = ask(TaskKind.NO_ADDRESS, patient)
    path = f"/worklist/{task.pk}/acknowledge/"

    assert [signed_in(staff).get(path).status_code for staff in clinic.staff] == [405] * 5
    assert [signed_in(staff).post(path).status_code for staff in clinic.staff] == [302] * 5
    assert (Client().post(path)["Location"], Client().get("/worklist/").status_code) == ("/sign-in/?next=/", 302)


@pytest.mark.parametrize("lines", [1, 30])
def test_it_takes_as_many_queries_for_thirty_lines_as_for_one(desk: Client, course: Course, lines: int) -> None:
    for _ in range(lines):
        ask(TaskKind.FAILED_MAIL, PatientFactory.create(), course)
    desk.get("/patients/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = desk.get("/worklist/")

    assert len(page(answer).all("tr")) == 1 + lines
    # session, user; lines; sites, their number
    assert len(queries) == 5
