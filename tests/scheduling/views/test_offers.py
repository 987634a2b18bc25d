"""The page on which the desk offers a patient other times."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.test import Client

from patients.models import Patient, Task, TaskKind
from scheduling.models import Course, Mail, MailKind, Offer, OfferState, Session
from scheduling.portal import moving
from tests.factories import MONDAY, NOW, Clinic, local
from tests.pages import page, says, signed_in
from tests.scheduling.views import told

WEDNESDAY, THURSDAY, FRIDAY = (MONDAY + timedelta(days=ahead) for ahead in (2, 3, 4))


@pytest.fixture
def session(course: Course) -> Session:
    """The second visit, on Thursday 4 February at nine."""
    return course.sessions.in_order()[1]


def form(*starts: str, until: str = "2027-02-02T12:00") -> dict[str, object]:
    """What the page sends: starts and until when, in UTC."""
    return {"start": list(starts), "until": until, "request_id": str(uuid4())}


def test_times_that_break_no_rule_can_be_offered(desk: Client, session: Session) -> None:
    answer = desk.get(f"/sessions/{session.pk}/offer/")

    assert told(answer, "b")[:4] == ["Thursday 4 February 2027, 09:00", "Wed 3 Feb", "Thu 4 Feb", "Fri 5 Feb"]
    codes = [field.attributes["value"] for field in page(answer).all("[name=start]")]
    assert codes[:2] == ["2027-02-03T13:00", "2027-02-03T13:10"]
    assert "2027-02-04T14:00" not in codes  # its own time
    assert told(answer, "option") == ["Mon 1 Feb 11:00", "Tue 2 Feb 07:00", "Wed 3 Feb 07:00", "until the visit"]


def test_what_the_patient_wishes_comes_first_and_is_marked(desk: Client, session: Session) -> None:
    moving.ask(session=session, weekdays=[4], part="afternoon", now=NOW)
    rows = [row for row in page(desk.get(f"/sessions/{session.pk}/offer/")).all("li") if row.all(".day")]
    afternoon = [start.text for start in rows[0].all("label")]

    assert [row.all("b")[0].text for row in rows[:2]] == ["Fri 5 Feb", "Wed 3 Feb"]
    assert (len(afternoon), {text[10:12] >= "12" and "wished" in text for text in afternoon}) == (5, {True})
    assert rows[1].all(".tag.green") == []


def test_nothing_is_offered_before_which_nobody_could_fast(clinic: Clinic, session: Session) -> None:
    address = f"/sessions/{session.pk}/offer/"
    morning = local(WEDNESDAY, "06:00")  # six hours without food, two to read the mail
    with time_machine.travel(morning, tick=False):
        desk = signed_in(clinic.desk)
        starts = [field.attributes["value"] for field in page(desk.get(address)).all("[name=start]")]
        answer = desk.post(address, form("2027-02-03T18:50", until="2027-02-03T18:00"))

    assert starts[0] == "2027-02-03T19:00"
    assert (answer.status_code, says(answer, "[role=alert]")) == (
        400,
        ["One of these times is too soon: the patient has to fast before it."],
    )


def test_chosen_times_go_out_by_mail_and_the_wish_is_put_off(clinic: Clinic, desk: Client, session: Session) -> None:
    moving.ask(session=session, weekdays=[2], text="After ten", now=NOW)
    address = f"/sessions/{session.pk}/offer/"
    assert "After ten" in told(desk.get(address), ".wish")[0]
    sent = form("2027-02-03T15:00", "2027-02-05T14:00")

    answer = desk.post(address, sent, follow=True)

    assert told(answer, ".notice")[0] == "2 other times are offered by mail; the visit stands until one is taken."
    offers = Offer.objects.order_by("starts_at").values_list("starts_at", "until", "state", "turn", "made_by")
    until = local(MONDAY + timedelta(days=1), "07:00")
    assert list(offers) == [
        (local(WEDNESDAY, "10:00"), until, OfferState.OPEN, 1, clinic.desk.pk),
        (local(FRIDAY, "09:00"), until, OfferState.OPEN, 1, clinic.desk.pk),
    ]
    mail = Mail.objects.get(kind=MailKind.OFFER)
    assert (mail.session_id, mail.turn, mail.times_version, mail.expires_at) == (session.pk, 1, 1, until)
    assert Task.objects.get(kind=TaskKind.MOVE_ASKED).snoozed_until == until
    assert moving.choices(session, now=NOW).offers == (local(WEDNESDAY, "10:00"), local(FRIDAY, "09:00"))
    # Pressed twice it has happened once.
    desk.post(address, sent)
    assert Mail.objects.filter(kind=MailKind.OFFER).count() == 1


def test_new_offers_take_the_place_of_old_ones(desk: Client, session: Session) -> None:
    address = f"/sessions/{session.pk}/offer/"
    desk.post(address, form("2027-02-03T15:00", "2027-02-05T14:00"))
    desk.post(address, form("2027-02-03T15:00"))

    assert list(Offer.objects.order_by("starts_at").values_list("state", "turn")) == [
        (OfferState.OPEN, 2),
        (OfferState.LAPSED, 1),
    ]
    assert list(Mail.objects.filter(kind=MailKind.OFFER).order_by("turn").values_list("turn", flat=True)) == [1, 2]


@pytest.mark.parametrize(
    ("sent", "status", "refusal"),
    [
        (form(), 400, "Choose at least one time."),
        (form(*(f"2027-02-03T15:{minute}" for minute in (10, 20, 30, 40))), 400, "Offer at most 3 times."),
        (
            form("2027-02-02T14:00"),  # the day after the first visit: somebody would have to sign
            400,
            "One of these times cannot be offered any more. Please choose again.",
        ),
        (form("2027-02-03T15:00", until="2027-02-04T14:01"), 400, "Offers end in the future, and before the visit."),
        (form("2027-02-03T15:00", until="soon"), 400, "Offers end in the future, and before the visit."),
        (form("2027-02-03T15:00", "2027-05-03T15:00"), 400, "Offer times that lie less than 40 days apart."),
    ],
)
def test_what_cannot_be_offered_is_said(
    desk: Client, session: Session, sent: dict[str, object], status: int, refusal: str
) -> None:
    answer = desk.post(f"/sessions/{session.pk}/offer/", sent)

    assert (answer.status_code, says(answer, "[role=alert]")) == (status, [refusal])
    assert Offer.objects.count() == 0


def test_a_patient_whom_no_mail_reaches_is_offered_nothing(desk: Client, session: Session) -> None:
    Patient.objects.update(mail_level="stopped")

    answer = desk.post(f"/sessions/{session.pk}/offer/", form("2027-02-03T15:00"))

    assert (answer.status_code, Offer.objects.count()) == (400, 0)


def test_the_worklist_the_board_and_the_course_show_the_wish(desk: Client, session: Session) -> None:
    moving.ask(session=session, weekdays=[2, 4], part="morning", text="After ten", now=NOW)

    answer = desk.get("/worklist/")

    assert told(answer, "[role=cell]")[2] == (
        "The patient asks for another time: Wednesday or Friday, mornings. “After ten”"
    )
    acts = [(link.text, link.attributes["href"]) for link in page(answer).all("a.large")]
    assert acts == [
        ("Move it a", f"/sessions/{session.pk}/move/"),
        ("Offer other times o", f"/sessions/{session.pk}/offer/?back=/worklist/"),
    ]
    assert "Asks for another time" in desk.get("/board/2027-02-04/").content.decode()
    assert "Asks for another time" in told(desk.get(f"/courses/{session.course_id}/"), ".states")[1]
