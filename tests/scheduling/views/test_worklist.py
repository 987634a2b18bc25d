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
from tests.scheduling.views import book


def ask(kind: TaskKind, patient: Patient, course: Course | None = None, minutes: int = 0, **more: object) -> Task:
    """Open a line, so many minutes ago."""
    worklist.open_task(kind=kind, patient=patient, course=course, now=NOW - timedelta(minutes=minutes), **more)  # type: ignore[arg-type]  # passed on
    return Task.objects.latest("pk")


def test_an_empty_worklist_says_so_and_what_would_come(desk: Client) -> None:
    (empty,) = says(desk.get("/worklist/"), ".empty")

    assert empty.startswith("Nothing needs review. Last look 07:00.")


def test_every_kind_of_line_says_what_to_do_by_when_and_leads_there(desk: Client, course: Course) -> None:
    patient, session = course.patient, course.sessions.in_order()[0]
    ask(TaskKind.NO_ADDRESS, patient, minutes=240)
    ask(TaskKind.FAILED_MAIL, patient, minutes=180)
    ask(TaskKind.NEEDS_TIME, patient, course, minutes=60, key=str(session.pk))
    ask(TaskKind.OVERRIDE_ASKED, patient, course, minutes=120, details={"rules": ["gap-min", "span-max"]})
    rows = page(desk.get("/worklist/")).all("tr")[1:]
    who = f"Vance, Eleanor {patient.phone}"

    assert [row.text for row in rows] == [
        (
            f"Now No mail address {who} There is no mail address: tell the patient the dates by phone. "
            "by Mon 1 Feb 09:00 open 4 h Add an address Done : Vance, Eleanor"
        ),
        (
            f"Now Mail not delivered {who} A mail could not be delivered: tell the patient by phone. "
            "by Mon 1 Feb 09:00 open 3 h See the mails Done : Vance, Eleanor"
        ),
        (
            f"Now Needs a new time {who} A visit no longer fits and needs a new time. "
            "by Mon 1 Feb 09:00 open 1 h Find a time"
        ),
        (
            f"Later Override asked for {who} The times are held; a prescriber is asked to sign: "
            "gap too short and initial phase too long. open 2 h Review"
        ),
    ]
    assert [row.all("a.button")[0].attributes["href"] for row in rows] == [
        f"/patients/{patient.pk}/edit/?add=email",
        f"/patients/{patient.pk}/",
        f"/sessions/{session.pk}/move/",
        f"/courses/{course.pk}/",
    ]
    assert [row.attributes["class"] for row in rows] == ["block", "block", "warn", ""]


def test_the_most_urgent_line_comes_first_however_old_the_others(desk: Client, clinic: Clinic) -> None:
    for days, minutes in ((9, 400), (3, 300), (1, 200), (0, 100)):
        patient = PatientFactory.create(last_name=f"In {days} days", first_name="X")
        book(clinic, patient, days=(days,), chair=days % 6)
        ask(TaskKind.FAILED_MAIL, patient, minutes=minutes)
    rows = page(desk.get("/worklist/")).all("tr")[1:]

    assert [(row.all(".tag")[0].text, row.all("b")[0].text) for row in rows] == [
        ("Now", "In 0 days, X"),
        ("Today", "In 1 days, X"),
        ("This week", "In 3 days, X"),
        ("Later", "In 9 days, X"),
    ]


def test_a_hold_that_waits_for_a_signature_is_due_when_it_ends(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, days=(0, 1), hold=True)
    rows = page(desk.get("/worklist/")).all("tr")[1:]

    assert course.held_until is not None
    assert [row.all("td.until")[0].text for row in rows] == ["by Tue 2 Feb 07:00 open 0 min"]
    assert [row.all(".tag")[0].text for row in rows] == ["Today"]


def test_lines_of_the_desk_and_of_prescribers_are_shown_apart(desk: Client, course: Course) -> None:
    ask(TaskKind.NO_ADDRESS, course.patient)
    ask(TaskKind.FAILED_MAIL, course.patient)
    ask(TaskKind.OVERRIDE_ASKED, course.patient, course, details={"rules": ["gap-min"]})
    answers = {whose: desk.get("/worklist/", {"for": whose}) for whose in ("", "desk", "prescribers", "x")}

    assert {whose: len(page(answer).all("tr")) - 1 for whose, answer in answers.items()} == {
        "": 3,
        "desk": 2,
        "prescribers": 1,
        "x": 3,
    }
    assert says(answers["desk"], "nav.segments") == ["All 3 Desk 2 Prescribers 1"]


def test_who_has_nothing_to_do_is_told_while_others_have(desk: Client, patient: Patient) -> None:
    ask(TaskKind.NO_ADDRESS, patient)

    assert says(desk.get("/worklist/", {"for": "prescribers"}), ".empty") == [
        "Nothing waits for a prescriber. Show all"
    ]


def test_an_open_page_learns_that_a_line_came_or_went(desk: Client, patient: Patient) -> None:
    def shown() -> str:
        (part,) = page(desk.get("/worklist/")).all("[id=worklist]")
        return part.attributes["data-live-version"]

    def now() -> dict[str, object]:
        known: dict[str, object] = desk.get("/worklist/version/", headers={"X-Background": "1"}).json()
        return known

    seen = [(shown(), now())]
    first = ask(TaskKind.NO_ADDRESS, patient)
    seen.append((shown(), now()))
    second = ask(TaskKind.FAILED_MAIL, patient)
    worklist.close_tasks(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    seen.append((shown(), now()))

    assert seen == [
        ("0-0", {"version": "0-0", "tasks": 0}),
        (f"1-{first.pk}", {"version": f"1-{first.pk}", "tasks": 1}),
        (f"1-{second.pk}", {"version": f"1-{second.pk}", "tasks": 1}),
    ]
    assert Client().get("/worklist/version/", headers={"X-Background": "1"}).status_code == 401


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


def test_a_line_that_waits_for_an_act_stays_until_it_is_done(desk: Client, course: Course) -> None:
    task = ask(TaskKind.NEEDS_TIME, course.patient, course, key=str(course.sessions.in_order()[0].pk))
    desk.post(f"/worklist/{task.pk}/acknowledge/")
    shown = desk.get("/worklist/")

    assert says(shown, ".notice") == ["This line goes when the times are booked or given up."]
    assert len(page(shown).all("tr")) == 2


def test_everybody_may_take_lines_off_and_nobody_by_looking(clinic: Clinic, patient: Patient) -> None:
    task = ask(TaskKind.NO_ADDRESS, patient)
    path = f"/worklist/{task.pk}/acknowledge/"

    assert [signed_in(staff).get(path).status_code for staff in clinic.staff] == [405] * 5
    assert [signed_in(staff).post(path).status_code for staff in clinic.staff] == [302] * 5
    assert (Client().post(path).status_code, Client().get("/worklist/").status_code) == (401, 302)


@pytest.mark.parametrize("lines", [1, 30])
def test_it_takes_as_many_queries_for_thirty_lines_as_for_one(desk: Client, course: Course, lines: int) -> None:
    for _ in range(lines):
        ask(TaskKind.FAILED_MAIL, PatientFactory.create(), course)
    desk.get("/patients/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = desk.get("/worklist/")

    assert len(page(answer).all("tr")) == 1 + lines
    # session, user; lines, visits to come; sites
    assert len(queries) == 5
