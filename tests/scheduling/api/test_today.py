"""The board, the worklist and the mails by the interface."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.models import Staff
from patients import scoring, worklist
from patients.models import Patient, Task, TaskKind
from scheduling.models import SessionState
from tests.api import Answer, Api, course_body, rows, shown, signed_in
from tests.factories import (
    MONDAY,
    NOW,
    ChairFactory,
    Clinic,
    ClosureFactory,
    CourseFactory,
    SessionFactory,
    ShiftFactory,
    StaffFactory,
    local,
    make_clinic,
)
from tests.scheduling import measure

TUESDAY = MONDAY + timedelta(days=1)


def test_the_board_shows_every_chair_and_who_is_in_it(desk: Api, clinic: Clinic, patient: Patient) -> None:
    days = [TUESDAY + timedelta(days=number) for number in (0, 3, 7, 10)]
    booked = desk.post("courses/", course_body(patient.pk, rows(clinic, days, chair=2)))
    answer = desk.get("board/", date="2027-02-02")

    assert answer.status == 200
    assert {name: value for name, value in answer.body.items() if name not in ("chairs", "version")} == {
        "site": clinic.site.pk,
        "date": "2027-02-02",
        "now": shown(MONDAY, "07:00"),
        "closed": False,
        "closures": [],
    }
    assert answer.body["version"] == desk.get("board/version/", date="2027-02-02").body["version"]
    assert [(chair["chair"], chair["name"], len(chair["visits"])) for chair in answer.body["chairs"]] == [
        (chair.pk, chair.name, int(number == 2)) for number, chair in enumerate(clinic.chairs)
    ]
    assert answer.body["chairs"][2]["visits"] == [
        {
            **booked.body["sessions"][0],
            "patient": {"id": patient.pk, "name": f"{patient.last_name}, {patient.first_name}"},
            "due": [{"what": "arrival", "at": shown(TUESDAY), "overdue": False}],
        }
    ]


def test_without_a_date_it_is_today_where_the_site_is(desk: Api, clinic: Clinic) -> None:
    with time_machine.travel(local(MONDAY, "23:30"), tick=False):
        answer = desk.get("board/")

    assert (answer.body["date"], answer.body["now"]) == ("2027-02-01", shown(MONDAY, "23:30"))


def test_who_has_not_come_is_overdue(desk: Api, clinic: Clinic) -> None:
    SessionFactory.create(
        course=CourseFactory.create(site=clinic.site), chair=clinic.chairs[0], prescriber=clinic.prescriber
    )
    with time_machine.travel(local(MONDAY, "09:01"), tick=False):
        visits = desk.get("board/").body["chairs"][0]["visits"]

    assert visits[0]["due"] == [{"what": "arrival", "at": shown(MONDAY), "overdue": True}]


def test_what_is_due_about_a_patient_in_the_chair_goes_by_what_has_happened(desk: Api, clinic: Clinic) -> None:
    going = SessionFactory.create(
        course=CourseFactory.create(site=clinic.site),
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        state=SessionState.GIVING,
        dose_started_at=local(MONDAY, "09:40"),
    )
    measure(going, local(MONDAY, "09:50"))
    with time_machine.travel(local(MONDAY, "10:02"), tick=False):
        visits = desk.get("board/").body["chairs"][0]["visits"]

    assert visits[0]["due"] == [
        {"what": "vitals", "at": shown(MONDAY, "10:00"), "overdue": True},
        {"what": "dose-end", "at": shown(MONDAY, "10:20"), "overdue": False},
    ]


@pytest.mark.django_db(transaction=True)  # a date's version is raised once in each transaction
def test_a_cancelled_session_leaves_the_board_and_raises_its_version(
    desk: Api, clinic: Clinic, patient: Patient
) -> None:
    days = [TUESDAY + timedelta(days=number) for number in (0, 3, 7, 10)]
    booked = desk.post("courses/", course_body(patient.pk, rows(clinic, days)))
    before = desk.get("board/", date="2027-02-02").body
    desk.post(f"sessions/{booked.body['sessions'][0]['id']}/cancel/", {"reason": "Ill."})
    after = desk.get("board/", date="2027-02-02").body

    assert (len(before["chairs"][0]["visits"]), len(after["chairs"][0]["visits"])) == (1, 0)
    assert after["version"] == before["version"] + 1


def test_a_closed_day_says_why(desk: Api, clinic: Clinic) -> None:
    ClosureFactory.create(site=clinic.site, day=TUESDAY)
    outage = ClosureFactory.create(site=clinic.site, chair=clinic.chairs[1], day=MONDAY, reason="Pump service")

    closed = desk.get("board/", date="2027-02-02").body
    open_day = desk.get("board/", date="2027-02-01").body
    sunday = desk.get("board/", date="2027-02-07").body

    assert (closed["closed"], [closure["reason"] for closure in closed["closures"]]) == (True, ["Painting"])
    assert (open_day["closed"], open_day["closures"]) == (
        False,
        [
            {
                "starts_at": shown(MONDAY, "00:00"),
                "ends_at": shown(TUESDAY, "00:00"),
                "chair": outage.chair_id,
                "reason": "Pump service",
            }
        ],
    )
    assert (sunday["closed"], sunday["closures"]) == (True, [])


def test_a_date_on_which_nothing_ever_happened_has_version_0(desk: Api) -> None:
    assert desk.get("board/version/", date="2031-01-01") == Answer(200, {"version": 0})


def test_only_ones_own_sites_are_shown(clinic: Clinic) -> None:
    other = make_clinic(chairs=1, prescribers=1, weeks=1)
    both = signed_in(StaffFactory.create(sites=[clinic.site, other.site]))

    first = min(clinic.site, other.site, key=lambda site: site.name)
    assert both.get("board/").body["site"] == first.pk
    assert both.get("board/", site=other.site.pk).body["site"] == other.site.pk
    assert signed_in(clinic.desk).get("board/", site=other.site.pk).status == 400


def test_the_version_takes_one_query_beside_the_token(desk: Api, clinic: Clinic) -> None:
    with CaptureQueriesContext(connection) as queries:
        desk.get("board/version/", date="2027-02-02")

    assert len(queries) == 2


@pytest.mark.parametrize("count", [1, 30])
def test_the_board_takes_nine_queries(count: int, desk: Api, clinic: Clinic) -> None:
    doctors = [make_prescriber(clinic) for _ in range(0, count, 4)]
    for number in range(count):
        SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=ChairFactory.create(site=clinic.site, position=100 + number),
            prescriber=doctors[number // 4],
        )

    with CaptureQueriesContext(connection) as queries:
        answer = desk.get("board/")

    assert sum(len(chair["visits"]) for chair in answer.body["chairs"]) == count
    assert len(queries) == 9  # token, date, hours, closures, sessions, prescribers, rounds, shifts, chairs


def make_prescriber(clinic: Clinic) -> Staff:
    doctor = StaffFactory.create(prescriber=True, sites=[clinic.site])
    ShiftFactory.create(staff=doctor, site=clinic.site)
    return doctor


def test_the_worklist_tells_what_was_answered_to_clinicians_only(clinic: Clinic, patient: Patient) -> None:
    items = (2, 2, 2, 2, 2, 2, 2, 2, 3)
    scoring.record(actor=None, patient=patient, instrument="phq9", items=items, taken_at=NOW, now=NOW)
    readers = (clinic.prescriber, clinic.nurse, clinic.desk)
    told = [signed_in(one).get("worklist/", kind="item-9").body["results"][0]["text"] for one in readers]

    assert told == [
        "Item 9 is 3 (nearly every day), PHQ-9 19: call the patient now.",
        "Item 9 is above 0: call the patient now.",
        "Item 9 is above 0: call the patient now.",
    ]


def test_the_worklist_names_what_waits_oldest_first(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = CourseFactory.create(patient=patient, site=clinic.site)
    worklist.open_task(
        kind=TaskKind.OVERRIDE_ASKED, patient=patient, course=course, details={"rules": ["gap-min"]}, now=NOW
    )
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW - timedelta(hours=1))
    first, second = Task.objects.order_by("since")

    assert desk.get("worklist/").body["results"] == [
        {
            "id": first.pk,
            "kind": "no-address",
            "patient": patient.pk,
            "course": None,
            "since": shown(MONDAY, "06:00"),
            "text": "There is no mail address: tell the patient the dates by phone.",
            "assigned_to": None,
            "snoozed_until": None,
        },
        {
            "id": second.pk,
            "kind": "override-asked",
            "patient": patient.pk,
            "course": course.pk,
            "since": shown(MONDAY, "07:00"),
            "text": "The times are held; a prescriber is asked to sign: gap-min.",
            "assigned_to": None,
            "snoozed_until": None,
        },
    ]


def test_a_line_is_taken_off_once(clinic: Clinic, patient: Patient) -> None:
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    task, nurse = Task.objects.get(), signed_in(clinic.nurse)
    request_id = str(uuid4())

    done = nurse.post(f"worklist/{task.pk}/acknowledge/", {"request_id": request_id})
    again = nurse.post(f"worklist/{task.pk}/acknowledge/", {"request_id": request_id})
    late = signed_in(clinic.desk).post(f"worklist/{task.pk}/acknowledge/")

    task.refresh_from_db()
    assert (done.status, done.body["id"], again) == (200, task.pk, done)
    assert (late.status, late.body["code"]) == (409, "stale")
    assert (task.done_by, task.done_at) == (clinic.nurse, NOW)
    assert nurse.get("worklist/").body["results"] == []


def test_a_line_that_waits_for_a_signature_is_not_taken_off(clinic: Clinic, patient: Patient) -> None:
    worklist.open_task(kind=TaskKind.OVERRIDE_ASKED, patient=patient, now=NOW)
    answer = signed_in(clinic.desk).post(f"worklist/{Task.objects.get().pk}/acknowledge/")

    assert (answer.status, answer.body) == (
        409,
        {"code": "stale", "message": "This line goes when the times are booked or given up."},
    )


def test_who_works_nowhere_takes_no_line_off(clinic: Clinic, patient: Patient) -> None:
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    task = Task.objects.get()
    answer = signed_in(StaffFactory.create()).post(f"worklist/{task.pk}/acknowledge/")

    task.refresh_from_db()
    assert (answer.status, answer.body["fields"]) == (400, {"site": ["You work at no site yet."]})
    assert task.done_at is None


@pytest.mark.parametrize("count", [1, 30])
def test_the_worklist_takes_four_queries(count: int, desk: Api, clinic: Clinic) -> None:
    for _ in range(count):
        course = CourseFactory.create(site=clinic.site)
        worklist.open_task(kind=TaskKind.FAILED_MAIL, patient=course.patient, course=course, now=NOW)

    with CaptureQueriesContext(connection) as queries:
        assert desk.get("worklist/").body["count"] == count

    assert len(queries) == 4  # token, site, count, lines
