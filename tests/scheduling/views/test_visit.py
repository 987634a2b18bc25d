"""The page of one visit: each step and what is written down beside it, for those who may and those who only look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from clinic.models import Staff
from patients import worklist
from patients.models import Patient, Score, Task, TaskKind
from scheduling.models import AdverseEvent, Course, Session, SessionState, VisitRecord, VitalsRound
from scheduling.portal import questionnaires
from tests.factories import MONDAY, PASSWORD, Clinic, StaffFactory, local, went
from tests.pages import form_data, page, says, signed_in
from tests.visits import make_visit

GOOD = {
    "systolic": "128",
    "diastolic": "80",
    "heart_rate": "72",
    "spo2": "98",
    "sedation": "5",
    "dissociation": "0",
}
NOTHING_NEW = {f"new_{question}": "no" for question in ("pressure", "liver", "stroke", "heart")}


@pytest.fixture
def clock(clinic: Clinic, settings: Settings) -> Iterator[time_machine.Traveller]:
    """The day of the first visit, a quarter to nine; nobody is signed out on it."""
    settings.SESSION_COOKIE_AGE = 24 * 60 * 60
    with time_machine.travel(at("08:45"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def session(course: Course) -> Session:
    """The first of six: Monday at nine, the dose at half past."""
    return course.sessions.in_order()[0]


@pytest.fixture
def path(session: Session) -> str:
    return f"/sessions/{session.pk}/visit/"


@pytest.fixture
def colleague(clinic: Clinic) -> Staff:
    return StaffFactory.create(role="nurse", first_name="Sam", last_name="Second", sites=[clinic.site])


@pytest.fixture
def nurse(clock: time_machine.Traveller, clinic: Clinic) -> Client:
    return signed_in(clinic.nurse)


@pytest.fixture
def scored(course: Course) -> Score:
    """A baseline of this morning."""
    return score(course.patient, 0)


def at(clock: str) -> datetime:
    return local(MONDAY, clock)


def score(patient: Patient, item_9: int) -> Score:
    items = [2] * 8 + [item_9]
    return Score.objects.create(
        patient=patient,
        instrument="phq9",
        items=items,
        total=sum(items),
        item_9=item_9,
        taken_at=at("08:00"),
        at=at("08:00"),
    )


def send(client: Client, path: str, act: str, **typed: Any) -> Any:
    """Fill in the form of an act and press its button."""
    answer = client.get(f"{path}{act}/")
    assert answer.status_code == 200, act
    form = [form for form in page(answer).all("form") if form.attributes.get("action", "").endswith(f"visit/{act}/")][
        -1
    ]
    known = form_data(answer, number=page(answer).all("main")[0].all("form").index(form))
    return client.post(f"{path}{act}/", known | typed)


def check_in(client: Client, path: str, **typed: Any) -> Any:
    told = NOTHING_NEW | {"weight_kg": "80", "escort_name": "Jo", "escort_phone": "555"} | typed
    return send(client, path, "check-in", **told)


def measure(client: Client, path: str, **typed: Any) -> Any:
    return send(client, path, "vitals", **(GOOD | typed))


def dose(client: Client, path: str, second: Staff, **typed: Any) -> Any:
    told = {"lot": "K-1", "second-second": str(second.pk), "second-password": PASSWORD} | typed
    return send(client, path, "dose", **told)


def state(session: Session) -> str:
    session.refresh_from_db()
    return session.state


def under_way(client: Client, path: str, second: Staff, clock: time_machine.Traveller) -> None:
    """Until the patient gets the dose, which began at half past nine."""
    assert check_in(client, path).status_code == 302
    assert measure(client, path).status_code == 302
    clock.move_to(at("09:30"))
    assert dose(client, path, second).status_code == 302


def observed(client: Client, path: str, second: Staff, clock: time_machine.Traveller) -> None:
    """Until the dose has ended at ten past ten."""
    under_way(client, path, second, clock)
    clock.move_to(at("10:10"))
    assert send(client, path, "finish").status_code == 302


# A whole visit


def test_a_visit_goes_from_check_in_to_discharge(
    nurse: Client,
    path: str,
    session: Session,
    scored: Score,
    colleague: Staff,
    clinic: Clinic,
    clock: time_machine.Traveller,
) -> None:
    observed(nurse, path, colleague, clock)
    clock.move_to(at("12:10"))
    assert measure(nurse, path).status_code == 302
    checklist = ["oriented", "walks", "nausea", "line", "told"]
    signed = {"second-second": str(colleague.pk), "second-password": PASSWORD}
    answer = send(nurse, path, "discharge", checklist=checklist, **signed)
    record = VisitRecord.objects.get(session=session)

    assert (answer.status_code, state(session)) == (302, SessionState.DISCHARGED)
    assert (record.checked_in_by, record.started_by, record.confirmed_by) == (clinic.nurse, clinic.nurse, colleague)
    assert (record.signed_by, record.seen_by) == (clinic.nurse, colleague)
    assert (str(record.mg), str(record.mg_per_kg), str(record.weight_kg)) == ("40.0", "0.500", "80.0")
    assert says(nurse.get(path), "li.done") == [
        f"Checked in 08:45 {clinic.nurse}",
        f"Dose began 09:30 {clinic.nurse} + {colleague}",
        f"Dose ended 10:10 {clinic.nurse}",
        f"Went home 12:10 {clinic.nurse} + {colleague}",
    ]


# Check-in


def test_every_question_of_the_history_has_to_be_answered(nurse: Client, path: str, session: Session) -> None:
    form = form_data(nurse.get(path))
    answer = nurse.post(f"{path}check-in/", form | {"new_liver": "no"})

    assert {name for name in form if name.startswith("new_")} == set()
    assert (answer.status_code, state(session)) == (422, SessionState.BOOKED)
    assert [element.attributes["id"] for element in page(answer).all("div.error")] == [
        f"id_new_{question}_error" for question in ("pressure", "stroke", "heart")
    ]


def test_what_is_new_waits_for_a_clinician_before_the_dose(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, clinic: Clinic
) -> None:
    check_in(nurse, path, new_heart="yes")
    measure(nurse, path)
    refused = dose(nurse, path, colleague)
    clinician = signed_in(clinic.clinician)
    reviewed = send(clinician, path, "review", note="Palpitations, ECG normal")
    given = dose(nurse, path, colleague)

    assert (refused.status_code, reviewed.status_code, given.status_code) == (422, 302, 302)
    assert "BLOCK · new history not reviewed" in says(refused, "span.tag")
    assert nurse.get(f"{path}review/").status_code == 403
    assert state(session) == SessionState.GIVING


def test_late_food_is_warned_of_and_yesterday_is_meant_by_a_time_to_come(
    nurse: Client, path: str, session: Session
) -> None:
    check_in(nurse, path, last_food_at="07:10", last_drink_at="22:00")
    record = VisitRecord.objects.get(session=session)

    assert (record.last_food_at, record.last_drink_at) == (at("07:10"), local(MONDAY - timedelta(days=1), "22:00"))
    assert "Food at 07:10: less than 6 h before the planned dose." in says(nurse.get(path), "li.amber")


def test_who_is_still_in_the_chair_is_said_before_and_after_check_in(
    nurse: Client, path: str, session: Session, clinic: Clinic, clock: time_machine.Traveller
) -> None:
    next_one = make_visit(clinic, starts_at=at("13:00")).session
    theirs = f"/sessions/{next_one.pk}/visit/"
    check_in(nurse, path)
    clock.move_to(at("12:55"))
    coming = says(nurse.get(theirs), "div.sitting")
    check_in(nurse, theirs)
    here = says(nurse.get(theirs), "div.sitting")
    send(nurse, theirs, "chair", chair=str(clinic.chairs[2].pk))
    said = f"{session.patient} is still in {session.chair}, here since 08:45: {SessionState.CHECKED_IN.label}."

    assert (coming, here) == ([said], [f"{said} Change the chair"])
    assert says(nurse.get(theirs), "div.sitting") == []


# The dose


def test_mg_are_worked_out_from_weight_and_mg_per_kg(nurse: Client, path: str, scored: Score) -> None:
    check_in(nurse, path, weight_kg="79.5")
    form = form_data(nurse.get(f"{path}dose/"), number=-1)

    assert (form["mg_per_kg"], form["mg"], form["drug"]) == (["0.5"], ["39.8"], ["ketamine"])


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_dose_needs_a_second_person_with_a_password(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, password: str
) -> None:
    check_in(nurse, path)
    measure(nurse, path)
    answer = dose(nurse, path, colleague, **{"second-password": password})

    assert (answer.status_code, state(session)) == (422, SessionState.CHECKED_IN)
    assert [element.attributes["id"] for element in page(answer).all("div.error")] == ["id_second-password_error"]
    assert PASSWORD not in answer.content.decode()


def test_a_dose_that_lacks_several_things_names_all_of_them_at_once(nurse: Client, path: str) -> None:
    check_in(nurse, path, weight_kg="")
    answer = send(nurse, path, "dose", mg="x")
    links = [item.all("a")[0].text for item in page(answer).all("[role=alert]")[0].all("li")]

    assert (answer.status_code, links) == (
        422,
        [
            "Prescriber",
            "Reason (kept with the course, cannot be changed)",
            "Password of the prescriber",
            "Lot",
            "Dose, mg",
            "Second person",
            "Password of the second person",
        ],
    )


def test_nobody_is_their_own_second_person(nurse: Client, path: str, clinic: Clinic, scored: Score) -> None:
    check_in(nurse, path)
    offered = [
        option.attributes["value"]
        for option in page(nurse.get(f"{path}dose/")).all("[name=second-second]")[0].all("option")
    ]

    assert str(clinic.nurse.pk) not in offered
    assert str(clinic.clinician.pk) in offered


def test_a_prescriber_passes_over_a_rule_on_the_nurses_page(
    nurse: Client, path: str, session: Session, colleague: Staff, clinic: Clinic
) -> None:
    check_in(nurse, path)
    measure(nurse, path)
    refused = dose(nurse, path, colleague)
    signed = {
        "sign-prescriber": str(clinic.prescriber.pk),
        "sign-reason": "Known from elsewhere",
        "sign-password": PASSWORD,
    }
    given = dose(nurse, path, colleague, **signed)

    assert (refused.status_code, given.status_code) == (422, 302)
    assert "OVERRIDE · no recent PHQ-9" in says(refused, "span.tag")
    assert list(session.course.overrides.values_list("rule", "by")) == [("baseline", clinic.prescriber.pk)]


def test_item_9_is_acknowledged_by_a_clinician_before_the_dose(
    nurse: Client, path: str, session: Session, course: Course, colleague: Staff, clinic: Clinic
) -> None:
    score(course.patient, 1)
    check_in(nurse, path)
    measure(nurse, path)
    refused = dose(nurse, path, colleague)
    seen = send(signed_in(clinic.clinician), path, "seen", note="Spoke with the patient")
    given = dose(nurse, path, colleague)

    assert (refused.status_code, seen.status_code, given.status_code) == (422, 302, 302)
    assert nurse.post(f"{path}seen/").status_code == 403


def test_a_tap_that_cannot_be_carried_out_is_answered_in_the_visit(nurse: Client, path: str, clinic: Clinic) -> None:
    check_in(nurse, path)
    stranger = StaffFactory.create(role="nurse")
    told = {"request_id": str(uuid4())}

    assert nurse.post(f"{path}undo/", {"request_id": "x"}).status_code == 422
    elsewhere = signed_in(stranger).post(f"{path}undo/", told)
    assert (elsewhere.status_code, "You do not work at this site." in elsewhere.content.decode()) == (422, True)
    assert nurse.post(f"{path}undo/", told).status_code == 302


def test_an_answer_that_came_while_another_was_read_is_not_acknowledged_with_it(
    nurse: Client, path: str, course: Course, clinic: Clinic
) -> None:
    first = score(course.patient, 1)
    check_in(nurse, path)
    clinician = signed_in(clinic.clinician)
    shown = clinician.get(f"{path}seen/")
    number = next(i for i, form in enumerate(page(shown).all("main")[0].all("form")) if "seen/" in str(form.attributes))
    second = score(course.patient, 3)
    told = form_data(shown, number=number) | {"note": "Spoke with the patient"}

    assert clinician.post(f"{path}seen/", told).status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.seen_by, second.seen_by) == (clinic.clinician, None)


def test_a_dose_stopped_early_leaves_waste_with_a_witness(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, clock: time_machine.Traveller
) -> None:
    under_way(nurse, path, colleague, clock)
    clock.move_to(at("09:50"))
    told = {"mg_given": "20", "waste_mg": "20"}
    alone = send(nurse, path, "finish", **told)
    seen = {"second-second": str(colleague.pk), "second-password": PASSWORD}
    answer = send(nurse, path, "finish", **told, **seen)
    record = VisitRecord.objects.get(session=session)

    assert (alone.status_code, answer.status_code) == (422, 302)
    assert (str(record.mg_given), str(record.waste_mg), record.waste_witness) == ("20.0", "20.0", colleague)


def test_the_end_of_the_dose_is_one_tap(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, clock: time_machine.Traveller
) -> None:
    under_way(nurse, path, colleague, clock)
    clock.move_to(at("10:11"))
    shown = page(nurse.get(path)).all("main")[0].all("form")
    tap = next(number for number, form in enumerate(shown) if form.attributes["action"].endswith("finish/"))
    answer = nurse.post(f"{path}finish/", form_data(nurse.get(path), number=tap))

    assert (answer.status_code, state(session), session.dose_ended_at) == (302, SessionState.MONITORING, at("10:11"))


# Vitals


def test_an_unusual_value_is_asked_about_and_taken_when_it_is_sent_again(
    nurse: Client, path: str, clock: time_machine.Traveller
) -> None:
    check_in(nurse, path)
    measure(nurse, path)
    clock.move_to(at("08:50"))
    asked = measure(nurse, path, heart_rate="176")
    number = len(page(asked).all("main")[0].all("form")) - 1
    again = nurse.post(f"{path}vitals/", form_data(asked, number=number))

    assert (asked.status_code, again.status_code) == (422, 302)
    assert "Heart rate: 176 is unusual: is it right? Save if it is right, or type it again." in says(
        asked, "div.notice"
    )
    assert [round_.confirmed for round_ in VitalsRound.objects.order_by("pk")] == [[], ["heart_rate"]]


def test_another_unusual_value_is_asked_about_again(nurse: Client, path: str) -> None:
    check_in(nurse, path)
    asked = measure(nurse, path, heart_rate="176")
    number = len(page(asked).all("main")[0].all("form")) - 1
    again = nurse.post(f"{path}vitals/", form_data(asked, number=number) | {"heart_rate": "177"})

    assert (again.status_code, VitalsRound.objects.count()) == (422, 0)


def test_an_impossible_value_is_refused_at_its_field(nurse: Client, path: str) -> None:
    check_in(nurse, path)
    answer = measure(nurse, path, spo2="101")

    assert (answer.status_code, VitalsRound.objects.count()) == (422, 0)
    assert says(answer, "span.error") == ["This has to be between 40 and 100."]


def test_an_alarming_round_is_said_before_it_is_saved(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, clock: time_machine.Traveller
) -> None:
    under_way(nurse, path, colleague, clock)
    clock.move_to(at("09:40"))
    high = {"systolic": "186", "diastolic": "112", "confirmed": ["systolic=186"]}
    said = measure(nurse, path, **high)
    number = len(page(said).all("main")[0].all("form")) - 1
    shown = form_data(said, number=number) | {"confirmed": ["systolic=186"]}
    nothing = nurse.post(f"{path}vitals/", shown)
    saved = nurse.post(f"{path}vitals/", shown | {"called": "on", "action": "Labetalol"})

    assert (said.status_code, nothing.status_code, saved.status_code) == (422, 422, 302)
    assert "The blood pressure is 186/112: call the prescriber and record what is done." in says(said, "div.notice")
    assert [element.text for element in page(nothing).all("[id=id_action_error]")] == ["Say what was done."]
    assert VitalsRound.objects.latest("pk").action == "Prescriber called; Labetalol"


def test_that_the_prescriber_was_called_stands_on_the_page_until_it_is_acknowledged(
    nurse: Client,
    path: str,
    scored: Score,
    colleague: Staff,
    clinic: Clinic,
    session: Session,
    clock: time_machine.Traveller,
) -> None:
    under_way(nurse, path, colleague, clock)
    clock.move_to(at("09:40"))
    measure(nurse, path, spo2="88", called="on", confirmed=["spo2=88"], told=["spo2=88%"])
    task = Task.objects.get(kind=TaskKind.ALERT)
    shown = nurse.get(path)
    worklist.acknowledge(actor=clinic.clinician, task=task, note="", now=at("09:41"))

    assert says(shown, "div.call") == [
        f"Prescriber called {session.prescriber.short_name}, at 09:40: oxygen saturation 88%. Not acknowledged yet."
    ]
    assert says(shown, "mark.alarm") == ["88 prescriber called"]
    assert says(nurse.get(path), "div.call") == []


def test_what_is_typed_is_judged_before_it_is_sent(nurse: Client, path: str) -> None:
    check_in(nurse, path)
    answer = nurse.post(f"{path}said/", {"systolic": "162", "diastolic": "96"}, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert says(answer, "div.notice") == ["The blood pressure before the dose is 162/96; from 160/100 on no dose."]
    assert VitalsRound.objects.count() == 0


def test_a_raised_pressure_is_said_while_the_dose_is_given(
    nurse: Client, path: str, scored: Score, colleague: Staff, clock: time_machine.Traveller
) -> None:
    under_way(nurse, path, colleague, clock)
    said = [
        says(nurse.post(f"{path}said/", {"systolic": systolic, "diastolic": "90"}), "div.amber")
        for systolic in ("140", "141")
    ]

    assert said == [[], ["The blood pressure is raised: 141/90. Measure it again soon."]]


def test_a_round_was_taken_when_somebody_began_to_type_or_at_the_time_they_give(
    nurse: Client, path: str, clock: time_machine.Traveller
) -> None:
    check_in(nurse, path)
    clock.move_to(at("09:00"))
    measure(nurse, path, began=at("08:58").isoformat())
    measure(nurse, path, began=at("08:59").isoformat(), at="08:50")
    measure(nurse, path)

    assert list(VitalsRound.objects.order_by("pk").values_list("taken_at", flat=True)) == [
        at("08:58"),
        at("08:50"),
        at("09:00"),
    ]


def test_a_round_is_taken_back_within_five_minutes(nurse: Client, path: str, clock: time_machine.Traveller) -> None:
    check_in(nurse, path)
    measure(nurse, path)
    round_ = VitalsRound.objects.get()
    answer = nurse.post(f"{path}rounds/{round_.pk}/void/")
    round_.refresh_from_db()

    assert (answer.status_code, round_.voided_at) == (302, at("08:45"))
    assert nurse.post(f"{path}rounds/{round_.pk}/void/").status_code == 404


def test_an_overdue_round_stands_on_top_in_words(
    nurse: Client, path: str, scored: Score, colleague: Staff, clock: time_machine.Traveller
) -> None:
    observed(nurse, path, colleague, clock)
    measure(nurse, path)
    clock.move_to(at("10:42"))
    answer = nurse.get(path)

    assert says(answer, "div.late") == ["Round due 10:25 17 min overdue"]
    assert [part.text for part in page(answer).all("dl.clocks")[0].all("dd")] == ["0:32", "12:10", "17 min overdue"]


def test_only_the_round_nearest_to_the_end_of_the_dose_is_that_of_its_end(
    nurse: Client, path: str, scored: Score, colleague: Staff, clock: time_machine.Traveller
) -> None:
    observed(nurse, path, colleague, clock)
    clock.move_to(at("10:16"))
    measure(nurse, path)
    late = says(nurse.get(path), "span.note")
    measure(nurse, path, at="10:14")
    measure(nurse, path, at="10:08")

    assert (late, says(nurse.get(path), "span.note")) == (["before"], ["end of dose", "before"])


# What is written down beside it


def test_an_adverse_event_is_written_down(nurse: Client, path: str, session: Session) -> None:
    check_in(nurse, path)
    answer = send(nurse, path, "event", type="Nausea", severity="2", action="Ondansetron")
    event = AdverseEvent.objects.get(session=session)

    assert (answer.status_code, event.type, event.severity, event.serious) == (302, "Nausea", 2, False)
    assert event.onset == at("08:45")


def test_the_prescriber_is_called_with_the_last_round(nurse: Client, path: str, clinic: Clinic) -> None:
    check_in(nurse, path)
    nothing = send(nurse, path, "call", action="Told")
    measure(nurse, path)
    answer = send(nurse, path, "call", action="Will come")

    assert (nothing.status_code, answer.status_code) == (422, 302)
    assert VitalsRound.objects.get().action == "Will come"


def test_what_was_written_at_check_in_is_corrected(nurse: Client, path: str, session: Session) -> None:
    check_in(nurse, path, medicines=["opioid"])
    answer = send(nurse, path, "amend", weight_kg="81.2")
    record = VisitRecord.objects.get(session=session)

    assert (answer.status_code, str(record.weight_kg), record.medicines, record.escort_name) == (
        302,
        "81.2",
        ["opioid"],
        "Jo",
    )


def test_a_patient_moves_to_another_chair_and_to_another_prescriber(
    nurse: Client, path: str, session: Session, clinic: Clinic
) -> None:
    check_in(nurse, path)
    moved = send(nurse, path, "chair", chair=str(clinic.chairs[2].pk))
    handed = send(nurse, path, "hand-over", prescriber=str(clinic.prescribers[1].pk))
    session.refresh_from_db()

    assert (moved.status_code, handed.status_code) == (302, 302)
    assert (session.chair, session.prescriber) == (clinic.chairs[2], clinic.prescribers[1])


# Going home


def test_a_discharge_says_what_is_missing_and_when_it_can_be(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, clock: time_machine.Traveller
) -> None:
    observed(nurse, path, colleague, clock)
    clock.move_to(at("11:00"))
    answer = nurse.get(f"{path}discharge/")
    signed = {"second-second": str(colleague.pk), "second-password": PASSWORD}
    refused = send(nurse, path, "discharge", checklist=["oriented"], **signed)
    alone = send(nurse, path, "discharge")

    assert "not before 12:10" in says(answer, "span.tag")
    assert {tag for tag in says(answer, "span.tag") if tag.startswith("BLOCK")} == {
        "BLOCK · two hours not over",
        "BLOCK · blood pressure missing",
        "BLOCK · sedation not graded",
    }
    assert (refused.status_code, state(session)) == (422, SessionState.MONITORING)
    assert [item.text for item in page(alone).all("[role=alert]")[0].all("li")] == [
        "The blood pressure has to be measured before discharge."
    ]
    assert page(alone).all("div.error") == []


@pytest.mark.parametrize(
    ("act", "ended"), [("leave-early", SessionState.LEFT_EARLY), ("transfer", SessionState.TRANSFERRED)]
)
def test_the_other_ways_out_need_a_reason(
    nurse: Client,
    path: str,
    session: Session,
    scored: Score,
    colleague: Staff,
    clock: time_machine.Traveller,
    act: str,
    ended: SessionState,
) -> None:
    observed(nurse, path, colleague, clock)
    refused = send(nurse, path, act)
    answer = send(nurse, path, act, reason="Would not wait")

    assert (refused.status_code, answer.status_code, state(session)) == (422, 302, ended)
    assert "Would not wait" in says(nurse.get(path), "dd")


def test_no_dose_today_frees_the_time(nurse: Client, path: str, session: Session) -> None:
    check_in(nurse, path)
    answer = send(nurse, path, "not-dosed", reason="Has eaten")

    assert (answer.status_code, state(session)) == (302, SessionState.NOT_DOSED)
    assert says(nurse.get(path), "h2")[0] == "Record of the visit"


def test_a_closed_record_takes_addenda_and_nothing_else(
    nurse: Client,
    path: str,
    session: Session,
    scored: Score,
    colleague: Staff,
    clinic: Clinic,
    clock: time_machine.Traveller,
) -> None:
    observed(nurse, path, colleague, clock)
    send(nurse, path, "transfer", reason="Chest pain")
    clock.move_to(at("11:00"))
    measured = nurse.post(f"{path}vitals/", GOOD | {"request_id": "7b7f4a0e-36c4-4f5c-8b0e-3d3fdd2c5a01"})
    form = form_data(nurse.get(path), number=-1)
    added = nurse.post(f"{path}addendum/", form | {"text": "Was seen in the hospital."})

    assert (measured.status_code, added.status_code) == (409, 302)
    assert [note.text for note in session.addenda.all()] == ["Was seen in the hospital."]
    assert "Was seen in the hospital." in nurse.get(path).content.decode()


# Wrong taps, older pages, other roles


def test_a_wrong_tap_is_undone(nurse: Client, path: str, session: Session, clock: time_machine.Traveller) -> None:
    check_in(nurse, path)
    clock.move_to(at("08:47"))
    shown = says(nurse.get(path), "span.left")
    answer = nurse.post(f"{path}undo/", form_data(nurse.get(path)))

    assert (shown, answer.status_code, state(session)) == (["3 min"], 302, SessionState.BOOKED)


def test_an_older_page_is_told_what_a_colleague_did(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, clinic: Clinic
) -> None:
    check_in(nurse, path)
    measure(nurse, path)
    older = form_data(nurse.get(f"{path}dose/"), number=-1)
    dose(signed_in(clinic.clinician), path, colleague)
    signed = {"lot": "K-2", "second-second": str(colleague.pk), "second-password": PASSWORD}
    answer = nurse.post(f"{path}dose/", older | signed)

    assert answer.status_code == 409
    assert says(answer, "div.notice")[0].endswith("This is how the visit stands now.")
    assert "Vitals, round 2" in says(answer, "h2")


def test_a_step_that_is_over_leads_to_the_visit(nurse: Client, path: str) -> None:
    check_in(nurse, path)
    answer = nurse.get(f"{path}check-in/")

    assert (answer.status_code, answer.headers["Location"]) == (302, path)


@pytest.mark.parametrize("who", ["desk", "manager"])
def test_who_runs_no_visits_reads_the_record(nurse: Client, path: str, clinic: Clinic, who: str) -> None:
    check_in(nurse, path)
    reader = signed_in(getattr(clinic, who))
    answer = reader.get(path)

    assert says(answer, "h2")[0] in ("Before the dose", "Record of the visit")
    assert page(answer).all("main")[0].all("form") == []
    assert reader.post(f"{path}undo/").status_code == 403


def test_another_day_and_an_unknown_act_have_no_form(nurse: Client, course: Course, path: str) -> None:
    later = course.sessions.in_order()[1]
    answer = nurse.get(f"/sessions/{later.pk}/visit/")

    assert "The patient can be checked in on the day of the visit." in says(answer, "p.quiet")
    assert nurse.get(f"{path}dance/").status_code == 404


@pytest.mark.parametrize("rounds", [1, 12])
def test_the_page_asks_a_constant_number_of_queries(
    nurse: Client,
    path: str,
    scored: Score,
    colleague: Staff,
    clock: time_machine.Traveller,
    rounds: int,
    django_assert_num_queries: Any,
) -> None:
    observed(nurse, path, colleague, clock)
    for number in range(rounds):
        clock.move_to(at("10:15") + timedelta(minutes=5 * number))
        measure(nurse, path)
    nurse.get(path)
    with django_assert_num_queries(15):
        nurse.get(path)


# What the patient has answered alone


def tap(session: Session, *values: int, first: int = 1, clock: str = "08:10") -> None:
    """The patient answers on their own page."""
    for step, value in enumerate(values, start=first):
        questionnaires.answer(session=session, step=step, value=value, now=at(clock))


def checks(answer: Any) -> list[str]:
    [panel] = page(answer).all("section.checks")
    return [item.text for item in panel.all("li")]


def test_the_page_says_that_the_form_is_missing_and_when_it_was_answered(
    nurse: Client, path: str, session: Session
) -> None:
    assert "Open: PHQ-9 of this week Write it down" in checks(nurse.get(path))

    tap(session, *[1] * 8, 0)
    questionnaires.send(session=session, instrument="phq9", now=at("08:12"))
    assert "Done: PHQ-9 of this week: answered by the patient, 08:12" in checks(nurse.get(path))


def test_before_a_later_dose_the_form_is_asked_for_on_its_day(
    nurse: Client, session: Session, course: Course, clinic: Clinic, clock: time_machine.Traveller
) -> None:
    went(course.sessions.filter(pk=session.pk))
    later = course.sessions.in_order()[1]
    path = f"/sessions/{later.pk}/visit/"
    assert [text for text in checks(nurse.get(path)) if "PHQ-9" in text] == []

    clock.move_to(later.starts_at - timedelta(minutes=10))
    nurse = signed_in(clinic.nurse)
    assert "Open: PHQ-9 since the last dose Write it down" in checks(nurse.get(path))

    evening = later.starts_at - timedelta(hours=12)
    for step in range(1, 10):
        questionnaires.answer(session=later, step=step, value=0, now=evening)
    questionnaires.send(session=later, instrument="phq9", now=evening)
    assert "Done: PHQ-9 since the last dose: answered by the patient, Wed 3 Feb 21:00" in checks(nurse.get(path))


def test_item_9_that_was_not_sent_holds_the_dose_until_it_is_acknowledged_on_the_worklist(
    nurse: Client, path: str, session: Session, scored: Score, colleague: Staff, clinic: Clinic
) -> None:
    Score.objects.filter(pk=scored.pk).update(voided_at=at("08:05"), voided_by=clinic.nurse)
    tap(session, 2, first=9)
    clinician = signed_in(clinic.clinician)
    check_in(nurse, path)
    measure(nurse, path)
    refused = dose(nurse, path, colleague)
    assert "A clinician has to acknowledge the answer to item 9 first." in refused.content.decode()

    task = Task.objects.get(kind="item-9")
    line = f"/worklist/?line={task.pk}"
    assert clinician.get(f"{path}seen/")["Location"] == line
    assert [link.attributes["href"] for link in page(clinician.get(path)).all("a") if link.text == "Acknowledge"] == [
        line
    ]
    clinician.post(f"/worklist/{task.pk}/acknowledge/", {"note": ""})
    assert Task.objects.get(kind="item-9").done_at is None
    clinician.post(f"/worklist/{task.pk}/acknowledge/", {"note": "Spoke with the patient"})
    assert Task.objects.get(kind="item-9").done_by == clinic.clinician
    assert "Done: Item 9 acknowledged" in checks(nurse.get(path))
