"""The page of deliveries, and why a patient got a mail, or did not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling import cancelling, deliveries, moving
from scheduling.models import Attempt, Course, Mail, MailKind, MailState
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local
from tests.pages import page
from tests.scheduling.views import book, places

pytestmark = pytest.mark.django_db


def make(course: Course, number: int, state: MailState = MailState.SENT, **columns: object) -> Mail:
    """A mail about the whole course that was due so many minutes ago."""
    due = NOW - timedelta(minutes=number)
    return Mail.objects.create(
        patient=course.patient,
        course=course,
        kind=MailKind.CHANGED,
        times_version=1,
        turn=Mail.objects.count(),
        state=state,
        due_at=due,
        try_at=due,
        created_at=due,
        sent_at=due if state == MailState.SENT else None,
        settled_at=None if state == MailState.DUE else due,
        **columns,
    )


def told(response: Any, path: str) -> list[str]:
    """What the elements of the page's main part say that stand inside each other like this: ".head b"."""
    found = page(response).all("main")
    for selector in path.split():
        found = [inner for outer in found for inner in outer.all(selector)]
    return [element.text for element in found]


@pytest.fixture
def quiet_course(course: Course) -> Course:
    """A course without any mail."""
    Mail.objects.all().delete()
    return course


def rows(client: Client, query: str = "") -> list[str]:
    """What the cells of the rows say: state, time, patient, mail."""
    response = client.get(f"/mails/{query}")
    assert response.status_code == 200
    return [" | ".join(cell for cell in row[:7]) for row in cells(response)]


def cells(response: object) -> list[list[str]]:
    found = told(response, ".deliveries tbody td")
    return [found[place : place + 7] for place in range(0, len(found), 7)]


def test_what_was_due_stands_there_the_newest_first(quiet_course: Course, desk: Client) -> None:
    make(quiet_course, 5)
    make(quiet_course, 3, MailState.FAILED, error="550 Mailbox does not exist", attempts=1)
    make(quiet_course, -60, MailState.DUE)
    assert rows(desk) == [
        (
            "Failed | Mon 1 Feb 06:57 | Vance, Eleanor | Dates changed : Vance, Eleanor | all dates : course | Tries 1"
            " | The mail server refused it: 550 Mailbox does not exist"
        ),
        "Sent | Mon 1 Feb 06:55 | Vance, Eleanor | Dates changed : Vance, Eleanor | all dates : course |  | ",
    ]


def test_what_waits_is_listed_from_its_front(quiet_course: Course, desk: Client) -> None:
    for number in (-120, -60, 20):
        make(quiet_course, number, MailState.DUE)
    assert [row.split(" | ")[1] for row in rows(desk, "?state=due")] == [
        "Mon 1 Feb 06:40 late 20 min",
        "Mon 1 Feb 08:00",
        "Mon 1 Feb 09:00",
    ]
    assert [row.split(" | ")[1] for row in rows(desk, "?state=late")] == ["Mon 1 Feb 06:40 late 20 min"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=failed", [10]),
        ("?state=withdrawn", []),
        ("?kind=changed", [10, 1441]),
        ("?kind=offer", []),
        ("?since=2027-02-01", [10]),
        ("?until=2027-01-31", [1441]),
        ("?since=2027-01-31&until=2027-01-31", [1441]),
        ("?since=0001-01-01&until=9999-12-31&state=nonsense&kind=1&after=x.y&patient=-3", [10, 1441]),
        ("?patient=999999999999", []),
    ],
)
def test_the_list_is_narrowed_by_its_address(quiet_course: Course, desk: Client, query: str, found: list[int]) -> None:
    make(quiet_course, 10, MailState.FAILED, error="x")
    make(quiet_course, 1441)
    response = desk.get(f"/mails/{query}")
    assert [(NOW - row.mail.due_at) // timedelta(minutes=1) for row in response.context["rows"]] == found


def test_pages_follow_each_other_both_ways(quiet_course: Course, desk: Client) -> None:
    for number in range(120):
        make(quiet_course, number // 3)  # three in every minute: the page breaks between equals
    seen, address = [], "/mails/"
    for _page in range(3):
        response = desk.get(address)
        seen += [row.mail.pk for row in response.context["rows"]]
        address = f"/mails/?after={response.context['pages'].later}"
    everything = list(Mail.objects.order_by("-due_at", "-pk").values_list("pk", flat=True))
    assert seen == everything
    assert response.context["pages"].later is None
    back = desk.get(f"/mails/?before={response.context['pages'].earlier}")
    assert [row.mail.pk for row in back.context["rows"]] == everything[50:100]
    first = desk.get(f"/mails/?before={back.context['pages'].earlier}")
    assert [row.mail.pk for row in first.context["rows"]] == everything[:50]
    assert first.context["pages"].earlier is None


def test_the_head_says_what_is_due_and_counts_what_is_listed(quiet_course: Course, desk: Client) -> None:
    for number, state in (
        (-3000, "due"),
        (-30, "due"),
        (3, "due"),
        (90, "due"),
        (4, "sent"),
        (5, "failed"),
        (1500, "failed"),
        (6, "withdrawn"),
    ):
        make(quiet_course, number, MailState(state))
    response = desk.get("/mails/")
    assert told(response, ".head .quiet") == ["2 due now, the oldest for 1 h 30 min · 1 within 24 hours"]
    assert told(response, ".filters a") == ["All", "Late now 1", "Due 4", "Failed 2", "Sent 1", "Withdrawn 1"]
    for state, count in (("late", 1), ("due", 4), ("failed", 2), ("sent", 1), ("withdrawn", 1)):
        assert len(desk.get(f"/mails/?state={state}").context["rows"]) == count


def test_the_counts_are_of_the_patient_whose_mails_are_listed(
    quiet_course: Course, clinic: Clinic, desk: Client
) -> None:
    make(quiet_course, 4, MailState.FAILED)
    for number in range(deliveries.MANY):
        make(quiet_course, number, MailState.SENT)
    other = PatientFactory.create()
    assert told(desk.get(f"/mails/?patient={quiet_course.patient_id}"), ".filters a") == [
        "All",
        "Late now 0",
        "Due 0",
        "Failed 1",
        "Sent 99+",
        "Withdrawn 0",
    ]
    assert told(desk.get(f"/mails/?patient={other.pk}"), ".filters b") == ["0", "0", "0", "0", "0"]


class TestWhenNothingGoesOut:
    def test_it_is_said_since_when_no_server_answers(self, quiet_course: Course, desk: Client) -> None:
        mail = make(quiet_course, 90, MailState.DUE, attempts=3)
        gone = make(quiet_course, 200)
        for minutes, state, answer in (
            (250, "due", "The mail server cannot be reached (OSError)."),
            (199, "sent", ""),
            (90, "due", "The mail server cannot be reached (ConnectionRefusedError)."),
            (30, "due", "The mail server cannot be reached (ConnectionRefusedError)."),
        ):
            about = gone if state == "sent" else mail
            Attempt.objects.create(mail=about, at=NOW - timedelta(minutes=minutes), state=state, answer=answer)
        assert told(desk.get("/mails/"), ".notice strong") == ["Nothing could be sent since Mon 1 Feb 05:30."]

    def test_a_server_that_puts_one_mail_off_is_there(self, quiet_course: Course, desk: Client) -> None:
        mail = make(quiet_course, 2, MailState.DUE, attempts=1)
        Attempt.objects.create(mail=mail, at=NOW - timedelta(minutes=1), state="due", answer="451 try later")
        assert told(desk.get("/mails/"), ".notice strong") == []

    def test_nobody_who_even_tries_is_missed(self, quiet_course: Course, desk: Client) -> None:
        make(quiet_course, 45, MailState.DUE)
        assert told(desk.get("/mails/"), ".notice strong") == [
            "Nobody is sending: a mail has been due for 45 min and was not tried."
        ]

    def test_a_quiet_day_is_said_calmly(self, clinic: Clinic, desk: Client) -> None:
        response = desk.get("/mails/")
        assert told(response, ".head .quiet") == ["nothing due now · 0 within 24 hours"]
        assert told(response, ".empty b") == ["Nothing was mailed yet."]


class TestFindingAPatient:
    def test_one_is_led_to_without_a_name_in_any_address(self, quiet_course: Course, desk: Client) -> None:
        response = desk.post("/mails/?state=sent&after=5.5", {"q": "vance"})
        assert (response.status_code, response["Location"]) == (
            302,
            f"/mails/?state=sent&patient={quiet_course.patient_id}",
        )
        make(quiet_course, -3000, MailState.DUE)
        response = desk.get(f"/mails/?patient={quiet_course.patient_id}")
        assert told(response, ".about b") == ["Vance, Eleanor"]
        assert len(response.context["rows"]) == 1

    def test_of_several_one_is_chosen(self, quiet_course: Course, desk: Client) -> None:
        PatientFactory.create(last_name="Vance", first_name="Zoe")
        assert told(desk.post("/mails/", {"q": "vance"}), ".rows b") == ["Vance, Eleanor", "Vance, Zoe"]

    def test_nobody_is_said(self, quiet_course: Course, desk: Client) -> None:
        assert told(desk.post("/mails/", {"q": "nobody"}), ".messages .notice") == ["Nobody is found by “nobody”."]


@pytest.mark.parametrize("number", [1, 30])
def test_the_list_takes_as_many_queries_for_many_mails(quiet_course: Course, desk: Client, number: int) -> None:
    for minutes in range(number):
        make(quiet_course, minutes, MailState.FAILED, error="x")
    desk.get("/mails/")  # the first look of a session writes it
    with CaptureQueriesContext(connection) as captured:
        desk.get("/mails/")
    assert len(captured) == 7


class TestTheStoryOfAVisit:
    def story(self, client: Client, course: Course, place: int = 1) -> tuple[list[str], list[str], list[str]]:
        session = course.sessions.order_by("during__startswith")[place]
        response = client.get(f"/sessions/{session.pk}/mails/")
        assert response.status_code == 200
        return told(response, ".notice strong"), told(response, ".reminded li"), told(response, ".story .says")

    def test_tells_what_goes_out_when(self, clinic: Clinic, course: Course, desk: Client) -> None:
        summary, reminders, story = self.story(desk, course)
        assert summary == ["No reminder yet; “Preparation three days before” goes out on Mon 1 Feb 09:00."]
        assert reminders == [
            "Due Preparation three days before Mon 1 Feb 09:00",
            "Due Reminder two days before Tue 2 Feb 09:00",
            "Due Questionnaire due Wed 3 Feb 09:00",
            "Due Reminder two hours before Thu 4 Feb 07:00",
        ]
        assert story[0].startswith("Booked: 6 visits, Mon 1 Feb to Thu 18 Feb.")

    def test_says_what_was_past_when_it_was_made(self, course: Course, desk: Client) -> None:
        _summary, reminders, _story = self.story(desk, course, 0)
        past = "It was past when the visit got these times, Mon 1 Feb 07:00."
        assert reminders == [
            f"Not made Preparation three days before Fri 29 Jan 09:00 {past}",
            f"Not made Reminder two days before Sat 30 Jan 09:00 {past}",
            f"Not made Questionnaire due Sun 31 Jan 09:00 {past}",
            "Due Reminder two hours before Mon 1 Feb 07:00",
        ]

    def test_tells_of_a_move_and_what_it_withdrew(self, clinic: Clinic, course: Course, desk: Client) -> None:
        session = course.sessions.order_by("during__startswith")[1]
        (place,) = places(clinic, [4], "11:00")
        moving.move_session(actor=clinic.desk, session=session, place=place, now=NOW + timedelta(minutes=5))
        _summary, reminders, story = self.story(desk, course)
        assert [text.split(" ", 1)[0] for text in reminders] == ["Due", "Due", "Due", "Due"]
        assert any(text.startswith("Moved: Thu 4 Feb 09:00 to Fri 5 Feb 11:00.") for text in story)
        kinds = (MailKind.PREPARATION, MailKind.TWO_DAYS, MailKind.SCORE_DUE, MailKind.TWO_HOURS)
        gone = ", ".join(f"“{kind.label}”" for kind in kinds)
        assert [text for text in story if text.startswith("Withdrawn")] == [
            f"Withdrawn: {gone}. The visit was moved.",
            "Withdrawn: “Course booked”. A later mail says it.",
        ]

    def test_a_cancellation_after_a_move_takes_back_what_the_move_left(
        self, clinic: Clinic, course: Course, desk: Client
    ) -> None:
        moved, other = course.sessions.order_by("during__startswith")[1:3]
        first, then = NOW + timedelta(minutes=5), NOW + timedelta(minutes=9)
        (place,) = places(clinic, [4], "11:00")
        moving.move_session(actor=clinic.desk, session=moved, place=place, now=first)
        cancelling.cancel_course(actor=clinic.desk, course=course, reason="ill", now=then)
        withdrawn = Mail.objects.filter(course=course, state=MailState.WITHDRAWN)
        about = {(mail.session_id, mail.about_at, mail.settled_at, mail.error) for mail in withdrawn}
        assert {row for row in about if row[0] in (moved.pk, other.pk)} == {
            (moved.pk, moved.starts_at, first, "The visit was moved."),
            (moved.pk, place.starts_at, then, "The visit was cancelled."),
            (other.pk, other.starts_at, then, "The visit was cancelled."),
        }
        rows = desk.get(f"/mails/?state=withdrawn&patient={course.patient_id}&kind=two-hours").context["rows"]
        assert {row.about for row in rows if row.mail.session_id == moved.pk} == {"Thu 4 Feb 09:00", "Fri 5 Feb 11:00"}
        story = told(desk.get(f"/courses/{course.pk}/mails/"), ".story li")
        gone = [line for line in story if "Withdrawn: “" in line and "A later mail" not in line]
        assert [(line[:20], line.rpartition(". ")[2]) for line in gone] == [
            ("Mon 1 Feb 2027 07:05", "The visit was moved."),
            ("Mon 1 Feb 2027 07:09", "The visit was cancelled."),
        ]

    def test_begins_with_what_the_server_said(self, course: Course, desk: Client) -> None:
        session = course.sessions.order_by("during__startswith")[1]
        mail = Mail.objects.get(session=session, kind=MailKind.TWO_DAYS)
        for minutes, state, answer in ((0, "due", "451 busy"), (1, "due", "451 busy"), (2, "sent", "250 queued")):
            Attempt.objects.create(mail=mail, at=mail.due_at + timedelta(minutes=minutes), state=state, answer=answer)
        mail.state, mail.sent_at, mail.attempts = MailState.SENT, mail.due_at + timedelta(minutes=2), 3
        mail.settled_at = mail.sent_at
        mail.save(update_fields=["state", "sent_at", "settled_at", "attempts"])
        Mail.objects.filter(session=session, state=MailState.DUE).update(
            state=MailState.WITHDRAWN, settled_at=NOW, error="Nothing is missing."
        )
        summary, reminders, story = self.story(desk, course)
        assert summary == [
            (
                "“Reminder two days before” went out on Tue 2 Feb 09:02 and was accepted by the mail server."
                " “Reminder two hours before” was withdrawn: Nothing is missing."
            )
        ]
        assert reminders[1] == "Sent Reminder two days before Tue 2 Feb 09:02 Accepted by the mail server."
        assert "“Reminder two days before” could not go out in 2 tries until 09:01: 451 busy" in story
        assert "“Reminder two days before” went out and was accepted by the mail server. (250 queued)" in story

    def test_says_that_nobody_has_agreed_to_mails(self, clinic: Clinic, desk: Client) -> None:
        patient = PatientFactory.create(email="a@example.org", mail_level="")
        summary, _reminders, story = self.story(desk, book(clinic, patient))
        assert summary == ["No reminder goes out. Nobody has asked the patient about mails."]
        assert "“Course booked” did not go out: Nobody has asked the patient about mails." in story

    def test_is_not_there_for_a_visit_that_never_was(self, desk: Client) -> None:
        assert (desk.get("/sessions/0/mails/").status_code, desk.get("/courses/0/mails/").status_code) == (404, 404)


def test_the_story_of_a_course_begins_with_its_last_news(course: Course, patient: Patient, desk: Client) -> None:
    at = local(MONDAY, "07:01")
    Mail.objects.filter(course=course, kind=MailKind.BOOKED).update(state="sent", sent_at=at, settled_at=at)
    response = desk.get(f"/courses/{course.pk}/mails/")
    assert told(response, ".notice strong") == [
        "“Course booked” went out on Mon 1 Feb 07:01 and was accepted by the mail server."
    ]


@pytest.mark.parametrize("days", [(3,), (0, 3, 7, 10, 14, 17)])
def test_a_story_takes_as_many_queries_for_many_visits(
    clinic: Clinic, patient: Patient, desk: Client, days: tuple[int, ...]
) -> None:
    course = book(clinic, patient, days)
    session = course.sessions.order_by("during__startswith")[0]
    desk.get("/mails/")  # the first look of a session writes it
    counts = []
    for address in (f"/sessions/{session.pk}/mails/", f"/courses/{course.pk}/mails/"):
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(address).status_code == 200
        counts.append(len(captured))
    assert counts == [14, 13]
