"""Screening by the interface."""

from __future__ import annotations

from uuid import uuid4

import pytest

from patients.models import Patient, Screening
from tests.api import Answer, Api, screened, screening_body, signed_in
from tests.factories import NOW, Clinic, PatientFactory, make_clinic
from tests.screenings import WELL

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def patient() -> Patient:
    return PatientFactory.create(screened=False)


@pytest.fixture
def api(clinic: Clinic) -> Api:
    return signed_in(clinic.prescriber)


def rules(answer: Answer) -> list[tuple[str, str]]:
    return [(finding["rule"], finding["level"]) for finding in answer.body["findings"]]


def test_before_the_first_version_nothing_is_answered(api: Api, patient: Patient) -> None:
    body = api.get(f"patients/{patient.pk}/screening/").body

    assert (body["version"], body["decision"], body["by"], body["trials"], body["pressure"]) == (0, "", None, [], None)
    assert api.get(f"patients/{patient.pk}/eligibility/") == Answer(
        200,
        {
            "findings": [
                {
                    "rule": "not-screened",
                    "level": "block",
                    "message": "There is no screening yet.",
                    "observed": "none",
                    "limit": "",
                    "sessions": [],
                }
            ],
            "resistant": False,
            "decision": None,
        },
    )
    assert api.get(f"patients/{patient.pk}/").body["eligible"] is None


def test_a_complete_screening_makes_a_patient_eligible(clinic: Clinic, api: Api, patient: Patient) -> None:
    answer = api.put(f"patients/{patient.pk}/screening/", screening_body(based_on=0))

    assert answer == Answer(
        200,
        {
            **WELL.to_data(),
            "version": 1,
            "decision": "accepted",
            "by": clinic.prescriber.pk,
            "at": NOW.isoformat(),
        },
    )
    assert api.get(f"patients/{patient.pk}/screening/") == answer
    for protocol in ("iv-ketamine-standard", "esketamine-trd-us"):
        found = api.get(f"patients/{patient.pk}/eligibility/", protocol=protocol)
        assert found == Answer(200, {"findings": [], "resistant": True, "decision": "accepted"})
    assert api.get(f"patients/{patient.pk}/").body["eligible"] is True
    assert [row["eligible"] for row in api.get("patients/").body["results"]] == [True]


def test_what_is_missing_is_found_by_protocol(clinic: Clinic, api: Api, patient: Patient) -> None:
    clinic.site.rems_certified = False
    clinic.site.save(update_fields=["rems_certified"])
    screened(clinic, patient.pk, off_label_consent=None, medicines=[], heart=True)

    path = f"patients/{patient.pk}/eligibility/"
    assert rules(api.get(path)) == [("consent", "block"), ("tell-us", "warn")]
    assert rules(api.get(path, protocol="esketamine-trd-us")) == [
        ("rems", "block"),
        ("alone", "warn"),
        ("tell-us", "warn"),
    ]
    assert api.get(f"patients/{patient.pk}/").body["eligible"] is False


def test_the_class_of_a_listed_drug_is_filled_in(api: Api, patient: Patient) -> None:
    row = {"weeks": 8, "adequate": True, "outcome": "failed"}
    trials = [{**row, "drug": "Cymbalta"}, {**row, "drug": "moclobemide"}, {**row, "drug": "x", "drug_class": "SSRI"}]
    answer = api.put(f"patients/{patient.pk}/screening/", {"trials": trials})

    assert [trial["drug_class"] for trial in answer.body["trials"]] == ["SNRI", "other", "SSRI"]
    assert (answer.body["decision"], answer.body["pressure"]) == ("", None)


def test_a_repeated_request_saves_one_version(api: Api, patient: Patient) -> None:
    body = screening_body(request_id=str(uuid4()))
    first, again = (api.put(f"patients/{patient.pk}/screening/", body) for _ in range(2))
    other = api.put(f"patients/{patient.pk}/screening/", {**body, "allergies": "Penicillin"})

    assert (first.status, again) == (200, first)
    assert (other.status, other.body["code"]) == (409, "request_reused")
    assert Screening.objects.count() == 1


def test_refusals(clinic: Clinic, api: Api, patient: Patient) -> None:
    path = f"patients/{patient.pk}/screening/"
    api.put(path, screening_body())

    assert api.put(path, screening_body(based_on=0)).body["code"] == "stale"
    assert signed_in(clinic.clinician).put(path, screening_body()).status == 403
    assert signed_in(clinic.clinician).put(path, screening_body("")).status == 200
    assert signed_in(clinic.desk).put(path, screening_body("")).status == 403
    assert api.put("patients/0/screening/", screening_body()).status == 404
    assert api.get("patients/0/eligibility/").status == 404
    assert api.get(f"patients/{patient.pk}/eligibility/", protocol="none").body["fields"] == {
        "protocol": ["There is no such protocol."]
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trials": [{"drug": "sertraline"}]}, "trials"),
        ({"trials": 5}, "trials"),
        ({"trials": [5]}, "trials"),
        ({"doctor": "Ruiz"}, "doctor"),
        ({"doctor": {"on": "soon"}}, "doctor"),
        ({"pressure": "yes"}, "pressure"),
        ({"stroke_kind": "none"}, "stroke_kind"),
        ({"medicines": "sertraline"}, "medicines"),
        ({"treatment_consent": "2027-13-01"}, "treatment_consent"),
        ({"decision": "maybe"}, "decision"),
        ({"therapies": [{"kind": "walks"}]}, "therapies"),
        ({"allergies": "\x00"}, "allergies"),
    ],
)
def test_what_cannot_be_meant_is_named(api: Api, patient: Patient, body: dict[str, object], field: str) -> None:
    answer = api.put(f"patients/{patient.pk}/screening/", body)

    assert (answer.status, list(answer.body["fields"])) == (400, [field])
    assert Screening.objects.count() == 0
