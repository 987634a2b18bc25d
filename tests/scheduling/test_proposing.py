"""Proposals over a real calendar: what they offer can be booked, and what is in the way is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from itertools import pairwise

import pytest
from django.db import connection

from clinic.errors import Invalid, RoleRefused
from clinic.findings import Level
from patients.models import Patient
from scheduling import booking, cancelling
from scheduling.booking import Proposal
from scheduling.models import Course, PhaseChoice, Session, SessionState
from scheduling.protocols.types import Phase, Place, Wishes
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    ClosureFactory,
    PatientFactory,
    local,
    make_clinic,
    protocol,
    went,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(weeks=26)


@pytest.fixture
def patient() -> Patient:
    return PatientFactory.create()


def propose(clinic: Clinic, patient: Patient, **more: object) -> Proposal:
    asked = {"actor": clinic.desk, "site": clinic.site, "now": NOW, **more}
    if "protocol" not in asked:
        asked["protocol"] = protocol()
    return booking.propose(patient=patient, **asked)  # type: ignore[arg-type]  # keyword arguments of the verb


def dates(proposal: Proposal, label: str) -> list[date]:
    offer = next(offer for offer in proposal.offers if offer.label == label)
    return [row.place.starts_at.astimezone(local(MONDAY).tzinfo).date() for row in offer.sessions]


def book(clinic: Clinic, patient: Patient, proposal: Proposal, **more: object) -> Course:
    return booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=[row.place for row in proposal.offers[0].sessions],
        now=NOW,
        **more,  # type: ignore[arg-type]  # keyword arguments of the verb
    ).course


def test_every_offer_is_lawful_and_can_be_booked(clinic: Clinic) -> None:
    wishes = Wishes(weekdays=frozenset({1, 3}), not_before=time(12))
    labels = []
    for label in ("wishes", "soonest", "even"):
        patient = PatientFactory.create()
        proposal = propose(clinic, patient, wishes=wishes)
        offer = next(offer for offer in proposal.offers if offer.label == label)
        labels.append([offer.label for offer in proposal.offers])
        assert {finding.level for finding in offer.findings} <= {Level.WARN}
        change = booking.book_course(
            actor=clinic.desk,
            patient=patient,
            protocol=protocol(),
            places=[row.place for row in offer.sessions],
            now=NOW,
        )
        assert [finding.rule for finding in change.findings] == [finding.rule for finding in offer.findings]
    assert labels == [["wishes", "soonest", "even"]] * 3


def test_wishes_are_met_where_they_can_be(clinic: Clinic, patient: Patient) -> None:
    proposal = propose(clinic, patient, wishes=Wishes(weekdays=frozenset({1, 3}), not_before=time(12)))

    offer = proposal.offers[0]
    zone = clinic.site.zone
    assert offer.label == "wishes"
    assert all(row.meets_wishes for row in offer.sessions)
    assert {row.place.starts_at.astimezone(zone).weekday() for row in offer.sessions} == {1, 3}
    assert all(row.place.starts_at.astimezone(zone).time() >= time(12) for row in offer.sessions)


def test_each_row_has_two_alternatives_that_can_be_booked_in_its_place(clinic: Clinic, patient: Patient) -> None:
    offer = propose(clinic, patient).offers[0]
    places = [row.place for row in offer.sessions]

    assert [len(row.alternatives) for row in offer.sessions] == [2] * 6
    for index, row in enumerate(offer.sessions):
        for alternative in row.alternatives:
            changed = [*places[:index], alternative, *places[index + 1 :]]
            findings = booking.judge(
                actor=clinic.desk,
                site=clinic.site,
                patient=patient,
                protocol=protocol(),
                places=changed,
                now=NOW,
            )
            assert {finding.level for finding in findings} <= {Level.WARN}


def test_closed_days_and_dates_on_which_the_patient_cannot_come_are_left_out(clinic: Clinic, patient: Patient) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY, days=2)
    away = frozenset(MONDAY + timedelta(days=ahead) for ahead in (2, 3))

    proposal = propose(clinic, patient, wishes=Wishes(except_dates=away))

    assert {day for offer in proposal.offers for day in dates(proposal, offer.label)} & {
        MONDAY + timedelta(days=ahead) for ahead in range(4)
    } == set()


def test_what_is_booked_is_not_offered_again(clinic: Clinic) -> None:
    taken: set[tuple[object, int]] = set()
    for _ in range(8):
        patient = PatientFactory.create()
        proposal = propose(clinic, patient)
        book(clinic, patient, proposal)
        for row in proposal.offers[0].sessions:
            assert (row.place.starts_at, row.place.chair) not in taken
            taken.add((row.place.starts_at, row.place.chair))
    assert len(taken) == 48


def test_fixed_rows_stay_and_the_rest_is_planned_around_them(clinic: Clinic, patient: Patient) -> None:
    fixed = [
        Place(local(MONDAY + timedelta(days=ahead), "13:10"), clinic.chairs[2].pk, clinic.prescribers[1].pk)
        for ahead in (1, 8)
    ]

    for offer in propose(clinic, patient, fixed=fixed).offers:
        places = [row.place for row in offer.sessions]
        assert [place for place in places if place in fixed] == fixed
        assert [row.number for row in offer.sessions] == [1, 2, 3, 4, 5, 6]


def test_a_running_course_is_offered_what_it_lacks(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, propose(clinic, patient))
    missed = course.sessions.get(number=3)
    cancelling.cancel_session(actor=clinic.desk, session=missed, reason="Ill", now=NOW)

    proposal = propose(clinic, patient, course=course)

    assert [len(offer.sessions) for offer in proposal.offers] == [1] * len(proposal.offers)
    change = booking.add_sessions(
        actor=clinic.desk, course=course, places=[proposal.offers[0].sessions[0].place], now=NOW
    )
    assert course.sessions.filter(state=SessionState.BOOKED).count() == 6
    assert change.findings == proposal.offers[0].findings


def test_what_is_added_to_a_course_does_not_begin_it(clinic: Clinic, patient: Patient) -> None:
    later = MONDAY + timedelta(days=28)
    course = book(clinic, patient, propose(clinic, patient, count=4, earliest=later))

    proposal = propose(clinic, patient, course=course, count=2)

    assert min(day for offer in proposal.offers for day in dates(proposal, offer.label)) > later


def test_a_plan_is_called_after_wishes_only_when_it_meets_some(clinic: Clinic, patient: Patient) -> None:
    sundays = propose(clinic, patient, wishes=Wishes(weekdays=frozenset({6})))

    assert [offer.label for offer in sundays.offers] == ["soonest", "even"]


def test_a_complete_initial_phase_waits_for_a_decision(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, propose(clinic, patient))

    proposal = propose(clinic, patient, course=course)

    assert proposal.offers == ()
    assert proposal.none is not None
    assert proposal.none.limit == "phase-decided"


def test_maintenance_is_planned_three_months_ahead_after_a_decision(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, propose(clinic, patient))
    later = local(MONDAY + timedelta(days=25), "08:00")
    went(Session.objects.all())
    course.phase, course.interval_days = PhaseChoice.MAINTENANCE, 21
    course.save(update_fields=["phase", "interval_days"])

    proposal = propose(clinic, patient, course=course, now=later)
    change = booking.add_sessions(
        actor=clinic.desk, course=course, places=[row.place for row in proposal.offers[0].sessions], now=later
    )

    starts = [session.local_date for session in change.sessions]
    assert {session.phase for session in change.sessions} == {Phase.MAINTENANCE}
    assert [session.number for session in change.sessions] == [1, 2, 3, 4]
    assert all(16 <= (after - before).days <= 28 for before, after in pairwise(starts))


def test_maintenance_that_stands_for_three_months_is_not_planned_again(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, propose(clinic, patient))
    later = local(MONDAY + timedelta(days=25), "08:00")
    went(Session.objects.all())
    course.phase, course.interval_days = PhaseChoice.MAINTENANCE, 21
    course.save(update_fields=["phase", "interval_days"])
    first = propose(clinic, patient, course=course, now=later)
    places = [row.place for row in first.offers[0].sessions]
    standing = booking.add_sessions(actor=clinic.desk, course=course, places=places, now=later).sessions

    none = propose(clinic, patient, course=course, now=later).none
    one_more = propose(clinic, patient, course=course, count=1, now=later)

    assert none is not None
    assert (none.limit, dict(none.values)) == ("month-max", {"count": len(standing)})
    next_one = dates(one_more, one_more.offers[-1].label)[0]
    assert 16 <= (next_one - standing[-1].local_date).days <= 28


@pytest.mark.parametrize("phase", [Phase.TAPER, Phase.MAINTENANCE])
def test_a_phase_that_is_not_to_come_is_not_planned(clinic: Clinic, patient: Patient, phase: Phase) -> None:
    course = book(clinic, patient, propose(clinic, patient))

    none = propose(clinic, patient, course=course, phase=phase).none

    assert none is not None
    assert none.limit == "phase-decided"


def test_a_hold_that_has_run_out_is_not_in_the_way_of_a_proposal(clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient, propose(clinic, patient), hold=True)

    assert propose(clinic, patient).none is not None
    assert propose(clinic, patient, now=NOW + timedelta(hours=25)).none is None


def test_fixed_rows_that_cannot_be_meant_are_invalid_and_others_are_judged(clinic: Clinic, patient: Patient) -> None:
    elsewhere = make_clinic(chairs=1, prescribers=1)
    saturday = Place(local(MONDAY + timedelta(days=5)), clinic.chairs[0].pk, clinic.prescriber.pk)

    with pytest.raises(Invalid):
        propose(clinic, patient, fixed=[replace(saturday, chair=elsewhere.chairs[0].pk)])
    offer = propose(clinic, patient, fixed=[saturday]).offers[0]

    row = next(index for index, row in enumerate(offer.sessions) if row.place == saturday)
    assert {(finding.rule, finding.sessions) for finding in offer.findings if finding.level == Level.BLOCK} == {
        ("doctor", (row,)),
        ("hours", (row,)),
    }


def test_esketamine_goes_on_to_its_weekly_taper_without_a_decision(clinic: Clinic, patient: Patient) -> None:
    spray = protocol("esketamine-trd-us")
    first = propose(clinic, patient, protocol=spray)
    course = booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=spray,
        places=[row.place for row in first.offers[0].sessions],
        now=NOW,
    ).course

    proposal = propose(clinic, patient, protocol=spray, course=course)
    change = booking.add_sessions(
        actor=clinic.desk, course=course, places=[row.place for row in proposal.offers[0].sessions], now=NOW
    )

    assert {session.phase for session in change.sessions} == {Phase.TAPER}
    assert len(change.sessions) == 4
    assert (change.sessions[0].ends_at - change.sessions[0].starts_at) == timedelta(minutes=160)


def test_a_patient_with_a_running_course_gets_no_second(clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient, propose(clinic, patient))

    proposal = propose(clinic, patient)

    assert (proposal.offers, proposal.none and proposal.none.limit) == ((), "one-course")


def test_without_prescribers_the_limit_and_the_first_date_are_named(patient: Patient) -> None:
    clinic = make_clinic(weeks=26, first=MONDAY + timedelta(days=56))

    none = propose(clinic, patient).none

    assert none is not None
    assert (none.limit, none.first_possible) == ("doctor", MONDAY + timedelta(days=56))


def test_who_may_not_book_is_not_proposed_anything(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(RoleRefused):
        propose(clinic, patient, actor=clinic.nurse)


def test_nobody_of_another_site_is_told_what_this_one_has_free(clinic: Clinic, patient: Patient) -> None:
    stranger = make_clinic(chairs=1, weeks=1).desk

    with pytest.raises(RoleRefused) as refusal:
        propose(clinic, patient, actor=stranger)

    assert refusal.value.message == "You do not work at this site."


@pytest.mark.django_db(transaction=True)
def test_a_second_proposal_reads_only_the_days_that_changed(patient: Patient) -> None:
    clinic = make_clinic(weeks=26)
    standard = protocol()
    propose(clinic, patient)
    statements: list[str] = []

    def listen(execute: object, sql: str, params: object, many: bool, context: object) -> object:
        statements.append(sql)
        return execute(sql, params, many, context)  # type: ignore[operator]  # Django's wrapper protocol

    with connection.execute_wrapper(listen):
        propose(clinic, patient, protocol=standard)
    kept = len(statements)
    book(clinic, PatientFactory.create(), propose(clinic, PatientFactory.create()))
    statements.clear()
    with connection.execute_wrapper(listen):
        proposal = propose(clinic, patient, protocol=standard)

    assert (kept, len(statements)) == (8, 12)
    assert len(proposal.offers[0].sessions) == 6


def test_sessions_that_are_to_have_other_times_leave_those_they_have(patient: Patient) -> None:
    """With one chair: the last but one stays half an hour later on its date, for the last one its own hour is free."""
    clinic = make_clinic(chairs=1)
    course = book(clinic, patient, propose(clinic, patient, wishes=Wishes(not_before=time(9), not_after=time(9))))
    fifth, sixth = course.sessions.in_order()[4:]
    later = Place(fifth.starts_at + timedelta(minutes=30), fifth.chair_id, fifth.prescriber_id)

    proposal = propose(
        clinic,
        patient,
        course=course,
        moving=[fifth, sixth],
        fixed=[later],
        earliest=sixth.local_date,
        wishes=Wishes(not_before=time(9), not_after=time(9)),
    )

    offer = proposal.offers[0]
    assert [row.place.starts_at for row in offer.sessions] == [later.starts_at, sixth.starts_at]
    assert (offer.label, offer.findings) == ("wishes", ())
