"""The screening page: filled in, judged meanwhile, saved as versions; and what other pages say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from patients import screening
from patients.answers import Answers, Decision, DrugClass, Outcome, Trial
from patients.models import Patient, Screening
from tests.factories import NOW, Clinic, PatientFactory, make_clinic
from tests.pages import form_data, page, says, signed_in
from tests.screenings import WELL

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]

UNLISTED = Trial("moclobemide", DrugClass.OTHER, "300 mg", 7, adequate=False, outcome=Outcome.NOT_TOLERATED)


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def patient() -> Patient:
    return PatientFactory.create(screened=False)


@pytest.fixture
def doctor(clinic: Clinic) -> Client:
    return signed_in(clinic.prescriber)


def path(patient: Patient, more: str = "") -> str:
    return f"/patients/{patient.pk}/screening/{more}"


def opened(client: Client, patient: Patient, **changes: Any) -> dict[str, Any]:
    """What the page would send as it stands, with changes."""
    data = form_data(client.get(path(patient)), form="screening")
    return {**data, **{name.replace("__", "-"): value for name, value in changes.items()}}


@pytest.mark.parametrize("answers", [Answers(), WELL, replace(WELL, trials=(*WELL.trials, UNLISTED), therapies=())])
def test_what_is_shown_and_saved_unchanged_is_the_same(doctor: Client, patient: Patient, answers: Answers) -> None:
    clinician = Screening.objects.create(
        patient=patient,
        version=1,
        answers=answers.to_data(),
        by_id=doctor.session["_auth_user_id"],
        at=NOW,
    ).by
    answer = doctor.post(path(patient), opened(doctor, patient, decision="accepted"))

    saved = screening.latest(patient.pk)
    assert saved is not None
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/patients/{patient.pk}/")
    assert (saved.version, saved.decision, saved.by, screening.answers_of(saved)) == (2, "accepted", clinician, answers)


def test_a_drug_of_the_list_brings_its_class(doctor: Client, patient: Patient) -> None:
    row = {"trials__0__drug": "mirtazapine", "trials__0__weeks": "9", "trials__0__adequate": "yes"}
    doctor.post(path(patient), opened(doctor, patient, **row, trials__0__outcome="failed", trials__0__dose="30 mg"))

    found = screening.answers_of(screening.latest(patient.pk))
    assert found is not None
    assert found.trials == (
        Trial("mirtazapine", DrugClass.ATYPICAL, "30 mg", 9, adequate=True, outcome=Outcome.FAILED),
    )


def test_what_a_row_lacks_is_asked_for_and_everything_typed_stays(doctor: Client, patient: Patient) -> None:
    data = opened(doctor, patient, trials__0__drug="sertraline", allergies="Penicillin", doctor_on="2027-02-02")
    answer = doctor.post(path(patient), data)

    assert answer.status_code == 422
    assert says(answer, ".error") == [
        "How many weeks?",
        "Say whether dose and length were adequate.",
        "Say what came of it.",
        "This date is in the future.",
    ]
    assert Screening.objects.count() == 0
    assert form_data(answer, form="screening") | {"act": ["save"]} == {
        **form_data(doctor.get(path(patient)), form="screening"),
        "request_id": form_data(answer, form="screening")["request_id"],
        "csrfmiddlewaretoken": form_data(answer, form="screening")["csrfmiddlewaretoken"],
        "trials-0-drug": ["sertraline"],
        "allergies": ["Penicillin"],
        "doctor_on": ["2027-02-02"],
        "act": ["save"],
    }


def test_the_rules_speak_while_it_is_filled_in_and_nothing_is_written(doctor: Client, patient: Patient) -> None:
    def tags(**changes: Any) -> list[str]:
        return says(doctor.post(path(patient, "findings/"), opened(doctor, patient, **changes)), ".said-so-far")

    assert "High blood pressure, now or ever" in tags()[0]
    assert "High blood pressure, now or ever" not in tags(pressure="no")[0]
    assert "There is a history of high blood pressure." in tags(pressure="yes")[0]
    assert "The screening is not decided yet." not in tags(decision="accepted")[0]
    assert Screening.objects.count() == 0


def test_rows_are_added_and_taken_away_without_losing_the_others(doctor: Client) -> None:
    patient = PatientFactory.create()

    def rows(act: str) -> list[str]:
        answer = doctor.post(path(patient), opened(doctor, patient, act=act))
        sent = form_data(answer, form="screening")
        return [sent[name][0] for name in sorted(sent) if name.startswith("trials-") and name.endswith("-drug")]

    assert rows("add:trials") == ["sertraline", "duloxetine", "", ""]
    assert rows("drop:trials:0") == ["duloxetine", ""]
    assert rows("drop:trials:nonsense") == ["sertraline", "duloxetine", ""]
    assert Screening.objects.count() == 1


def test_two_who_save_at_once_are_told(doctor: Client, clinic: Clinic, patient: Patient) -> None:
    data = opened(doctor, patient, allergies="Latex")
    screening.screen(actor=clinic.clinician, patient=patient, answers=WELL, now=NOW)
    answer = doctor.post(path(patient), data)

    assert answer.status_code == 409
    assert form_data(answer, form="screening")["allergies"] == ["Latex"]
    assert [saved.version for saved in Screening.objects.all()] == [1]
    again = doctor.post(path(patient), form_data(answer, form="screening"))
    assert (again.status_code, Screening.objects.count()) == (302, 2)


def test_a_page_that_is_sent_twice_saves_once(doctor: Client, patient: Patient) -> None:
    data = opened(doctor, patient)
    answers = [doctor.post(path(patient), data).status_code for _ in range(2)]

    assert (answers, Screening.objects.count()) == ([302, 302], 1)


def test_a_clinician_without_the_right_to_decide_reopens_it(clinic: Clinic) -> None:
    patient = PatientFactory.create()
    client = signed_in(clinic.clinician)
    shown = client.get(path(patient))
    client.post(path(patient), opened(client, patient, decision="accepted"))

    assert "Saving asks a prescriber for a new decision." in page(shown).text
    latest = screening.latest(patient.pk)
    assert latest is not None
    assert (latest.version, latest.decision) == (2, Decision.OPEN)


def test_others_read_and_write_nothing(clinic: Clinic) -> None:
    patient = PatientFactory.create()
    for staff in (clinic.desk, clinic.nurse, clinic.manager):
        client = signed_in(staff)
        shown = client.get(path(patient))
        assert shown.status_code == 200
        assert page(shown).all("button.primary") == []
        assert client.post(path(patient), {}).status_code == 403
        assert client.post(path(patient, "findings/"), {}).status_code == 403


def test_every_version_is_listed_and_shown_as_it_was(doctor: Client, clinic: Clinic, patient: Patient) -> None:
    screening.screen(actor=clinic.clinician, patient=patient, answers=WELL, now=NOW)
    screening.screen(
        actor=clinic.prescriber, patient=patient, answers=replace(WELL, liver=True), decision="accepted", now=NOW
    )
    first = doctor.get(path(patient, "?version=1"))

    assert [line.partition(",")[0] for line in says(first, "ol.versions")[0].split("Version ")[1:]] == [
        f"2 Accepted {clinic.prescriber.short_name}",
        f"1 Open {clinic.clinician.short_name}",
    ]
    assert "This is version 1, as it was." in page(first).text
    assert page(first).all("button.primary") == []


@pytest.mark.parametrize("junk", [{}, {"trials-TOTAL_FORMS": "x"}, {"trials-TOTAL_FORMS": "999"}, {"act": "drop"}])
def test_what_no_page_sends_is_no_error_of_ours(doctor: Client, patient: Patient, junk: dict[str, str]) -> None:
    assert doctor.post(path(patient), junk).status_code in (200, 422)
    assert doctor.post(path(patient, "findings/"), junk).status_code == 200
    assert Screening.objects.count() == 0


@pytest.mark.parametrize(
    ("answers", "decision", "word"),
    [
        (None, "", "Not screened"),
        (WELL, "", "Screening open"),
        (WELL, "accepted", "Screening accepted 1 Feb"),
        (replace(WELL, pressure=True), "accepted", "Screening accepted 1 Feb"),
        (replace(WELL, bleed=True), "accepted", "Screening accepted, something is missing"),
        (WELL, "declined", "Screening declined 1 Feb"),
        (WELL, "deferred", "Screening put off 1 Feb"),
    ],
)
def test_the_patients_page_says_how_far_the_screening_is(
    clinic: Clinic, patient: Patient, answers: Answers | None, decision: str, word: str
) -> None:
    if answers is not None:
        screening.screen(actor=clinic.prescriber, patient=patient, answers=answers, decision=decision, now=NOW)
    shown = page(signed_in(clinic.desk).get(f"/patients/{patient.pk}/"))
    (tag,) = [link for link in shown.all("a.tag") if link.attributes["href"] == path(patient)]

    assert tag.text == word


def gates(client: Client, patient: Patient) -> list[tuple[str, str]]:
    """What stands between the patient and a new course, and where it leads."""
    shown = page(client.get(f"/patients/{patient.pk}/course/new/"))
    links = [link for link in shown.all("ul.gates")[0].all("a.tag") if "/screening/" in link.attributes["href"]]
    return [(link.text, link.attributes["href"].partition("#")[2]) for link in links]


def test_a_new_course_names_what_is_missing_and_leads_to_it(clinic: Clinic, patient: Patient) -> None:
    desk = signed_in(clinic.desk)
    assert gates(desk, patient) == [("Not screened", "")]

    answers = replace(WELL, heart=None, off_label_consent=None, pregnancy=True, pressure=True)
    screening.screen(actor=clinic.prescriber, patient=patient, answers=answers, decision="accepted", now=NOW)
    assert gates(desk, patient) == [
        ("Screening accepted, something is missing", ""),
        ("Consent missing: off-label", "at-off_label_consent"),
        ("History question unanswered: heart attack", "at-heart"),
        ("Pregnancy, psychosis or substance use: pregnancy, or breastfeeding", "at-pregnancy"),
        ("History of high blood pressure", "at-pressure"),
    ]


def test_booking_says_what_is_missing_and_the_hold_shows_it(patient: Patient) -> None:
    desk = signed_in(make_clinic(chairs=1, prescribers=1, weeks=4).desk)
    new = f"/patients/{patient.pk}/course/new/"
    asked = form_data(desk.get(new), form="desk")
    refused = desk.post(new, {**asked, "act": "book"})
    assert refused.status_code == 422
    (said,) = [item.text for item in page(refused).all("li") if item.text.startswith("The screening is not complete")]
    assert said == (
        "The screening is not complete: Consent missing: treatment; History question unanswered: high blood pressure, "
        "now or ever, liver disease +10. Open it, or hold the times meanwhile."
    )

    held = desk.post(new, {**form_data(refused, form="desk"), "act": "hold"})
    course = desk.get(held.headers["Location"])
    assert "this is missing before they can be booked: Screening not accepted" in page(course).text
