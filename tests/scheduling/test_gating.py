"""Bookings obey the screening: a block stops them, a hold does not mind, what was signed is not asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clinic.errors import RulesBroken
from clinic.findings import Finding
from patients import screening
from patients.answers import Answers
from patients.models import Patient, Task, TaskKind
from scheduling import booking, confirming, gating
from scheduling.booking import Change, Signature
from scheduling.models import Course, CourseState, Override
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, make_clinic, protocol
from tests.screenings import WELL

pytestmark = pytest.mark.django_db

PREGNANT = replace(WELL, pregnancy=True)


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=2, weeks=5)


def places(clinic: Clinic, days: tuple[int, ...] = (0, 3, 7, 10)) -> list[Place]:
    return [Place(local(MONDAY + timedelta(days=day + 1)), clinic.chairs[0].pk, clinic.prescriber.pk) for day in days]


def book(
    clinic: Clinic,
    patient: Patient,
    *signed: str,
    code: str = "iv-ketamine-standard",
    hold: bool = False,
) -> Change:
    return booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(code),
        places=places(clinic),
        override=Signature(clinic.prescriber, frozenset(signed), "Discussed.") if signed else None,
        hold=hold,
        now=NOW,
    )


def screen(clinic: Clinic, patient: Patient, answers: Answers, decision: str = "accepted") -> None:
    screening.screen(actor=clinic.prescriber, patient=patient, answers=answers, decision=decision, now=NOW)


def rules(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.rule for finding in findings]


@pytest.mark.parametrize(
    ("answers", "code", "blocks"),
    [
        (False, "iv-ketamine-standard", ["not-screened"]),
        (replace(WELL, bleed=True), "iv-ketamine-standard", ["bleed"]),
        (replace(WELL, heart=None), "iv-ketamine-standard", ["unanswered"]),
        (replace(WELL, off_label_consent=None), "iv-ketamine-standard", ["consent"]),
        (replace(WELL, rems_enrolled=None), "esketamine-trd-us", ["rems"]),
    ],
)
def test_a_block_stops_a_booking_and_not_a_hold(clinic: Clinic, answers: Answers, code: str, blocks: list[str]) -> None:
    patient = PatientFactory.create(screened=answers)
    with pytest.raises(RulesBroken) as refused:
        book(clinic, patient, *blocks, code=code)
    held = book(clinic, patient, code=code, hold=True)

    assert rules(refused.value.findings)[: len(blocks)] == blocks
    assert (held.course.state, rules(held.findings)[: len(blocks)]) == (CourseState.HELD, blocks)
    with pytest.raises(RulesBroken):
        confirming.confirm_course(actor=clinic.desk, course=held.course, now=NOW)
    screen(clinic, patient, WELL)
    assert confirming.confirm_course(actor=clinic.desk, course=held.course, now=NOW).course.state == CourseState.ACTIVE


def test_a_site_without_a_certificate_gives_no_esketamine(clinic: Clinic) -> None:
    clinic.site.rems_certified = False
    clinic.site.save(update_fields=["rems_certified"])
    with pytest.raises(RulesBroken) as refused:
        book(clinic, PatientFactory.create(), code="esketamine-trd-us")

    assert refused.value.message == "The site is not certified under the esketamine REMS."


def test_a_block_of_the_calendar_stops_a_hold_too(clinic: Clinic) -> None:
    patient = PatientFactory.create(screened=False)
    twice = [places(clinic)[0], replace(places(clinic)[0], chair=clinic.chairs[1].pk)]
    with pytest.raises(RulesBroken):
        booking.book_course(actor=clinic.desk, patient=patient, protocol=protocol(), places=twice, hold=True, now=NOW)

    assert Course.objects.count() == 0


def test_an_override_of_the_screening_is_signed_and_kept_with_the_course(clinic: Clinic) -> None:
    patient = PatientFactory.create(screened=PREGNANT)
    with pytest.raises(RulesBroken):
        book(clinic, patient)
    course = book(clinic, patient, "also-asked").course

    assert list(Override.objects.values_list("course", "rule", "observed", "reason")) == [
        (course.pk, "also-asked", "pregnancy", "Discussed.")
    ]


def test_a_warning_goes_through_and_is_recorded(clinic: Clinic) -> None:
    change = book(clinic, PatientFactory.create(screened=replace(WELL, liver=True)))

    assert rules(change.findings) == ["tell-us"]
    assert [found["rule"] for found in change.course.events.get().details["findings"]] == ["tell-us"]


def test_what_was_signed_for_the_course_is_not_asked_again_but_for_something_else(clinic: Clinic) -> None:
    patient = PatientFactory.create(screened=PREGNANT)
    course = book(clinic, patient, "also-asked").course
    later = places(clinic, (14, 17))

    added = booking.add_sessions(actor=clinic.desk, course=course, places=later[:1], now=NOW)
    assert rules(added.findings) == []

    screen(clinic, patient, replace(PREGNANT, psychosis=True))
    with pytest.raises(RulesBroken) as refused:
        booking.add_sessions(actor=clinic.desk, course=course, places=later[1:], now=NOW)
    assert [(finding.rule, finding.observed) for finding in refused.value.findings] == [("also-asked", "psychosis")]


def test_a_screening_that_ends_stops_what_is_added(clinic: Clinic) -> None:
    patient = PatientFactory.create()
    course = book(clinic, patient).course
    screen(clinic, patient, WELL, "declined")
    with pytest.raises(RulesBroken) as refused:
        booking.add_sessions(actor=clinic.desk, course=course, places=places(clinic, (14,)), now=NOW)

    assert refused.value.message == "The screening has declined the patient."


def test_a_hold_asks_a_prescriber_for_what_the_screening_needs_signed(clinic: Clinic) -> None:
    held = book(clinic, PatientFactory.create(screened=PREGNANT), hold=True).course

    (line,) = Task.objects.filter(kind=TaskKind.OVERRIDE_ASKED)
    assert (line.course, line.details["rules"]) == (held, ["also-asked"])


def test_plans_say_what_the_screening_lacks(clinic: Clinic) -> None:
    proposal = booking.propose(
        actor=clinic.desk,
        site=clinic.site,
        patient=PatientFactory.create(screened=False),
        protocol=protocol(),
        now=NOW,
    )

    assert {rules(offer.findings)[0] for offer in proposal.offers} == {"not-screened"}


def test_a_new_course_reads_the_screening_once(clinic: Clinic, django_assert_num_queries: type) -> None:
    patient = PatientFactory.create(screened=PREGNANT)
    course = book(clinic, patient, "also-asked").course
    known: dict[str, Any] = {"patient": patient.pk, "site": clinic.site, "protocol": protocol().protocol, "now": NOW}
    with django_assert_num_queries(1):
        gating.findings(**known)
    with django_assert_num_queries(2):
        gating.findings(**known, course=course)
