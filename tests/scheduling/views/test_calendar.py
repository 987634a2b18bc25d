"""The calendar: its table, what it carries for the script, and where a visit on it could go."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.models import OpeningHours, Shift, Staff
from patients.models import Patient
from scheduling.models import Course, Day, Session, SessionState
from tests.factories import (
    MONDAY,
    Clinic,
    ClosureFactory,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    ShiftFactory,
    SiteFactory,
    StaffFactory,
    local,
    make_clinic,
    went,
)
from tests.pages import page, says, signed_in
from tests.scheduling.views import book

WEEK = "/calendar/2027-02-01/"


def cells(answer: Any) -> list[list[str]]:
    """What the table says, row by row."""
    (body,) = page(answer).all("tbody")
    return [[cell.text for cell in row.below() if cell.tag in ("td", "th")] for row in body.all("tr")]


def data(answer: Any) -> dict[str, Any]:
    """What the page carries for its script."""
    (source,) = page(answer).all("[id=calendar-data]")
    carried: dict[str, Any] = json.loads("".join(str(text) for text in source.children))
    return carried


def visits(answer: Any) -> list[tuple[str, str, str, int, int, str]]:
    """Chair, prescriber, date, start and end on the site's clocks, and state, of all visits that the script draws."""
    carried = data(answer)
    return [
        (
            carried["chairs"][chair][1],
            carried["prescribers"][prescriber][1],
            carried["days"][day][0],
            start,
            end,
            carried["states"][state][0],
        )
        for _, _, chair, prescriber, day, start, end, _, state, *_ in carried["visits"]
    ]


def test_the_week_is_a_table_of_chairs_and_days(desk: Client, clinic: Clinic, course: Course) -> None:
    late = PatientFactory.create(last_name="Asante", first_name="Kwame")
    book(clinic, late, days=(1, 4, 8, 11), chair=1, hold=True)
    answer = desk.get("/calendar/2027-02-03/")

    assert says(answer, "h1") == ["1 – 7 February 2027"]
    assert says(answer, "thead") == [
        "Chair Mon 1 Feb today · 1 visit Tue 2 Feb 1 visit Wed 3 Feb 0 visits Thu 4 Feb 1 visit Fri 5 Feb 1 visit"
    ]
    assert cells(answer)[:3] == [
        [
            "Chair 1",
            "09:00 Vance, Eleanor Move Booked, 1 of 6, RK",
            "–",
            "–",
            "09:00 Vance, Eleanor Move Booked, 2 of 6, RK",
            "–",
        ],
        [
            "Chair 2",
            "–",
            "09:00 Asante, Kwame Move Held, 1 of 4, RK",
            "–",
            "–",
            "09:00 Asante, Kwame Move Held, 2 of 4, RK",
        ],
        ["Chair 3", "–", "–", "–", "–", "–"],
    ]


def test_a_visit_leads_to_its_course_and_to_where_it_is_moved(desk: Client, course: Course) -> None:
    first = course.sessions.in_order()[0]
    links = page(desk.get(WEEK)).all("tbody")[0].all("a")[:2]

    assert [link.attributes["href"] for link in links] == [f"/courses/{course.pk}/", f"/sessions/{first.pk}/move/"]


def test_by_prescriber_the_rows_are_people(desk: Client, clinic: Clinic, course: Course) -> None:
    assert cells(desk.get(WEEK, {"by": "prescriber", "view": "day"})) == [
        [clinic.prescribers[0].short_name, "09:00 Vance, Eleanor Move Booked, 1 of 6, Chair 1"],
        [clinic.prescribers[1].short_name, "–"],
    ]


def test_a_day_alone(desk: Client, course: Course) -> None:
    answer = desk.get("/calendar/2027-02-04/", {"view": "day"})

    assert says(answer, "h1") == ["Thursday 4 February 2027"]
    assert [row[1] for row in cells(answer)][:2] == ["09:00 Vance, Eleanor Move Booked, 2 of 6, RK", "–"]


@pytest.mark.parametrize(
    ("address", "links"),
    [
        (
            WEEK,
            {
                "previous": "/calendar/2027-01-25/",
                "next": "/calendar/2027-02-08/",
                "day": "/calendar/2027-02-01/?view=day",
                "week": "/calendar/2027-02-01/",
                "chair": "/calendar/2027-02-01/",
                "prescriber": "/calendar/2027-02-01/?by=prescriber",
                "today": "/calendar/2027-02-01/",
            },
        ),
        (
            "/calendar/2027-02-04/?view=day&by=prescriber",
            {
                "previous": "/calendar/2027-02-03/?view=day&by=prescriber",
                "next": "/calendar/2027-02-05/?view=day&by=prescriber",
                "day": "/calendar/2027-02-04/?view=day&by=prescriber",
                "week": "/calendar/2027-02-04/?by=prescriber",
                "chair": "/calendar/2027-02-04/?view=day",
                "prescriber": "/calendar/2027-02-04/?view=day&by=prescriber",
                "today": "/calendar/2027-02-01/?view=day&by=prescriber",
            },
        ),
    ],
)
def test_other_dates_and_views_are_links_that_keep_the_rest(desk: Client, address: str, links: dict[str, str]) -> None:
    assert desk.get(address).context["links"] == links


@pytest.mark.parametrize("day", ["1900-01-01", "2199-12-31"])
def test_the_ends_of_the_calendar_are_pages(desk: Client, day: str) -> None:
    assert desk.get(f"/calendar/{day}/").status_code == 200


def test_closed_days_and_chairs_out_of_order_say_why(desk: Client, clinic: Clinic) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY + timedelta(days=3), reason="Holiday")
    ClosureFactory.create(site=clinic.site, chair=clinic.chairs[2], reason="Pump service")
    late = DateTimeTZRange(local(MONDAY + timedelta(days=4), "15:00"), local(MONDAY + timedelta(days=5), "00:00"))
    ClosureFactory.create(site=clinic.site, during=late, reason="Staff meeting")
    answer = desk.get(WEEK)

    assert says(answer, "th")[4:6] == ["Thu 4 Feb closed, Holiday", "Fri 5 Feb 0 visits, Staff meeting"]
    assert cells(answer)[2][1] == "Pump service –"
    assert data(answer)["off"] == [
        [3, 480, 1080, -1, -1, "Holiday"],
        [4, 900, 1080, -1, -1, "Staff meeting"],
        [0, 480, 1080, 2, -1, "Pump service"],
    ]


def test_a_weekend_is_shown_when_somebody_comes_or_the_site_opens(desk: Client, clinic: Clinic) -> None:
    OpeningHours.objects.create(site=clinic.site, weekday=5, opens="09:00", closes="13:30")
    carried = data(desk.get(WEEK))

    assert [day for day, _, _ in carried["days"]] == [f"2027-02-0{number}" for number in range(1, 7)]
    assert carried["hours"] == [480, 1080]
    assert carried["off"] == [[5, 480, 540, -1, -1, ""], [5, 810, 1080, -1, -1, ""]]


def test_prescribers_who_are_not_on_shift_are_off(desk: Client, clinic: Clinic) -> None:
    late = StaffFactory.create(prescriber=True, sites=[clinic.site], last_name="Aalto")
    ShiftFactory.create(staff=late, site=clinic.site, opens="12:00", closes="16:00")
    carried = data(desk.get(WEEK, {"by": "prescriber", "view": "day"}))

    assert carried["off"] == [[0, 480, 720, -1, 0, ""], [0, 960, 1080, -1, 0, ""]]


@pytest.mark.parametrize("monday", [date(2027, 3, 8), date(2027, 3, 15), date(2027, 11, 1), date(2027, 11, 8)])
def test_times_are_the_sites_own_on_both_sides_of_a_change_of_the_clocks(at_now: None, db: None, monday: date) -> None:
    clinic = make_clinic(first=monday)
    SessionFactory.create(
        course=CourseFactory.create(site=clinic.site),
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        starts_at=local(monday, "09:00"),
    )
    answer = signed_in(clinic.desk).get(f"/calendar/{monday}/")

    assert visits(answer) == [("Chair 1", clinic.prescriber.short_name, monday.isoformat(), 540, 740, "booked")]


def test_a_visit_over_a_change_of_the_clocks_ends_when_they_say(at_now: None, db: None) -> None:
    """At night nobody treats, but a site could: 00:30 to 04:50 by the clocks in spring, to 02:50 in autumn."""
    shown = []
    for sunday in (date(2027, 3, 14), date(2027, 11, 7)):
        clinic = make_clinic(first=sunday, weeks=1)
        Shift.objects.all().delete()
        ShiftFactory.create(staff=clinic.prescriber, site=clinic.site, day=sunday, opens="00:00", closes="06:00")
        SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(sunday, "00:30"),
        )
        (visit,) = visits(signed_in(clinic.desk).get(f"/calendar/{sunday}/", {"view": "day"}))
        shown.append(visit[3:5])

    assert shown == [(30, 290), (30, 170)]


def test_whoever_may_not_book_is_shown_no_way_to_move(clinic: Clinic, course: Course) -> None:
    answer = signed_in(clinic.nurse).get(WEEK)

    assert data(answer)["mayMove"] is False
    assert cells(answer)[0][1] == "09:00 Vance, Eleanor Booked, 1 of 6, RK"


def test_what_is_not_to_come_has_no_link_to_move_it(desk: Client, course: Course) -> None:
    went(Session.objects.filter(course=course, local_date=MONDAY), SessionState.GIVING)

    assert cells(desk.get(WEEK))[0][1] == "09:00 Vance, Eleanor Giving, 1 of 6, RK"


def test_a_site_without_chairs_says_who_sets_them_up(at_now: None, db: None) -> None:
    answer = signed_in(StaffFactory.create(sites=[SiteFactory.create()])).get("/calendar/")

    assert says(answer, ".empty") == ["This site has no chairs yet. A manager sets them up."]


def test_a_visit_that_is_taken_along_comes_with_the_page(desk: Client, course: Course) -> None:
    visit = course.sessions.in_order()[1]
    carried = data(desk.get("/calendar/2027-02-15/", {"move": visit.pk}))

    assert carried["moving"][:7] == [visit.pk, course.pk, 0, 0, -1, 540, 740]
    assert carried["elsewhere"] == ["2027-02-04", "Thu 4 Feb"]
    assert [data(desk.get(WEEK, {"move": wrong}))["moving"] for wrong in ("0", "x", "99999999999", "²")] == [None] * 4


# Keeping up


def version(client: Client, site: int, day: str = "2027-02-03") -> Any:
    return client.get(f"/calendar/{day}/version/", {"site": site}, headers={"X-Background": "1"})


def test_the_version_of_a_week_grows_with_each_of_its_days(desk: Client, clinic: Clinic, course: Course) -> None:
    before = version(desk, clinic.site.pk).json()["version"]
    shown = data(desk.get(WEEK))["version"]
    Day.objects.filter(site=clinic.site, date=MONDAY + timedelta(days=3)).update(version=F("version") + 1)
    after = version(desk, clinic.site.pk).json()["version"]

    assert (before, after) == (shown, shown + 1)
    assert version(desk, clinic.site.pk, "2027-05-05").json()["version"] == 0


def test_a_day_alone_follows_its_week(desk: Client, clinic: Clinic, course: Course) -> None:
    shown = data(desk.get("/calendar/2027-02-02/", {"view": "day"}))["version"]

    assert shown == version(desk, clinic.site.pk, "2027-02-02").json()["version"]


def test_the_version_takes_one_query(desk: Client, clinic: Clinic, course: Course) -> None:
    with CaptureQueriesContext(connection) as queries:
        version(desk, clinic.site.pk)

    assert len(queries) == 1


def test_the_version_is_nothing_without_a_sign_in(clinic: Clinic) -> None:
    assert version(Client(), clinic.site.pk).status_code == 401


# Where it could go


def starts(client: Client, session: Session, day: str = "2027-02-01", **asked: Any) -> Any:
    return client.get(f"/calendar/{day}/starts/{session.pk}/", asked)


def test_where_a_visit_could_go_is_said_in_windows(desk: Client, clinic: Clinic, course: Course) -> None:
    visit = course.sessions.in_order()[1]
    chair, doctor = clinic.chairs[1].pk, clinic.prescriber.pk
    answer = starts(desk, visit).json()
    windows = [window for window in answer["windows"] if window[1] == chair]

    assert answer["step"] == clinic.site.start_step
    assert windows == [
        ["2027-02-02", chair, doctor, 480, 880, 1, "2027-02-02T13:00"],
        ["2027-02-03", chair, doctor, 480, 880, 0, "2027-02-03T13:00"],
        ["2027-02-04", chair, doctor, 480, 880, 0, "2027-02-04T13:00"],
        ["2027-02-05", chair, doctor, 480, 880, 0, "2027-02-05T13:00"],
    ]


def test_where_it_could_go_with_somebody_else(desk: Client, clinic: Clinic, course: Course) -> None:
    other = clinic.prescribers[1].pk
    answer = starts(desk, course.sessions.in_order()[1], prescriber=other).json()

    assert {window[2] for window in answer["windows"]} == {other}


def test_in_the_fold_of_autumn_the_two_hours_are_told_apart(at_now: None, db: None) -> None:
    monday, sunday = date(2027, 11, 1), date(2027, 11, 7)
    clinic = make_clinic(first=monday, chairs=1, prescribers=1)
    OpeningHours.objects.create(site=clinic.site, weekday=6, opens="00:00", closes="06:00")
    ShiftFactory.create(staff=clinic.prescriber, site=clinic.site, day=sunday, opens="00:00", closes="06:00")
    session = SessionFactory.create(
        course=CourseFactory.create(site=clinic.site),
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        starts_at=local(monday, "09:00"),
    )
    windows = starts(signed_in(clinic.desk), session, sunday.isoformat()).json()["windows"]
    place = ["2027-11-07", clinic.chairs[0].pk, clinic.prescriber.pk]

    assert [window for window in windows if window[0] == "2027-11-07"] == [
        [*place, 0, 110, 0, "2027-11-07T04:00"],
        [*place, 60, 160, 0, "2027-11-07T06:00"],
    ]


def test_a_visit_that_has_begun_goes_nowhere(desk: Client, course: Course) -> None:
    visit = course.sessions.in_order()[0]
    went(Session.objects.filter(pk=visit.pk), SessionState.GIVING)
    answer = starts(desk, visit)

    assert (answer.status_code, answer.json()) == (
        409,
        {"message": "This visit has begun, ended or been cancelled; it cannot be moved."},
    )


def test_where_it_could_go_is_for_those_who_book_here(clinic: Clinic, course: Course) -> None:
    visit = course.sessions.in_order()[0]
    stranger = StaffFactory.create(sites=[SiteFactory.create()])

    def status(staff: Staff) -> int:
        return int(starts(signed_in(staff), visit).status_code)

    assert [status(staff) for staff in (*clinic.staff, stranger)] == [200, 200, 200, 403, 200, 404]


# How much it takes


def full_week(clinic: Clinic) -> None:
    """Two visits a day in each chair, Monday to Friday; each prescriber has four patients at once at most."""
    courses = [CourseFactory.create(site=clinic.site, patient=patient) for patient in patients(len(clinic.chairs) * 2)]
    drafts = [
        SessionFactory.build(
            course=courses[number * 2 + half],
            chair=chair,
            prescriber=clinic.prescribers[number // 4],
            starts_at=local(MONDAY + timedelta(days=day), ("08:00", "12:00")[half]),
            number=day + 1,
        )
        for number, chair in enumerate(clinic.chairs)
        for half in range(2)
        for day in range(5)
    ]
    Session.objects.bulk_create(drafts)


def patients(count: int) -> list[Patient]:
    return PatientFactory.create_batch(count, last_name="Castellanos-Brandvold", first_name="Maria Magdalena")


@pytest.mark.parametrize("by", ["chair", "prescriber"])
@pytest.mark.parametrize("chairs", [4, 40])
def test_it_takes_as_many_queries_for_forty_chairs_as_for_four(at_now: None, db: None, chairs: int, by: str) -> None:
    clinic = make_clinic(chairs=chairs, prescribers=chairs // 4)
    full_week(clinic)
    client = signed_in(clinic.desk)
    client.get(WEEK)  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(WEEK, {"by": by})

    assert len(visits(answer)) == chairs * 10
    assert len(answer.content) < 130_000  # 40 chairs over 7 long days, a thousand visits, stay under 300 kB
    # session, user, sites; versions, hours and closures (2; shifts and bookings by prescriber), closures' reasons,
    # visits, prescribers, chairs; open worklist lines
    assert len(queries) == {"chair": 11, "prescriber": 13}[by]
