"""The worklist: what waits, the worst first, with whom; where to act on it, giving it away, putting it off, taking it
off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.models import Staff
from patients import scoring, worklist
from patients.models import Patient, Score, Task, TaskKind
from scheduling.lines import ORDER
from scheduling.models import Course, SessionState
from tests.factories import NOW, Clinic, PatientFactory, went
from tests.pages import page, says, signed_in
from tests.scheduling.views import book

ANSWERS = (3, 3, 3, 3, 2, 3, 1, 1, 2)


def ask(kind: TaskKind, patient: Patient, course: Course | None = None, minutes: int = 0, **more: object) -> Task:
    """Open a line, so many minutes ago."""
    worklist.open_task(kind=kind, patient=patient, course=course, now=NOW - timedelta(minutes=minutes), **more)  # type: ignore[arg-type]  # passed on
    return Task.objects.latest("pk")


def answered(patient: Patient, items: tuple[int, ...] = ANSWERS, minutes: int = 23) -> Score:
    """A PHQ-9 that the patient answered alone so many minutes ago."""
    at = NOW - timedelta(minutes=minutes)
    return scoring.record(actor=None, patient=patient, instrument="phq9", items=items, taken_at=at, now=at)


def rows(client: Client, show: str = "") -> list[list[str]]:
    """What the cells of each line say."""
    found = page(client.get("/worklist/", {"show": show})).all("tr")[1:]
    return [[cell.text for cell in row.all("td")] for row in found]


def kinds(client: Client, show: str = "") -> list[str]:
    return [one.text for one in page(client.get("/worklist/", {"show": show})).all(".kind")]


def test_an_empty_worklist_says_so_and_what_would_come(desk: Client) -> None:
    (empty,) = says(desk.get("/worklist/"), ".empty")

    assert empty.startswith("Nothing needs review. Last look 07:00.")


def test_of_equally_urgent_lines_the_worst_comes_first(prescriber: Client) -> None:
    for kind in reversed(ORDER):
        ask(kind, PatientFactory.create(), key="0")

    assert kinds(prescriber) == [
        "Item 9 above 0",
        "Prescriber called",
        "Worse",
        "Little or no benefit",
        "End of the initial phase",
        "Relapse in maintenance",
        "History to be reviewed",
        "Score overdue",
        "Month without a session",
        "Minimum out of reach",
        "Override asked for",
        "Needs a new time",
        "Unfinished record",
        "Monitoring form open",
        "No mail address",
        "Mail not delivered",
        "Course without dates",
    ]
    assert set(ORDER) == set(TaskKind)


def test_every_line_says_why_by_when_and_with_whom_and_leads_there(desk: Client, course: Course) -> None:
    patient, session = course.patient, course.sessions.in_order()[0]
    ask(TaskKind.NO_ADDRESS, patient, minutes=240)
    ask(TaskKind.FAILED_MAIL, patient, minutes=180)
    ask(TaskKind.NEEDS_TIME, patient, course, minutes=60, key=str(session.pk))
    ask(TaskKind.OVERRIDE_ASKED, patient, course, minutes=120, details={"rules": ["gap-min", "span-max"]})
    found = page(desk.get("/worklist/")).all("tr")[1:]
    who = "Vance, Eleanor"

    assert [row.text for row in found] == [
        (
            f"Now Needs a new time {who} A visit no longer fits and needs a new time. "
            f"no score by 09:00 Desk Find a time : {who}"
        ),
        (
            f"Today No mail address {who} There is no mail address: tell the patient the dates by phone. "
            f"no score by 09:00 Desk Add an address : {who}"
        ),
        (
            f"Today Mail not delivered {who} A mail could not be delivered: tell the patient by phone. "
            f"no score by 09:00 Desk See the mails : {who}"
        ),
        (
            f"This week Override asked for {who} The times are held; a prescriber is asked to sign: "
            f"gap too short and initial phase too long. no score open 2 h Prescribers Review : {who}"
        ),
    ]
    assert [row.all("a.button")[0].attributes["href"] for row in found] == [
        f"/sessions/{session.pk}/move/",
        f"/patients/{patient.pk}/edit/?add=email",
        f"/patients/{patient.pk}/",
        f"/courses/{course.pk}/",
    ]
    assert [row.attributes["class"] for row in found] == ["warn", "warn", "warn", ""]


def test_the_most_urgent_line_comes_first_however_bad_the_others(desk: Client, clinic: Clinic) -> None:
    for days, minutes in ((9, 400), (3, 300), (1, 200), (0, 100)):
        patient = PatientFactory.create(last_name=f"In {days} days", first_name="X")
        book(clinic, patient, days=(days,), chair=days % 6)
        ask(TaskKind.FAILED_MAIL, patient, minutes=minutes)
    ask(TaskKind.MONTH_EMPTY, PatientFactory.create(last_name="Month", first_name="X"), details={"month": "2027-02-01"})

    assert [(row[0], row[1], row[4]) for row in rows(desk)] == [
        ("Today", "Mail not delivered In 0 days, X", "by 09:00"),
        ("Today", "Mail not delivered In 1 days, X", "by Tue 2 Feb"),
        ("This week", "Month without a session Month, X", "by Sun 28 Feb"),
        ("This week", "Mail not delivered In 3 days, X", "by Thu 4 Feb"),
        ("This week", "Mail not delivered In 9 days, X", "by Wed 10 Feb"),
    ]


def test_a_hold_that_waits_for_a_signature_is_due_when_it_ends(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, days=(0, 1), hold=True)

    assert course.held_until is not None
    assert [(row[0], row[4]) for row in rows(desk)] == [("Today", "by Wed 3 Feb")] or [
        (row[0], row[4]) for row in rows(desk)
    ] == [("Today", "by Tue 2 Feb")]


def test_each_filter_shows_its_lines_and_says_how_many(clinic: Clinic, prescriber: Client, course: Course) -> None:
    answered(course.patient)
    ask(TaskKind.NO_ADDRESS, course.patient)
    ask(TaskKind.SCORE_OVERDUE, course.patient, course)
    ask(TaskKind.OPEN_FORM, course.patient, course, details={"due": "2027-01-29"})
    worklist.acknowledge(actor=clinic.desk, task=ask(TaskKind.FAILED_MAIL, course.patient), now=NOW)
    put_off = ask(TaskKind.MONTH_EMPTY, course.patient, course)
    worklist.snooze(actor=clinic.desk, task=put_off, until=NOW + timedelta(days=1), now=NOW)

    assert says(prescriber.get("/worklist/"), "nav.filters") == [
        "All 4 Mine 1 Now 1 Today 2 This week 1 Desk 1 Done today 1 Put off 1"
    ]
    assert {show: kinds(prescriber, show) for show in ("mine", "now", "today", "week", "desk", "done", "snoozed")} == {
        "mine": ["Item 9 above 0"],
        "now": ["Item 9 above 0"],
        "today": ["Monitoring form open", "No mail address"],
        "week": ["Score overdue"],
        "desk": ["No mail address"],
        "done": ["Mail not delivered"],
        "snoozed": ["Month without a session"],
    }


def test_who_has_nothing_to_do_is_told_while_others_have(desk: Client, patient: Patient) -> None:
    ask(TaskKind.NO_ADDRESS, patient)

    assert says(desk.get("/worklist/", {"show": "mine"}), ".empty") == ["Nothing waits for you. Show all"]
    assert says(desk.get("/worklist/", {"show": "now"}), ".empty") == ["Nothing is so urgent. Show all"]


def test_item_9_stands_open_with_its_answers_the_phone_and_what_it_blocks(prescriber: Client, course: Course) -> None:
    score = answered(course.patient)
    shown = prescriber.get("/worklist/")
    (panel,) = page(shown).all("[id=chosen]")
    (call,) = panel.all("a.primary")

    assert rows(prescriber) == [
        [
            "Now",
            "Item 9 above 0 Vance, Eleanor",
            "Item 9 is 2 (more than half the days), PHQ-9 21: call the patient now.",
            "PHQ-9: 21. Half of the baseline: 10.5",
            "open 23 min",
            course.sessions.in_order()[0].prescriber.short_name if (course := course) else "",
            "",
        ]
    ]
    assert panel.all("h2")[0].text == "Item 9: 2 (“more than half the days”)"
    assert call.attributes["href"] == f"tel:+{course.patient.phone_digits}"
    assert [item.text for item in panel.all("li")][3:] == [
        "1 Little interest 3",
        "2 Feeling down 3",
        "3 Sleep 3",
        "4 Tired 3",
        "5 Appetite 2",
        "6 Feeling bad about self 3",
        "7 Concentration 1",
        "8 Moving slowly or restless 1",
        "9 Better off dead, self-harm 2",
        "Total, severe 21",
    ]
    assert [item.text for item in panel.all("li")][:3] == [
        "no dose can start and no discharge can be recorded",
        "the row stays first on every worklist",
        "nothing of it stands in any mail",
    ]
    assert score.pk
