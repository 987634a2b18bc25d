"""Planning and booking on the page as a browser without JavaScript does it: forms are sent, pages come back."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients.models import Patient, Task
from scheduling.models import Course, CourseState, Mail, Override, PhaseChoice, Session, SessionState
from tests.factories import (
    MONDAY,
    NOW,
    PASSWORD,
    Clinic,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    make_clinic,
    protocol,
    went,
)
from tests.pages import form_data, page, says, signed_in
from tests.scheduling.views import book

Data = dict[str, Any]


class Desk:
    """Somebody at the page: presses buttons, types into fields, sees what comes back."""

    def __init__(self, client: Client, path: str) -> None:
        self.client, self.path = client, path
        self.answer: Any = client.get(path)

    def press(self, act: str, **typed: Any) -> Desk:
        """Send the form as it stands, with what was typed, by one of its buttons."""
        buttons = [button.attributes["value"] for button in page(self.answer).all("[name=act]")]
        assert act in buttons, f"{act} is none of {buttons}"
        data = form_data(self.answer, form="desk") | {name.replace("__", "-"): value for name, value in typed.items()}
        self.answer = self.client.post(self.path, data | {"act": act})
        return self

    @property
    def rows(self) -> list[str]:
        """Number, date, day, start and what is found, of each row."""
        shown = [row for row in page(self.answer).all("tr") if row.attributes.get("id", "").startswith("row-")]
        return [
            " ".join(cell.text for place, cell in enumerate(row.all("td")) if place in (0, 1, 2, 3, 6)).strip()
            for row in shown
        ]

    @property
    def notices(self) -> list[str]:
        return says(self.answer, ".notice")


@pytest.fixture
def planning(desk: Client, patient: Patient) -> Desk:
    return Desk(desk, f"/patients/{patient.pk}/course/new/")


def test_the_page_opens_with_plans_and_the_rows_of_one(planning: Desk) -> None:
    shown = page(planning.answer)

    assert planning.answer.status_code == 200
    assert [card.all("b")[0].text for card in shown.all("button.plan")] == ["Soonest", "Most even"]
    assert [card.attributes["aria-pressed"] for card in shown.all("button.plan")] == ["false", "true"]
    assert planning.rows == [
        "1 Mon 1 Feb day 0 08:00 home 11:10 No finding",
        "2 Thu 4 Feb day 3 08:00 home 11:10 No finding",
        "3 Mon 8 Feb day 7 08:00 home 11:10 No finding",
        "4 Thu 11 Feb day 10 08:00 home 11:10 No finding",
        "5 Mon 15 Feb day 14 08:00 home 11:10 No finding",
        "6 Thu 18 Feb day 17 08:00 home 11:10 No finding",
    ]
    assert [button.text for button in shown.all("button.primary")] == ["Book 6 visits Ctrl ⏎"]


def test_a_visit_before_which_nobody_has_fasted_is_pointed_out(planning: Desk) -> None:
    told = says(planning.answer, "p.fasting")
    planning.press("drop:0")

    assert told == ["Mon 1 Feb 08:00 is soon: nothing may be eaten before it since 02:00. Ask the patient."]
    assert says(planning.answer, "p.fasting") == []


def test_looking_writes_nothing(planning: Desk) -> None:
    planning.press("choose:soonest").press("take:0:0").press("drop:2")

    assert (Course.objects.count(), Session.objects.count(), Mail.objects.count()) == (0, 0, 0)


def test_a_whole_course_is_booked_and_its_page_shows_it(planning: Desk, patient: Patient, desk: Client) -> None:
    planning.press("book")
    course = Course.objects.get()

    assert (planning.answer.status_code, planning.answer["Location"]) == (302, f"/courses/{course.pk}/")
    assert (course.patient, course.state) == (patient, CourseState.ACTIVE)
    assert [session.starts_at for session in course.sessions.in_order()] == [
        local(MONDAY + timedelta(days=day), "08:00") for day in (0, 3, 7, 10, 14, 17)
    ]
    assert says(desk.get(planning.answer["Location"]), ".notice") == ["6 visits are booked."]


def test_a_double_click_books_once(planning: Desk) -> None:
    data = form_data(planning.answer, form="desk") | {"act": "book"}
    first, second = (planning.client.post(planning.path, data) for _ in range(2))

    assert (first.status_code, second.status_code) == (302, 302)
    assert first["Location"] == second["Location"]
    assert Course.objects.count() == 1


def test_a_page_that_has_booked_books_nothing_else(planning: Desk) -> None:
    data = form_data(planning.answer, form="desk") | {"act": "book"}
    planning.client.post(planning.path, data)
    answer = planning.client.post(planning.path, data | {"row": data["row"][:4]})

    assert answer.status_code == 409
    assert "This page has booked already." in says(answer, ".notice")[1]
    assert Course.objects.count() == 1


def test_another_plan_brings_its_rows(planning: Desk) -> None:
    planning.press("choose:soonest")

    assert [row.split(" home")[0] for row in planning.rows] == [
        "1 Mon 1 Feb day 0 08:00",
        "2 Wed 3 Feb day 2 08:00",
        "3 Fri 5 Feb day 4 08:00",
        "4 Mon 8 Feb day 7 08:00",
        "5 Wed 10 Feb day 9 08:00",
        "6 Fri 12 Feb day 11 08:00",
    ]


def test_wishes_are_asked_for_and_counted(planning: Desk) -> None:
    planning.press(
        "plan",
        weekdays=["1", "3"],
        not_before="10:00",
        home_by="14:00",
        earliest="2027-02-02",
        away__0__first="2027-02-04",
        away__0__last="2027-02-05",
    )
    shown = page(planning.answer)

    starts = [row.all("td") for row in shown.all("tr") if row.attributes.get("id", "").startswith("row-")]
    assert {(cells[1].text[:3], cells[3].text[:5]) for cells in starts} == {("Tue", "10:00"), ("Thu", "10:00")}
    assert "Thu 4 Feb" not in [cells[1].text for cells in starts]
    assert "6 of 6 as wished" in shown.all("button.plan")[0].text
    assert [box.attributes["value"] for box in shown.all("[name=weekdays]") if "checked" in box.attributes] == [
        "1",
        "3",
    ]
    assert form_data(planning.answer, form="desk")["away-0-first"] == ["2027-02-04"]


def test_another_protocol_brings_its_number_of_sessions(planning: Desk) -> None:
    planning.press("plan", protocol=str(protocol("esketamine-trd-us").pk))

    assert len(planning.rows) == 8
    assert form_data(planning.answer, form="desk")["sessions"] == ["8"]


def test_the_next_possible_time_of_a_row_is_one_button_away(planning: Desk) -> None:
    planning.press("take:1:0")

    assert planning.rows[1] == "2 Thu 4 Feb day 3 08:00 08:10 home 11:20 No finding"
    assert says(planning.answer, "s") == ["08:00"]


@pytest.mark.parametrize(
    ("day", "error"), [("0001-01-01", "Choose a date from 1900 on."), ("9999-12-31", "Choose a date before 2200.")]
)
def test_a_day_at_the_end_of_the_calendar_is_refused_at_its_field(planning: Desk, day: str, error: str) -> None:
    edited = says(planning.press("edit:1").press("set", edit__date=day).answer, "div.error")
    planned = says(planning.press("plan", earliest=day, away__0__first=day).answer, "div.error")

    assert (edited, planned) == ([error], [error, error])


def test_a_row_that_is_past_is_not_called_free_of_findings(planning: Desk) -> None:
    planning.press("edit:1").press("set", edit__date="2027-01-31")

    assert planning.notices == ["Nothing was booked yet. This time is past."]
    assert not [row for row in planning.rows if "No finding" in row]


def test_wishes_that_leave_no_time_are_refused_at_the_field(planning: Desk) -> None:
    planning.press("plan", not_before="15:00", home_by="09:00")

    assert planning.answer.status_code == 422
    assert says(planning.answer, "div.error") == ["Nobody is home before the visit begins."]


def test_a_row_that_is_opened_takes_the_focus(planning: Desk) -> None:
    opened = page(planning.press("edit:1").answer)

    assert [field.attributes["name"] for field in opened.all("[autofocus]")] == ["edit-date"]


def test_a_row_is_edited_and_judged(planning: Desk) -> None:
    planning.press("edit:1").press("set", edit__date="2027-02-02", edit__start="09:00")

    assert planning.rows[1] == (
        "2 Thu 4 Feb Tue 2 Feb day 1 08:00 09:00 home 12:10 OVERRIDE · gap 1 day, 25 h "
        "Sessions 1 and 2 are 1 day apart; at least 2 calendar days and 40 hours are required."
    )
    assert Course.objects.count() == 0


def test_a_row_that_cannot_be_meant_stays_open_with_its_error(planning: Desk) -> None:
    planning.press("edit:1").press("set", edit__date="2027-03-14", edit__start="02:30")

    assert planning.answer.status_code == 422
    assert says(planning.answer, ".error") == ["There is no such time on this date: the clocks go forward then."]
    assert form_data(planning.answer, form="desk")["edit-start"] == ["02:30"]


def test_an_open_row_is_looked_at_before_anything_is_booked(planning: Desk) -> None:
    planning.press("edit:1").press("book", edit__date="2027-02-05")

    assert planning.answer.status_code == 422
    assert planning.notices == ["Nothing was booked yet. A row was changed just now. Look at it, then book."]
    assert planning.rows[1].startswith("2 Thu 4 Feb Fri 5 Feb day 4")
    assert Course.objects.count() == 0


def test_enter_in_a_field_looks_and_books_nothing(planning: Desk) -> None:
    first = page(planning.answer).all("[id=desk]")[0].all("button")[0]

    assert (first.attributes["name"], first.attributes["value"]) == ("act", "look")
    assert planning.press("look").answer.status_code == 200
    assert Course.objects.count() == 0


def test_a_row_is_dropped_and_added_again(planning: Desk) -> None:
    planning.press("drop:3")
    dropped = planning.rows[3]
    primary = says(planning.answer, "button.primary")
    planning.press("restore:3")

    assert dropped == "Thu 11 Feb day 10 08:00 home 11:10 Dropped"
    assert primary == ["Book 5 visits Ctrl ⏎"]
    assert planning.rows[3] == "4 Thu 11 Feb day 10 08:00 home 11:10 No finding"


def test_times_are_held_for_a_day(planning: Desk, desk: Client) -> None:
    planning.press("hold")
    course = Course.objects.get()

    assert (course.state, course.held_until) == (CourseState.HELD, NOW + timedelta(hours=24))
    assert says(desk.get(planning.answer["Location"]), ".messages") == [
        "6 visits are held for 24 hours. Nothing is mailed yet."
    ]


def too_near(planning: Desk) -> Desk:
    return planning.press("edit:1").press("set", edit__date="2027-02-02")


def test_a_wish_is_dropped_by_its_chip(planning: Desk) -> None:
    planning.press("plan", not_before="10:00", home_by="14:00")
    worded = says(planning.answer, "button.chip")
    planning.press("unwish:not_before")

    assert worded == ["not before 10:00", "home by 14:00"]
    assert says(planning.answer, "button.chip") == ["home by 14:00"]
    assert planning.rows[0].startswith("1 Mon 1 Feb day 0 08:00")


def test_dates_away_come_one_after_the_other_and_go_one_by_one(planning: Desk) -> None:
    planning.press("plan", away__0__first="2027-02-04", away__0__last="2027-02-05")
    planning.press("plan", away__1__first="2027-02-27", away__1__last="2027-03-02")
    worded = says(planning.answer, "button.chip")
    planning.press("unwish:away-0")
    data = form_data(planning.answer, form="desk")

    assert worded == ["not 4–5 Feb", "not 27 Feb–2 Mar"]
    assert says(planning.answer, "button.chip") == ["not 27 Feb–2 Mar"]
    assert [data[f"away-{place}-first"] for place in (0, 1)] == [["2027-02-27"], [""]]
    assert data["away-TOTAL_FORMS"] == ["2"]


def test_weekdays_are_those_on_which_the_site_ever_opens_and_all_of_them_are_no_wish(planning: Desk) -> None:
    first = page(planning.answer)
    planning.press("plan", weekdays=["0", "2"])

    assert [box.attributes["value"] for box in first.all("[name=weekdays]")] == ["0", "1", "2", "3", "4"]
    assert {"checked" in box.attributes for box in first.all("[name=weekdays]")} == {True}
    assert "as wished" not in first.all("button.plan")[0].text
    assert {row[2:5] for row in planning.rows} == {"Mon", "Wed"}


def test_visits_are_counted_up_and_down(planning: Desk) -> None:
    counts = [len(planning.press(act).rows) for act in ("fewer", "fewer", "more")]

    assert counts == [5, 4, 5]
    assert form_data(planning.answer, form="desk")["sessions"] == ["5"]


def test_more_visits_than_the_phase_takes_are_told_with_the_number_that_it_takes(planning: Desk) -> None:
    planning.press("more").press("count:6")

    assert len(planning.rows) == 6


def test_a_change_of_a_row_stays_when_the_wishes_change(planning: Desk) -> None:
    planning.press("edit:1").press("set", edit__date="2027-02-05", edit__start="09:00")
    planning.press("plan", not_before="08:30")

    assert planning.rows[1].startswith("2 Thu 4 Feb Fri 5 Feb day 4 08:00 09:00")
    assert "1 edited" in planning.answer.content.decode()


def test_a_change_that_no_plan_can_keep_is_given_up_and_that_is_said(planning: Desk) -> None:
    planning.press("take:1:0").press("take:2:0").press("plan", sessions="1")

    assert len(planning.rows) == 1
    assert planning.notices == ["What you changed no longer fits what is asked. All rows are planned anew."]


def test_an_open_row_that_was_changed_is_taken_over_when_the_wishes_change(planning: Desk) -> None:
    planning.press("edit:1").press("plan", edit__date="2027-02-05", not_before="08:30")

    assert planning.rows[1].startswith("2 Thu 4 Feb Fri 5 Feb day 4")


def test_rows_of_another_question_are_never_booked(planning: Desk) -> None:
    planning.press("book", not_before="10:00")

    assert planning.answer.status_code == 422
    assert planning.notices == [
        "Nothing was booked yet. What is asked for has changed. Look at the new plan, then book."
    ]
    assert planning.rows[0].startswith("1 Mon 1 Feb day 0 10:00")
    assert Course.objects.count() == 0


def test_a_plan_that_was_picked_stays_picked_while_the_wishes_change(planning: Desk) -> None:
    planning.press("choose:soonest").press("plan", not_before="10:00")
    chosen = [card.attributes["id"] for card in page(planning.answer).all("[aria-pressed=true]")]

    assert chosen == ["plan-soonest"]


def test_dates_away_that_leave_no_plan_can_be_dropped_one_by_one(planning: Desk) -> None:
    planning.press("plan", away__0__first="2027-02-02", away__0__last="2027-05-28")
    buttons = says(planning.answer, "button.button")

    assert "Drop “not 2 Feb–28 May”: first Mon 1 Feb" in buttons
    planning.press("unwish:away-0")
    assert len(planning.rows) == 6


def test_the_last_lawful_day_is_marked(planning: Desk) -> None:
    planning.press("edit:5").press("set", edit__date="2027-02-22")

    assert planning.rows[5].endswith("Day 21 of 21")


def test_a_link_brings_its_first_answers_along(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, days=(0, 3, 7, 10))
    planned = Desk(desk, f"/courses/{course.pk}/add/?sessions=1&earliest=2027-02-16").rows
    nonsense = Desk(desk, f"/courses/{course.pk}/add/?sessions=-4&earliest=soon").rows

    assert (len(planned), planned[0][2:12]) == (1, "Tue 16 Feb")
    assert len(nonsense) == 2


def test_what_is_missing_for_the_patient_is_said_in_the_head(desk: Client, clinic: Clinic, course: Course) -> None:
    silent = PatientFactory.create(email="", phone="")
    paths = [f"/patients/{silent.pk}/course/new/", f"/patients/{course.patient_id}/course/new/"]
    gates = [[gate.text for gate in page(desk.get(path)).all("ul.gates")[0].all("li")] for path in paths]

    assert gates == [
        ["Screening accepted 1 Feb", "No other course", "No mail address", "No phone number"],
        ["Screening accepted 1 Feb", "Another course is running", "Mail address known"],
    ]


def test_a_prescriber_signs_in_place(planning: Desk, clinic: Clinic) -> None:
    signed = {"sign__prescriber": clinic.prescriber.pk, "sign__reason": "Travels from Thursday"}
    too_near(planning).press("book", **signed, sign__password=PASSWORD)
    override = Override.objects.get()

    assert planning.answer.status_code == 302
    assert (override.rule, override.by, override.reason) == ("gap-min", clinic.prescriber, "Travels from Thursday")


def test_a_prescriber_who_is_signed_in_needs_no_password(prescriber: Client, patient: Patient, clinic: Clinic) -> None:
    planning = too_near(Desk(prescriber, f"/patients/{patient.pk}/course/new/"))
    planning.press("book", sign__reason="Travels from Thursday")

    assert planning.answer.status_code == 302
    assert Override.objects.get().by == clinic.prescriber


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({}, ["This field is required."] * 2 + ["The prescriber types a password here."]),
        ({"sign__reason": "Travels"}, ["This field is required.", "The prescriber types a password here."]),
        (
            {"sign__reason": "Travels", "sign__prescriber": "first", "sign__password": "wrong"},
            ["This is not the prescriber's password, or it was wrong too often."],
        ),
    ],
)
def test_nothing_is_booked_without_a_sound_signature(
    planning: Desk, clinic: Clinic, typed: Data, errors: list[str]
) -> None:
    if "sign__prescriber" in typed:
        typed = typed | {"sign__prescriber": clinic.prescriber.pk}
    too_near(planning).press("book", **typed)

    assert planning.answer.status_code == 422
    assert says(planning.answer, ".error") == errors
    assert Course.objects.count() == 0
    assert planning.rows[1].startswith("2 Thu 4 Feb Tue 2 Feb day 1")


def test_a_signature_signs_what_the_page_has_shown_and_nothing_else(planning: Desk, clinic: Clinic) -> None:
    signed = {"sign-prescriber": clinic.prescriber.pk, "sign-reason": "Travels", "sign-password": PASSWORD}
    too_near(planning)
    data = form_data(planning.answer, form="desk") | signed | {"act": "book", "rule": "span-max"}
    answer = planning.client.post(planning.path, data)

    assert answer.status_code == 422
    assert Course.objects.count() == 0


def test_without_a_signature_the_times_are_held_and_a_prescriber_is_asked(planning: Desk) -> None:
    too_near(planning)
    planning.press("hold")

    assert Course.objects.get().state == CourseState.HELD
    assert list(Task.objects.values_list("kind", "details")) == [("override-asked", {"rules": ["gap-min"]})]


def test_a_prescriber_is_asked_with_the_reason_that_was_typed(planning: Desk, clinic: Clinic) -> None:
    typed = {"sign__prescriber": clinic.prescriber.pk, "sign__reason": "Travels from Thursday"}
    too_near(planning).press("send", **typed)
    course = Course.objects.get()

    assert (course.state, course.overrides.count()) == (CourseState.HELD, 0)
    assert Task.objects.get().details == {
        "rules": ["gap-min"],
        "reason": "Travels from Thursday",
        "asked": clinic.prescriber.pk,
        "asked_name": clinic.prescriber.short_name,
    }


def test_what_was_typed_of_a_signature_stays_while_the_plan_changes(planning: Desk, clinic: Clinic) -> None:
    typed = {"sign__prescriber": clinic.prescriber.pk, "sign__reason": "Travels", "sign__password": PASSWORD}
    too_near(planning).press("take:5:0", **typed)
    data = form_data(planning.answer, form="desk")

    assert (data["sign-prescriber"], data["sign-reason"]) == ([str(clinic.prescriber.pk)], ["Travels"])
    assert PASSWORD not in planning.answer.content.decode()


def test_a_block_is_passed_over_by_nobody(planning: Desk) -> None:
    planning.press("edit:1").press("set", edit__date="2027-02-01", edit__start="12:00").press("book")

    assert planning.answer.status_code == 422
    assert planning.notices == ["Nothing was booked yet. A row breaks a rule that nobody can pass over."]
    assert page(planning.answer).all("[name=sign-reason]") == []
    assert [button.text for button in page(planning.answer).all("[value=hold]")] == ["Hold for 24 h"]
    assert "1 block" in says(planning.answer, "button.plan")[1]
    assert "Recorded" not in says(planning.answer, "footer.commit")[0]
    assert Course.objects.count() == 0


def test_a_lost_race_marks_the_taken_rows_alone_and_offers_replacements(planning: Desk, clinic: Clinic) -> None:
    planning.press("take:4:0")
    for number, chair in enumerate(range(6)):
        other = PatientFactory.create(last_name=f"Other{number}")
        book_at_eight(clinic, other, chair)
    planning.press("book")

    assert planning.answer.status_code == 409
    assert planning.notices[0].startswith("Nothing was booked yet: 2 of the 6 times were taken a moment ago.")
    assert [row.attributes["class"] for row in page(planning.answer).all("tr") if "id" in row.attributes] == [
        "taken",
        "taken",
        "",
        "",
        "",
        "",
    ]
    assert planning.rows[4].startswith("5 Mon 15 Feb day 14 08:00 08:10")
    assert says(planning.answer, "button.primary") == ["Book with 2 replacements Ctrl ⏎"]
    assert [button.attributes["id"] for button in page(planning.answer).all("[autofocus]")] == ["book"]
    assert "Your edit is kept" in planning.rows[4]
    assert len(page(planning.answer).all("button.plan")[1].all("span.edited")) == 1
    assert planning.press("book").answer.status_code == 302
    assert Session.objects.filter(patient=planning_patient(planning), state=SessionState.BOOKED).count() == 6


def planning_patient(planning: Desk) -> int:
    return int(planning.path.split("/")[2])


def book_at_eight(clinic: Clinic, patient: Patient, chair: int) -> None:
    """Two visits that take the first two mornings of a chair, with either prescriber."""
    from scheduling import booking
    from scheduling.protocols.types import Place

    doctor = clinic.prescribers[chair // 3]
    booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=[
            Place(local(MONDAY + timedelta(days=day), "08:00"), clinic.chairs[chair].pk, doctor.pk) for day in (0, 3)
        ],
        now=NOW,
    )


def test_where_there_is_no_plan_the_limit_and_the_first_date_are_told(planning: Desk) -> None:
    planning.press("plan", sessions="6", earliest="2027-03-25")

    assert planning.rows == []
    assert len(planning.notices) == 1
    assert planning.notices[0].startswith("No plan 6 visits do not fit with what is asked. In the way: ")


def test_who_has_a_running_course_gets_no_second(desk: Client, course: Course) -> None:
    planning = Desk(desk, f"/patients/{course.patient_id}/course/new/")

    assert planning.rows == []
    assert planning.notices == [
        "No plan The patient has another running course. To the running course Add visits to it"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sessions": "0"},
        {"sessions": "10000"},
        {"earliest": "never"},
        {"protocol": "999999"},
        {"away-0-first": "2027-02-05", "away-0-last": "2027-02-01"},
        {"not_before": "25:00"},
    ],
)
def test_what_cannot_be_meant_is_said_at_the_field(planning: Desk, wrong: Data) -> None:
    data = form_data(planning.answer, form="desk") | wrong | {"act": "book"}
    answer = planning.client.post(planning.path, data)

    assert answer.status_code == 422
    assert len(page(answer).all("div.error")) == 1
    assert Course.objects.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"row": "nonsense"},
        {"row": "kept 2027-02-04T13:00/1/2"},
        {"row": "kept 9999-12-31T23:59/1/2 -"},
        {"act": "take:0:7"},
        {"act": "take:99:0"},
        {"act": "edit:x"},
        {"act": "drop"},
        {"act": "take:0:-1"},
    ],
)
def test_what_the_page_did_not_send_is_refused(planning: Desk, wrong: Data) -> None:
    data = form_data(planning.answer, form="desk") | {"act": "look"} | wrong

    assert planning.client.post(planning.path, data).status_code == 400


def test_a_chair_of_another_site_is_refused(planning: Desk) -> None:
    row = form_data(planning.answer, form="desk")["row"][0].split(" ")
    row[1] = "/".join([row[1].split("/")[0], "999999", row[1].split("/")[2]])
    answer = planning.client.post(
        planning.path, form_data(planning.answer, form="desk") | {"act": "book", "row": [" ".join(row)]}
    )

    assert answer.status_code == 422
    assert says(answer, ".notice") == ["Nothing was booked yet. There is no such chair at your site."]


def test_maintenance_is_added_to_a_running_course(desk: Client, clinic: Clinic, course: Course) -> None:
    went(course.sessions.all())
    course.phase, course.interval_days = PhaseChoice.MAINTENANCE, 21
    course.save(update_fields=["phase", "interval_days"])
    planning = Desk(desk, f"/courses/{course.pk}/add/")
    planning.press("plan", sessions="2", earliest="2027-02-08").press("book")

    assert (planning.answer.status_code, planning.answer["Location"]) == (302, f"/courses/{course.pk}/")
    assert list(course.sessions.filter(state="booked").values_list("phase", flat=True)) == ["maintenance"] * 2


def test_a_make_up_is_added(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, days=(0, 3, 7, 10))
    planning = Desk(desk, f"/courses/{course.pk}/add/").press("book")

    assert planning.answer.status_code == 302
    assert course.sessions.live().count() == 6


def test_nurses_do_not_book(clinic: Clinic, patient: Patient, course: Course) -> None:
    paths = [f"/patients/{patient.pk}/course/new/", f"/courses/{course.pk}/add/"]

    assert [[signed_in(staff).get(path).status_code for staff in clinic.staff] for path in paths] == [
        [200, 200, 200, 403, 200]
    ] * 2
    assert [Client().get(path).status_code for path in paths] == [302, 302]


@pytest.mark.parametrize("sessions", ["4", "6"])
def test_planning_takes_as_many_queries_for_six_visits_as_for_four(planning: Desk, sessions: str) -> None:
    planning.press("plan", sessions=sessions)
    with CaptureQueriesContext(connection) as queries:
        planning.press("look")

    assert len(planning.rows) == int(sessions)
    assert len(queries) == 39


@pytest.mark.parametrize("chairs", [4, 40])
def test_planning_and_moving_take_as_many_queries_for_forty_chairs_as_for_four(
    at_now: None, db: None, chairs: int
) -> None:
    clinic = make_clinic(chairs=chairs, prescribers=chairs // 4)
    for number, chair in enumerate(clinic.chairs):
        SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=chair,
            prescriber=clinic.prescribers[number // 4],
            starts_at=local(MONDAY, "14:00"),
        )
    moving = f"/sessions/{book(clinic, PatientFactory.create()).sessions.in_order()[1].pk}/move/"
    planning = Desk(signed_in(clinic.desk), f"/patients/{PatientFactory.create().pk}/course/new/")
    with CaptureQueriesContext(connection) as planned:
        planning.press("look")
    with CaptureQueriesContext(connection) as moved:
        assert planning.client.get(moving).status_code == 200

    assert len(planning.rows) == 6
    assert (len(planned), len(moved)) == (39, 21)


def test_dates_are_those_of_the_site(planning: Desk) -> None:
    assert form_data(planning.answer, form="desk")["earliest"] == [date(2027, 2, 1).isoformat()]


def test_the_page_says_who_has_to_approve_a_protocol_and_why_the_spray_differs(planning: Desk) -> None:
    approve = "a licensed prescriber has to approve them before they are used with patients."
    spray = "The spray keeps to its label's own schedule"
    standard = planning.answer.content.decode()
    nasal = planning.press("plan", protocol=protocol("esketamine-trd-us").pk).answer.content.decode()

    assert (approve in standard, spray in standard) == (True, False)
    assert (approve in nasal, spray in nasal) == (True, True)


def test_what_a_row_does_not_meet_of_the_wishes_is_said_at_the_row(planning: Desk) -> None:
    planning.press("plan", home_by="14:00").press("edit:1").press("set", edit__start="12:30")

    assert planning.rows[1].endswith("not as wished: home 15:40")
    assert "5 of 6" in says(planning.answer, "span.amber")[0]


def test_a_taken_row_is_named_before_a_signature_is_asked_for(planning: Desk, clinic: Clinic) -> None:
    too_near(planning)
    for chair in range(6):
        book_at_eight(clinic, PatientFactory.create(last_name=f"Other{chair}"), chair)
    planning.press("book")

    assert planning.answer.status_code == 422
    assert planning.notices == ["Nothing was booked yet. Row 1 is taken: choose another time."]


def test_a_place_that_another_row_has_is_not_offered(planning: Desk) -> None:
    planning.press("edit:1").press("set", edit__date="2027-02-05").press("edit:2").press("set", edit__date="2027-02-04")
    buttons = page(planning.answer).all("[name=act]")
    offered = [button.text for button in buttons if "take:1" in button.attributes["value"]]

    assert [text for text in offered if text.startswith(("Thu 4 Feb", "Fri 5 Feb", "Mon 8 Feb"))] == []


def test_a_time_that_was_blocked_is_not_offered_again(planning: Desk) -> None:
    planning.press("edit:1").press("set", edit__start="17:30").press("edit:1").press("set", edit__start="09:00")

    assert [button for button in says(planning.answer, "button.button") if "17:30" in button] == []


def test_nobody_is_asked_to_sign_without_a_name_and_a_reason(planning: Desk) -> None:
    too_near(planning).press("send")
    focused = [field.attributes["name"] for field in page(planning.answer).all("[autofocus]")]

    assert says(planning.answer, "div.error") == ["This field is required."] * 2
    assert focused == ["sign-prescriber"]
    assert Course.objects.count() == 0


def test_while_the_question_cannot_be_meant_nothing_can_be_booked(planning: Desk) -> None:
    planning.press("plan", not_before="15:00", home_by="09:00")

    assert page(planning.answer).all("[value=book]") == []
