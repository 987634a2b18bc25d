"""The patient's page behind the link of a mail."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from clinic.models import Site
from patients.models import AddressFault, ContactLevel, Patient, Task, TaskKind
from scheduling import cancelling
from scheduling.mails import links, privacy
from scheduling.models import (
    Course,
    CourseEvent,
    Evaluation,
    Mail,
    MailKind,
    Offer,
    ProtocolVersion,
    Reply,
    Room,
    Session,
    SessionState,
)
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, SessionFactory, local, protocol
from tests.pages import form_data, page, says, signed_in
from tests.scheduling.views import told

STATIC = Path(settings.BASE_DIR) / "static"
SPOTS = ("come", "call", "escort", "address", "mails", "language", "not-mine")


def open_link(**about: Any) -> str:
    """The address of a new mail's page."""
    mail = Mail(kind=MailKind.CALL_US, turn=Mail.objects.count(), **about)
    mail.due_at = mail.try_at = mail.created_at = NOW
    mail.link_hash = links.digest(links.token(mail.seed))
    mail.save()
    return f"/dates/{links.token(mail.seed)}/"


@pytest.fixture
def session(course: Course) -> Session:
    """The second of six: Thursday 4 February at nine."""
    return course.sessions.in_order()[1]


@pytest.fixture
def link(course: Course, session: Session) -> str:
    """The link of the mail two days before the second visit."""
    return f"/dates/{links.token(Mail.objects.get(session=session, kind=MailKind.TWO_DAYS).seed)}/"


@pytest.fixture
def client() -> Client:
    """A phone."""
    return Client()


def visible(answer: Any) -> str:
    """What a page says and shows in its attributes, without the links' tokens and the forms'."""
    text = re.sub(r"/dates/[0-9a-f]+/|value=\"[^\"]*\"", "", answer.content.decode())
    return " ".join(unescape(text).split())


def send(client: Client, link: str, spot: str, **typed: Any) -> Any:
    return client.post(f"{link}{spot}/", typed)


def shown(session: Session) -> str:
    return f"{session.pk}.{session.times_version}"


# What it shows


def test_the_page_opens_without_signing_in_and_is_kept_by_nobody(client: Client, link: str) -> None:
    answer = client.get(link)

    assert answer.status_code == 200
    assert (answer["Cache-Control"], answer["Referrer-Policy"], answer["X-Robots-Tag"]) == (
        "no-store, private",
        "same-origin",
        "noindex, nofollow",
    )


def test_it_says_when_where_and_for_how_long(client: Client, link: str) -> None:
    answer = client.get(link)

    assert says(answer, "h1") == ["Hello Eleanor, your visit:"]
    assert told(answer, "section.visit") == [
        "Thursday 4 February 09:00 – about 12:10 (3 h 10 min) 1 Main Street, Springfield Eastern Time · +1 555 010 0100"
    ]


def test_what_to_prepare_stands_there_as_clock_times(client: Client, link: str) -> None:
    headings = told(client.get(link), "h3")

    assert headings[-4:] == [
        "Nothing to eat from 03:00",
        "Somebody takes you home",
        "Who takes you home? missing",
        "Medicines to ask us about",
    ]
    assert "Water until 07:00" in told(client.get(link), "p")


def test_a_clock_time_of_the_day_before_says_so(client: Client, clinic: Clinic, patient: Patient) -> None:
    standard = protocol()
    strict = ProtocolVersion.objects.create(
        code="strict", version=1, name="Strict", data=standard.data | {"code": "strict", "no_food_hours": 12}
    )
    course = CourseFactory.create(site=clinic.site, patient=patient, protocol=strict)
    session = SessionFactory.create(
        course=course,
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        starts_at=local(MONDAY + timedelta(days=2)),
    )
    link = open_link(course=course, session=session, patient=patient, times_version=session.times_version)

    assert "Nothing to eat from 21:00 the evening before" in told(client.get(link), "h3")


def test_all_dates_stand_with_what_was_answered(client: Client, link: str, course: Course) -> None:
    third = course.sessions.in_order()[2]
    Session.objects.filter(pk=third.pk).update(state=SessionState.CONFIRMED, confirmed_at=NOW)
    (dates,) = page(client.get(link)).all("details.dates")

    assert [item.text for item in dates.all("li")] == [
        "Mon 1 Feb 09:00 next",
        "Thu 4 Feb 09:00 no answer yet",
        "Mon 8 Feb 09:00 you’ll come",
        "Thu 11 Feb 09:00 no answer yet",
        "Mon 15 Feb 09:00 no answer yet",
        "Thu 18 Feb 09:00 no answer yet",
    ]


def test_the_page_says_nothing_of_what_somebody_comes_for(client: Client, link: str, course: Course) -> None:
    open_all = {"spots": [client.get(link), client.get(f"{link}not-mine/"), client.get("/dates/0/")]}

    assert [privacy.find(visible(answer)) for answer in open_all["spots"]] == [(), (), ()]
    assert [says(answer, "title") for answer in open_all["spots"]] == [
        [f"Your dates · {course.site.neutral_name}"],
        [f"Not you? · {course.site.neutral_name}"],
        [f"This link is no longer valid · {course.site.neutral_name}"],
    ]
    assert course.site.name not in visible(open_all["spots"][0])


def test_the_page_takes_few_questions_however_many_dates(client: Client, link: str) -> None:
    with CaptureQueriesContext(connection) as asked:
        client.get(link)

    assert len(asked) == 6


def test_page_style_icons_and_font_are_under_100_kb_and_nothing_else_is_fetched(client: Client, link: str) -> None:
    html = client.get(link).content
    named = set(re.findall(r'(?:href|src)="/static/([^"#]+)', html.decode()))
    files = {"css/portal.css", "lib/source-sans-3/files/source-sans-3-latin-wght-normal.woff2", "lib/icons.svg"}

    assert named == files | {"logo.svg"}
    assert re.findall(r'(?:href|src|action)="(?:https?:)?//', html.decode()) == []
    assert b"<script" not in html
    assert len(html) + sum((STATIC / name).stat().st_size for name in named) < 100_000


def test_an_evaluation_has_a_page_with_less(client: Client, clinic: Clinic, patient: Patient) -> None:
    start = local(MONDAY + timedelta(days=1), "10:00")
    evaluation = Evaluation.objects.create(
        patient=patient,
        site=clinic.site,
        room=Room.objects.create(site=clinic.site, name="Room 1"),
        prescriber=clinic.prescriber,
        during=(start, start + timedelta(hours=1)),
        local_date=MONDAY + timedelta(days=1),
        booked_by=clinic.desk,
        at=NOW,
    )
    link = open_link(evaluation=evaluation, patient=patient, times_version=1)
    answer = client.get(link)

    assert told(answer, "p.day") == ["Tuesday 2 February"]
    assert told(answer, "h3") == []
    assert "I’ll come" not in visible(answer)
    send(client, link, "call", phone="+1 555 010 9999")
    assert told(client.get(link), "div.called") == ["We will call you +1 555 010 9999 · Any time Take it back"]
    entry = Calendar.from_ical(client.get(f"{link}calendar/").content)
    assert [event.decoded("dtstart") for event in entry.walk("VEVENT")] == [start]


def test_the_next_visit_is_called_so(client: Client, course: Course) -> None:
    link = open_link(course=course, patient=course.patient, times_version=course.times_version)

    assert says(client.get(link), "h1") == ["Hello Eleanor, your next visit:"]
    assert told(client.get(link), "p.day") == ["Monday 1 February"]


@pytest.mark.parametrize(
    ("changes", "minutes", "said"),
    [
        ({}, 10, "We expect you now. If you come later, please call us."),
        ({"needs_replan": True}, -60, "This date may have to change. We tell you as soon as we know."),
        ({"state": "checked-in", "checked_in_at": NOW}, 30, "Good that you are here."),
    ],
    ids=["late", "unfit", "here"],
)
def test_a_visit_that_cannot_be_answered_says_how_it_stands(
    client: Client, link: str, session: Session, changes: dict[str, Any], minutes: int, said: str
) -> None:
    Session.objects.filter(pk=session.pk).update(**changes)
    with time_machine.travel(session.starts_at + timedelta(minutes=minutes), tick=False):
        answer = client.get(link)

    assert told(answer, "div.notice") == [said]
    assert [button for button in page(answer).all("button") if button.text == "I’ll come"] == []


def test_a_wish_for_another_time_and_what_is_offered_for_it_stand_there(
    client: Client, clinic: Clinic, link: str, session: Session
) -> None:
    Task.objects.create(
        kind=TaskKind.MOVE_ASKED, patient=session.patient, course=session.course, key=str(session.pk), since=NOW
    )
    wished = told(client.get(link), "div.notice")
    Offer.objects.create(
        session=session,
        times_version=session.times_version,
        turn=1,
        starts_at=session.starts_at + timedelta(days=1),
        until=session.starts_at,
        made_at=NOW,
        made_by=clinic.desk,
    )

    assert wished == [
        "You asked for another time. We answer soon; until then this date stays yours. Change or take back"
    ]
    assert told(client.get(link), "div.notice") == ["We offer you other times. See them"]


# Which links open


@pytest.mark.parametrize("token", ["0", "0" * 48, "a b"])
def test_a_link_that_was_never_made_opens_a_calm_page_with_the_clinic_s_phone(
    client: Client, link: str, token: str
) -> None:
    answer = client.get(f"/dates/{token}/")

    assert (answer.status_code, says(answer, "h1")) == (404, ["This link is no longer valid."])
    assert says(answer, "a.button") == ["Call +1 555 010 0100"]


def test_where_there_are_several_clinics_an_unknown_link_names_none(client: Client, link: str) -> None:
    Site.objects.create(name="Other", neutral_name="Other", time_zone="UTC")

    assert says(client.get("/dates/0/"), "a.button") == []


def test_a_void_link_says_why_and_whom_to_call(client: Client, link: str, session: Session) -> None:
    Session.objects.filter(pk=session.pk).update(times_version=7)
    answer = client.get(link)

    assert (answer.status_code, says(answer, "h1")) == (410, ["This link is no longer valid."])
    assert told(answer, "p")[0] == "Your dates have changed since this mail. Please open the link in our latest mail."
    assert says(answer, "a.button") == ["Call +1 555 010 0100"]


# GET changes nothing


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_a_page_writes_nothing(client: Client, link: str, method: str) -> None:
    with CaptureQueriesContext(connection) as asked:
        for spot in ("", "calendar/", "not-mine/", "?language=es"):
            getattr(client, method)(link + spot, headers={"Sec-Purpose": "prefetch"})

    assert [query["sql"] for query in asked if not query["sql"].startswith("SELECT")] == []


@pytest.mark.parametrize("spot", [spot for spot in SPOTS if spot != "not-mine"])
def test_the_address_of_a_button_that_is_opened_leads_to_the_page(client: Client, link: str, spot: str) -> None:
    answer = client.get(f"{link}{spot}/")

    assert (answer.status_code, says(answer, "h1")) == (405, ["Nothing was changed."])
    assert [button.attributes["href"] for button in page(answer).all("a.button")] == [link, "tel:+15550100100"]


@pytest.mark.parametrize("spot", SPOTS)
def test_a_form_of_another_site_does_nothing(link: str, session: Session, spot: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(f"{link}{spot}/", {"visit": shown(session), "phone": "555 12345", "escort_name": "Jo"})

    assert (answer.status_code, says(answer, "h1")) == (403, ["Please tap once more."])
    assert [button.attributes["href"] for button in page(answer).all("a.button")] == [link, "tel:+15550100100"]
    assert not Task.objects.exists()
    assert not Reply.objects.exists()
    assert Session.objects.get(pk=session.pk).state == SessionState.BOOKED


def test_the_page_s_own_form_is_carried_out(link: str, session: Session) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(f"{link}come/", form_data(strict.get(link)) | {"answer": "yes"})

    assert (answer.status_code, answer["Location"]) == (302, link)
    assert Session.objects.get(pk=session.pk).state == SessionState.CONFIRMED


# Acts


def test_a_tap_says_yes_and_another_takes_it_back(client: Client, link: str, session: Session) -> None:
    yes = client.post(f"{link}come/", form_data(client.get(link)) | {"answer": "yes"}, follow=True)
    assert told(yes, "div.comes") == ["You’ll come. Thank you! Take it back"]
    assert "I’ll come" not in told(yes, "button")

    no = client.post(f"{link}come/", form_data(yes) | {"answer": "no"}, follow=True)
    assert told(no, "div.notice") == ["Your answer is taken back."]
    assert Session.objects.get(pk=session.pk).state == SessionState.BOOKED


def test_two_taps_are_one_answer(client: Client, link: str, session: Session, course: Course) -> None:
    for _ in range(2):
        assert send(client, link, "come", visit=shown(session), answer="yes").status_code == 302

    assert CourseEvent.objects.filter(course=course, kind="confirmed").count() == 1


def test_one_tap_says_yes_to_all_dates(client: Client, link: str, course: Course) -> None:
    visits = [shown(session) for session in course.sessions.in_order()]
    answer = client.post(f"{link}come/", {"visit": visits, "answer": "yes"}, follow=True)

    assert told(answer, "div.notice")[0] == "You come to all 6 dates."
    assert set(course.sessions.values_list("state", flat=True)) == {SessionState.CONFIRMED}


def test_an_answer_to_what_has_changed_shows_how_it_is_now(client: Client, link: str, course: Course) -> None:
    later = course.sessions.in_order()[3]
    answer = client.post(f"{link}come/", {"visit": f"{later.pk}.9", "answer": "yes"})

    assert answer.status_code == 409
    assert told(answer, "div.notice") == ["The dates have changed since you opened the page. Please look again."]
    assert told(answer, "p.day") == ["Thursday 4 February"]


@pytest.mark.parametrize("visit", ["", "x", "1", "1.x", "-1.1", "1.1.1", "99999999999999999999.1"])
def test_what_is_no_visit_is_answered_calmly(client: Client, link: str, visit: str) -> None:
    assert send(client, link, "come", visit=visit, answer="yes").status_code == 409


def test_a_wish_for_a_call_is_said_once(client: Client, link: str) -> None:
    Patient.objects.update(phone="+1 555 010 0177", phone_digits="15550100177")
    form = page(client.get(link)).all("details.call")[0]
    assert "We call the number that ends in 77, while we are open." in form.text

    for _ in range(2):
        answer = client.post(f"{link}call/", {"best": "morning", "request_id": uuid4()}, follow=True)
    waits = "We will call you at the number that ends in 77 · In the morning Take it back"
    assert told(answer, "div.called") == [waits]
    assert Task.objects.get(kind=TaskKind.CALL_ASKED).details["best"] == "morning"


def test_a_call_is_asked_for_otherwise_or_taken_back(client: Client, link: str) -> None:
    send(client, link, "call", phone="555 12345", best="noon")
    shown = client.get(link)
    (form,) = page(shown).all("details.call")
    send(client, link, "call", phone="555 99999", best="noon")

    assert form.all("summary")[0].text == "Another number or time"
    assert form.all("[name=phone]")[0].attributes["value"] == "555 12345"
    assert [one.text for one in form.all("option") if "selected" in one.attributes] == ["Around noon"]
    assert told(client.get(link), "div.called") == ["We will call you 555 99999 · Around noon Take it back"]

    send(client, link, "call", act="off")

    assert told(client.get(link), "div.notice") == ["We do not call you now."]
    assert told(client.get(link), "div.called") == []
    assert not Task.objects.filter(done_at=None).exists()


def test_a_call_to_nowhere_asks_for_the_number(client: Client, link: str) -> None:
    Patient.objects.update(phone="", phone_digits="")
    answer = send(client, link, "call", phone="tomorrow")

    assert answer.status_code == 422
    assert told(answer, "p.error") == ["This is no phone number."]
    assert [field.attributes["value"] for field in page(answer).all("[name=phone]")] == ["tomorrow"]


def test_who_takes_the_patient_home_is_missing_until_it_is_said(client: Client, link: str, session: Session) -> None:
    answer = client.post(
        f"{link}escort/",
        {"visit": shown(session), "escort_name": "Marta Lund", "escort_phone": "555 0199"},
        follow=True,
    )

    assert "Who takes you home?" in told(answer, "h3")
    assert "Marta Lund, 555 0199" in told(answer, "p")
    assert Reply.objects.get().session == session


def test_the_same_person_may_take_the_patient_home_from_all_dates(client: Client, link: str, session: Session) -> None:
    send(client, link, "escort", visit=shown(session), escort_name="Marta Lund", all="on")

    assert Reply.objects.filter(escort_name="Marta Lund").count() == 6


def test_what_is_no_number_is_refused_at_its_field_and_what_was_typed_stays(
    client: Client, link: str, session: Session
) -> None:
    answer = send(client, link, "escort", visit=shown(session), escort_name="Marta Lund", escort_phone="soon")

    assert (answer.status_code, told(answer, "p.error")) == (422, ["This is no phone number."])
    assert [field.attributes["value"] for field in page(answer).all("[name=escort_name]")] == ["Marta Lund"]


def test_the_nurse_finds_the_name_at_check_in(client: Client, link: str, clinic: Clinic, session: Session) -> None:
    send(client, link, "escort", visit=shown(session), escort_name="Marta Lund", escort_phone="555 0199")
    with time_machine.travel(session.starts_at, tick=False):
        nurse = signed_in(clinic.nurse)
        data = form_data(nurse.get(f"/sessions/{session.pk}/visit/check-in/"))
        board = nurse.get("/").content.decode()

    assert (data["escort_name"], data["escort_phone"]) == (["Marta Lund"], ["555 0199"])
    assert "Taken home by Marta Lund." in board


def test_all_dates_go_to_a_calendar_with_nothing_but_the_clinic_s_neutral_name(
    client: Client, link: str, course: Course
) -> None:
    answer = client.get(f"{link}calendar/")
    calendar = Calendar.from_ical(answer.content)

    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "text/calendar; charset=utf-8",
        'attachment; filename="dates.ics"',
    )
    assert [event.decoded("dtstart") for event in calendar.walk("VEVENT")] == [
        session.starts_at for session in course.sessions.in_order()
    ]
    assert {str(event["summary"]) for event in calendar.walk("VEVENT")} == {course.site.neutral_name}
    assert privacy.find(answer.content.decode()) == ()
    assert "Eleanor" not in answer.content.decode()


# Mails and address


def test_any_press_of_a_button_shows_that_the_mailbox_is_the_patient_s(client: Client, link: str) -> None:
    assert "Is e…@example.org your own mailbox?" in told(client.get(link), "p")
    answer = client.post(f"{link}address/", follow=True)

    assert told(answer, "div.notice") == ["Thank you. We know now that this mailbox is yours."]
    assert told(answer, "form.ask") == []
    assert Patient.objects.get().email_verified_at == NOW


def test_mails_say_how_to_prepare_only_when_that_is_chosen_beside_the_warning(client: Client, link: str) -> None:
    (form,) = page(client.get(link)).all("details.mails")
    assert "Mails are not secret" in form.text

    send(client, link, "mails", level="detailed")
    assert Patient.objects.get().mail_level == ContactLevel.DETAILED
    send(client, link, "mails", level="neutral")
    assert Patient.objects.get().mail_level == ContactLevel.NEUTRAL


def test_somebody_else_s_mailbox_gets_no_more_mails_and_the_link_shows_nothing_more(client: Client, link: str) -> None:
    led = send(client, link, "not-mine")
    answer = client.get(led["Location"])
    patient = Patient.objects.get()

    assert says(answer, "h1") == ["Thank you for telling us."]
    assert (patient.email_fault, patient.email_verified_at) == (AddressFault.NOT_MINE, None)
    assert "Eleanor" not in visible(answer)
    assert client.get(link).status_code == 410
    assert says(send(client, link, "not-mine"), "h1") == ["Thank you for telling us."]


def test_after_a_cancelled_course_the_page_says_so_and_offers_a_call(
    client: Client, clinic: Clinic, course: Course
) -> None:
    old = open_link(course=course, patient=course.patient, times_version=course.times_version)
    cancelling.cancel_course(actor=clinic.desk, course=course, reason="other plans", now=NOW)
    course.refresh_from_db()
    new = client.get(open_link(course=course, patient=course.patient, times_version=course.times_version))

    assert told(new, "p.day") == ["Your dates were cancelled."]
    assert "Call me" in told(new, "summary")
    gone = client.get(old)
    assert (gone.status_code, "This date was cancelled." in visible(gone)) == (410, True)


def test_below_a_link_nothing_speaks_to_staff(client: Client, link: str) -> None:
    unknown, guessed = client.get(f"{link}moves/all/"), client.get("/dates/0/moves/")
    refused = Client(enforce_csrf_checks=True).post(f"{link}come/", {"visit": "1.1"})

    assert (unknown.status_code, says(unknown, "h1")) == (404, ["There is no such page."])
    assert says(unknown, "title")[0].startswith("Your dates · ")
    assert [one.attributes["href"] for one in page(unknown).all("a.primary")] == [link]
    assert (guessed.status_code, says(guessed, "h1")) == (404, ["This link is no longer valid."])
    assert client.get(f"{link}moves").status_code == 301  # as everywhere: to the same with a slash
    assert (refused.status_code, says(refused, "h1")) == (403, ["Please tap once more."])
    for answer in (unknown, guessed, refused, client.get(f"{link}come/")):
        assert says(answer, "p.brand") == says(client.get(link), "p.brand")
        assert "Call +1 555 010 0100" in says(answer, "a.button")


# Languages


def test_the_page_comes_in_the_patient_s_language(client: Client, link: str) -> None:
    Patient.objects.update(language="es")
    answer = client.get(link, headers={"Accept-Language": "en"})

    assert (answer["Content-Language"], says(answer, "p.day")[0].split()[0]) == ("es", "jueves")


def test_another_language_is_a_link_away_and_stays_for_this_browser(client: Client, link: str) -> None:
    chosen = client.get(f"{link}?language=es")
    again = client.get(link)

    assert [chosen["Content-Language"], again["Content-Language"]] == ["es", "es"]
    assert Patient.objects.get().language == "en"
    assert client.get(f"{link}?language=xx")["Content-Language"] == "es"


def test_mails_change_their_language_by_a_button(client: Client, link: str) -> None:
    client.get(f"{link}?language=es")
    send(client, link, "language", language="es")
    assert Patient.objects.get().language == "es"
    send(client, link, "language", language="xx")
    assert Patient.objects.get().language == "es"


def test_a_visit_that_no_form_has_named_is_refused(client: Client, link: str) -> None:
    for named in ("9" * 5000 + ".1", "1", "1.x", ""):
        assert send(client, link, "come", visit=named, answer="yes").status_code == 409


# How often


def test_whoever_asks_too_often_with_one_link_is_asked_to_wait(client: Client, link: str, course: Course) -> None:
    other = open_link(course=course, patient=course.patient, times_version=course.times_version)
    answers = [client.head(f"{link}not-mine/").status_code for _ in range(120)]
    refused = client.get(link)

    assert answers == [200] * 120
    assert (refused.status_code, says(refused, "h1")) == (429, ["One moment, please."])
    assert 0 < int(refused["Retry-After"]) <= 61
    assert client.get(other).status_code == 200


def test_an_address_that_tries_links_is_slowed_down_and_its_own_link_still_opens(client: Client, link: str) -> None:
    answers = [client.get(f"/dates/{number}/").status_code for number in range(31)]

    assert answers == [404] * 30 + [429]
    assert client.get("/dates/0/", REMOTE_ADDR="10.0.0.2").status_code == 404
    assert client.get(link).status_code == 200


def test_without_redis_the_page_still_opens_and_answers(client: Client, link: str, session: Session) -> None:
    nowhere = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    with override_settings(CACHES=nowhere):
        opened = client.get(link)
        answered = send(client, link, "come", visit=shown(session), answer="yes")

    assert (opened.status_code, answered.status_code) == (200, 302)
    assert Session.objects.get(pk=session.pk).state == SessionState.CONFIRMED
