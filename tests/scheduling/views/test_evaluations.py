"""Booking an evaluation and ending it, by page."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client

from patients.models import Patient
from scheduling.evaluating import book_evaluation, cancel_evaluation
from scheduling.models import Evaluation, Room
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local
from tests.pages import form_data, page, says, signed_in


@pytest.fixture
def room(clinic: Clinic) -> Room:
    return Room.objects.create(site=clinic.site, name="Room 1")


@pytest.fixture
def booked(clinic: Clinic, patient: Patient, room: Room) -> Evaluation:
    return make(clinic, patient, room, "10:00")


def make(clinic: Clinic, patient: Patient, room: Room, clock: str) -> Evaluation:
    at = local(MONDAY, clock)
    evaluation, _again = book_evaluation(
        actor=clinic.desk, patient=patient, room=room, prescriber=clinic.prescriber, starts_at=at, now=NOW
    )
    return evaluation


def begun(evaluation: Evaluation) -> Evaluation:
    """The same, an hour before NOW."""
    early = (local(MONDAY, "06:00"), local(MONDAY, "07:00"))
    Evaluation.objects.filter(pk=evaluation.pk).update(during=early)
    return evaluation


def test_a_free_time_is_chosen_and_booked_and_said(desk: Client, clinic: Clinic, patient: Patient, room: Room) -> None:
    form = desk.get(f"/patients/{patient.pk}/evaluation/new/")
    times = [radio.attributes["value"] for radio in page(form).all("[name=start]")]
    data = {**form_data(form, form="times"), "start": times[4]}
    answer = desk.post(f"/patients/{patient.pk}/evaluation/new/", data)

    made = Evaluation.objects.get()
    assert (made.starts_at, made.room, made.prescriber) == (local(MONDAY, "10:00"), room, clinic.prescriber)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/evaluations/{made.pk}/")
    (told,) = says(desk.get(f"/evaluations/{made.pk}/"), ".told")
    assert told == (
        f"Monday 1 February 2027, 10:00 Eastern Time about 1 h with {clinic.prescriber.short_name}, Room 1 "
        f"{clinic.site.neutral_name} 1 Main Street, Springfield +1 555 010 0100"
    )


def test_ten_open_days_are_offered_by_half_hours(desk: Client, patient: Patient, room: Room) -> None:
    shown = page(desk.get(f"/patients/{patient.pk}/evaluation/new/"))
    days = [summary.text for summary in shown.all("main")[0].all("summary")]

    assert (len(days), days[0], days[9]) == (10, "Monday 1 February 19 free times", "Friday 12 February 19 free times")


def test_the_prescriber_is_chosen_and_remembered(
    desk: Client, clinic: Clinic, patient: Patient, room: Room, booked: Evaluation
) -> None:
    second = clinic.prescribers[1]
    place = f"/patients/{PatientFactory.create().pk}/evaluation/new/"
    form = desk.get(place, {"prescriber": second.pk})
    times = [radio.attributes["value"] for radio in page(form).all("[name=start]")]

    assert {value.rpartition("-")[2] for value in times} == {str(second.pk)}
    desk.post(place, {**form_data(form, form="times"), "start": times[0]})
    (chosen,) = [option for option in page(desk.get(place)).all("option") if "selected" in option.attributes]
    assert chosen.attributes["value"] == str(second.pk)


@pytest.mark.parametrize(
    ("start", "said"),
    [("", "Choose a time."), ("x", "Choose one of the times below."), ("9-9-9", "Choose one of the times below.")],
)
def test_without_a_time_that_is_offered_nothing_is_booked(
    start: str, said: str, desk: Client, patient: Patient, room: Room
) -> None:
    place = f"/patients/{patient.pk}/evaluation/new/"
    answer = desk.post(place, {"start": start, "request_id": str(uuid4())})

    assert answer.status_code == 422
    assert f"Time : {said}" in page(answer).text
    assert not Evaluation.objects.exists()


def test_a_time_that_was_taken_meanwhile_is_said_where_others_are_offered(
    desk: Client, clinic: Clinic, patient: Patient, room: Room
) -> None:
    place = f"/patients/{patient.pk}/evaluation/new/"
    form = desk.get(place)
    times = [radio.attributes["value"] for radio in page(form).all("[name=start]")]
    make(clinic, PatientFactory.create(), room, "10:00")
    answer = desk.post(place, {**form_data(form, form="times"), "start": times[4]})

    assert answer.status_code == 422
    assert "The room is taken at that time." in page(answer).text
    assert times[4] not in [radio.attributes["value"] for radio in page(answer).all("[name=start]")]


def test_without_a_room_the_page_says_so(desk: Client, patient: Patient, clinic: Clinic) -> None:
    assert (
        "There is no room for evaluations at this site yet."
        in page(desk.get(f"/patients/{patient.pk}/evaluation/new/")).text
    )


def test_the_patients_page_lists_them_with_what_can_become_of_them(
    desk: Client, clinic: Clinic, patient: Patient, booked: Evaluation
) -> None:
    def listed(client: Client) -> list[str]:
        (panel,) = page(client.get(f"/patients/{patient.pk}/")).all("[aria-labelledby=evaluations]")
        return [row.text for row in panel.all("li")]

    row = f"Mon 1 Feb 2027 10:00 Room 1, {clinic.prescriber.short_name} Booked"
    assert listed(desk) == [f"{row} Cancel"]
    begun(booked)
    row = row.replace("10:00", "06:00")
    assert listed(desk) == [f"{row} Did not come Cancel"]
    assert listed(signed_in(clinic.nurse)) == [f"{row} Done Did not come"]
    assert listed(signed_in(clinic.prescriber)) == [f"{row} Done Did not come Cancel"]


@pytest.mark.parametrize(("act", "state"), [("done", "done"), ("no-show", "no-show")])
def test_what_became_of_it_is_one_click(
    act: str, state: str, clinic: Clinic, patient: Patient, booked: Evaluation
) -> None:
    nurse = signed_in(clinic.nurse)
    early = nurse.post(f"/evaluations/{booked.pk}/{act}/", follow=True)
    assert "This evaluation has not begun yet." in page(early).text
    begun(booked)
    answer = nurse.post(f"/evaluations/{booked.pk}/{act}/")

    assert answer.headers["Location"] == f"/patients/{patient.pk}/"
    assert Evaluation.objects.get().state == state


def test_cancelling_asks_for_a_reason_in_place(desk: Client, patient: Patient, booked: Evaluation) -> None:
    place = f"/evaluations/{booked.pk}/"
    data = form_data(desk.get(place), form="cancel")
    answer = desk.post(f"{place}cancel/", data)
    assert (answer.status_code, says(answer, "div.error")) == (422, ["This field is required."])
    desk.post(f"{place}cancel/", {**data, "reason": "Ill"})

    assert Evaluation.objects.values_list("state", "reason").get() == ("cancelled", "Ill")


def test_the_board_names_the_evaluations_of_the_day(
    desk: Client, clinic: Clinic, patient: Patient, room: Room, booked: Evaluation
) -> None:
    gone = make(clinic, PatientFactory.create(), room, "12:00")
    cancel_evaluation(actor=clinic.desk, evaluation=gone, reason="Ill", now=NOW)

    assert says(desk.get("/"), "p.evaluations") == [
        f"Evaluations: 10:00 Vance, Eleanor · Room 1 · {clinic.prescriber.short_name}"
    ]
    assert says(desk.get("/board/2027-02-02/"), "p.evaluations") == []


def test_the_screening_leads_here_until_it_is_decided(desk: Client, patient: Patient) -> None:
    def offered(somebody: Patient) -> bool:
        links = page(desk.get(f"/patients/{somebody.pk}/screening/")).all("a")
        return f"/patients/{somebody.pk}/evaluation/new/" in [link.attributes["href"] for link in links]

    assert (offered(PatientFactory.create(screened=False)), offered(patient)) == (True, False)
