"""The questions before a visit, on the patient's page: taps, double taps, two windows, forged values, item 9."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client

from patients.models import Patient, Questionnaire, Score, Task
from scheduling.mails import links
from scheduling.models import Course, Mail, MailKind, Session, SessionState
from tests.factories import MONDAY, local, went
from tests.pages import form_data, page, says, signed_in

EVENING = local(MONDAY.replace(day=2), "20:00")

CALM = [1, 2, 1, 0, 3, 1, 0, 1, 0]


@pytest.fixture
def visit(course: Course) -> Session:
    """The second visit of the course, on Thursday 4 February at nine; the first was given on Monday."""
    first, second, *_ = course.sessions.in_order()
    went(Session.objects.filter(pk=first.pk))
    return second


@pytest.fixture
def link(visit: Session) -> str:
    """The questions behind the link of the mail two days before."""
    mail = Mail.objects.get(session=visit, kind=MailKind.TWO_DAYS)
    return f"/dates/{links.token(mail.seed)}/form/"


@pytest.fixture(autouse=True)
def evening(at_now: None) -> Iterator[None]:
    """It is Tuesday evening."""
    with time_machine.travel(EVENING, tick=False):
        yield


@pytest.fixture
def phone() -> Client:
    return Client(enforce_csrf_checks=False)


def tap(phone: Client, link: str, step: int, value: object) -> Any:
    return phone.post(f"{link}{step}/", {"value": value})


def follow(phone: Client, answer: Any) -> Any:
    """The page that a tap leads to: no page is the answer to a POST itself, so that going back sends nothing."""
    assert answer.status_code == 302
    return phone.get(answer["Location"])


def tap_all(phone: Client, link: str, values: list[int], first: int = 1) -> Any:
    answer = None
    for step, value in enumerate(values, start=first):
        answer = tap(phone, link, step, value)
    return answer


def send(phone: Client, link: str, part: object = 1) -> Any:
    return phone.post(link, {"part": part})


def test_it_begins_with_the_first_question_and_four_answers(phone: Client, link: str) -> None:
    answer = phone.get(link, follow=True)

    assert answer.redirect_chain == [(f"{link}1/", 302)]
    assert says(answer, "h1") == ["Little interest or pleasure in doing things"]
    assert says(answer, "button.tap") == [
        "Not at all",
        "Several days",
        "More than half the days",
        "Nearly every day",
    ]
    assert Questionnaire.objects.count() == 0  # reading writes nothing


def test_titles_and_addresses_say_nothing(phone: Client, link: str) -> None:
    titles = []
    for step in (1, 9, 10, 16):
        titles += says(phone.get(f"{link}{step}/"), "title")
    tap_all(phone, link, CALM)
    titles += says(phone.get(link), "title")
    send(phone, link)
    titles += says(phone.get(link), "title")

    assert [title.split(" · ")[0] for title in titles] == [
        "1 of 9",
        "9 of 9",
        "1 of 7",
        "7 of 7",
        "Your answers",
        "Your answers",
    ]


def test_nine_taps_and_send(phone: Client, link: str, visit: Session) -> None:
    for step, value in enumerate(CALM, start=1):
        shown = phone.get(link, follow=True)
        assert shown.request["PATH_INFO"] == f"{link}{step}/"
        tap(phone, link, step, value)
    review = phone.get(link)
    assert says(review, "p.given-one")[4] == "Nearly every day Change"
    done = phone.post(link, form_data(review), follow=True)

    assert says(done, "h1") == ["Thank you. We have your answers."]
    assert [(score.items, score.by, score.session) for score in Score.objects.all()] == [(CALM, None, visit)]
    assert "Answer 7 more" in says(done, "a")


def test_who_leaves_goes_on_where_they_were(phone: Client, link: str) -> None:
    tap_all(phone, link, CALM[:3])

    assert Client().get(link)["Location"] == f"{link}4/"


def test_an_answer_is_changed_and_the_way_leads_back(phone: Client, link: str) -> None:
    tap_all(phone, link, CALM)
    shown = phone.get(f"{link}5/")
    assert [one.attributes["aria-pressed"] for one in page(shown).all("button.tap")] == [
        "false",
        "false",
        "false",
        "true",
    ]
    assert tap(phone, link, 5, 0)["Location"] == link
    assert Questionnaire.objects.get().answers == [1, 2, 1, 0, 0, 1, 0, 1, 0]


def test_double_taps_and_two_windows_do_no_harm(phone: Client, link: str) -> None:
    other = Client()
    tap_all(phone, link, CALM[:8])
    tap(phone, link, 8, 1)
    tap(other, link, 9, 0)
    tap(phone, link, 9, 0)
    send(phone, link)
    for window in (phone, other):
        assert send(window, link)["Location"] == link
    assert tap(other, link, 3, 3)["Location"] == link

    assert [score.items for score in Score.objects.all()] == [CALM]
    assert Questionnaire.objects.get().answers == CALM


def test_a_review_that_is_old_by_now_sends_only_its_own_part(phone: Client, link: str) -> None:
    tap_all(phone, link, CALM)
    send(phone, link)
    tap_all(phone, link, [1] * 7, first=10)
    send(phone, link)
    assert Score.objects.filter(instrument="gad7").count() == 0

    send(phone, link, 2)
    assert Score.objects.get(instrument="gad7").total == 7
    assert says(phone.get(link), "h1") == ["Thank you. We have your answers."]


@pytest.mark.parametrize("value", ["", "4", "-1", "1.0", "x", "٣", "1\0"])
def test_forged_values_are_asked_again(phone: Client, link: str, value: str) -> None:
    answer = tap(phone, link, 1, value)

    assert (answer.status_code, says(answer, "p.lacks")) == (422, ["Please choose one of the four answers."])
    assert Questionnaire.objects.count() == 0


@pytest.mark.parametrize("step", [0, 17, 999])
def test_steps_that_are_none_lead_back(phone: Client, link: str, step: int) -> None:
    assert phone.get(f"{link}{step}/")["Location"] == link
    assert tap(phone, link, step, 1)["Location"] == link


@pytest.mark.parametrize("part", ["", "0", "3", "x", "2"])
def test_a_part_that_is_none_sends_nothing(phone: Client, link: str, part: str) -> None:
    tap_all(phone, link, CALM)
    assert send(phone, link, part)["Location"] == link

    assert Score.objects.count() == 0


def test_what_is_not_complete_leads_to_the_open_question(phone: Client, link: str) -> None:
    tap_all(phone, link, CALM[:8])
    answer = phone.post(link, {"part": 1}, follow=True)

    assert answer.request["PATH_INFO"] == f"{link}9/"
    assert Score.objects.count() == 0


def test_a_wrong_link_opens_nothing(phone: Client, link: str) -> None:
    token = link.split("/")[2]
    wrong = link.replace(token, token[:-1] + ("0" if token[-1] != "0" else "1"))

    assert [phone.get(wrong).status_code, tap(phone, wrong, 1, 1).status_code, send(phone, wrong).status_code] == [
        404,
        404,
        404,
    ]


def test_forms_of_other_sites_do_nothing(link: str) -> None:
    strict = Client(enforce_csrf_checks=True)

    assert [tap(strict, link, 1, 1).status_code, send(strict, link).status_code] == [403, 403]
    assert Questionnaire.objects.count() == 0


def test_after_the_dose_began_there_is_nothing_to_answer(phone: Client, link: str, visit: Session) -> None:
    tap_all(phone, link, CALM)
    went(Session.objects.filter(pk=visit.pk), SessionState.GIVING)
    tap(phone, link, 1, 3)
    send(phone, link)

    assert says(phone.get(link), "h1") == ["There is nothing to answer now."]
    assert (Questionnaire.objects.get().answers, Score.objects.count()) == (CALM, 0)


def test_the_link_of_another_patient_reaches_only_their_own(phone: Client, link: str, patient: Patient) -> None:
    tap(phone, link, 1, 2)

    assert Questionnaire.objects.get().patient == patient


# Item 9


def test_item_9_is_answered_with_whom_to_call_and_told_at_once(phone: Client, link: str, visit: Session) -> None:
    tap_all(phone, link, CALM[:8])
    answer = follow(phone, tap(phone, link, 9, 1))

    [risk] = page(answer).all("section.risk")
    assert risk.attributes["role"] == "alert"
    assert [(one.text, one.attributes["href"]) for one in risk.all("a")] == [
        ("Call 988", "tel:988"),
        ("Call 911", "tel:911"),
        ("Call +1 555 010 0100", "tel:+15550100100"),
    ]
    assert says(answer, "h2") == ["You are not alone.", "Your answers"]
    assert "Send" in says(answer, "button")
    assert Task.objects.filter(kind="item-9", patient=visit.patient, done_at=None).count() == 1
    assert Score.objects.count() == 0


def test_whom_to_call_stays_in_sight_before_and_after_sending(phone: Client, link: str) -> None:
    tap_all(phone, link, [*CALM[:8], 3])
    assert says(phone.get(link), "h2") == ["You are not alone.", "Your answers"]
    send(phone, link)

    assert says(phone.get(link), "h2") == ["You are not alone."]
    assert Task.objects.filter(kind="item-9").count() == 1


def test_item_9_out_of_its_turn_is_told_as_well(phone: Client, link: str) -> None:
    told = tap(phone, link, 9, 2)
    answer = follow(phone, told)

    assert told["Location"] == f"{link}1/?after=9"
    assert [says(answer, "h2"), says(answer, "section.brief")] == [["You are not alone."], []]
    assert says(phone.get(told["Location"]), "section.risk") == says(answer, "section.risk")  # loaded again
    assert says(answer, "h1") == ["Little interest or pleasure in doing things"]
    assert says(phone.get(f"{link}4/"), "h2") == ["You are not alone."]


def test_an_answer_that_is_taken_back_is_said_to_have_been_told(phone: Client, link: str) -> None:
    tap_all(phone, link, [*CALM[:8], 2])
    answer = follow(phone, tap(phone, link, 9, 0))

    assert says(answer, "section.risk") == []
    [notice] = says(answer, "div.notice")
    assert notice.startswith("Your answer is changed. Our clinicians were told of the first one")
    assert Task.objects.filter(kind="item-9", done_at=None).count() == 1


def test_the_clinician_reads_that_it_was_changed_to_0_before_it_was_sent(
    phone: Client, link: str, visit: Session
) -> None:
    prescriber = signed_in(visit.prescriber)
    tap_all(phone, link, [*CALM[:8], 1])
    tap(phone, link, 9, 0)
    line = f"/worklist/?line={Task.objects.get(kind='item-9').pk}"
    (before,) = page(prescriber.get(line)).all("[id=chosen]")
    send(phone, link)
    (sent,) = page(prescriber.get(line)).all("[id=chosen]")

    assert [panel.all("h2")[0].text for panel in (before, sent)] == ["Item 9: 0, changed from 1 (“several days”)"] * 2
    headings = [[one.text for one in panel.all("h3") if "Answers" in one.text] for panel in (before, sent)]
    assert headings == [["Answers so far, Tue 2 Feb 20:00"], ["Answers, sent Tue 2 Feb 20:00"]]
    assert [one.text for panel in (before, sent) for one in panel.all("li.total")] == ["Total, mild 9"]
    assert "Item 9 was changed to 0 before the answers were sent." not in before.text
    assert "Item 9 was changed to 0 before the answers were sent." in sent.text


def test_where_no_number_is_set_none_is_shown(phone: Client, link: str, visit: Session) -> None:
    visit.site.crisis_line = visit.site.emergency_number = ""
    visit.site.save(update_fields=["crisis_line", "emergency_number"])

    assert says(follow(phone, tap(phone, link, 9, 1)), "section.risk")[0].count("Call ") == 1
