"""Evaluations: what is free, what is refused, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, RequestReused, RoleRefused, RulesBroken, Stale
from clinic.models import Shift
from patients.models import Patient, Task
from scheduling import evaluating
from scheduling.booking import SlotTaken
from scheduling.evaluating import (
    book_evaluation,
    cancel_evaluation,
    evaluation_no_show,
    finish_evaluation,
    free_starts,
)
from scheduling.mails import outbox
from scheduling.models import Day, Evaluation, EvaluationState, Mail, Room
from scheduling.writes import constraint_of
from tests.factories import (
    MONDAY,
    NEW_YORK,
    NOW,
    Clinic,
    ClosureFactory,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    StaffFactory,
    local,
    make_clinic,
)

TEN = local(MONDAY, "10:00")
AFTER = local(MONDAY, "11:00")

End = Callable[..., tuple[Evaluation, bool]]


@pytest.fixture
def room(clinic: Clinic) -> Room:
    return Room.objects.create(site=clinic.site, name="Room 1")


@pytest.fixture
def booked(clinic: Clinic, patient: Patient, room: Room) -> Evaluation:
    return book(clinic, patient, room)


def book(clinic: Clinic, patient: Patient, room: Room, **changes: Any) -> Evaluation:
    known = {"actor": clinic.desk, "prescriber": clinic.prescriber, "starts_at": TEN, "now": NOW}
    evaluation, _again = book_evaluation(patient=patient, room=room, **{**known, **changes})
    return evaluation


def clocks(clinic: Clinic, day: int = 0, **known: Any) -> list[str]:
    """When evaluations can begin on a day after MONDAY."""
    found = free_starts(site=clinic.site, days=5, now=NOW, **known)
    return [f"{start.starts_at.astimezone(NEW_YORK):%H:%M}" for start in found[MONDAY + timedelta(days=day)]]


# What is free


def test_the_next_open_days_are_offered_on_the_sites_step(clinic: Clinic, room: Room) -> None:
    clinic.site.start_step = 60
    ClosureFactory.create(site=clinic.site, day=MONDAY + timedelta(days=1))
    found = free_starts(site=clinic.site, days=5, now=NOW)

    assert [(day - MONDAY).days for day in found] == [0, 2, 3, 4, 7]
    assert clocks(clinic) == [f"{hour:02}:00" for hour in range(8, 18)]
    assert {(start.rooms, start.prescribers) for start in found[MONDAY]} == {((room,), clinic.prescribers)}


def test_nothing_sooner_than_half_an_hour_from_now_is_offered(clinic: Clinic, room: Room) -> None:
    found = free_starts(site=clinic.site, days=1, now=local(MONDAY, "10:15"))

    assert found[MONDAY][0].starts_at == local(MONDAY, "10:50")


def test_a_room_that_is_taken_and_a_prescriber_who_is_off_are_not_offered(
    clinic: Clinic, room: Room, patient: Patient
) -> None:
    clinic.site.start_step = 30
    book(clinic, patient, room)
    Shift.objects.filter(staff=clinic.prescribers[1]).delete()

    assert clocks(clinic)[:4] == ["08:00", "08:30", "09:00", "11:00"]


def test_a_prescriber_with_another_patient_is_not_offered_in_a_second_room(
    clinic: Clinic, room: Room, patient: Patient
) -> None:
    second = Room.objects.create(site=clinic.site, name="Room 2", position=2)
    book(clinic, patient, room)
    found = {start.starts_at: start for start in free_starts(site=clinic.site, days=1, now=NOW)[MONDAY]}

    assert (found[TEN].rooms, found[TEN].prescribers) == ((second,), clinic.prescribers[1:])


def test_without_a_room_nothing_is_free(clinic: Clinic) -> None:
    Room.objects.create(site=clinic.site, name="Room 9", active=False)

    assert clocks(clinic) == []


def test_what_is_free_takes_as_many_queries_however_much_there_is(clinic: Clinic, room: Room) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as taken:
            free_starts(site=clinic.site, days=10, now=NOW)
        return len(taken)

    before = queries()
    for number in range(5):
        day = MONDAY + timedelta(days=number)
        Room.objects.create(site=clinic.site, name=f"Room {number + 2}")
        book(clinic, PatientFactory.create(), room, starts_at=local(day))

    assert (before, queries()) == (9, 9)


# Booking


def test_a_booked_evaluation_says_when_where_with_whom_and_by_whom(
    clinic: Clinic, patient: Patient, room: Room
) -> None:
    done = book(clinic, patient, room)

    stored: dict[str, Any] = {**Evaluation.objects.values().get(pk=done.pk)}
    assert (stored.pop("during").lower, stored.pop("id")) == (TEN, done.pk)
    assert (done.starts_at, done.ends_at) == (TEN, AFTER)
    assert stored == {
        "patient_id": patient.pk,
        "site_id": clinic.site.pk,
        "room_id": room.pk,
        "prescriber_id": clinic.prescriber.pk,
        "local_date": MONDAY,
        "state": "booked",
        "booked_by_id": clinic.desk.pk,
        "at": NOW,
        "ended_at": None,
        "ended_by_id": None,
        "reason": "",
    }


def queued(state: str = "due") -> list[tuple[str, str, datetime]]:
    rows = Mail.objects.filter(state=state).order_by("due_at", "pk")
    return list(rows.values_list("patient__email", "kind", "due_at"))


def test_a_booking_is_mailed_with_its_reminders_and_what_is_past_is_not(
    clinic: Clinic, patient: Patient, room: Room
) -> None:
    on_friday = local(MONDAY + timedelta(days=4), "10:00")
    book(clinic, patient, room, starts_at=on_friday)
    book(clinic, PatientFactory.create(email="b@example.org"), room, starts_at=TEN)
    assert queued() == [
        (patient.email, "booked", NOW),
        ("b@example.org", "booked", NOW),
        ("b@example.org", "two-hours", local(MONDAY, "08:00")),
        (patient.email, "two-days", local(MONDAY + timedelta(days=2), "10:00")),
        (patient.email, "two-hours", local(MONDAY + timedelta(days=4), "08:00")),
    ]


def test_a_cancelled_evaluation_is_told_and_not_reminded_of(
    clinic: Clinic, patient: Patient, booked: Evaluation
) -> None:
    cancel_evaluation(actor=clinic.desk, evaluation=booked, reason="Ill", now=NOW)
    assert queued() == [(patient.email, "cancelled", NOW)]
    assert [kind for _, kind, _ in queued("withdrawn")] == ["booked", "two-hours"]


@pytest.mark.parametrize("end", [finish_evaluation, evaluation_no_show])
def test_nothing_is_mailed_of_an_evaluation_that_is_over(clinic: Clinic, booked: Evaluation, end: End) -> None:
    end(actor=clinic.nurse, evaluation=booked, now=TEN)
    assert queued() == []


def test_who_cannot_be_mailed_is_told_of_an_evaluation_by_phone_and_catches_up(clinic: Clinic, room: Room) -> None:
    someone = PatientFactory.create(email="")
    book(clinic, someone, room)
    (line,) = Task.objects.all()
    assert (line.kind, line.patient, line.course) == ("no-address", someone, None)
    assert [kind for _, kind, _ in queued("failed")] == ["booked"]

    someone.email, someone.mail_level = "late@example.org", "neutral"
    someone.save(update_fields=["email", "mail_level"])
    for _ in range(2):
        outbox.catch_up(patient=someone, now=NOW)
    assert [kind for _, kind, _ in queued()] == ["booked", "two-hours"]


@pytest.mark.django_db(transaction=True)  # a version is raised once in a transaction
def test_every_step_raises_the_days_version_for_open_boards(clinic: Clinic, booked: Evaluation) -> None:
    before = Day.objects.get(site=clinic.site, date=MONDAY).version
    finish_evaluation(actor=clinic.nurse, evaluation=booked, now=AFTER)

    assert Day.objects.get(site=clinic.site, date=MONDAY).version == before + 1


def test_a_double_click_books_once(clinic: Clinic, patient: Patient, room: Room) -> None:
    request = uuid4()
    first, second = (book(clinic, patient, room, request_id=request) for _ in range(2))

    assert first == second
    with pytest.raises(RequestReused):
        book(clinic, patient, room, request_id=request, starts_at=AFTER)


def test_a_room_a_prescriber_and_a_patient_are_taken_once(
    clinic: Clinic, patient: Patient, room: Room, booked: Evaluation
) -> None:
    second, other = Room.objects.create(site=clinic.site, name="Room 2"), PatientFactory.create()
    told = []
    for who, where, doctor in ((other, room, 1), (other, second, 0), (patient, second, 1)):
        with pytest.raises(SlotTaken) as refused:
            book(clinic, who, where, prescriber=clinic.prescribers[doctor], starts_at=TEN + timedelta(minutes=50))
        told.append(refused.value.message)

    assert told == [str(sentence) for sentence in evaluating.TAKEN.values()]
    assert book(clinic, patient, room, starts_at=AFTER).state == EvaluationState.BOOKED


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        ("07:30", [("hours", "07:30-08:30"), ("doctor", "07:30-08:30")]),
        ("17:30", [("hours", "17:30-18:30"), ("doctor", "17:30-18:30")]),
        ("17:00", []),
    ],
)
def test_an_evaluation_lies_within_hours_and_shift(
    clock: str, said: list[tuple[str, str]], clinic: Clinic, patient: Patient, room: Room
) -> None:
    findings: list[tuple[str, str]] = []
    try:
        book(clinic, patient, room, starts_at=local(MONDAY, clock))
    except RulesBroken as refused:
        findings = [(finding.rule, finding.observed) for finding in refused.findings]

    assert findings == said


def test_a_closure_is_kept(clinic: Clinic, patient: Patient, room: Room) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY)
    with pytest.raises(RulesBroken) as refused:
        book(clinic, patient, room)

    assert [finding.message for finding in refused.value.findings] == [
        "The site is not open from start to end: 10:00-11:00."
    ]


def test_a_patient_who_has_a_visit_then_is_not_evaluated(clinic: Clinic, patient: Patient, room: Room) -> None:
    SessionFactory.create(
        course=CourseFactory.create(site=clinic.site, patient=patient),
        chair=clinic.chairs[0],
        prescriber=clinic.prescribers[1],
        starts_at=local(MONDAY, "08:00"),
    )
    with pytest.raises(RulesBroken) as refused:
        book(clinic, patient, room)

    assert [finding.message for finding in refused.value.findings] == [
        "The patient has a visit at that time: 10:00-11:00."
    ]
    assert book(clinic, patient, room, starts_at=local(MONDAY, "16:00")).local_date == MONDAY


def test_what_cannot_be_meant_is_refused(clinic: Clinic, patient: Patient, room: Room) -> None:
    elsewhere = make_clinic(chairs=1, prescribers=1, weeks=1)
    changes: list[tuple[str, dict[str, Any]]] = [
        ("starts_at", {"starts_at": NOW}),
        ("starts_at", {"starts_at": NOW + timedelta(days=1000)}),
        ("prescriber", {"prescriber": clinic.desk}),
        ("prescriber", {"prescriber": elsewhere.prescriber}),
        ("room", {"room": Room.objects.create(site=clinic.site, name="Room 9", active=False)}),
    ]
    for field, changed in changes:
        with pytest.raises(Invalid) as refused:
            book(clinic, patient, **{"room": room, **changed})
        assert list(refused.value.fields) == [field]
    assert not Evaluation.objects.exists()


def test_who_may_not_book_or_works_elsewhere_is_refused(clinic: Clinic, patient: Patient, room: Room) -> None:
    for actor in (clinic.nurse, StaffFactory.create()):
        with pytest.raises(RoleRefused):
            book(clinic, patient, room, actor=actor)


# What becomes of it


def test_cancelled_needs_a_reason_and_frees_the_time(
    clinic: Clinic, patient: Patient, room: Room, booked: Evaluation
) -> None:
    with pytest.raises(Invalid):
        cancel_evaluation(actor=clinic.desk, evaluation=booked, reason=" ", now=NOW)
    gone, _again = cancel_evaluation(actor=clinic.desk, evaluation=booked, reason="Ill ", now=NOW)

    assert (gone.state, gone.ended_at, gone.ended_by, gone.reason) == ("cancelled", NOW, clinic.desk, "Ill")
    assert book(clinic, patient, room).state == EvaluationState.BOOKED


@pytest.mark.parametrize(
    ("end", "state"), [(finish_evaluation, EvaluationState.DONE), (evaluation_no_show, EvaluationState.NO_SHOW)]
)
def test_done_and_did_not_come_are_written_once_it_has_begun(
    end: End, state: EvaluationState, clinic: Clinic, booked: Evaluation
) -> None:
    with pytest.raises(Stale):
        end(actor=clinic.nurse, evaluation=booked, now=NOW)
    request = uuid4()
    ended = [end(actor=clinic.nurse, evaluation=booked, request_id=request, now=AFTER) for _ in range(2)]

    assert [(one.state, one.ended_at, again) for one, again in ended] == [(state, AFTER, False), (state, AFTER, True)]
    with pytest.raises(Stale):
        end(actor=clinic.nurse, evaluation=booked, now=AFTER)


def test_the_front_desk_does_not_finish_an_evaluation(clinic: Clinic, booked: Evaluation) -> None:
    with pytest.raises(RoleRefused):
        finish_evaluation(actor=clinic.desk, evaluation=booked, now=AFTER)


# The database's word


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"state": "lost", "ended_at": NOW, "ended_by": 1}, "evaluation_state"),
        ({"state": "done"}, "evaluation_ended"),
        ({"ended_at": NOW}, "evaluation_ended"),
        ({"during": (TEN, TEN + timedelta(days=1))}, "evaluation_in_a_day"),
        ({"during": (TEN, None)}, "evaluation_finite"),
    ],
)
def test_the_database_refuses_what_cannot_be(changes: dict[str, Any], constraint: str, booked: Evaluation) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Evaluation.objects.filter(pk=booked.pk).update(**changes)

    assert constraint_of(refused.value) == constraint
