"""Other times by the interface: offered for one visit, opened for all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from clinic.models import Site
from patients.models import Patient
from scheduling.models import Mail, MailKind, Session
from tests.api import Api, shown, signed_in
from tests.factories import MONDAY, Clinic, SiteFactory
from tests.scheduling.views import book

WEDNESDAY, FRIDAY = MONDAY + timedelta(days=2), MONDAY + timedelta(days=4)


@pytest.fixture
def session(clinic: Clinic, patient: Patient) -> Session:
    """The second visit of a course, on Thursday 4 February at nine."""
    return book(clinic, patient).sessions.in_order()[1]


def body(**more: Any) -> dict[str, Any]:
    known = {"starts_at": [shown(FRIDAY, "09:00"), shown(WEDNESDAY, "10:00")], "until": shown(WEDNESDAY, "07:00")}
    return {**known, "request_id": str(uuid4()), **more}


def test_times_are_offered_once_and_listed(desk: Api, clinic: Clinic, session: Session) -> None:
    sent = body()
    answer, again = (desk.post(f"sessions/{session.pk}/offers/", sent) for _ in range(2))

    assert (answer.status, again.status, again.body) == (201, 200, answer.body)
    assert [{name: value for name, value in row.items() if name != "id"} for row in answer.body] == [
        {
            "session": session.pk,
            "starts_at": shown(day, clock),
            "until": shown(WEDNESDAY, "07:00"),
            "state": "open",
            "made_at": shown(MONDAY, "07:00"),
            "made_by": clinic.desk.pk,
            "closed_at": None,
        }
        for day, clock in ((WEDNESDAY, "10:00"), (FRIDAY, "09:00"))
    ]
    assert desk.get(f"sessions/{session.pk}/offers/").body["results"] == answer.body
    assert Mail.objects.filter(kind=MailKind.OFFER, session=session).count() == 1


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"starts_at": []}, "starts_at"),
        ({"starts_at": [shown(WEDNESDAY, f"10:{minute}") for minute in (10, 20, 30, 40)]}, "starts_at"),
        ({"starts_at": [shown(MONDAY + timedelta(days=1), "09:00")]}, "starts_at"),
        ({"until": shown(FRIDAY, "09:00")}, "until"),
        ({"until": "2027-02-03T07:00:00"}, "until"),
    ],
)
def test_what_cannot_be_offered_is_refused(desk: Api, session: Session, more: dict[str, Any], field: str) -> None:
    answer = desk.post(f"sessions/{session.pk}/offers/", body(**more))

    assert (answer.status, answer.body["code"], list(answer.body["fields"])) == (400, "invalid", [field])


def test_a_nurse_offers_and_opens_nothing(clinic: Clinic, session: Session) -> None:
    nurse = signed_in(clinic.nurse)
    assert nurse.post(f"sessions/{session.pk}/offers/", body()).status == 403
    assert nurse.put("sites/self-service/", {"notice_hours": 24, "hours": []}).status == 403


def test_hours_are_opened_all_at_once(desk: Api, clinic: Clinic) -> None:
    assert desk.get("sites/self-service/").body == {"site": clinic.site.pk, "notice_hours": 48, "hours": []}
    hours = [
        {"weekday": 2, "opens": "09:00", "closes": "11:00"},
        {"weekday": 2, "opens": "11:00", "closes": "12:30"},
        {"weekday": 0, "opens": "16:00", "closes": "16:00"},
    ]

    answer = desk.put("sites/self-service/", {"notice_hours": 24, "hours": hours})

    assert (answer.status, answer.body) == (
        200,
        {
            "site": clinic.site.pk,
            "notice_hours": 24,
            "hours": [hours[2], {"weekday": 2, "opens": "09:00", "closes": "12:30"}],
        },
    )
    assert desk.get("sites/self-service/", site=clinic.site.pk).body == answer.body
    assert desk.put("sites/self-service/", {"notice_hours": 24, "hours": []}).body["hours"] == []


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"notice_hours": 673, "hours": []},
        {"notice_hours": -1, "hours": []},
        {"notice_hours": 24, "hours": [{"weekday": 7, "opens": "09:00", "closes": "10:00"}]},
        {"notice_hours": 24, "hours": [{"weekday": 1, "opens": "10:00", "closes": "09:00"}]},
        {"notice_hours": 24, "hours": [{"weekday": 1, "opens": "10", "closes": "11:00"}]},
    ],
)
def test_hours_that_cannot_be_meant_are_refused(desk: Api, sent: dict[str, Any]) -> None:
    assert desk.put("sites/self-service/", sent).status == 400


def test_a_site_where_somebody_does_not_work_is_not_theirs_to_open(desk: Api, clinic: Clinic) -> None:
    other: Site = SiteFactory.create()

    assert desk.get("sites/self-service/", site=other.pk).status == 400
