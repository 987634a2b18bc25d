"""The pages of scores: written down item by item, what follows said at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from patients.models import Patient, Score, Task
from scheduling.models import Session
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, local, went
from tests.pages import form_data, page, says, signed_in
from tests.scheduling import session
from tests.scheduling.views import told

IN_DANGER = [3, 3, 3, 3, 2, 3, 1, 1, 2]


@pytest.fixture
def nurse(clinic: Clinic) -> Client:
    return signed_in(clinic.nurse)


def answer(client: Client, patient: Patient, values: list[int] | int, instrument: str = "phq9") -> Any:
    path = f"/patients/{patient.pk}/scores/new/?instrument={instrument}"
    given: dict[str, Any] = form_data(client.get(path))
    if isinstance(values, int):
        given["total"] = values
    else:
        given |= {f"item_{number}": value for number, value in enumerate(values, start=1)}
    return client.post(path, given)


def test_phq_9_is_asked_item_by_item(nurse: Client, patient: Patient) -> None:
    shown = nurse.get(f"/patients/{patient.pk}/scores/new/")
    (main,) = page(shown).all("main")
    asks = main.all("[role=radiogroup]")

    assert len(asks) == 9
    assert asks[0].text.startswith("1 Little interest or pleasure in doing things")
    assert [label.text for label in asks[0].all("label")] == [
        "0 Not at all",
        "1 Several days",
        "2 More than half the days",
        "3 Nearly every day",
    ]


@pytest.mark.parametrize(
    ("instrument", "values", "total"),
    [("phq9", [1] * 8 + [0], 8), ("gad7", [2] * 7, 14), ("madrs", 31, 31), ("qids", 12, 12)],
)
def test_every_questionnaire_is_written_down(
    instrument: str, values: list[int] | int, total: int, nurse: Client, clinic: Clinic, patient: Patient
) -> None:
    saved = answer(nurse, patient, values, instrument)
    score = Score.objects.get()

    assert (score.instrument, score.total, score.by, score.taken_at) == (instrument, total, clinic.nurse, NOW)
    assert saved["Location"] == f"/scores/{score.pk}/"
    assert told(nurse.get(saved["Location"]), ".crisis") == []


def test_what_is_missing_is_said_at_its_item(nurse: Client, patient: Patient) -> None:
    given = form_data(nurse.get(f"/patients/{patient.pk}/scores/new/"))
    refused = nurse.post(f"/patients/{patient.pk}/scores/new/", {**given, "item_1": 1, "item_2": 7})

    assert refused.status_code == 422
    assert len(told(refused, ".wrong")) == 8
    assert "checked" in page(refused).all("[id=id_item_1_1]")[0].attributes
    assert not Score.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"day": "2027-02-02"},
        {"day": "0001-01-01"},
        {"day": ""},
        {"clock": "25:00"},
        {"request_id": "x"},
        {"total": "61"},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, str], nurse: Client, patient: Patient) -> None:
    path = f"/patients/{patient.pk}/scores/new/?instrument=madrs"
    refused = nurse.post(path, {**form_data(nurse.get(path)), "total": "30", **wrong})

    assert refused.status_code == 422
    assert told(refused, ".red") != []
    assert not Score.objects.exists()


def test_a_double_click_writes_one_score(nurse: Client, patient: Patient) -> None:
    path = f"/patients/{patient.pk}/scores/new/?instrument=madrs"
    given = {**form_data(nurse.get(path)), "total": "30"}
    first, second = nurse.post(path, given), nurse.post(path, given)

    assert (first["Location"], Score.objects.count()) == (second["Location"], 1)


def test_item_9_says_at_once_what_to_do(nurse: Client, clinic: Clinic, patient: Patient) -> None:
    went_to = answer(nurse, patient, IN_DANGER).url
    shown = nurse.get(went_to)
    (crisis,) = page(shown).all("[role=alert]")

    assert "Item 9: 2 (“More than half the days”)" in crisis.text
    assert "Stay with the patient, or on the phone with them." in crisis.text
    assert crisis.all("form") == []  # a nurse calls, a clinician acknowledges
    assert [task.kind for task in Task.objects.all()] == ["item-9"]


def test_a_clinician_acknowledges_it_there(clinic: Clinic, patient: Patient) -> None:
    clinician = signed_in(clinic.clinician)
    went_to = answer(clinician, patient, IN_DANGER).url
    given = form_data(clinician.get(went_to))
    wordless = clinician.post(f"{went_to}see/", given)
    done = clinician.post(f"{went_to}see/", {**given, "note": "Called her sister.\0"}, follow=True)

    assert (wordless.status_code, says(wordless, "[id=note_error]")) == (422, ["Say what is done about it."])
    assert says(done, ".crisis") == []
    assert "Called her sister." in told(done, ".notice")[-1]
    assert Score.objects.get().seen_by == clinic.clinician
    again = clinician.post(f"{went_to}see/", given, follow=True)
    assert told(again, ".amber") == ["A clinician has acknowledged this already."]


def test_a_score_says_what_it_means_for_the_course(nurse: Client, clinic: Clinic, patient: Patient) -> None:
    course = CourseFactory.create(patient=patient, site=clinic.site, created_at=NOW - timedelta(days=2))
    visit = session(clinic, course, 0, starts_at=local(MONDAY, "08:00"))
    went(Session.objects.filter(pk=visit.pk))
    for hours, total in ((0, 20), (8, 9)):
        at = local(MONDAY, "08:00") + timedelta(hours=hours)
        latest = Score.objects.create(patient=patient, instrument="phq9", total=total, taken_at=at, at=at)
    shown = nurse.get(f"/scores/{latest.pk}/")

    assert told(shown, ".sum") == ["9 mild"]
    assert "55% better than the baseline of 20 · response" in page(shown).all("main")[0].text


def test_a_mistake_is_taken_back(nurse: Client, patient: Patient) -> None:
    went_to = answer(nurse, patient, 31, "madrs").url
    back = nurse.post(f"{went_to}void/")

    assert back["Location"] == f"/patients/{patient.pk}/scores/new/?instrument=madrs"
    assert told(nurse.get(went_to), ".amber")[0].startswith("Taken back by")
    assert nurse.post(f"{went_to}void/")["Location"] == went_to


def test_a_score_leads_back_to_the_page_that_asked(nurse: Client, patient: Patient) -> None:
    path = f"/patients/{patient.pk}/scores/new/?instrument=qids&back=/worklist/"
    saved = nurse.post(path, {**form_data(nurse.get(path)), "total": "3"})

    assert saved["Location"] == f"/scores/{Score.objects.get().pk}/?back=/worklist/"
    assert [link.attributes["href"] for link in page(nurse.get(saved["Location"])).all("main")[0].all("a.primary")] == [
        "/worklist/"
    ]
