"""Giving times up, saying yes, and deciding: each once, each told, nothing half."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from clinic.errors import Invalid, RoleRefused, RulesBroken, Stale
from patients.models import Patient, Task, TaskKind
from scheduling import booking, cancelling, confirming, deciding, holding, moving, roster
from scheduling.booking import Signature
from scheduling.models import Course, CourseState, Override, Session, SessionState
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, Clinic, ClosureFactory, PatientFactory, local, make_clinic, protocol, went

pytestmark = pytest.mark.django_db

DAYS = (0, 3, 7, 10, 14, 17)


@pytest.fixture
def course(clinic: Clinic) -> Course:
    return book(clinic, PatientFactory.create())


def book(clinic: Clinic, patient: Patient, hold: bool = False) -> Course:
    places = [
        Place(local(MONDAY + timedelta(days=1 + ahead)), clinic.chairs[0].pk, clinic.prescriber.pk) for ahead in DAYS
    ]
    return booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, hold=hold, now=NOW
    ).course


def states(course: Course) -> list[str]:
    return list(course.sessions.order_by("during__startswith").values_list("state", flat=True))


def give(course: Course, count: int) -> None:
    first = course.sessions.order_by("during__startswith")[:count]
    went(course.sessions.filter(pk__in=[session.pk for session in first]))


def test_a_cancelled_session_frees_its_time_for_others(clinic: Clinic, course: Course) -> None:
    session = course.sessions.get(number=2)

    change = cancelling.cancel_session(actor=clinic.desk, session=session, reason="Ill", now=NOW)

    assert (change.sessions[0].state, change.sessions[0].freed_at) == (SessionState.CANCELLED, NOW)
    assert [event.kind for event in course.events.order_by("pk")] == ["booked", "session-cancelled"]
    place = Place(session.starts_at, session.chair_id, session.prescriber_id)
    booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=[place], now=NOW
    )


def test_the_sessions_left_are_numbered_anew(clinic: Clinic, course: Course) -> None:
    cancelling.cancel_session(actor=clinic.desk, session=course.sessions.get(number=2), reason="Ill", now=NOW)

    left = course.sessions.filter(state=SessionState.BOOKED).order_by("during__startswith")
    assert list(left.values_list("number", flat=True)) == [1, 2, 3, 4, 5]


def test_a_cancellation_says_at_once_when_the_minimum_is_out_of_reach(clinic: Clinic, course: Course) -> None:
    for session in course.sessions.order_by("-number")[:2]:
        cancelling.cancel_session(actor=clinic.desk, session=session, reason="Ill", now=NOW)
    first, second = course.sessions.filter(number__in=[1, 2]).order_by("number")
    cancelling.cancel_session(actor=clinic.desk, session=second, reason="Ill", now=NOW)
    late = Place(local(MONDAY + timedelta(days=22)), clinic.chairs[1].pk, clinic.prescriber.pk)
    third = course.sessions.filter(state=SessionState.BOOKED).order_by("-during__startswith")[0]
    change = moving.move_session(actor=clinic.desk, session=third, place=late, now=NOW)

    assert "reach" in [finding.rule for finding in change.findings]
    assert first.state == SessionState.BOOKED


def test_a_session_is_cancelled_once(clinic: Clinic, course: Course) -> None:
    session = course.sessions.get(number=2)
    request_id = uuid4()
    asked = {"actor": clinic.desk, "session": session, "reason": "Ill", "now": NOW}

    first = cancelling.cancel_session(**asked, request_id=request_id)  # type: ignore[arg-type]  # keyword arguments
    again = cancelling.cancel_session(**asked, request_id=request_id)  # type: ignore[arg-type]  # keyword arguments

    assert (first.repeated, again.repeated) == (False, True)
    with pytest.raises(Stale):
        cancelling.cancel_session(**asked)  # type: ignore[arg-type]  # keyword arguments


def test_a_cancellation_needs_a_reason(clinic: Clinic, course: Course) -> None:
    with pytest.raises(Invalid):
        cancelling.cancel_session(actor=clinic.desk, session=course.sessions.get(number=2), reason=" ", now=NOW)
    with pytest.raises(Invalid):
        cancelling.cancel_course(actor=clinic.desk, course=course, reason="", now=NOW)


def test_a_cancelled_course_keeps_what_was_given(clinic: Clinic, course: Course) -> None:
    give(course, 2)

    change = cancelling.cancel_course(actor=clinic.desk, course=course, reason="Moves away", now=NOW)

    assert states(course) == ["discharged"] * 2 + ["cancelled"] * 4
    assert (change.course.state, change.course.ended_at) == (CourseState.CANCELLED, NOW)
    with pytest.raises(RulesBroken) as refusal:
        booking.add_sessions(
            actor=clinic.desk,
            course=course,
            places=[Place(local(MONDAY + timedelta(days=21)), clinic.chairs[0].pk, clinic.prescriber.pk)],
            now=NOW,
        )
    assert "stopped" in [finding.rule for finding in refusal.value.findings]


def test_a_course_with_a_visit_under_way_is_not_cancelled(clinic: Clinic, course: Course) -> None:
    went(course.sessions.filter(number=1), SessionState.MONITORING)

    with pytest.raises(Stale):
        cancelling.cancel_course(actor=clinic.desk, course=course, reason="Moves away", now=NOW)

    assert states(course) == ["monitoring"] + ["booked"] * 5


def test_a_dry_run_of_a_cancellation_frees_nothing(clinic: Clinic, course: Course) -> None:
    change = cancelling.cancel_course(actor=clinic.desk, course=course, reason="Moves", dry_run=True, now=NOW)

    assert len(change.sessions) == 6
    assert states(course) == ["booked"] * 6


def test_holds_end_at_their_time_and_not_before(clinic: Clinic) -> None:
    held = book(clinic, PatientFactory.create(), hold=True)

    assert holding.expire_holds(now=NOW + timedelta(hours=23, minutes=59)) == 0
    assert holding.expire_holds(now=NOW + timedelta(hours=24)) == 1

    held.refresh_from_db()
    assert (held.state, states(held)) == (CourseState.CANCELLED, ["expired"] * 6)
    assert [event.kind for event in held.events.order_by("pk")] == ["held", "hold-expired"]


def test_a_yes_by_phone_confirms_once(clinic: Clinic, course: Course) -> None:
    session = course.sessions.get(number=1)

    confirming.confirm_session(actor=clinic.desk, session=session, now=NOW)
    change = confirming.confirm_session(actor=clinic.desk, session=session, now=NOW + timedelta(hours=1))

    assert (change.sessions[0].state, change.sessions[0].confirmed_at) == (SessionState.CONFIRMED, NOW)
    assert [event.kind for event in course.events.order_by("pk")] == ["booked", "confirmed"]


def test_a_held_or_past_session_cannot_be_confirmed(clinic: Clinic, course: Course) -> None:
    held = book(clinic_with_other_chair(clinic), PatientFactory.create(), hold=True)

    with pytest.raises(Stale):
        confirming.confirm_session(actor=clinic.desk, session=held.sessions.get(number=1), now=NOW)
    with pytest.raises(Stale):
        confirming.confirm_session(
            actor=clinic.desk, session=course.sessions.get(number=1), now=NOW + timedelta(days=3)
        )


def clinic_with_other_chair(clinic: Clinic) -> Clinic:
    return Clinic(
        site=clinic.site,
        chairs=clinic.chairs[1:],
        desk=clinic.desk,
        clinician=clinic.clinician,
        nurse=clinic.nurse,
        manager=clinic.manager,
        prescribers=clinic.prescribers,
    )


def test_maintenance_closes_the_initial_phase_and_frees_what_was_still_to_come(clinic: Clinic, course: Course) -> None:
    give(course, 4)
    later = local(MONDAY + timedelta(days=13), "08:00")

    change = deciding.decide(
        actor=clinic.prescriber, course=course, decision="maintenance", reason="Response", interval_days=21, now=later
    )

    assert states(course) == ["discharged"] * 4 + ["cancelled"] * 2 + ["booked"] * 2
    assert (change.course.phase, change.course.interval_days, len(change.freed)) == ("maintenance", 21, 2)
    assert course.events.order_by("-pk")[0].details["reason"] == "Response"


def test_closing_below_the_minimum_needs_an_early_stop_reason(clinic: Clinic, course: Course) -> None:
    give(course, 3)
    later = local(MONDAY + timedelta(days=10), "08:00")
    asked = {
        "actor": clinic.prescriber,
        "course": course,
        "decision": "maintenance",
        "reason": "Response",
        "now": later,
    }

    with pytest.raises(RulesBroken) as refusal:
        deciding.decide(**asked)  # type: ignore[arg-type]  # keyword arguments
    deciding.decide(
        **asked,  # type: ignore[arg-type]  # keyword arguments
        override=Signature(clinic.prescriber, frozenset({"initial-min"}), "Remission after three"),
    )

    assert [finding.rule for finding in refusal.value.findings] == ["initial-min"]
    assert list(Override.objects.values_list("rule", "reason")) == [("initial-min", "Remission after three")]


@pytest.mark.parametrize("who", ["desk", "clinician", "nurse", "manager"])
def test_only_a_prescriber_decides(clinic: Clinic, course: Course, who: str) -> None:
    with pytest.raises(RoleRefused):
        deciding.decide(actor=getattr(clinic, who), course=course, decision="maintenance", reason="Response", now=NOW)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"decision": "dance"}, "decision"),
        ({"reason": " "}, "reason"),
        ({"interval_days": 0}, "interval_days"),
        ({"interval_days": 91}, "interval_days"),
    ],
)
def test_a_decision_that_cannot_be_meant_is_invalid(
    clinic: Clinic, course: Course, change: dict[str, object], field: str
) -> None:
    give(course, 4)
    asked = {"decision": "maintenance", "reason": "Response", **change}

    with pytest.raises(Invalid) as refusal:
        deciding.decide(actor=clinic.prescriber, course=course, now=NOW, **asked)  # type: ignore[arg-type]  # keyword arguments

    assert list(refusal.value.fields) == [field]


def test_a_held_course_cannot_be_decided_on(clinic: Clinic) -> None:
    held = book(clinic, PatientFactory.create(), hold=True)

    with pytest.raises(Stale):
        deciding.decide(actor=clinic.prescriber, course=held, decision="maintenance", reason="Response", now=NOW)


def test_stored_sessions_survive_a_refused_decision(clinic: Clinic, course: Course) -> None:
    with pytest.raises(RulesBroken):
        deciding.decide(actor=clinic.prescriber, course=course, decision="maintenance", reason="Response", now=NOW)

    assert Session.objects.filter(state=SessionState.BOOKED).count() == 6


def test_a_visit_under_way_keeps_a_decision_waiting(clinic: Clinic, course: Course) -> None:
    give(course, 4)
    went(course.sessions.filter(number=5), SessionState.CHECKED_IN)

    with pytest.raises(Stale):
        deciding.decide(actor=clinic.prescriber, course=course, decision="maintenance", reason="Response", now=NOW)


def test_a_hold_that_no_longer_fits_is_not_confirmed(clinic: Clinic) -> None:
    held = book(clinic, PatientFactory.create(), hold=True)
    ClosureFactory.create(site=clinic.site, day=MONDAY + timedelta(days=4))

    with pytest.raises(Stale):
        confirming.confirm_course(actor=clinic.desk, course=held, now=NOW)


def test_an_emptied_hold_is_not_confirmed(clinic: Clinic) -> None:
    held = book(clinic, PatientFactory.create(), hold=True)
    for session in held.sessions.all():
        cancelling.cancel_session(actor=clinic.desk, session=session, reason="Ill", now=NOW)

    with pytest.raises(Stale):
        confirming.confirm_course(actor=clinic.desk, course=held, now=NOW)


def test_what_is_freed_needs_no_new_time(clinic: Clinic, course: Course) -> None:
    give(course, 4)
    roster.set_closure(
        actor=clinic.manager,
        site=clinic.site,
        starts_at=local(MONDAY + timedelta(days=15), "00:00"),
        ends_at=local(MONDAY + timedelta(days=16), "00:00"),
        reason="Painting",
        now=NOW,
    )
    assert Task.objects.filter(kind=TaskKind.NEEDS_TIME, done_at=None).count() == 1

    deciding.decide(
        actor=clinic.prescriber,
        course=course,
        decision="maintenance",
        reason="Response",
        now=local(MONDAY + timedelta(days=13), "08:00"),
    )

    assert Task.objects.filter(kind=TaskKind.NEEDS_TIME, done_at=None).count() == 0


def test_the_event_of_a_hold_that_ran_out_names_its_sessions(clinic: Clinic) -> None:
    held = book(clinic, PatientFactory.create(), hold=True)

    holding.expire_holds(now=NOW + timedelta(hours=24))

    assert sorted(held.events.get(kind="hold-expired").details["sessions"]) == sorted(
        held.sessions.values_list("pk", flat=True)
    )


def test_a_desk_of_another_site_gives_nothing_up_and_confirms_nothing(clinic: Clinic, course: Course) -> None:
    other = make_clinic(chairs=1, prescribers=1)
    session = course.sessions.get(number=1)

    with pytest.raises(RoleRefused):
        cancelling.cancel_session(actor=other.desk, session=session, reason="Ill", now=NOW)
    with pytest.raises(RoleRefused):
        cancelling.cancel_course(actor=other.desk, course=course, reason="Ill", now=NOW)
    with pytest.raises(RoleRefused):
        confirming.confirm_session(actor=other.desk, session=session, now=NOW)
    with pytest.raises(RoleRefused):
        deciding.decide(actor=other.prescriber, course=course, decision="maintenance", reason="Response", now=NOW)
    assert states(course) == ["booked"] * 6
