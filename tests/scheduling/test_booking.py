"""Booking, adding and moving: all or nothing, judged by the rules, each request once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clinic.errors import Invalid, RequestReused, RoleRefused, RulesBroken, Stale
from clinic.models import Shift
from patients import worklist
from patients.models import Patient, Task, TaskKind
from scheduling import booking, cancelling, confirming, holding, moving
from scheduling.booking import Change, Signature, SlotTaken
from scheduling.models import Course, CourseState, Day, Override, Session, SessionState
from scheduling.protocols.types import Place, Wanted
from scheduling.writes import constraint_of
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    ClosureFactory,
    PatientFactory,
    local,
    make_clinic,
    protocol,
)
from tests.scheduling import STANDARD, day, place

pytestmark = pytest.mark.django_db


def places(clinic: Clinic, days: Sequence[int] = STANDARD, clock: str = "09:00", chair: int = 0) -> list[Place]:
    return [place(clinic, number, clock, chair) for number in days]


def book(clinic: Clinic, patient: Patient, rows: Sequence[Place], **more: object) -> Change:
    return booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=rows,
        now=NOW,
        **more,  # type: ignore[arg-type]  # keyword arguments of the verb
    )


def signature(clinic: Clinic, *rules: str) -> Signature:
    return Signature(clinic.prescriber, frozenset(rules), "Travels from the 12th; seen and accepted.")


def rows_of(sessions: Sequence[Session]) -> list[tuple[int, str, str, datetime]]:
    return [(session.number, session.phase, session.state, session.starts_at) for session in sessions]


def test_a_course_is_booked_as_a_whole(clinic: Clinic, patient: Patient) -> None:
    change = book(clinic, patient, places(clinic))

    stored = list(Session.objects.order_by("during__startswith"))
    assert change.findings == ()
    assert (change.course.state, change.course.phase) == (CourseState.ACTIVE, "initial")
    assert rows_of(stored) == [
        (number + 1, "initial", "booked", local(day(ahead))) for number, ahead in enumerate(STANDARD)
    ]
    assert stored[0].ends_at - stored[0].starts_at == timedelta(minutes=200)
    assert stored[0].discharge_at - stored[0].dose_ends_at == timedelta(minutes=120)
    assert [event.kind for event in change.course.events.all()] == ["booked"]


def test_numbers_follow_time_whatever_the_order_of_the_rows(clinic: Clinic, patient: Patient) -> None:
    change = book(clinic, patient, list(reversed(places(clinic))))

    assert [session.number for session in change.sessions] == [6, 5, 4, 3, 2, 1]


@pytest.mark.django_db(transaction=True)  # in one transaction a version is raised once
def test_a_booking_raises_the_version_of_every_day_it_touches(clinic: Clinic, patient: Patient) -> None:
    days = Day.objects.filter(site=clinic.site)
    before = dict(days.values_list("date", "version"))

    book(clinic, patient, places(clinic))

    raised = {date for date, version in days.values_list("date", "version") if version > before.get(date, 0)}
    assert raised == {day(number) for number in STANDARD}


@pytest.mark.parametrize("who", ["nurse"])
def test_a_nurse_does_not_book(clinic: Clinic, patient: Patient, who: str) -> None:
    with pytest.raises(RoleRefused):
        booking.book_course(
            actor=getattr(clinic, who), patient=patient, protocol=protocol(), places=places(clinic), now=NOW
        )
    assert Course.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starts_at": NOW - timedelta(days=1)}, "starts_at"),
        ({"starts_at": NOW + timedelta(days=3000)}, "starts_at"),
        ({"starts_at": local(MONDAY).replace(tzinfo=None)}, "starts_at"),
        ({"chair": 10**9}, "chair"),
        ({"prescriber": 10**9}, "prescriber"),
    ],
)
def test_places_that_cannot_be_meant_are_invalid(
    clinic: Clinic, patient: Patient, change: dict[str, object], field: str
) -> None:
    first, *others = places(clinic)

    with pytest.raises(Invalid) as refusal:
        book(clinic, patient, [replace(first, **change), *others])  # type: ignore[arg-type]  # one field of a place

    assert list(refusal.value.fields) == [field]
    assert Session.objects.count() == 0


def test_a_chair_of_another_site_is_invalid(clinic: Clinic, patient: Patient) -> None:
    elsewhere = make_clinic(chairs=1)
    first, *others = places(clinic)

    with pytest.raises(Invalid) as refusal:
        book(clinic, patient, [replace(first, chair=elsewhere.chairs[0].pk), *others])

    assert list(refusal.value.fields) == ["chair"]


@pytest.mark.parametrize("count", [0, 61, 10_000])
def test_none_or_too_many_sessions_are_invalid(clinic: Clinic, patient: Patient, count: int) -> None:
    with pytest.raises(Invalid) as refusal:
        book(clinic, patient, places(clinic, [0]) * count)

    assert list(refusal.value.fields) == ["sessions"]


@pytest.mark.parametrize(
    ("days", "clock", "rules"),
    [
        ((0, 1, 2, 3, 6, 7), "09:00", ["gap-min"] * 3 + ["gap-min"]),
        ((0, 7, 14, 21, 28, 35), "09:00", ["span-max"]),
        ((0, 3, 7, 10, 14, 17, 21), "09:00", ["initial-max"]),
        ((0, 3, 6), "15:30", ["doctor", "doctor", "doctor", "hours", "hours", "hours"]),
        ((0, 0), "09:00", ["one-a-day", "gap-min"]),
    ],
)
def test_rules_refuse_a_plan_and_nothing_is_booked(
    clinic: Clinic, patient: Patient, days: Sequence[int], clock: str, rules: list[str]
) -> None:
    with pytest.raises(RulesBroken) as refusal:
        book(clinic, patient, places(clinic, days, clock))

    assert [finding.rule for finding in refusal.value.findings if finding.level != "warn"] == rules
    assert (Course.objects.count(), Session.objects.count()) == (0, 0)


def test_a_refusal_names_the_phase_of_the_visit_that_does_not_fit(clinic: Clinic, patient: Patient) -> None:
    Shift.objects.filter(staff=clinic.prescriber, during__startswith=local(day(0), "08:00")).update(
        during=DateTimeTZRange(local(day(0), "08:00"), local(day(0), "16:00"))
    )

    with pytest.raises(RulesBroken) as refusal:
        book(clinic, patient, places(clinic, [0], "13:30"))

    finding = refusal.value.findings[0]
    assert (finding.rule, finding.observed, finding.limit) == ("doctor", "16:40", "16:00")
    assert finding.message == "The prescriber leaves at 16:00; monitoring ends at 16:40."


def test_a_closed_day_refuses(clinic: Clinic, patient: Patient) -> None:
    ClosureFactory.create(site=clinic.site, day=day(3))

    with pytest.raises(RulesBroken) as refusal:
        book(clinic, patient, places(clinic))

    assert [(finding.rule, finding.sessions) for finding in refusal.value.findings] == [("hours", (1,))]


def test_a_chair_out_of_order_refuses_that_chair_only(clinic: Clinic, patient: Patient) -> None:
    ClosureFactory.create(site=clinic.site, chair=clinic.chairs[0], day=day(3))

    with pytest.raises(RulesBroken):
        book(clinic, patient, places(clinic))
    book(clinic, patient, places(clinic, chair=1))


def test_a_prescriber_passes_over_a_rule_with_a_reason_that_is_kept(clinic: Clinic, patient: Patient) -> None:
    change = book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), override=signature(clinic, "span-max"))

    override = Override.objects.get()
    assert (override.course, override.rule, override.observed, override.limit, override.by) == (
        change.course,
        "span-max",
        "day 22",
        "day 21",
        clinic.prescriber,
    )
    assert override.reason == "Travels from the 12th; seen and accepted."


def test_an_override_of_another_rule_passes_over_nothing(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(RulesBroken):
        book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), override=signature(clinic, "gap-min"))
    assert Override.objects.count() == 0


def test_only_a_prescriber_signs(clinic: Clinic, patient: Patient) -> None:
    unsigned = Signature(clinic.clinician, frozenset({"span-max"}), "Please.")

    with pytest.raises(RoleRefused):
        book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), override=unsigned)


def test_an_override_needs_a_reason(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(Invalid) as refusal:
        book(
            clinic,
            patient,
            places(clinic, (0, 3, 7, 10, 14, 22)),
            override=replace(signature(clinic, "span-max"), reason="  "),
        )
    assert list(refusal.value.fields) == ["override"]


def test_a_block_cannot_be_overridden(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(RulesBroken):
        book(clinic, patient, places(clinic, [0], "15:30"), override=signature(clinic, "hours"))


def test_a_second_running_course_is_refused(clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient, places(clinic))

    with pytest.raises(RulesBroken) as refusal:
        book(clinic, patient, places(clinic, [49, 52], chair=1))

    assert "one-course" in [finding.rule for finding in refusal.value.findings]


def test_rows_that_another_booking_has_are_named_and_others_offered(clinic: Clinic, patient: Patient) -> None:
    book(clinic, PatientFactory.create(), places(clinic, [3, 7]))

    with pytest.raises(SlotTaken) as refusal:
        book(clinic, patient, places(clinic))

    assert refusal.value.taken == (1, 2)
    assert Course.objects.filter(patient=patient).count() == 0
    for plan in refusal.value.plans:
        offered = [row.place for row in plan.sessions]
        assert len(offered) == 6
        kept = [place for row, place in enumerate(places(clinic)) if row not in (1, 2)]
        assert [place for place in offered if place in kept] == kept
    best = refusal.value.plans[0]
    change = book(clinic, patient, [row.place for row in best.sessions])
    assert len(change.sessions) == 6


def test_what_is_offered_instead_begins_where_the_lost_times_did(clinic: Clinic, patient: Patient) -> None:
    book(clinic, PatientFactory.create(), places(clinic, [28]))

    with pytest.raises(SlotTaken) as refusal:
        book(clinic, patient, places(clinic, [28]))

    assert min(row.place.starts_at for plan in refusal.value.plans for row in plan.sessions) >= local(day(28), "00:00")


def test_the_limit_of_a_prescriber_is_taken_too(clinic: Clinic, patient: Patient) -> None:
    for chair in range(4):
        book(clinic, PatientFactory.create(), places(clinic, [0], chair=chair))

    with pytest.raises(SlotTaken) as refusal:
        book(clinic, patient, places(clinic, [0], chair=4))

    assert refusal.value.taken == (0,)


def test_the_next_visit_may_begin_when_the_turn_over_ends(clinic: Clinic, patient: Patient) -> None:
    book(clinic, PatientFactory.create(), places(clinic, [0], "08:00"))

    change = book(clinic, patient, places(clinic, [0], "11:20"))

    assert change.sessions[0].starts_at == local(day(0), "11:20")


def test_a_request_takes_effect_once(clinic: Clinic, patient: Patient) -> None:
    request_id = uuid4()

    first = book(clinic, patient, places(clinic), request_id=request_id)
    second = book(clinic, patient, places(clinic), request_id=request_id)

    assert (first.repeated, second.repeated) == (False, True)
    assert second.course == first.course
    assert Session.objects.count() == 6


def test_a_request_id_of_another_request_is_refused(clinic: Clinic, patient: Patient) -> None:
    request_id = uuid4()
    book(clinic, patient, places(clinic), request_id=request_id)

    with pytest.raises(RequestReused):
        book(clinic, patient, places(clinic, chair=1), request_id=request_id)


def test_a_refused_request_does_not_use_its_id_up(clinic: Clinic, patient: Patient) -> None:
    request_id = UUID(int=7)
    with pytest.raises(RulesBroken):
        book(clinic, patient, places(clinic, [0], "15:30"), request_id=request_id)

    assert not book(clinic, patient, places(clinic, [0]), request_id=request_id).repeated


def test_a_hold_keeps_the_times_and_asks_a_prescriber(clinic: Clinic, patient: Patient) -> None:
    change = book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), hold=True)

    assert (change.course.state, change.course.held_until) == (CourseState.HELD, NOW + timedelta(hours=24))
    assert {session.state for session in change.sessions} == {SessionState.HELD}
    assert list(Task.objects.values_list("kind", "patient", "course", "details")) == [
        (TaskKind.OVERRIDE_ASKED, patient.pk, change.course.pk, {"rules": ["span-max"]})
    ]
    with pytest.raises(SlotTaken):
        book(clinic, PatientFactory.create(), places(clinic))


def test_a_held_course_becomes_booked_when_its_override_is_signed(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), hold=True).course

    with pytest.raises(RulesBroken):
        confirming.confirm_course(actor=clinic.desk, course=course, now=NOW)
    change = confirming.confirm_course(
        actor=clinic.prescriber, course=course, override=signature(clinic, "span-max"), now=NOW
    )

    assert change.course.state == CourseState.ACTIVE
    assert set(Session.objects.values_list("state", flat=True)) == {SessionState.BOOKED}
    assert Task.objects.get(kind=TaskKind.OVERRIDE_ASKED).done_by == clinic.prescriber


def test_a_hold_that_has_run_out_gives_its_times_to_whoever_books_them(clinic: Clinic, patient: Patient) -> None:
    held = book(clinic, PatientFactory.create(), places(clinic), hold=True).course
    later = NOW + timedelta(hours=24)

    change = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places(clinic)[1:], now=later
    )

    assert len(change.sessions) == 5
    with pytest.raises(Stale):
        confirming.confirm_course(actor=clinic.desk, course=held, now=later)
    assert holding.expire_holds(now=later) == 1
    held.refresh_from_db()
    assert (held.state, set(held.sessions.values_list("state", flat=True))) == ("cancelled", {"expired"})


def test_an_expired_hold_is_not_in_the_way_of_the_same_patient(clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient, places(clinic), hold=True)
    later = NOW + timedelta(hours=25)

    change = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places(clinic)[1:], now=later
    )

    assert sorted(Course.objects.values_list("state", flat=True)) == ["active", "cancelled"]
    assert len(change.sessions) == 5


def test_a_session_is_added_in_its_place_by_time(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 10, 14))).course

    change = booking.add_sessions(actor=clinic.desk, course=course, places=places(clinic, [7]), now=NOW)

    assert [session.number for session in change.sessions] == [3]
    assert list(course.sessions.order_by("during__startswith").values_list("number", flat=True)) == [1, 2, 3, 4, 5]
    assert change.course.times_version == 2


def test_maintenance_needs_a_decision_before_it_is_added_to_an_initial_course(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 17))).course

    with pytest.raises(RulesBroken) as refusal:
        booking.add_sessions(actor=clinic.desk, course=course, places=places(clinic, [35]), now=NOW)

    assert {finding.rule for finding in refusal.value.findings} >= {"initial-max", "span-max"}


def test_what_was_passed_over_before_is_not_asked_for_again(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 1, 7, 10)), override=signature(clinic, "gap-min")).course

    change = booking.add_sessions(actor=clinic.desk, course=course, places=places(clinic, [14]), now=NOW)

    assert change.findings == ()


def test_a_moved_session_has_new_times_and_is_one_session_still(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic)).course
    session = course.sessions.get(number=2)
    target = Place(local(day(2), "11:00"), clinic.chairs[1].pk, clinic.prescribers[1].pk)

    change = moving.move_session(actor=clinic.desk, session=session, place=target, now=NOW)

    session.refresh_from_db()
    assert (session.starts_at, session.chair_id, session.prescriber_id, session.local_date) == (
        target.starts_at,
        target.chair,
        target.prescriber,
        day(2),
    )
    assert (session.times_version, change.course.times_version, course.sessions.count()) == (2, 2, 6)


def test_a_move_past_another_session_renumbers_both(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 7, 10))).course
    session = course.sessions.get(number=1)
    target = replace(places(clinic, [14])[0], chair=clinic.chairs[2].pk)

    moving.move_session(actor=clinic.desk, session=session, place=target, now=NOW)

    assert list(course.sessions.order_by("during__startswith").values_list("number", flat=True)) == [1, 2, 3, 4]


def test_a_confirmed_start_stays_confirmed_in_another_chair(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic)).course
    session = confirming.confirm_session(actor=clinic.desk, session=course.sessions.get(number=1), now=NOW).sessions[0]

    moved = moving.move_session(
        actor=clinic.desk, session=session, place=Wanted(chair=clinic.chairs[3].pk), now=NOW
    ).sessions[0]

    assert (moved.state, moved.confirmed_at, moved.chair_id) == (SessionState.CONFIRMED, NOW, clinic.chairs[3].pk)


def test_what_a_move_does_not_name_stays_as_it_is_by_then(clinic: Clinic, patient: Patient) -> None:
    seen = book(clinic, patient, places(clinic)).course.sessions.get(number=1)
    moving.move_session(actor=clinic.desk, session=seen, place=Wanted(chair=clinic.chairs[3].pk), now=NOW)

    moving.move_session(actor=clinic.desk, session=seen, place=Wanted(starts_at=local(day(0), "10:00")), now=NOW)

    seen.refresh_from_db()
    assert (seen.starts_at, seen.chair_id) == (local(day(0), "10:00"), clinic.chairs[3].pk)


def test_less_of_a_breach_that_was_passed_over_is_not_asked_about_and_more_of_it_is(
    clinic: Clinic, patient: Patient
) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), override=signature(clinic, "span-max")).course
    first, last = course.sessions.get(number=1), course.sessions.get(number=6)

    less = moving.move_session(
        actor=clinic.desk, session=first, place=Wanted(starts_at=local(day(1))), dry_run=True, now=NOW
    )
    with pytest.raises(RulesBroken) as more:
        moving.move_session(actor=clinic.desk, session=last, place=Wanted(starts_at=local(day(23))), now=NOW)

    assert [finding.rule for finding in less.findings] == []
    assert [finding.rule for finding in more.value.findings] == ["span-max", "gap-max"]


def test_a_repeated_request_is_answered_after_its_time_has_passed(clinic: Clinic, patient: Patient) -> None:
    request_id = uuid4()
    first = book(clinic, patient, places(clinic, (0, 8)), request_id=request_id)

    again = booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=places(clinic, (0, 8)),
        request_id=request_id,
        now=NOW + timedelta(days=30),
    )

    assert (again.repeated, again.course, again.findings) == (True, first.course, first.findings)
    assert [finding.rule for finding in again.findings] == ["gap-max"]


def test_a_hold_that_has_run_out_takes_no_more_sessions(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 7)), hold=True).course

    with pytest.raises(Stale):
        booking.add_sessions(
            actor=clinic.desk, course=course, places=places(clinic, [10]), now=NOW + timedelta(hours=25)
        )


def test_a_held_course_moved_into_the_rules_asks_nobody_any_more(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), hold=True).course

    moving.move_session(
        actor=clinic.desk, session=course.sessions.get(number=6), place=places(clinic, [17])[0], now=NOW
    )

    assert not Task.objects.filter(done_at=None).exists()
    assert confirming.confirm_course(actor=clinic.desk, course=course, now=NOW).course.state == CourseState.ACTIVE


@pytest.mark.django_db(transaction=True)
def test_a_session_that_gets_another_number_is_new_on_its_board(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic, (0, 3, 10, 14))).course
    later = Day.objects.get(site=clinic.site, date=day(14))

    booking.add_sessions(actor=clinic.desk, course=course, places=places(clinic, [7]), now=NOW)

    assert Day.objects.get(pk=later.pk).version > later.version


def test_a_chair_out_of_use_is_refused_by_the_database_as_well(clinic: Clinic, patient: Patient) -> None:
    session = book(clinic, patient, places(clinic)).course.sessions.get(number=1)
    clinic.chairs[1].active = False
    clinic.chairs[1].save(update_fields=["active"])

    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Session.objects.filter(pk=session.pk).update(chair=clinic.chairs[1])

    assert constraint_of(error.value) == "session_chair_active"


def test_a_move_asks_for_the_confirmation_again(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic)).course
    session = confirming.confirm_session(actor=clinic.desk, session=course.sessions.get(number=1), now=NOW).sessions[0]
    assert session.state == SessionState.CONFIRMED

    moved = moving.move_session(
        actor=clinic.desk, session=session, place=places(clinic, [0], "10:00", chair=3)[0], now=NOW
    ).sessions[0]

    assert (moved.state, moved.confirmed_at) == (SessionState.BOOKED, None)


def test_a_move_within_its_own_time_is_possible(clinic: Clinic, patient: Patient) -> None:
    session = book(clinic, patient, places(clinic)).course.sessions.get(number=1)

    change = moving.move_session(actor=clinic.desk, session=session, place=places(clinic, [0], "09:30")[0], now=NOW)

    assert change.sessions[0].starts_at == local(day(0), "09:30")


def test_a_move_that_breaks_a_gap_names_the_sessions_by_id(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic)).course
    first, second = course.sessions.order_by("number")[:2]

    with pytest.raises(RulesBroken) as refusal:
        moving.move_session(actor=clinic.desk, session=second, place=places(clinic, [1])[0], now=NOW)

    assert [(finding.rule, finding.sessions) for finding in refusal.value.findings] == [
        ("gap-min", (first.pk, second.pk))
    ]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic)).course
    session = course.sessions.get(number=6)
    before = list(Session.objects.order_by("pk").values())
    versions = list(Day.objects.order_by("pk").values())

    change = moving.move_session(
        actor=clinic.desk,
        session=session,
        place=places(clinic, [24])[0],
        override=signature(clinic, "span-max"),
        dry_run=True,
        now=NOW,
    )

    assert [finding.rule for finding in change.findings] == ["span-max", "gap-max"]
    assert list(Session.objects.order_by("pk").values()) == before
    assert list(Day.objects.order_by("pk").values()) == versions
    assert course.events.count() == 1


def test_what_has_begun_or_was_cancelled_cannot_be_moved(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, places(clinic)).course
    session = course.sessions.get(number=6)
    cancelling.cancel_session(actor=clinic.desk, session=session, reason="Ill", now=NOW)

    with pytest.raises(Stale):
        moving.move_session(actor=clinic.desk, session=session, place=places(clinic, [20])[0], now=NOW)


def test_a_move_onto_a_taken_time_offers_others_and_changes_nothing(clinic: Clinic, patient: Patient) -> None:
    book(clinic, PatientFactory.create(), places(clinic, [2], "09:00"))
    session = book(clinic, patient, places(clinic)).course.sessions.get(number=2)

    with pytest.raises(SlotTaken) as refusal:
        moving.move_session(actor=clinic.desk, session=session, place=places(clinic, [2])[0], now=NOW)

    assert refusal.value.taken == (0,)
    assert [len(plan.sessions) for plan in refusal.value.plans] != []
    session.refresh_from_db()
    assert session.starts_at == local(day(3))


def test_whoever_is_asked_for_an_override_reads_why(clinic: Clinic, patient: Patient) -> None:
    change = book(
        clinic,
        patient,
        places(clinic, (0, 3, 7, 10, 14, 22)),
        hold=True,
        reason=" Flies home on the 12th. ",
        ask=clinic.prescribers[1],
    )
    asked = {
        "rules": ["span-max"],
        "reason": "Flies home on the 12th.",
        "asked": clinic.prescribers[1].pk,
        "asked_name": clinic.prescribers[1].short_name,
    }

    task = Task.objects.get(kind=TaskKind.OVERRIDE_ASKED)
    assert task.details == asked
    assert worklist.text_of(task) == (
        f"The times are held; {clinic.prescribers[1].short_name} is asked to sign: span-max. "
        "Reason: Flies home on the 12th."
    )
    assert change.course.events.get().details["reason"] == "Flies home on the 12th."


def test_the_reason_stays_when_what_is_asked_for_changes(clinic: Clinic, patient: Patient) -> None:
    held = book(clinic, patient, places(clinic, (0, 3, 7, 10, 14, 22)), hold=True, reason="Flies home.").course
    second = held.sessions.get(number=2)

    moving.move_session(actor=clinic.desk, session=second, place=places(clinic, [1])[0], now=NOW)

    open_line = Task.objects.get(kind=TaskKind.OVERRIDE_ASKED, done_at=None)
    assert open_line.details == {"rules": ["gap-min", "span-max"], "reason": "Flies home."}


def test_only_a_prescriber_of_the_site_is_asked(clinic: Clinic, patient: Patient) -> None:
    for somebody in (clinic.clinician, make_clinic(chairs=1, weeks=1).prescriber):
        with pytest.raises(Invalid) as refusal:
            book(clinic, patient, places(clinic), hold=True, ask=somebody)
        assert list(refusal.value.fields) == ["ask"]
    assert Course.objects.count() == 0


def test_gaps_are_kept_to_the_patients_other_courses(clinic: Clinic, patient: Patient) -> None:
    earlier = book(clinic, patient, places(clinic, [0])).course
    Course.objects.filter(pk=earlier.pk).update(state=CourseState.COMPLETED, ended_at=NOW)

    with pytest.raises(RulesBroken) as refusal:
        book(clinic, patient, places(clinic, [1], chair=1))

    assert [(finding.rule, finding.sessions) for finding in refusal.value.findings] == [("gap-min", (0,))]


def test_booking_six_sessions_takes_a_constant_number_of_queries(
    clinic: Clinic, patient: Patient, django_assert_num_queries: object
) -> None:
    with connection.execute_wrapper(_count := _Counter()):
        book(clinic, patient, places(clinic))
    six, _count.calls = _count.calls, 0
    other = PatientFactory.create()
    with connection.execute_wrapper(_count):
        book(clinic, other, places(clinic, [0], chair=2))

    assert _count.calls == six


class _Counter:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, execute: object, sql: str, params: object, many: bool, context: object) -> object:
        self.calls += 1
        return execute(sql, params, many, context)  # type: ignore[operator]  # Django's wrapper protocol
