"""The page on which the desk opens times for patients."""

from __future__ import annotations

from datetime import time

import pytest
from django.test import Client

from clinic.models import SelfServiceHours
from scheduling.self_service import Window, read
from tests.factories import Clinic
from tests.pages import page, says
from tests.scheduling.views import told


def test_it_says_in_words_what_patients_can_do(clinic: Clinic, desk: Client) -> None:
    (before, _notice) = told(desk.get("/self-service/"), ".body")
    assert before.startswith("Patients cannot move visits by themselves.")

    answer = desk.post("/self-service/", {"weekday": "2", "opens": "09:00", "closes": "12:00"}, follow=True)

    assert told(answer, ".said") == ["Wednesday from 09:00 to 12:00"]
    assert "until 48 hours before it" in told(answer, ".body")[0]
    assert read(clinic.site).windows == (Window(2, time(9), time(12)),)


def test_a_window_is_opened_and_closed_with_one_press_each(clinic: Clinic, desk: Client) -> None:
    desk.post("/self-service/", {"weekday": "2", "opens": "09:00", "closes": "12:00"})
    desk.post("/self-service/", {"weekday": "2", "opens": "11:00", "closes": "14:00"})  # one with the other
    desk.post("/self-service/", {"weekday": "0", "opens": "16:00", "closes": "16:00"})  # a single start
    assert read(clinic.site).windows == (Window(0, time(16), time(16)), Window(2, time(9), time(14)))

    desk.post("/self-service/", {"close": "2 09:00 14:00"})

    assert read(clinic.site).windows == (Window(0, time(16), time(16)),)


def test_a_day_on_which_the_site_is_closed_is_marked(desk: Client) -> None:
    answer = desk.post("/self-service/", {"weekday": "6", "opens": "09:00", "closes": "12:00"}, follow=True)

    assert told(answer, ".said") == ["Sunday from 09:00 to 12:00 closed that day: nothing is offered"]


def test_open_days_are_suggested_until_a_visit_ends_before_the_clinic_closes(desk: Client) -> None:
    shown = page(desk.get("/self-service/"))
    fields = [
        [field.attributes["value"] for field in day.all("[type=time]")] for day in shown.all("ul.week")[0].all("li")
    ]

    assert fields == [["08:00", "14:40"]] * 5  # open from eight to six; a visit takes three hours and 20 minutes
    assert "The clinic is closed: Saturday, Sunday." in shown.all("section")[0].text


def test_the_notice_is_one_press(clinic: Clinic, desk: Client) -> None:
    answer = desk.post("/self-service/", {"notice": "24"}, follow=True)

    clinic.site.refresh_from_db()
    assert clinic.site.self_service_notice == 24
    assert told(answer, "button.chosen") == ["24 hours"]


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        ({"weekday": "2", "opens": "12:00", "closes": "09:00"}, "The last start comes after the first."),
        ({"weekday": "7", "opens": "09:00", "closes": "12:00"}, "There is no such weekday."),
        ({"weekday": "2", "opens": "early"}, "Say the first start and the last, such as 09:00 and 12:00."),
        ({"notice": "-1"}, "Say how many hours before."),
        ({"notice": "673"}, "Say how many hours before, up to 672."),
    ],
)
def test_what_cannot_be_meant_is_refused(desk: Client, sent: dict[str, str], refusal: str) -> None:
    answer = desk.post("/self-service/", sent)

    assert (answer.status_code, says(answer, "[role=alert]")) == (422, [refusal])
    assert SelfServiceHours.objects.count() == 0
