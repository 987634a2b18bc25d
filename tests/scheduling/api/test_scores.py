"""Scores by the interface: written down once, seen by a clinician, and what they say of a course."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Patient, Score, Task, TaskKind
from patients.worklist import open_task
from scheduling.models import Session, VisitRecord, VitalsRound
from tests.api import Api, shown, signed_in
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, local, went
from tests.scheduling import session

IN_DANGER = [3, 3, 3, 3, 2, 3, 1, 1, 2]


@pytest.fixture
def nurse(clinic: Clinic) -> Api:
    return signed_in(clinic.nurse)


def test_a_score_is_written_down_and_listed(nurse: Api, clinic: Clinic, patient: Patient) -> None:
    made = nurse.post(f"patients/{patient.pk}/scores/", {"instrument": "phq9", "items": [2] * 8 + [0]})

    assert (made.status, made.body) == (
        201,
        {
            "id": Score.objects.get().pk,
            "patient": patient.pk,
            "instrument": "phq9",
            "items": [2] * 8 + [0],
            "total": 16,
            "item_9": 0,
            "band": "moderately severe",
            "taken_at": shown(MONDAY, "07:00"),
            "session": None,
            "by": clinic.nurse.pk,
            "seen_at": None,
            "seen_by": None,
            "voided_at": None,
        },
    )
    earlier = {"instrument": "madrs", "total": 31, "taken_at": shown(MONDAY - timedelta(days=3), "17:30")}
    nurse.post(f"patients/{patient.pk}/scores/", earlier)
    listed = nurse.get(f"patients/{patient.pk}/scores/").body

    assert [(one["instrument"], one["total"], one["taken_at"]) for one in listed["results"]] == [
        ("phq9", 16, shown(MONDAY, "07:00")),
        ("madrs", 31, earlier["taken_at"]),
    ]
    assert nurse.get(f"patients/{patient.pk}/scores/", instrument="madrs").body["count"] == 1


def test_a_repeated_request_writes_one_score(nurse: Api, patient: Patient) -> None:
    body = {"instrument": "qids", "total": 14, "taken_at": shown(MONDAY, "06:00"), "request_id": str(uuid4())}
    first, again = (nurse.post(f"patients/{patient.pk}/scores/", body) for _ in range(2))

    assert (first.status, again.status, first.body) == (201, 200, again.body)
    assert Score.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"instrument": "hamd", "total": 3}, "instrument"),
        ({"instrument": "phq9"}, "items"),
        ({"instrument": "phq9", "items": [1] * 8}, "items"),
        ({"instrument": "phq9", "items": [1] * 10}, "items"),
        ({"instrument": "phq9", "items": [4] * 9}, "items"),
        ({"instrument": "phq9", "items": [1] * 9, "total": 8}, "total"),
        ({"instrument": "gad7", "total": 22}, "total"),
        ({"instrument": "madrs", "items": [1] * 9}, "items"),
        ({"instrument": "madrs", "total": 61}, "total"),
        ({"instrument": "phq9", "total": 3, "taken_at": "2027-02-02T09:00:00-05:00"}, "taken_at"),
        ({"instrument": "phq9", "total": 3, "taken_at": "2027-01-31T09:00:00"}, "taken_at"),
        ({"instrument": "phq9", "total": 3, "taken_at": "1901-01-31T09:00:00Z"}, "taken_at"),
        ({"instrument": "phq9", "total": 3, "session": 2**62}, "session"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_field(
    body: dict[str, object], field: str, nurse: Api, patient: Patient
) -> None:
    answer = nurse.post(f"patients/{patient.pk}/scores/", body)

    assert (answer.status, list(answer.body["fields"])) == (400, [field])
    assert not Score.objects.exists()


def test_item_9_opens_its_line_and_a_clinician_closes_it(nurse: Api, clinic: Clinic, patient: Patient) -> None:
    made = nurse.post(f"patients/{patient.pk}/scores/", {"instrument": "phq9", "items": IN_DANGER}).body
    (line,) = nurse.get("worklist/", kind="item-9", patient=patient.pk).body["results"]
    (told,) = signed_in(clinic.clinician).get("worklist/", kind="item-9", patient=patient.pk).body["results"]
    refused = nurse.post(f"scores/{made['id']}/see/", {"note": "I saw it."})
    snoozed = signed_in(clinic.prescriber).post(f"worklist/{line['id']}/snooze/", {"until": shown(MONDAY, "12:00")})
    clinician = signed_in(clinic.clinician)
    wordless = [clinician.post(f"scores/{made['id']}/see/", body) for body in ({}, {"note": " "})]
    seen = clinician.post(f"scores/{made['id']}/see/", {"note": "Called.\nSafe."})

    assert line["text"] == "Item 9 is above 0: call the patient now."
    assert told["text"] == "Item 9 is 2 (more than half the days), PHQ-9 21: call the patient now."
    assert (refused.status, refused.body["code"]) == (403, "role")
    assert (snoozed.status, snoozed.body["code"]) == (409, "stale")
    assert [(one.status, list(one.body["fields"])) for one in wordless] == [(400, ["note"])] * 2
    assert (seen.status, seen.body["seen_by"], seen.body["seen_at"]) == (
        200,
        clinic.clinician.pk,
        shown(MONDAY, "07:00"),
    )
    assert nurse.get("worklist/").body["results"] == []


def test_the_worklist_acknowledges_item_9_with_a_note(nurse: Api, clinic: Clinic, patient: Patient) -> None:
    nurse.post(f"patients/{patient.pk}/scores/", {"instrument": "phq9", "items": IN_DANGER})
    line = Task.objects.get()
    refused = nurse.post(f"worklist/{line.pk}/acknowledge/")
    wordless = signed_in(clinic.clinician).post(f"worklist/{line.pk}/acknowledge/")
    done = signed_in(clinic.clinician).post(f"worklist/{line.pk}/acknowledge/", {"note": "Spoke to her."})

    assert (refused.status, wordless.status, done.status) == (403, 400, 200)
    assert wordless.body["fields"] == {"note": ["Say what is done about it."]}
    score = Score.objects.get()
    assert (score.seen_by, score.seen_note) == (clinic.clinician, "Spoke to her.")


def test_a_mistake_is_taken_back(nurse: Api, patient: Patient) -> None:
    made = nurse.post(f"patients/{patient.pk}/scores/", {"instrument": "phq9", "total": 3}).body
    void = nurse.post(f"scores/{made['id']}/void/")

    assert (void.status, void.body["voided_at"]) == (200, shown(MONDAY, "07:00"))
    assert nurse.get(f"patients/{patient.pk}/scores/").body["results"] == []
    assert nurse.post(f"scores/{made['id']}/void/").status == 409


def test_a_line_is_given_and_put_off(nurse: Api, clinic: Clinic, patient: Patient) -> None:
    open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    line = Task.objects.get()
    given = nurse.post(f"worklist/{line.pk}/assign/", {"to": clinic.desk.pk})
    put_off = nurse.post(f"worklist/{line.pk}/snooze/", {"until": shown(MONDAY + timedelta(days=1), "08:00")})

    assert (given.status, given.body["assigned_to"]) == (200, clinic.desk.pk)
    assert (put_off.status, put_off.body["snoozed_until"]) == (200, shown(MONDAY + timedelta(days=1), "08:00"))
    assert nurse.get("worklist/").body["count"] == 0
    back = nurse.post(f"worklist/{line.pk}/snooze/", {"until": None})
    assert (back.body["snoozed_until"], nurse.get("worklist/", assigned_to=clinic.desk.pk).body["count"]) == (None, 1)
    assert nurse.post(f"worklist/{line.pk}/snooze/", {"until": shown(MONDAY, "06:00")}).status == 400


def test_progress_says_how_a_course_works(nurse: Api, clinic: Clinic, patient: Patient) -> None:
    course = CourseFactory.create(patient=patient, site=clinic.site)
    made = [session(clinic, course, day).pk for day in (-1 + 1, 3, 7, 10)]
    for day, total in ((-1, 20), (0, 12)):
        taken_at = local(MONDAY, "06:30") + timedelta(days=day)
        Score.objects.create(patient=patient, instrument="phq9", total=total, taken_at=taken_at, at=taken_at)
    went(Session.objects.filter(pk=made[0]))
    first = Session.objects.get(pk=made[0])
    VisitRecord.objects.create(
        session=first, changed={}, checked_in_by=clinic.nurse, drug="ketamine", mg=34, mg_given=34
    )
    VitalsRound.objects.create(
        session=first,
        taken_at=first.starts_at,
        systolic=126,
        diastolic=80,
        heart_rate=70,
        spo2=98,
        sedation=5,
        dissociation=0,
        by=clinic.nurse,
        at=first.starts_at,
    )
    answer = nurse.get(f"courses/{course.pk}/progress/")
    body = answer.body

    assert (answer.status, body["course"], body["phase"], body["given"]) == (200, course.pk, "initial", 1)
    assert (body["percent"], body["response"], body["remission"], body["advice"]) == (None, False, False, [])
    assert {code: len(series["scores"]) for code, series in body["series"].items()} == {
        "phq9": 2,
        "gad7": 0,
        "madrs": 0,
        "qids": 0,
    }
    assert body["series"]["phq9"]["baseline"]["total"] == 12
    assert [
        (one["number"], one["state"], one["mg"], one["before"] and one["before"]["systolic"])
        for one in body["sessions"]
    ] == [
        (1, "discharged", 34.0, 126),
        (2, "booked", None, None),
        (3, "booked", None, None),
        (4, "booked", None, None),
    ]


def test_progress_advises_with_codes_and_reasons(nurse: Api, clinic: Clinic, patient: Patient) -> None:
    course = CourseFactory.create(patient=patient, site=clinic.site, created_at=NOW - timedelta(days=9))
    made = session(clinic, course, 0, starts_at=local(MONDAY, "08:00"))
    for hours, total in ((0, 20), (8, 14)):
        taken_at = local(MONDAY, "08:00") + timedelta(hours=hours)
        Score.objects.create(patient=patient, instrument="phq9", total=total, taken_at=taken_at, at=taken_at)
    went(Session.objects.filter(pk=made.pk))
    body = nurse.get(f"courses/{course.pk}/progress/").body

    assert (body["percent"], body["advice"]) == (
        30,
        [
            {
                "code": "go-on",
                "reasons": [
                    "PHQ-9 20 to 14, 30% better after session 1.",
                    "A part of a response: go on to session 6.",
                ],
                "decisions": ["go-on"],
            }
        ],
    )


@pytest.mark.parametrize("count", [1, 6])
def test_progress_takes_six_queries(count: int, nurse: Api, clinic: Clinic, patient: Patient) -> None:
    course = CourseFactory.create(patient=patient, site=clinic.site)
    for day in (0, 3, 7, 10, 14, 17)[:count]:
        session(clinic, course, day)
        Score.objects.create(patient=patient, instrument="phq9", total=9, taken_at=NOW, at=NOW, by=clinic.nurse)
    with CaptureQueriesContext(connection) as queries:
        assert nurse.get(f"courses/{course.pk}/progress/").status == 200

    assert len(queries) == 6  # token, course, sessions, rounds, events, scores
