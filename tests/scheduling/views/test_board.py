"""The day board."""

from __future__ import annotations

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling.models import Course, SessionState
from tests.factories import (
    MONDAY,
    Clinic,
    ClosureFactory,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    SiteFactory,
    StaffFactory,
    local,
    make_clinic,
)
from tests.pages import page, says, signed_in
from tests.scheduling.views import book


def test_each_chair_lists_its_visits_in_order_of_time(desk: Client, clinic: Clinic, course: Course) -> None:
    late = PatientFactory.create(last_name="Asante", first_name="Kwame")
    book(clinic, late, days=(0, 3, 7, 10), chair=1)
    SessionFactory.create(
        course=CourseFactory.create(site=clinic.site, patient=PatientFactory.create(last_name="Ng", first_name="Li")),
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        starts_at=local(MONDAY, "13:00"),
        state=SessionState.CONFIRMED,
    )
    shown = page(desk.get("/"))
    doctor = clinic.prescriber.short_name

    assert [chair.all("h2")[0].text for chair in shown.all("section.panel")] == [c.name for c in clinic.chairs]
    assert [visit.text for visit in shown.all("section.panel")[0].all("li.visit")] == [
        f"09:00 12:20 Vance, Eleanor Booked Dose 09:30–10:10 Home from 12:10 {doctor} visit 1",
        f"13:00 16:20 Ng, Li Confirmed Dose 13:30–14:10 Home from 16:10 {doctor} visit 1",
    ]
    assert [visit.text for visit in shown.all("section.panel")[1].all("li.visit")] == [
        f"09:00 12:20 Asante, Kwame Booked Dose 09:30–10:10 Home from 12:10 {doctor} visit 1"
    ]
    assert shown.all("section.panel")[2].text == "Chair 3 0 visits Nothing is booked in this chair."


def test_a_visit_leads_to_its_course_and_is_drawn_to_scale(desk: Client, course: Course) -> None:
    (visit,) = page(desk.get("/")).all("li.visit")

    assert visit.all("a")[0].attributes["href"] == f"/courses/{course.pk}/"
    assert [(part.attributes["x"], part.attributes["width"]) for part in visit.all("rect")] == [
        ("0", "29"),
        ("30", "39"),
        ("70", "119"),
        ("190", "9"),
    ]


def test_a_held_visit_says_until_when(desk: Client, clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient, hold=True)

    assert says(desk.get("/"), ".tag") == ["Today", "Held until Tue 2 Feb 07:00"]


def test_who_has_not_come_is_late(clinic: Clinic, course: Course) -> None:
    with time_machine.travel(local(MONDAY, "09:12"), tick=False):
        assert says(signed_in(clinic.desk).get("/"), ".tag") == ["Today", "Late 12 min", "Booked"]


def test_other_days_are_a_step_or_a_date_away(desk: Client, course: Course) -> None:
    shown = page(desk.get("/board/2027-02-04/"))
    picked = desk.get("/", {"date": "2027-02-08"})

    assert shown.all("h1")[0].text == "Thursday 4 February 2027"
    assert [link.attributes["href"] for link in shown.all("a.square")] == ["/board/2027-02-03/", "/board/2027-02-05/"]
    assert len(shown.all("li.visit")) == 1
    assert (picked.status_code, picked["Location"]) == (302, "/board/2027-02-08/")


@pytest.mark.parametrize("day", ["2027-02-30", "0001-01-01", "9999-12-31", "today"])
def test_a_date_that_cannot_be_is_no_address(desk: Client, day: str) -> None:
    assert desk.get(f"/board/{day}/").status_code == 404


def test_a_closed_day_says_why_and_when_it_opens_again(desk: Client, clinic: Clinic) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY, days=2, reason="Painting")

    assert says(desk.get("/"), ".closed") == [
        "Monday 1 February, Painting. The site is closed. Next open day: Wed 3 Feb"
    ]
    assert says(desk.get("/board/2027-02-06/"), ".closed") == [
        "Saturday 6 February. The site is closed. Next open day: Mon 8 Feb"
    ]


def test_a_chair_out_of_order_is_named(desk: Client, clinic: Clinic) -> None:
    closure = ClosureFactory.create(site=clinic.site, chair=clinic.chairs[2], reason="Pump service")

    assert says(desk.get("/"), "p.opening") == [f"Open 08:00–18:00 {closure.chair}: Pump service, all day"]


def test_a_site_without_chairs_says_who_sets_them_up(at_now: None, db: None) -> None:
    answer = signed_in(StaffFactory.create(sites=[SiteFactory.create()])).get("/")

    assert says(answer, ".empty") == ["This site has no chairs yet. A manager sets them up."]


def test_everybody_who_works_here_sees_it_and_nobody_else(clinic: Clinic) -> None:
    assert [signed_in(staff).get("/").status_code for staff in clinic.staff] == [200] * 5
    assert Client().get("/").status_code == 302


@pytest.mark.parametrize("visits", [1, 30])
def test_it_takes_as_many_queries_for_thirty_visits_as_for_one(at_now: None, db: None, visits: int) -> None:
    clinic = make_clinic(chairs=10, prescribers=3)
    for number in range(visits):
        SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=clinic.chairs[number // 3],
            prescriber=clinic.prescribers[number // 3 % 3],
            starts_at=local(MONDAY, ("08:00", "11:20", "14:40")[number % 3]),
        )
    client = signed_in(clinic.desk)
    client.get("/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/")

    assert len(page(answer).all("li.visit")) == visits
    # session, user, sites, the date; closures, hours less closures (2), sessions, chairs; open worklist lines
    assert len(queries) == 10
