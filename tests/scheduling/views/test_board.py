"""The day board."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session as StoredSession
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.models import OpeningHours, Role, Shift, Staff
from patients import worklist
from patients.models import Instrument, Patient, Score, TaskKind
from scheduling import placing
from scheduling.models import Course, Day, Session, SessionState
from scheduling.portal import questionnaires
from tests.factories import (
    MONDAY,
    NOW,
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
from tests.pages import Element, page, says, signed_in
from tests.scheduling import measure
from tests.scheduling.views import book

BACKGROUND = {"X-Background": "1"}


def visit(clinic: Clinic, clock: str = "09:00", chair: int = 0, name: str = "Ng, Li", **more: Any) -> Session:
    """A visit on MONDAY with the first prescriber."""
    last, first = name.split(", ")
    patient = PatientFactory.create(last_name=last, first_name=first, phone="+1 555 010 1200")
    return SessionFactory.create(
        course=CourseFactory.create(site=clinic.site, patient=patient),
        chair=clinic.chairs[chair],
        prescriber=clinic.prescriber,
        starts_at=local(MONDAY, clock),
        **more,
    )


def measured(session: Session, clock: str, **values: Any) -> None:
    """A round of measurements on MONDAY."""
    measure(session, local(MONDAY, clock), **values)


def seen(clinic: Clinic, clock: str, path: str = "/", by: Staff | None = None) -> Element:
    """The board as the desk sees it on MONDAY at that time, or somebody else."""
    with time_machine.travel(local(MONDAY, clock), tick=False):
        return page(signed_in(by or clinic.desk).get(path))


def texts(shown: Element, selector: str) -> list[str]:
    return [element.text for element in shown.all(selector)]


def test_each_chair_lists_its_visits_in_order_of_time(desk: Client, clinic: Clinic, course: Course) -> None:
    late = PatientFactory.create(last_name="Asante", first_name="Kwame")
    book(clinic, late, days=(0, 3, 7, 10), chair=1)
    visit(clinic, "13:00", state=SessionState.CONFIRMED)
    shown = page(desk.get("/"))
    doctor = clinic.prescriber.short_name

    chairs = shown.all("section.chair")
    assert [chair.all("h2")[0].text for chair in chairs] == [c.name for c in clinic.chairs]
    assert texts(chairs[0], "li.visit") == [
        f"09:00–12:20 Vance, Eleanor Dose 09:30–10:10 Booked Home from 12:10 {doctor} · 1 of 6",
        f"13:00–16:20 Ng, Li Dose 13:30–14:10 Confirmed Home from 16:10 {doctor} · 1 of 1",
    ]
    assert texts(chairs[1], "li.visit") == [
        f"09:00–12:20 Asante, Kwame Dose 09:30–10:10 Booked Home from 12:10 {doctor} · 1 of 4"
    ]
    assert texts(chairs[1], "li.free") == ["Free 08:00–09:00", "Free 12:20–18:00"]
    assert [free.attributes["title"] for free in chairs[1].all("li.free")] == [
        "Free 08:00–09:00. Shorter than a visit of 3 h 20 min",
        "Free 12:20–18:00",
    ]
    assert texts(chairs[2], "li") == ["Free 08:00–18:00"]


def test_a_visit_leads_to_its_course_and_is_drawn_to_scale(desk: Client, course: Course) -> None:
    """The hours from 8 to 18 are drawn from row 0 on, each row five minutes high."""
    (block,) = page(desk.get("/")).all("li.visit")

    assert block.all("a")[0].attributes["href"] == f"/courses/{course.pk}/"
    assert block.attributes["class"] == "visit booked y12 h40"
    assert [part.attributes["class"] for part in block.all("span.part")] == [
        "part prepare h6",
        "part give h8",
        "part monitor h24",
        "part turn-over h2",
    ]


def test_a_short_day_is_drawn_with_half_an_hour_around_it(desk: Client, clinic: Clinic, course: Course) -> None:
    OpeningHours.objects.filter(site=clinic.site).update(closes="17:00")
    shown = page(desk.get("/"))

    assert texts(shown, "ul.shuts") == ["Closed until 08:00 Closed from 17:00"]
    assert [shut.attributes["class"] for shut in shown.all("ul.shuts")[0].all("li")] == ["shut y0 h6", "shut y114 h6"]
    assert shown.all("li.visit")[0].attributes["class"] == "visit booked y18 h40"


def test_a_phase_too_short_for_a_line_leaves_its_words_to_the_next(desk: Client, clinic: Clinic) -> None:
    """Esketamine is given in ten minutes."""
    spray = CourseFactory.create(site=clinic.site)
    SessionFactory.create(
        course=spray,
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        dose_starts_at=local(MONDAY, "09:20"),
        dose_ends_at=local(MONDAY, "09:30"),
    )
    parts = page(desk.get("/")).all("span.part")

    assert [part.attributes["class"] for part in parts] == [
        "part prepare h4",
        "part give h2",
        "part monitor h32",
        "part turn-over h2",
    ]
    assert [bool(part.all("span.dose")) for part in parts] == [False, False, True, False]


def test_a_held_visit_says_until_when(desk: Client, clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient, hold=True)

    assert says(desk.get("/"), "span.state") == ["Held until Tue 2 Feb 07:00"]


@pytest.mark.parametrize(
    ("state", "clock", "word", "looks"),
    [
        (SessionState.BOOKED, "08:00", "Booked", "booked"),
        (SessionState.CONFIRMED, "08:00", "Confirmed", "confirmed"),
        (SessionState.BOOKED, "09:12", "Booked", "booked late"),
        (SessionState.CHECKED_IN, "09:12", "Checked in 09:00", "checked-in under-way"),
        (SessionState.GIVING, "09:57", "Giving 27/40 min", "giving under-way"),
        (SessionState.GIVING, "10:12", "Giving 42/40 min", "giving under-way overdue"),
        (SessionState.MONITORING, "11:42", "Monitoring 1:32", "monitoring under-way"),
        (SessionState.MONITORING, "12:44", "Monitoring 2:34", "monitoring under-way"),
        (SessionState.READY, "12:12", "Ready", "ready under-way"),
        (SessionState.DISCHARGED, "12:12", "Discharged 12:10", "discharged past"),
        (SessionState.LEFT_EARLY, "12:12", "Left early 12:10", "left-early past"),
    ],
)
def test_a_state_is_a_word_and_a_look(
    state: SessionState, clock: str, word: str, looks: str, clinic: Clinic, at_now: None
) -> None:
    going = visit(clinic, state=state)
    if going.checked_in_at:
        measure(going, local(MONDAY, clock) - timedelta(minutes=5))
    shown = seen(clinic, clock)

    assert texts(shown, "span.state") == [word]
    assert shown.all("li.visit")[0].attributes["class"] == f"visit {looks} y12 h40"


def test_who_has_not_come_stands_first_with_what_can_be_done(clinic: Clinic) -> None:
    visit(clinic, name="Asante, Kwame")
    visit(clinic, "13:30", name="Raman, Priya")
    shown = seen(clinic, "09:12")

    assert texts(shown, "span.alert") == ["Late 12 min"]
    (item,) = shown.all("section.now-panel")[0].all("li.item")
    assert item.text.startswith("09:00 Chair 1 Not arrived, 12 min late Asante, Kwame Can start until 10:10.")
    assert texts(item, "a.button") == ["+1 555 010 1200", "Comes later", "Not coming"]
    assert shown.all("[href=tel:+15550101200]") != []
    assert texts(shown, "p.counts") == ["2 visits · 1 late"]


def test_who_cannot_start_any_more_needs_a_new_time(clinic: Clinic) -> None:
    visit(clinic, "14:40")

    assert texts(seen(clinic, "14:50"), "p.note") == ["Too late to start today: the visit needs a new time."]


def test_who_rang_to_come_later_is_expected_then_and_no_alarm(clinic: Clinic) -> None:
    visit(clinic, expected_at=local(MONDAY, "09:30"))
    shown = seen(clinic, "09:12")

    assert (shown.all("section.now-panel"), texts(shown, "p.does")[0]) == ([], "Comes 09:30")
    assert (texts(shown, "span.alert"), texts(shown, "span.home")) == (
        ["Comes 09:30 (late)"],
        ["Home from about 12:40"],
    )
    assert shown.all("li.visit")[0].attributes["class"] == "visit booked y12 h40"
    (item,) = shown.all("li.item")
    assert item.attributes["class"] == "item expected"
    assert item.text == "09:30 Chair 1 Comes 09:30 (late) Ng, Li Can start until 14:40."


def test_who_does_not_come_at_the_agreed_time_either_is_late_again(clinic: Clinic) -> None:
    visit(clinic, expected_at=local(MONDAY, "09:30"))
    shown = seen(clinic, "09:31")

    assert texts(shown, "span.alert") == ["Late 31 min", "Comes at 09:30"]
    assert texts(shown.all("section.now-panel")[0], "p.title") == ["Not arrived, 31 min late"]
    assert texts(shown, "p.note") == ["Rang: comes at 09:30.", "Can start until 14:40."]


def told(shown: Element) -> list[tuple[str, str]]:
    """What stands in a list of what comes next, and who is meant."""
    return [(texts(item, "p.title")[0], item.all("a")[0].text) for item in shown.all("li.item")]


def pressing(shown: Element) -> list[tuple[str, str]]:
    """What cannot wait, and who is meant."""
    return [line for panel in shown.all("section.now-panel") for line in told(panel)]


def test_the_worst_stands_first_and_then_the_hour_ahead(clinic: Clinic) -> None:
    visit(clinic, "08:00", 0, "Late, Lou")
    measured(visit(clinic, "08:00", 1, "Over, Otis", state=SessionState.GIVING), "09:30")
    measured(visit(clinic, "09:00", 2, "Given, Gil", state=SessionState.GIVING), "09:33")
    visit(clinic, "09:40", 3, "Coming, Cleo", state=SessionState.CONFIRMED)
    visit(clinic, "14:00", 4, "After, Ann")
    shown = seen(clinic, "09:35")

    assert told(shown) == [
        ("End of dose, 25 min overdue", "Over, Otis"),
        ("Not arrived, 1 h 35 min late", "Late, Lou"),
        ("Overrun +25 min", "Over, Otis"),
        ("Vitals", "Over, Otis"),
        ("Arrival, confirmed", "Coming, Cleo"),
        ("Vitals", "Given, Gil"),
        ("Dose ends", "Given, Gil"),
        ("Arrival, booked", "After, Ann"),
    ]
    assert texts(shown, "summary")[1:] == ["1 more today"]


def test_an_overrun_names_who_comes_next_into_the_chair(clinic: Clinic) -> None:
    measured(visit(clinic, "08:00", state=SessionState.READY), "11:40")
    visit(clinic, "11:30", name="Lindqvist, Tobias", state=SessionState.CHECKED_IN)
    shown = seen(clinic, "11:44")

    assert pressing(shown) == [("Overrun +34 min", "Ng, Li"), ("May go home, since 11:10", "Ng, Li")]
    assert texts(shown.all("li.item")[0], "p.note") == [
        "Next: Lindqvist, Tobias, planned 11:30.",
        "The chair is free 11:54, home from 15:04.",
    ]
    assert [(tail.attributes["class"], tail.text) for tail in shown.all("li.tail")] == [
        ("tail y40 h7", "Overrun until 11:54 +34 min")
    ]
    assert [block.attributes["class"] for block in shown.all("li.visit")] == [
        "visit ready under-way y0 h40",
        "visit checked-in under-way y47 h40",
    ]
    assert texts(shown, "span.alert") == ["Planned 11:30, chair free 11:54"]
    assert texts(shown, "p.does")[0] == "Ready 34 min"


def test_a_dose_that_began_late_is_drawn_when_it_was_and_the_visit_runs_over(clinic: Clinic) -> None:
    """Planned from half past eight to ten past nine; the chair was planned until twenty past eleven."""
    began, ended = local(MONDAY, "09:04"), local(MONDAY, "09:44")
    late = visit(clinic, "08:00", state=SessionState.MONITORING, dose_started_at=began, dose_ended_at=ended)
    measured(late, "11:29")
    shown = seen(clinic, "11:42")

    assert [part.attributes["class"] for part in shown.all("span.part")] == [
        "part prepare h13",
        "part give h8",
        "part monitor h19",
    ]
    assert texts(shown, "span.part") == [
        "Ng, Li Began 34 min late",
        "Dose 09:04–09:44",
        (f"Monitoring 1:58 Vitals next 11:44 Home from 11:44 Missing: escort {clinic.prescriber.short_name} · 1 of 1"),
    ]
    assert texts(shown, "li.tail") == ["Overrun until 11:54 +34 min"]


def test_a_measurement_is_next_or_overdue_in_a_word_and_a_colour(clinic: Clinic) -> None:
    going = visit(clinic, state=SessionState.MONITORING)
    measured(going, "11:10", systolic=138, diastolic=86)
    before, after = seen(clinic, "11:20"), seen(clinic, "11:42")

    assert (texts(before, "span.due"), texts(before, "span.alert")) == (["Vitals next 11:25"], [])
    assert pressing(before) == []
    assert texts(after, "span.alert") == ["Vitals due 11:25, 17 min overdue"]
    (item,) = after.all("section.now-panel")[0].all("li.item")
    assert item.text == "11:25 Chair 1 Vitals, 17 min overdue Ng, Li Last 11:10: 138/86, SpO₂ 97"
    assert "red" in after.all("section.chair")[0].attributes["class"].split()


def test_the_end_of_the_prescribers_shift_is_told_with_the_name(clinic: Clinic) -> None:
    """At half past two the patient may go; the prescriber was to leave at one, which was known when it was planned."""
    monday = Shift.objects.filter(staff=clinic.prescriber, during__startswith=local(MONDAY, "08:00"))
    monday.update(during=(local(MONDAY, "08:00"), local(MONDAY, "13:00")))
    measured(visit(clinic, state=SessionState.GIVING, dose_started_at=local(MONDAY, "10:30")), "10:50")
    doctor = clinic.prescriber.short_name
    shown = seen(clinic, "10:52")

    assert texts(shown, "span.alert") == [f"{doctor} leaves 13:00"]
    assert pressing(shown) == [("Overrun +1 h", "Ng, Li")]
    assert texts(shown.all("section.now-panel")[0], "p.note") == [
        "The chair is free 13:20.",
        f"{doctor} leaves 13:00, before Ng, Li may go home.",
    ]


@pytest.mark.parametrize(("hours", "told"), [(1, ["Item 9 not seen"]), (25, [])])
def test_item_9_of_a_patient_who_comes_soon_stands_in_the_visit(clinic: Clinic, hours: int, told: list[str]) -> None:
    coming = visit(clinic)
    Score.objects.create(patient=coming.patient, instrument=Instrument.PHQ9, total=9, item_9=1, taken_at=NOW, at=NOW)

    with time_machine.travel(coming.starts_at - timedelta(hours=hours), tick=False):
        shown = page(signed_in(clinic.nurse).get(f"/board/{coming.local_date}/"))

    assert texts(shown, "span.alert") == told


def test_item_9_of_a_patient_in_the_chair_stands_first(clinic: Clinic) -> None:
    going = visit(clinic, state=SessionState.CHECKED_IN)
    measured(going, "09:05")
    Score.objects.create(
        patient=going.patient, instrument=Instrument.PHQ9, total=9, item_9=1, taken_at=NOW, by=clinic.nurse, at=NOW
    )
    shown = seen(clinic, "09:10")

    assert pressing(shown) == [("Item 9 above 0, not seen", "Ng, Li")]
    assert texts(shown, "span.alert") == ["Item 9 not seen"]
    acts = {
        staff.role: [
            (link.text, link.attributes["href"])
            for item in seen(clinic, "09:10", by=staff).all("section.now-panel")[0].all("li.item")
            if "Item 9" in item.text
            for link in item.all("a.act")
        ]
        for staff in (clinic.prescriber, clinic.nurse, clinic.desk)
    }
    path = f"/sessions/{going.pk}/visit/"
    assert acts == {"clinician": [("Acknowledge", f"{path}seen/")], "nurse": [("Open", path)], "desk": []}


def test_those_who_run_visits_have_a_button_for_each_step_and_the_desk_has_none(clinic: Clinic) -> None:
    late = visit(clinic, chair=0, name="Late, Lou")
    here = visit(clinic, "08:30", 1, "Here, Hal", state=SessionState.CHECKED_IN)
    given = visit(clinic, "08:00", 2, "Given, Gil", state=SessionState.GIVING)
    watched = visit(clinic, "08:00", 3, "Watched, Wes", state=SessionState.READY)
    for one in (here, given, watched):
        measured(one, "08:55")
    nurse, desk = (seen(clinic, "09:02", by=staff) for staff in (clinic.nurse, clinic.desk))

    assert sorted((link.text, link.attributes["href"]) for link in nurse.all("a.act")) == sorted(
        [
            ("Check in", f"/sessions/{late.pk}/visit/check-in/"),
            ("Start dose", f"/sessions/{here.pk}/visit/dose/"),
            ("Enter", f"/sessions/{here.pk}/visit/vitals/"),
            ("End dose", f"/sessions/{given.pk}/visit/finish/"),
            ("Enter", f"/sessions/{given.pk}/visit/vitals/"),
            ("Discharge", f"/sessions/{watched.pk}/visit/discharge/"),
            ("Enter", f"/sessions/{watched.pk}/visit/vitals/"),
        ]
    )
    assert {block.all("a")[0].attributes["href"] for block in nurse.all("li.visit")} == {
        f"/sessions/{one.pk}/visit/" for one in (late, here, given, watched)
    }
    assert desk.all("a.act") == []
    assert told(desk) == told(nurse)


def test_what_is_told_to_those_who_do_not_see_it_is_no_clock(clinic: Clinic) -> None:
    visit(clinic, name="Late, Lou")
    measured(visit(clinic, chair=1, state=SessionState.MONITORING), "10:10")
    said = [
        [item.attributes["data-said"] for item in seen(clinic, clock).all("section.now-panel")[0].all("li.item")]
        for clock in ("10:27", "10:28")
    ]

    assert said == [["Vitals overdue: Ng, Li, Chair 2", "Not arrived: Late, Lou, Chair 1"]] * 2


def test_a_patient_who_has_changed_chairs_is_drawn_from_then_on(clinic: Clinic) -> None:
    visit(clinic, "08:00", state=SessionState.BOOKED, chair=1)
    moved = visit(clinic, state=SessionState.MONITORING, chair_since=local(MONDAY, "10:30"))
    measured(moved, "11:00")

    assert seen(clinic, "11:05").all("section.chair")[0].all("li.visit")[0].attributes["class"] == (
        "visit monitoring under-way y30 h22"
    )


def test_a_visit_that_nobody_has_ended_does_not_stretch_another_day(clinic: Clinic) -> None:
    visit(clinic, state=SessionState.MONITORING)
    tuesday = local(MONDAY + timedelta(days=1), "12:00")
    with time_machine.travel(tuesday, tick=False):
        shown = page(signed_in(clinic.desk).get(f"/board/{MONDAY}/"))

    assert shown.all("li.visit")[0].attributes["class"] == "visit monitoring under-way overdue y12 h40"
    assert texts(shown, ".axis")[0].split()[-1] == "17:00"


def test_a_chair_is_turned_over_before_it_is_free(clinic: Clinic) -> None:
    visit(clinic, "08:00", state=SessionState.DISCHARGED)

    assert [texts(seen(clinic, clock), "p.does")[0] for clock in ("11:12", "11:20")] == [
        "Turn over until 11:20",
        "Free",
    ]


def test_who_will_not_come_is_listed_below_and_leaves_the_chair(clinic: Clinic, desk: Client) -> None:
    visit(clinic, state=SessionState.NO_SHOW)
    visit(clinic, state=SessionState.CANCELLED, name="Zhou, An")
    shown = page(desk.get("/"))

    assert shown.all("li.visit") == []
    assert texts(shown, "ol.gone") == ["09:00 Chair 1 No-show Ng, Li 09:00 Chair 1 Cancelled Zhou, An"]


def test_a_visit_that_no_longer_fits_is_told_in_words(clinic: Clinic, desk: Client) -> None:
    visit(clinic)
    ClosureFactory.create(site=clinic.site, chair=clinic.chairs[0], reason="Pump service")
    shown = page(desk.get("/"))

    assert texts(shown, "span.alert") == ["Needs a new time"]
    assert texts(shown, "section.now-panel") == ["Now · 1 09:00 Chair 1 Needs a new time Ng, Li"]
    assert texts(shown, "p.counts") == ["1 visit · 1 needs a new time"]
    assert texts(shown.all("section.chair")[0], "li.shut") == ["Out of order Pump service"]


def test_what_is_booked_can_be_confirmed_by_those_who_book(clinic: Clinic, course: Course) -> None:
    buttons = [
        [button.attributes.get("formaction") for button in page(signed_in(staff).get("/")).all("button")]
        for staff in (clinic.desk, clinic.nurse)
    ]
    confirm = f"/sessions/{course.sessions.earliest('during').pk}/confirm/"

    assert [actions.count(confirm) for actions in buttons] == [1, 0]


def test_confirming_leads_back_to_the_board(desk: Client, course: Course) -> None:
    confirm = f"/sessions/{course.sessions.earliest('during').pk}/confirm/"
    answers = [desk.post(confirm, {"back": back}) for back in ("/board/2027-02-01/", "https://elsewhere.example/", "")]

    leads = [answer["Location"] for answer in answers]
    assert leads == ["/board/2027-02-01/", f"/courses/{course.pk}/", f"/courses/{course.pk}/"]


def test_chairs_say_what_they_do_now(clinic: Clinic) -> None:
    measured(visit(clinic, "08:00", 0, state=SessionState.MONITORING), "09:10")
    visit(clinic, "09:00", 1, name="Asante, Kwame")
    visit(clinic, "13:00", 2)
    ClosureFactory.create(site=clinic.site, chair=clinic.chairs[3])
    shown = seen(clinic, "09:12")

    assert texts(shown, "p.does") == [
        "Monitoring 0:02",
        "Waiting 12 min late",
        "Free until 13:00",
        "Out of order",
        "Free",
        "Free",
    ]
    assert [re.sub("^chair ?", "", chair.attributes["class"]) for chair in shown.all("section.chair")] == [
        "",
        "amber",
        "",
        "",
        "",
        "",
    ]


def test_the_load_is_the_most_at_once_of_what_is_there(clinic: Clinic, desk: Client) -> None:
    """Two visits from nine: care from half past nine to ten past twelve."""
    Shift.objects.filter(staff=clinic.prescriber).update(patients_at_once=2)
    visit(clinic)
    visit(clinic, chair=1)
    (table,) = page(desk.get("/")).all("table.load")

    assert texts(table, "th")[:4] == [
        "RK 08–18",
        "RK 08–18",
        "Nurses load",
        "Chairs used",
    ]
    assert table.all("th")[0].attributes["title"] == f"{clinic.prescriber} 08–18"
    rows = {row.all("th")[0].text: [cell.text for cell in row.all("td")] for row in table.all("tr")[1:]}
    assert {clock: rows[clock] for clock in ("08:30", "09:00", "09:30", "10:00", "12:00", "12:30")} == {
        "08:30": ["0 /2", "0 /4", "0", "0 /6"],
        "09:00": ["0 /2", "0 /4", "2", "2 /6"],
        "09:30": ["2 /2", "0 /4", "1", "2 /6"],
        "10:00": ["2 /2", "0 /4", "1", "2 /6"],
        "12:00": ["2 /2", "0 /4", "0.5", "2 /6"],
        "12:30": ["0 /2", "0 /4", "0", "0 /6"],
    }
    assert len(table.all("td.full")) == 6


def test_who_is_not_on_shift_is_off_and_nurses_count_where_their_shifts_are_known(clinic: Clinic, desk: Client) -> None:
    Shift.objects.filter(staff=clinic.prescriber).delete()
    late = StaffFactory.create(prescriber=True, sites=[clinic.site], last_name="Ames")
    ShiftFactory.create(staff=late, site=clinic.site, opens="10:30", closes="16:30")
    nurse = StaffFactory.create(role=Role.NURSE, sites=[clinic.site])
    ShiftFactory.create(staff=nurse, site=clinic.site)
    (table,) = page(desk.get("/")).all("table.load")

    assert texts(table, "th")[:3] == ["RA to 16:30", "RK 08–18", "Nurses load"]
    rows = {row.all("th")[0].text: [cell.text for cell in row.all("td")] for row in table.all("tr")[1:]}
    assert (rows["10:00"], rows["10:30"]) == (["off", "0 /4", "0 /1", "0 /6"], ["0 /4", "0 /4", "0 /1", "0 /6"])


def test_with_more_than_six_chairs_the_load_folds_under_them(at_now: None, db: None) -> None:
    clinic = make_clinic(chairs=7)
    shown = page(signed_in(clinic.desk).get("/"))

    (folded,) = shown.all("details.load-panel")
    assert folded.all("summary")[0].text == "Load Nobody is at the limit."
    assert [row.all("td")[0].text for row in folded.all("tr")[1:]] == ["0 /4", "0 /4", "0", "0 /7"]


def test_other_days_are_a_key_or_a_date_away(desk: Client, course: Course) -> None:
    shown = page(desk.get("/board/2027-02-04/"))
    picked = desk.get("/", {"date": "2027-02-08"})

    assert shown.all("h1")[0].text == "Thursday 4 February Thu 4 Feb"
    keyed = [
        (link.attributes["data-key"], link.attributes["href"])
        for link in shown.all("a")
        if link.attributes.get("data-key")
    ]
    assert keyed == [
        ("ArrowLeft", "/board/2027-02-03/"),
        ("ArrowRight", "/board/2027-02-05/"),
        ("t", "/"),
        ("n", "/patients/"),
    ]
    assert len(shown.all("li.visit")) == 1
    assert (picked.status_code, picked["Location"]) == (302, "/board/2027-02-08/")


def test_another_day_has_no_now_and_lists_who_comes(desk: Client, course: Course) -> None:
    shown = page(desk.get("/board/2027-02-04/"))

    assert (shown.all("svg.now-line"), shown.all("section.now-panel"), texts(shown, "p.does")) == ([], [], [])
    assert texts(shown, "p.title") == ["Arrival, booked"]


@pytest.mark.parametrize("day", ["2027-02-30", "0001-01-01", "9999-12-31", "today"])
def test_a_date_that_cannot_be_is_no_address(desk: Client, day: str) -> None:
    assert desk.get(f"/board/{day}/").status_code == 404


@pytest.mark.parametrize(("day", "ways"), [("1900-01-01", ["next"]), ("2199-12-31", ["prev"])])
def test_the_last_date_has_one_way_on(desk: Client, day: str, ways: list[str]) -> None:
    links = page(desk.get(f"/board/{day}/")).all("a.square")

    assert [link.attributes["rel"] for link in links] == ways


def test_a_closed_day_says_why_and_when_it_opens_again(desk: Client, clinic: Clinic) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY, days=2, reason="Painting")

    assert says(desk.get("/board/2027-02-06/"), ".closed") == [
        "Saturday 6 February. The site is closed. Nothing is booked. Next open day: Mon 8 Feb"
    ]
    assert says(desk.get("/"), "ul.shuts") == ["Closed all day · Painting Next open day: Wed 3 Feb"]


def test_a_closure_hatches_its_hours_with_the_reason(desk: Client, clinic: Clinic) -> None:
    ClosureFactory.create(
        site=clinic.site, during=(local(MONDAY, "16:30"), local(MONDAY, "18:00")), reason="Staff training"
    )

    assert says(desk.get("/"), "ul.shuts") == ["Closed from 16:30 · Staff training"]


def test_a_day_without_a_prescriber_says_that_nothing_can_be_booked(clinic: Clinic) -> None:
    Shift.objects.all().delete()
    answers = [signed_in(staff).get("/") for staff in (clinic.desk, clinic.manager)]

    sentence = "No prescriber is on shift on this day. Nothing can be booked until somebody is."
    assert [says(answer, "div.nobody") for answer in answers] == [[sentence], [f"{sentence} Set up shifts"]]


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (Role.DESK, "This site has no chairs yet. A manager sets them up."),
        (
            Role.MANAGER,
            (
                "This site has no chairs yet. Chairs, opening hours and shifts make the board; then courses can be"
                " booked. Add the first chair Set opening hours Set up shifts"
            ),
        ),
    ],
)
def test_a_site_without_chairs_says_what_comes_first(role: Role, said: str, at_now: None, db: None) -> None:
    answer = signed_in(StaffFactory.create(role=role, sites=[SiteFactory.create()])).get("/")

    assert says(answer, ".empty") == [said]


def test_a_site_without_hours_says_so(desk: Client, clinic: Clinic) -> None:
    OpeningHours.objects.all().delete()

    assert says(desk.get("/"), ".empty") == ["This site has no opening hours yet. A manager sets them up."]


def test_everybody_who_works_here_sees_it_and_nobody_else(clinic: Clinic) -> None:
    assert [signed_in(staff).get("/").status_code for staff in clinic.staff] == [200] * 5
    assert Client().get("/").status_code == 302


def test_a_script_that_follows_it_gets_only_what_changes(desk: Client, course: Course) -> None:
    answer = desk.get("/", headers={"HX-Request": "true"})

    assert (answer["Vary"].split(", ").count("HX-Request"), says(answer, "header.topbar")) == (1, [])
    assert len(page(answer).all("[id=board]")[0].all("li.visit")) == 1


def test_times_are_the_sites_in_the_part_as_on_the_page(desk: Client, course: Course) -> None:
    parts = [says(answer, "[id=board]") for answer in (desk.get("/"), desk.get("/", headers={"HX-Request": "true"}))]

    assert parts[0] == parts[1]


@pytest.mark.parametrize(("day", "hours"), [(date(2027, 3, 14), 12), (date(2027, 11, 7), 12)])
def test_a_day_on_which_the_clocks_change_keeps_its_hours(desk: Client, clinic: Clinic, day: date, hours: int) -> None:
    """From midnight to noon there are eleven hours in spring, thirteen in autumn; each has its line."""
    OpeningHours.objects.create(site=clinic.site, weekday=6, opens="00:00", closes="12:00")
    shown = page(desk.get(f"/board/{day}/"))
    written = [span.text for span in shown.all(".axis")[0].all("span")]

    assert len(written) == {3: 11, 11: 13}[day.month]
    assert written.count("01:00") == {3: 1, 11: 2}[day.month]
    assert written.count("02:00") == {3: 0, 11: 1}[day.month]


@pytest.mark.parametrize(("chairs", "running"), [(4, 0), (4, 1), (40, 40)])
def test_it_takes_thirteen_queries_whatever_runs(at_now: None, db: None, chairs: int, running: int) -> None:
    clinic = make_clinic(chairs=chairs, prescribers=chairs)
    for number in range(chairs * 3):
        state = SessionState.MONITORING if number % 3 == 0 and number // 3 < running else SessionState.BOOKED
        going = SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=clinic.chairs[number // 3],
            prescriber=clinic.prescribers[number // 3],
            starts_at=local(MONDAY, ("08:00", "11:20", "14:40")[number % 3]),
            state=state,
        )
        if state == SessionState.MONITORING:
            for clock in ("08:20", "08:40", "09:10"):
                measured(going, clock)
    client = signed_in(clinic.desk)
    client.get("/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/")

    assert len(page(answer).all("li.visit")) == 3 * chairs
    # session, user, sites, date; hours, closures, sessions, prescribers, rounds, shifts, chairs; evaluations;
    # open worklist lines
    assert len(queries) == 13


def test_forty_chairs_are_light(at_now: None, db: None) -> None:
    """A whole page with all its files weighs less than 300 kB; what is drawn is a small part of it."""
    clinic = make_clinic(chairs=40, prescribers=10)
    for number in range(120):
        SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=clinic.chairs[number // 3],
            prescriber=clinic.prescribers[number // 12],
            starts_at=local(MONDAY, ("08:00", "11:20", "14:40")[number % 3]),
        )

    assert len(signed_in(clinic.desk).get("/", headers={"Accept-Encoding": "gzip"}).content) < 40_000


# The version


def version(client: Client, clinic: Clinic, day: date = MONDAY) -> tuple[int, Any]:
    answer = client.get(f"/board/{day}/version/?site={clinic.site.pk}", headers=BACKGROUND)
    return answer.status_code, answer.json()


def test_the_version_is_that_of_the_board_and_the_tasks_are_those_that_wait(
    desk: Client, clinic: Clinic, course: Course
) -> None:
    Day.objects.filter(site=clinic.site, date=MONDAY).update(version=41)
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=course.patient, now=NOW)

    assert version(desk, clinic) == (200, {"version": 41, "tasks": 1})
    assert page(desk.get("/")).all("[id=board]")[0].attributes["data-live-version"] == "41"


def test_a_date_that_nobody_has_touched_has_the_version_nought(desk: Client, clinic: Clinic) -> None:
    assert version(desk, clinic, date(2031, 5, 4)) == (200, {"version": 0, "tasks": 0})
    assert desk.get("/board/2027-02-01/version/", headers=BACKGROUND).json() == {"version": 0, "tasks": 0}


def test_the_version_takes_one_query_and_writes_nothing(desk: Client, clinic: Clinic) -> None:
    desk.get("/")
    before = StoredSession.objects.get().expire_date
    with CaptureQueriesContext(connection) as queries:
        version(desk, clinic)

    assert [query["sql"].partition(" ")[0] for query in queries] == ["SELECT"]
    assert StoredSession.objects.get().expire_date == before


def test_whoever_is_not_signed_in_is_told_no_version(desk: Client, clinic: Clinic) -> None:
    expired = signed_in(clinic.nurse)
    StoredSession.objects.update(expire_date=NOW - timedelta(seconds=1))
    forged = Client()
    forged.cookies["sessionid"] = "x" * 32
    kept = Client()
    kept.get("/sign-in/")

    assert [version(client, clinic)[0] for client in (Client(), expired, forged, kept)] == [401] * 4


def test_who_has_signed_out_is_told_no_version(desk: Client, clinic: Clinic) -> None:
    desk.post("/sign-out/")

    assert version(desk, clinic)[0] == 401


# The look


def test_there_is_a_place_for_each_five_minutes_of_the_longest_day() -> None:
    """A day of 25 hours has 300 rows; the styles are written out, for the policy allows none in the markup."""
    styles = (Path(settings.BASE_DIR) / "static" / "css" / "rows.css").read_text()
    places = [f".y{row}{{--y:{row + 1}}}" for row in range(301)] + [f".h{rows}{{--n:{rows}}}" for rows in range(1, 301)]

    assert styles.splitlines()[1:] == places


def test_who_is_awaited_has_answered_the_form(at_now: None, clinic: Clinic, desk: Client) -> None:
    awaited = visit(clinic)
    for now, told in ((NOW - timedelta(hours=11), "Form answered Sun 31 Jan 20:00."), (NOW, "Form answered 07:00.")):
        for step in range(1, 10):
            questionnaires.answer(session=awaited, step=step, value=0, now=now)
        score = questionnaires.send(session=awaited, instrument="phq9", now=now)

        assert told in desk.get("/").content.decode()
        Score.objects.filter(pk=score.pk).update(voided_at=now, voided_by=clinic.nurse)
    assert "Form answered" not in desk.get("/").content.decode()


def test_item_9_that_was_not_sent_stands_on_the_board(at_now: None, clinic: Clinic, desk: Client) -> None:
    here = visit(clinic)
    questionnaires.answer(session=here, step=9, value=1, now=NOW)
    went(Session.objects.filter(pk=here.pk), SessionState.CHECKED_IN)

    assert "Item 9 above 0, not seen" in desk.get("/").content.decode()


def test_what_a_patient_said_alone_stands_with_the_visit(clinic: Clinic) -> None:
    alone = visit(clinic, "10:00", 0, "Alone, Ada", state=SessionState.CONFIRMED)
    phoned = visit(clinic, "10:10", 1, "Phone, Pia", state=SessionState.CONFIRMED)
    calls = visit(clinic, "10:20", 2, "Calls, Cy")
    for session, by in ((alone, clinic.desk), (alone, None), (phoned, None), (phoned, clinic.desk)):
        placing.record(session.course, "confirmed", by=by, now=NOW, sessions=[session])
    worklist.open_task(kind=TaskKind.CALL_ASKED, patient=calls.patient, course=calls.course, now=NOW)
    shown = seen(clinic, "09:35")

    assert [item.text for item in shown.all("li.item")] == [
        "10:00 Chair 1 Arrival, confirmed Alone, Ada Said yes by themselves.",
        "10:10 Chair 2 Arrival, confirmed Phone, Pia",
        "10:20 Chair 3 Arrival, booked Calls, Cy Asks for a call. Confirm",
    ]
    assert texts(shown, "span.alert") == ["Asks for a call"]
