"""The course page of a clinician: what it shows in every state, and the decision that is taken there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling import cancelling, deciding
from scheduling.models import Course, Mail, Override, PhaseChoice, SessionState
from tests import treated
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    make_clinic,
    went,
)
from tests.pages import Element, form_data, page, signed_in
from tests.scheduling.views import book, told

#: The day after the fifth visit of the pattern 0, 3, 7, 10, 14, 17.
AFTER_FIVE = local(MONDAY + timedelta(days=15), "12:00")


@pytest.fixture
def later(clinic: Clinic, course: Course) -> Iterator[Course]:
    """Five visits were given, the scores are those of a response; it is the day after the fifth."""
    treated.give(course, clinic.nurse, 5)
    treated.answer(course)
    with time_machine.travel(AFTER_FIVE, tick=False):
        yield course


@pytest.fixture
def doctor(later: Course, clinic: Clinic) -> Client:
    """The prescriber, on that day."""
    return signed_in(clinic.prescriber)


def panel(answer: Any, name: str) -> Element:
    """The panel whose heading has this id."""
    (found,) = [element for element in page(answer).all(f"[aria-labelledby={name}]") if element.tag == "section"]
    return found


def path(course: Course, **query: str) -> str:
    return f"/courses/{course.pk}/" + "".join(f"?{name}={value}" for name, value in query.items())


def offered(answer: Any) -> list[str]:
    """The decisions on the page."""
    return [label.text for label in panel(answer, "decision-title").all("span.words")]


def post(client: Client, course: Course, **answers: Any) -> Any:
    """Fill the form in as it stands, and press the button."""
    data = form_data(client.get(path(course, view="response")))
    return client.post(f"{path(course)}decide/", data | {"act": "record"} | answers)


# Whose page it is


def test_who_treats_sees_the_response_and_the_desk_the_visits(course: Course, clinic: Clinic) -> None:
    seen = {}
    for staff in clinic.staff:
        client = signed_in(staff)
        answers = [client.get(path(course)), client.get(path(course, view="desk"))]
        links = [link.text for link in page(answers[1]).all("header.head-patient")[0].all("a.button")]
        seen[staff.pk] = [*("Decision" in told(answer, "h2") for answer in answers), links]

    clinical, desk = [True, False, ["Response and decision"]], [False, False, []]
    assert list(seen.values()) == [desk, clinical, clinical, clinical, desk]


def test_a_held_course_is_shown_as_the_desk_sees_it_until_asked_otherwise(
    prescriber: Client, clinic: Clinic, patient: Patient
) -> None:
    held = book(clinic, patient, days=(0, 1, 7, 10), hold=True)
    answer = prescriber.get(path(held, view="response"))

    assert "Mails" in told(prescriber.get(path(held)), "h2")
    assert panel(answer, "decision-title").all("b")[0].text == (
        "The course is held, not booked: there is nothing to decide yet."
    )


def test_who_may_not_decide_reads_and_is_told_who_does(later: Course, clinic: Clinic) -> None:
    for staff in (clinic.nurse, clinic.clinician):
        client = signed_in(staff)
        answer = client.get(path(later))
        refused = [client.get(f"{path(later)}decide/"), client.post(f"{path(later)}decide/", {"decision": "stop"})]

        assert "A prescriber decides." in panel(answer, "decision-title").text
        assert [one.status_code for one in refused] == [403, 403]


# What it shows


def test_it_says_how_much_better_and_what_is_suggested(doctor: Client, later: Course) -> None:
    answer = doctor.get(path(later))

    assert panel(answer, "score-title").all("p.stand")[0].text == (
        "Baseline 20 Now 9 (Tue 16 Feb) 55% better: response"
    )
    assert panel(answer, "advice").all("h2")[0].text == "Offer maintenance"
    assert [reason.text for reason in panel(answer, "advice").all("li")] == [
        "PHQ-9 20 to 9, 55% better after session 5: response (50%).",
        "Not in remission (under 5).",
        "Still falling: it was 11 the time before.",
    ]


def test_the_score_line_has_a_table(doctor: Client, later: Course) -> None:
    rows = panel(doctor.get(path(later)), "score-title").all("tr")[1:]

    assert [" | ".join(cell.text for cell in row.children if isinstance(cell, Element)) for row in rows] == [
        "Sun 31 Jan 2027 09:00 | 20 | severe | 0% | 0",
        "Tue 2 Feb 2027 09:00 | 18 | moderately severe | 10% | 1",
        "Fri 5 Feb 2027 09:00 | 15 | moderately severe | 25% | 2",
        "Tue 9 Feb 2027 09:00 | 14 | moderate | 30% | 3",
        "Fri 12 Feb 2027 09:00 | 11 | moderate | 45% | 4",
        "Tue 16 Feb 2027 09:00 | 9 | mild | 55% | 5",
    ]


def test_every_questionnaire_has_its_own_line(doctor: Client, later: Course) -> None:
    treated.answer(later, (30, 12), "madrs")
    answer = doctor.get(path(later, score="madrs"))
    other = doctor.get(path(later, score="nonsense"))

    assert panel(answer, "score-title").all("p.stand")[0].text == (
        "Baseline 30 Now 12 (Tue 2 Feb) 60% better: response"
    )
    assert [link.text for link in page(answer).all("[aria-current=true]")] == ["MADRS"]
    assert [link.text for link in page(other).all("[aria-current=true]")] == ["PHQ-9"]


def test_a_visit_shows_dose_pressure_dissociation_and_what_was_untoward(
    doctor: Client, clinic: Clinic, later: Course
) -> None:
    first, second = later.sessions.in_order()[:2]
    treated.measure(first, clinic.nurse, -5, (144, 88))
    treated.measure(second, clinic.nurse, 38, (182, 98), dissociation=3)
    treated.measure(second, clinic.nurse, 155, (142, 84))
    treated.untoward(second, clinic.nurse, "nausea")
    treated.untoward(second, clinic.nurse, "syncope", 3)
    rows = panel(doctor.get(path(later)), "visits").all("tbody")[0].all("tr")

    assert [[cell.text for cell in row.all("td")] for row in rows[-3:]] == [
        ["3", "Mon 8 Feb", "34 mg", "126/80", "148/92", "130/82", "Dissoc. 2", "0:40 · 2:00", "none"],
        [
            "2",
            "Thu 4 Feb",
            "34 mg",
            "126/80",
            "148/92",
            "142/84 (At discharge above 140/90.)",
            "Dissoc. 3",
            "0:40 · 2:00",
            "nausea, mild ; syncope, severe",
        ],
        [
            "1",
            "Mon 1 Feb",
            "34 mg",
            "144/88 (The blood pressure before the dose is 144/88, above 140/90: measure it again.)",
            "148/92",
            "130/82",
            "Dissoc. 2",
            "0:40 · 2:00",
            "none",
        ],
    ]


def test_five_visits_are_shown_and_the_rest_opens_in_place(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient)
    treated.give(course, clinic.nurse, 6)
    with time_machine.travel(local(MONDAY + timedelta(days=18)), tick=False):
        visits = panel(signed_in(clinic.prescriber).get(path(course)), "visits")

    assert [len(body.all("tr")) for body in visits.all("tbody")] == [5, 1]
    assert visits.all("summary")[0].text == "1 earlier visit"


def test_whoever_is_here_comes_before_the_next_dates(doctor: Client, later: Course) -> None:
    here = later.sessions.in_order()[5]
    went(later.sessions.filter(pk=here.pk), SessionState.CHECKED_IN)
    with time_machine.travel(here.starts_at + timedelta(minutes=5), tick=False):
        upcoming = panel(signed_in(here.prescriber).get(path(later)), "upcoming")

    assert upcoming.text.startswith("Upcoming Calendar Thu 18 Feb 09:00 Checked in Session 6 · Chair 1")


def test_beside_it_stand_the_next_dates_the_screening_and_the_history(doctor: Client, later: Course) -> None:
    answer = doctor.get(path(later))

    assert panel(answer, "upcoming").text == (
        "Upcoming Calendar Thu 18 Feb 09:00 Booked Session 6 · Chair 1 · Dr. "
        f"{later.sessions.in_order()[5].prescriber.last_name} · reminders Mon 15, Tue 16, Wed 17, Thu 18 "
        "Nothing booked after 18 Feb"
    )
    assert [term.text for term in panel(answer, "screening").all("dd")][1:] == [
        "doctor, therapist, psychologist",
        "sertraline, duloxetine",
        "treatment 5 Jan 2026, off-label 5 Jan 2026",
        "nothing",
    ]
    assert panel(answer, "findings").all("p")[0].text == "No finding, nothing passed over."
    assert panel(answer, "history").all("a")[0].text == "All 1"


def test_its_head_says_what_has_to_be_known_at_once(doctor: Client, later: Course) -> None:
    treated.score(later.patient, AFTER_FIVE - timedelta(hours=1), 10, item_9=2)
    (head,) = page(doctor.get(path(later))).all("header.head-patient")

    assert [tag.text for tag in head.all(".tag")] == [
        "Initial phase · 5 of 6 given · day 21 is Mon 22 Feb",
        "Screening 1 Feb",
        "Item 9: 2 · not seen yet",
        "2 failed trials",
    ]


# Where something is missing


def test_without_a_score_it_says_so(prescriber: Client, course: Course) -> None:
    answer = prescriber.get(path(course))

    assert panel(answer, "score-title").all("b")[0].text == "No PHQ-9 yet."
    assert panel(answer, "advice").all("p")[0].text == "Advice rests on PHQ-9, and there is none yet."
    assert "Nobody has come to a visit yet." in panel(answer, "visits").text
    assert form_data(answer).get("decision") is None


def test_a_low_baseline_has_no_percentage_and_says_why(clinic: Clinic, course: Course) -> None:
    treated.give(course, clinic.nurse, 1)
    treated.answer(course, (9, 4))
    with time_machine.travel(local(MONDAY + timedelta(days=2)), tick=False):
        answer = signed_in(clinic.prescriber).get(path(course))

    assert panel(answer, "score-title").all("p.why")[0].text == "No percentage: the baseline of 9 is under 10."
    assert panel(answer, "score-title").all("p.stand")[0].text == "Baseline 9 Now 4 (Tue 2 Feb) remission"
    assert "Response:" not in panel(answer, "score-title").text


def test_who_was_never_screened_is_said_to_be_so(clinic: Clinic, prescriber: Client) -> None:
    course = CourseFactory.create(site=clinic.site, patient=PatientFactory.create(screened=False))
    answer = prescriber.get(path(course))

    assert "Not screened" in [tag.text for tag in page(answer).all("span.tag")]
    assert "This patient was not screened here." in panel(answer, "screening").text


@pytest.mark.parametrize(("decision", "word"), [("stop", "Stopped"), ("close-early", "Completed")])
def test_of_an_ended_course_nothing_is_decided_any_more(
    doctor: Client, clinic: Clinic, later: Course, decision: str, word: str
) -> None:
    deciding.decide(actor=clinic.prescriber, course=later, decision=decision, reason="enough", now=AFTER_FIVE)
    decided = panel(doctor.get(path(later)), "decision-title")

    assert f"{word} on Tue 16 Feb 2027." in decided.text
    assert "enough" in decided.all("p.decided")[0].text
    assert decided.all("form") == []


# Deciding


def test_what_is_advised_stands_first_and_is_chosen(doctor: Client, later: Course) -> None:
    answer = doctor.get(path(later))

    assert offered(answer) == [
        "Begin maintenance Recommended",
        "Go on 1 date stays",
        "Extend the initial phase needs an override",
        "Pause keeps the course; 1 date goes",
        "Stop ends the course; 1 date goes",
        "Change the dose for the doses to come; now 0.5 mg/kg over 40 min",
        "New initial phase a new course of the same protocol",
        "Close the course treatment completed; 1 date goes",
    ]
    assert form_data(answer)["decision"] == ["maintenance"]
    assert form_data(answer)["interval_days"] == ["21"]


def test_after_a_relapse_two_visits_a_month_are_suggested_and_the_same_interval_is_refused(
    doctor: Client, clinic: Clinic, later: Course
) -> None:
    Course.objects.filter(pk=later.pk).update(phase=PhaseChoice.MAINTENANCE, interval_days=21)
    for days, total in ((5, 15), (13, 16)):
        treated.score(later.patient, AFTER_FIVE + timedelta(days=days), total, item_9=0)
    with time_machine.travel(AFTER_FIVE + timedelta(days=14), tick=False):
        client = signed_in(clinic.prescriber)
        shown = client.get(path(later))
        refused = post(client, later, why="other", words="relapse", interval_days="21")
        taken = post(client, later, why="other", words="relapse")
    later.refresh_from_db()

    assert offered(shown)[0] == "Change the interval Recommended"
    assert form_data(shown)["interval_days"] == ["16"]
    assert refused.status_code == 422
    assert told(refused, "[id=id_interval_days_error]") == ["Nothing would change: this is the interval already."]
    assert (taken.status_code, later.interval_days) == (302, 16)


def test_a_decision_is_recorded_and_told(doctor: Client, later: Course) -> None:
    answer = post(doctor, later, why="response", words="sleeps again")
    later.refresh_from_db()
    shown = doctor.get(answer.url)

    assert (answer.status_code, answer.url) == (302, f"/courses/{later.pk}/?view=response")
    assert (later.phase, later.interval_days) == (PhaseChoice.MAINTENANCE, 21)
    assert later.events.get(kind="decided").details["reason"] == "Response: sleeps again"
    assert told(shown, ".notice") == [
        (
            "Recorded. Freed: Thu 18 Feb. Booked: Mon 8 Mar, Fri 26 Mar. "
            "2 dates found no place and are on the desk’s list. One mail goes to the patient."
        )
    ]
    assert "Response: sleeps again" in panel(shown, "decision-title").all("p.decided")[0].text


def test_looking_says_what_a_decision_would_do_and_changes_nothing(doctor: Client, later: Course) -> None:
    data = form_data(doctor.get(path(later))) | {"act": "look"}
    part = doctor.post(f"{path(later)}decide/", data, headers={"HX-Request": "true"})
    whole = doctor.post(f"{path(later)}decide/", data)
    text = (
        "Frees Thu 18 Feb. Books Mon 8 Mar, Fri 26 Mar. 2 dates find no place: they go on the desk’s list."
        " One mail to the patient."
    )

    assert [element.text for element in page(part).all("p.does")] == [text]
    assert told(whole, "p.does") == [text]
    assert later.sessions.count() == 6
    assert later.events.count() == 1


def test_looking_at_what_cannot_be_meant_says_so(doctor: Client, later: Course) -> None:
    data = form_data(doctor.get(path(later)))
    wrong = [{"interval_days": "0"}, {"decision": "change-dose"}, {"decision": "pause", "until": "2027-02-01"}]
    answers = [
        doctor.post(f"{path(later)}decide/", data | one | {"act": "look"}, headers={"HX-Request": "true"})
        for one in wrong
    ]

    assert [page(answer).all("p.does")[0].text for answer in answers] == [
        "Ensure this value is greater than or equal to 1.",
        "Say which dose.",
        "A pause ends on a later day.",
    ]


def test_a_decision_without_a_reason_or_without_a_choice_is_asked_for_it(doctor: Client, later: Course) -> None:
    without = post(doctor, later)
    other = post(doctor, later, why="other")
    nothing = post(doctor, later, decision="", why="response")

    assert [told(answer, "p.error") for answer in (without, other, nothing)] == [
        ["Choose a reason."],
        ["Say in a few words why."],
        ["Choose a decision."],
    ]
    assert [answer.status_code for answer in (without, other, nothing)] == [422] * 3
    assert Course.objects.get().phase == PhaseChoice.INITIAL


def test_what_belongs_to_another_decision_is_not_taken(doctor: Client, later: Course) -> None:
    answer = post(doctor, later, decision="change-dose", why="response", dose="0.75", interval_days="x", until="y")
    later.refresh_from_db()

    assert (answer.status_code, str(later.dose_mg_per_kg)) == (302, "0.750")


@pytest.mark.parametrize("dose", ["0", "5", "x", ""])
def test_a_dose_that_cannot_be_meant_is_said_at_its_field(doctor: Client, later: Course, dose: str) -> None:
    answer = post(doctor, later, decision="change-dose", why="response", dose=dose)

    assert answer.status_code == 422
    assert len(told(answer, "p.error")) == 1


def test_an_override_is_signed_on_the_page(doctor: Client, clinic: Clinic, later: Course) -> None:
    refused = post(doctor, later, decision="extend", why="effects", words="partly")
    signed = form_data(refused) | {"act": "record", "sign": "on"}
    answer = doctor.post(f"{path(later)}decide/", signed)
    passed = Override.objects.get()

    assert refused.status_code == 422
    assert "OVERRIDE · 7 sessions limit 6 sessions" in told(refused, ".broken")[0]
    asks = "Tick that the rule is passed over, or decide something else."
    assert (told(refused, ".notice"), told(refused, "[id=id_sign_error]")) == (
        [f"Nothing was recorded. {asks}"],
        [asks],
    )
    assert "autofocus" in page(refused).all("[id=id_sign]")[0].attributes
    assert "autofocus" not in page(refused).all(".notice")[0].attributes
    assert told(refused, ".does")[0].startswith("Books ")
    assert (signed["rule"], signed["words"], signed["why"]) == (["initial-max"], ["partly"], ["effects"])
    assert answer.status_code == 302
    assert (passed.rule, passed.reason, passed.by) == ("initial-max", "Side effects: partly", clinic.prescriber)


def test_a_new_initial_phase_leads_to_the_new_course(doctor: Client, later: Course) -> None:
    answer = post(doctor, later, decision="new-initial", why="other", words="relapse")
    new = Course.objects.exclude(pk=later.pk).get()

    assert answer.url == f"/courses/{new.pk}/?view=response"


def test_a_page_that_is_older_than_a_decision_says_so_and_keeps_what_was_typed(
    doctor: Client, clinic: Clinic, later: Course
) -> None:
    data = form_data(doctor.get(path(later))) | {"act": "record", "why": "wish", "words": "wants to wait"}
    deciding.decide(actor=clinic.prescribers[1], course=later, decision="pause", reason="travels", now=AFTER_FIVE)
    answer = doctor.post(f"{path(later)}decide/", data)
    again = doctor.post(f"{path(later)}decide/", form_data(answer) | {"act": "record"})

    assert answer.status_code == 409
    assert "Somebody has decided on this course meanwhile:" in told(answer, ".notice")[0]
    assert "travels" in told(answer, ".notice")[0]
    assert (form_data(answer)["why"], form_data(answer)["words"]) == (["wish"], ["wants to wait"])
    assert (again.status_code, later.events.filter(kind="decided").count()) == (302, 2)


def test_a_course_that_ended_meanwhile_is_said_to_have(doctor: Client, clinic: Clinic, later: Course) -> None:
    data = form_data(doctor.get(path(later))) | {"act": "record", "why": "wish"}
    cancelling.cancel_course(actor=clinic.desk, course=later, reason="moves away", now=AFTER_FIVE)
    answer = doctor.post(f"{path(later)}decide/", data)

    assert answer.status_code == 409
    assert told(answer, ".notice") == ["Nothing was recorded. Only an active course can be decided on."]


def test_pressing_twice_decides_once(doctor: Client, later: Course) -> None:
    data = form_data(doctor.get(path(later))) | {"act": "record", "why": "response"}
    twice = [doctor.post(f"{path(later)}decide/", data).status_code for _ in range(2)]

    assert twice == [302, 302]
    assert later.events.filter(kind="decided").count() == 1


@pytest.mark.parametrize("course_id", ["0", "99999999999999999999"])
def test_what_does_not_exist_is_not_found(prescriber: Client, course_id: str) -> None:
    answers = [
        prescriber.get(f"/courses/{course_id}/"),
        prescriber.post(f"/courses/{course_id}/decide/", {"act": "look"}),
        prescriber.post(f"/courses/{course_id}/decide/", {"act": "record"}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 3


# How much it reads


@pytest.mark.parametrize("many", [1, 30])
def test_it_takes_as_many_queries_for_thirty_of_everything_as_for_one(at_now: None, db: None, many: int) -> None:
    clinic = make_clinic()
    course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE)
    days = [day for day in range(56) if (MONDAY + timedelta(days=day)).weekday() < 5]
    for number, day in enumerate(days[:many], start=1):
        at = {"chair": clinic.chairs[0], "prescriber": clinic.prescriber}
        start = local(MONDAY + timedelta(days=day))
        session = SessionFactory.create(course=course, number=number, starts_at=start, **at)
        Mail.objects.create(
            patient=course.patient,
            course=course,
            session=session,
            kind="two-days",
            times_version=1,
            due_at=NOW,
            try_at=NOW,
            created_at=NOW,
        )
    for session in treated.give(course, clinic.nurse, many):
        treated.untoward(session, clinic.nurse, "nausea")
        treated.score(course.patient, session.starts_at, 12)
        Override.objects.create(course=course, rule="gap-min", reason="travels", by=clinic.prescriber, at=NOW)
    with time_machine.travel(local(MONDAY + timedelta(days=60)), tick=False):
        client = signed_in(clinic.prescriber)
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(path(course))

    assert answer.status_code == 200
    assert len(queries) == 18


def test_it_leads_to_what_belongs_to_it(doctor: Client, clinic: Clinic, later: Course) -> None:
    links = [
        [link.attributes["href"] for link in page(client.get(path(later))).all("nav.links")[0].all("a")]
        for client in (doctor, signed_in(clinic.nurse))
    ]
    new_score = f"/patients/{later.patient_id}/scores/new/?back=/courses/{later.pk}/"

    assert links == [
        [path(later, view="desk"), f"/courses/{later.pk}/letter/", new_score],
        [path(later, view="desk"), new_score],
    ]
