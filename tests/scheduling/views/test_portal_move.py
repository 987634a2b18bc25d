"""The pages on which a patient chooses another time, confirms it, or asks for one."""

from __future__ import annotations

from datetime import time, timedelta
from uuid import uuid4

import pytest
from django.test import Client

from clinic.models import SelfServiceHours, Shift
from patients.models import Task, TaskKind
from scheduling import moving as desk
from scheduling.mails import links
from scheduling.models import Course, Mail, MailKind, Session
from scheduling.protocols.types import Wanted
from tests.factories import MONDAY, NOW, Clinic, local
from tests.pages import page, says
from tests.scheduling.views import told

pytestmark = pytest.mark.usefixtures("at_now")

WEDNESDAY, THURSDAY = MONDAY + timedelta(days=2), MONDAY + timedelta(days=3)


@pytest.fixture
def session(course: Course) -> Session:
    """The second visit, on Thursday 4 February at nine."""
    return course.sessions.in_order()[1]


@pytest.fixture
def link(session: Session) -> str:
    """The page that moves it, behind the link of the mail two days before."""
    mail = Mail.objects.get(session=session, kind=MailKind.TWO_DAYS)
    return f"/dates/{links.token(mail.seed)}/move/"


@pytest.fixture
def open_(clinic: Clinic) -> None:
    """Patients may move to Wednesdays to Fridays, starts from nine to half past."""
    SelfServiceHours.objects.bulk_create(
        SelfServiceHours(site=clinic.site, weekday=weekday, opens=time(9), closes=time(9, 30)) for weekday in (2, 3, 4)
    )


def form(session: Session, **more: str) -> dict[str, str]:
    """What the page of confirming sends: Wednesday at half past nine, New York's clocks."""
    known = {"act": "move", "visit": f"{session.pk}.{session.times_version}", "to": "2027-02-03T14:30"}
    return {**known, "request_id": str(uuid4()), **more}


@pytest.mark.usefixtures("open_")
def test_times_stand_by_day_and_a_tap_leads_to_confirming(link: str, session: Session) -> None:
    answer = Client().get(link)

    assert answer.status_code == 200
    assert told(answer, "h1") == ["Choose another time"]
    assert [element.text for element in page(answer).all("h2")] == [
        "Wednesday 3 February",
        "Thursday 4 February",
        "Friday 5 February",
    ]
    taps = [
        element.attributes["href"] for element in page(answer).all("a.button") if "to=" in element.attributes["href"]
    ]
    assert taps[3] == "?date=2027-02-04&to=2027-02-03T14:30"

    confirming = Client().get(link + taps[3])

    assert told(confirming, "button") == ["Yes, move my date"]
    assert "Thursday 4 February, 09:00" in told(confirming, "s")
    session.refresh_from_db()
    assert session.times_version == 1  # to look changes nothing


@pytest.mark.usefixtures("open_")
def test_the_second_tap_moves_and_leads_on_by_the_link_of_the_new_date(link: str, session: Session) -> None:
    sent = form(session)
    led = Client().post(link, sent)
    answer = Client().get(led["Location"])

    session.refresh_from_db()
    assert led["Location"] == f"{link}?done={sent['request_id']}"  # to go back or load it again moves nothing
    assert (answer.status_code, session.starts_at, session.state) == (200, local(WEDNESDAY, "09:30"), "confirmed")
    assert told(answer, "h1") == ["Your new date"]
    assert told(answer, "dd") == ["Wednesday 3 February 09:30 – about 12:40 Eastern Time"]
    (onward,) = [element.attributes["href"] for element in page(answer).all("a.primary")]
    assert Client().get(onward).status_code == 200
    # The link of the old date tells that it is over; tapped twice, the second tap shows what the first has done.
    assert Client().get(link).status_code == 410
    again = Client().post(link, sent)
    assert (again.status_code, again["Location"]) == (302, led["Location"])
    assert Client().get(f"{link}?done={uuid4()}").status_code == 410
    assert session.course.events.filter(kind="moved").count() == 1
    # Another request through the old link does nothing.
    assert Client().post(link, form(session)).status_code == 410


@pytest.mark.usefixtures("open_")
def test_a_time_that_is_taken_gives_way_to_fresh_ones(link: str, session: Session) -> None:
    Shift.objects.filter(during__startswith__date=WEDNESDAY).update(patients_at_once=0)

    answer = Client().post(link, form(session))

    assert (answer.status_code, says(answer, "[role=alert]")) == (
        409,
        ["This time has just been taken. Nothing was changed. Here is what is free now."],
    )
    assert [element.text for element in page(answer).all("h2")] == ["Thursday 4 February", "Friday 5 February"]
    assert says(Client().get(f"{link}?to=2027-02-03T14:30"), "[role=alert]") == says(answer, "[role=alert]")


@pytest.mark.usefixtures("open_")
def test_whoever_moves_what_the_desk_has_moved_is_told_so(clinic: Clinic, link: str, session: Session) -> None:
    sent = form(session)
    desk.move_session(actor=clinic.desk, session=session, place=Wanted(local(THURSDAY, "11:00")), now=NOW)

    assert Client().post(link, sent).status_code == 410


@pytest.mark.usefixtures("open_")
def test_by_the_news_of_a_course_each_of_its_dates_can_be_moved(course: Course) -> None:
    news = Mail.objects.get(course=course, kind=MailKind.BOOKED)
    link = f"/dates/{links.token(news.seed)}/move/"

    answer = Client().get(f"{link}?date=2027-02-11")

    others = [element.attributes["href"] for element in page(answer).all("a.keep")]
    assert others[:2] == ["?date=2027-02-01", "?date=2027-02-04"]
    assert told(answer, ".stands")[0].startswith("Your date: Thursday 11 February, 09:00")
    assert Client().get(f"{link}?date=2027-02-12").status_code == 200
    fourth = course.sessions.in_order()[3]
    assert Client().post(link, form(fourth, to="2027-02-10T14:30")).status_code == 302
    fourth.refresh_from_db()
    assert fourth.starts_at == local(WEDNESDAY + timedelta(days=7), "09:30")


def test_where_nothing_is_open_a_wish_goes_to_the_desk_once(link: str, session: Session) -> None:
    browser = Client()
    answer = browser.get(link)
    assert told(answer, "h1") == ["Ask for another time"]
    wish = {"act": "ask", "visit": f"{session.pk}.1", "weekday": ["2", "4"], "part": "morning", "text": "After ten"}

    sent = browser.post(link, wish, follow=True)

    (notice,) = told(sent, ".notice")
    assert notice.startswith("We have your request and will call or write. Until then your date stands.")
    assert notice.endswith("Wednesday, Friday · Mornings · “After ten”")
    assert told(sent, "button") == ["Send the change", "Take my request back: I keep my date"]
    assert Task.objects.get(kind=TaskKind.MOVE_ASKED).details == {
        "weekdays": [2, 4],
        "part": "morning",
        "text": "After ten",
    }


def test_a_wish_is_changed_or_taken_back(link: str, session: Session) -> None:
    browser, wish = Client(), {"act": "ask", "visit": f"{session.pk}.1"}
    empty = browser.post(link, wish)
    assert (empty.status_code, says(empty, "[role=alert]")) == (
        422,
        ["Please say what suits you: a day, a time of day, or a few words."],
    )
    browser.post(link, wish | {"weekday": "2"})
    changed = browser.post(link, wish | {"part": "afternoon"}, follow=True)
    assert told(changed, ".notice")[0].endswith("stands. Afternoons")

    kept = browser.post(link, {"act": "take-back", "visit": f"{session.pk}.1"}, follow=True)

    assert told(kept, ".notice") == ["Your request is taken back. Your date stands."]
    assert not Task.objects.filter(kind=TaskKind.MOVE_ASKED, done_at=None).exists()
    assert told(browser.get(link), "button") == ["Send my request"]


def test_a_wish_that_is_too_long_is_kept_and_said(link: str, session: Session) -> None:
    wish = {"act": "ask", "visit": f"{session.pk}.1", "weekday": "2", "text": "x" * 201}

    answer = Client().post(link, wish)

    assert (answer.status_code, says(answer, "[role=alert]")) == (422, ["At most 200 letters, please."])
    assert told(answer, "textarea") == ["x" * 201]


@pytest.mark.parametrize("sent", [{}, {"visit": "x"}, {"visit": "1.99"}, {"to": "0001-01-01T00:00"}, {"to": "soon"}])
def test_what_no_page_has_made_changes_nothing(link: str, session: Session, sent: dict[str, str]) -> None:
    answer = Client().post(link, {"act": "move", **sent})

    session.refresh_from_db()
    assert (answer.status_code, session.times_version) == (302, 1)
    assert Client().get(link, {"to": "soon", "date": "never"}).status_code == 200


@pytest.mark.usefixtures("open_")
def test_the_page_of_a_patient_speaks_their_language_and_names_no_visit_in_its_address(link: str) -> None:
    answer = Client().get(f"{link}?language=es")

    assert answer["Content-Language"] == "es"
    assert page(answer).all("h2")[0].text.startswith("miércoles 3")
