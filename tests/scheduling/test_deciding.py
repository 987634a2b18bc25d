"""Decisions: what each frees and places in its one commit, what it tells, and that a full calendar loses none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from clinic.errors import Invalid, RulesBroken, Stale
from patients import screening, worklist
from patients.models import Patient, Task, TaskKind
from scheduling import booking, deciding
from scheduling.booking import Change, Signature
from scheduling.mails import letters
from scheduling.mails.letters import Outcome
from scheduling.models import Course, CourseState, Mail, MailKind, MailState, Override, Session, SessionState
from scheduling.protocols.types import Phase, Place
from tests.factories import (
    MONDAY,
    Clinic,
    ClosureFactory,
    PatientFactory,
    local,
    make_clinic,
    protocol,
    went,
)
from tests.screenings import WELL

pytestmark = pytest.mark.django_db

DAYS = (0, 3, 7, 10, 14, 17)
NOW = local(MONDAY, "08:00")


@pytest.fixture
def clinic(db: None) -> Clinic:
    return make_clinic(weeks=24)


@pytest.fixture
def course(clinic: Clinic) -> Course:
    return book(clinic, PatientFactory.create())


def book(clinic: Clinic, patient: Patient, days: Sequence[int] = DAYS, code: str = "iv-ketamine-standard") -> Course:
    places = [Place(local(day(ahead)), clinic.chairs[0].pk, clinic.prescriber.pk) for ahead in days]
    return booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(code), places=places, now=NOW - timedelta(hours=1)
    ).course


def day(ahead: int) -> date:
    return MONDAY + timedelta(days=ahead)


def after(ahead: int) -> datetime:
    """The evening of a day: its visits are over."""
    return local(day(ahead), "17:00")


def give(course: Course, count: int) -> None:
    first = course.sessions.order_by("during__startswith")[:count]
    went(course.sessions.filter(pk__in=[session.pk for session in first]))


def decide(clinic: Clinic, course: Course, decision: str, *, now: datetime, **more: Any) -> Change:
    reason = more.pop("reason", "Because.")
    return deciding.decide(actor=clinic.prescriber, course=course, decision=decision, reason=reason, now=now, **more)


def sign(clinic: Clinic, *rules: str) -> Signature:
    return Signature(clinic.prescriber, frozenset(rules), "Known and weighed.")


def dates(sessions: Sequence[Session]) -> list[date]:
    return [session.local_date for session in sessions]


def standing(course: Course) -> list[tuple[str, str]]:
    return list(course.sessions.live().in_order().values_list("phase", "state"))


def close(clinic: Clinic, first: int, days: int) -> None:
    ClosureFactory.create(site=clinic.site, day=day(first), days=days)


def line(course: Course) -> dict[str, Any]:
    details: dict[str, Any] = Task.objects.get(kind=TaskKind.NO_DATES, course=course, done_at=None).details
    return details


# Go on


def test_going_on_places_what_the_plan_still_owes(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create(), DAYS[:3])
    give(course, 3)

    change = decide(clinic, course, "go-on", now=after(7))

    assert dates(change.placed) == [day(10), day(14), day(17)]
    assert [session.number for session in change.placed] == [4, 5, 6]
    assert (change.freed, change.missing, change.findings) == ((), 0, ())
    assert Mail.objects.filter(course=course, kind=MailKind.CHANGED).count() == 1


def test_going_on_with_all_dates_booked_is_written_down_and_tells_nobody(clinic: Clinic, course: Course) -> None:
    give(course, 3)

    change = decide(clinic, course, "go-on", now=after(7))

    assert change.sessions == ()
    assert [event.kind for event in course.events.order_by("pk")] == ["booked", "decided"]
    assert Mail.objects.filter(course=course).exclude(kind=MailKind.BOOKED).filter(session=None).count() == 0


def test_a_paused_course_is_taken_up_again(clinic: Clinic, course: Course) -> None:
    give(course, 3)
    paused = decide(clinic, course, "pause", now=after(7), until=day(12))
    state = Course.objects.values_list("state", "paused_until").get()

    change = decide(clinic, course, "go-on", now=after(8))

    assert (dates(paused.freed), state) == ([day(10), day(14), day(17)], (CourseState.PAUSED, day(12)))
    assert (change.course.state, change.course.paused_until) == (CourseState.ACTIVE, None)
    assert dates(change.placed) == [day(10), day(14), day(17)]


def test_after_the_initial_phase_of_the_spray_going_on_places_the_weekly_taper(clinic: Clinic) -> None:
    days = (0, 3, 7, 10, 14, 17, 21, 24)
    course = book(clinic, PatientFactory.create(), days, "esketamine-trd-us")
    give(course, 8)

    change = decide(clinic, course, "go-on", now=after(24))

    assert {session.phase for session in change.placed} == {Phase.TAPER}
    assert dates(change.placed) == [day(28), day(35), day(42), day(49)]


# Extend


def test_an_extension_needs_a_signature_whatever_the_calendar_says(clinic: Clinic, course: Course) -> None:
    give(course, 6)

    with pytest.raises(RulesBroken) as refusal:
        decide(clinic, course, "extend", now=after(17), sessions=2)

    assert [(one.rule, one.observed) for one in refusal.value.findings if one.level == "override"] == [
        ("initial-max", "8 sessions"),
        ("span-max", "day 23"),
    ]
    assert course.sessions.count() == 6


def test_a_signed_extension_places_one_or_two_more(clinic: Clinic, course: Course) -> None:
    give(course, 6)

    change = decide(
        clinic, course, "extend", now=after(17), sessions=2, override=sign(clinic, "initial-max", "span-max")
    )

    assert [(session.number, session.phase) for session in change.placed] == [(7, "initial"), (8, "initial")]
    assert [(later - earlier).days >= 2 for earlier, later in pairwise([day(17), *dates(change.placed)])] == [True] * 2
    assert sorted(Override.objects.values_list("rule", flat=True)) == ["initial-max", "span-max"]


def test_every_extension_is_signed_anew(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    override = sign(clinic, "initial-max", "span-max")
    decide(clinic, course, "extend", now=after(17), override=override)

    with pytest.raises(RulesBroken) as refusal:
        decide(clinic, course, "extend", now=after(17))

    assert [one.rule for one in refusal.value.findings if one.level == "override"] == ["initial-max", "span-max"]


def test_an_extension_without_room_is_signed_and_waits_on_the_desks_list(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    close(clinic, 18, 60)
    with pytest.raises(RulesBroken) as refusal:
        decide(clinic, course, "extend", now=after(17))

    change = decide(clinic, course, "extend", now=after(17), override=sign(clinic, "initial-max"))

    assert [one.rule for one in refusal.value.findings] == ["initial-max"]
    assert (change.placed, change.missing) == ((), 1)
    assert line(course) == {"phase": "initial", "count": 1, "dates": []}


# Dose


@pytest.mark.parametrize(
    ("code", "dose", "column"),
    [("iv-ketamine-standard", "0.75", "dose_mg_per_kg"), ("esketamine-trd-us", "84", "dose_mg")],
)
def test_another_dose_is_that_of_the_visits_to_come(clinic: Clinic, code: str, dose: str, column: str) -> None:
    course = book(clinic, PatientFactory.create(), DAYS[:4], code)

    decide(clinic, course, "change-dose", now=NOW, dose=Decimal(dose))

    course.refresh_from_db()
    assert getattr(course, column) == Decimal(dose)
    assert standing(course) == [("initial", "booked")] * 4
    told = course.events.get(kind="decided").details
    assert (told["dose"], told["before"]) == (dose, None)


# Maintenance


def test_maintenance_is_placed_for_three_months_in_the_same_commit(clinic: Clinic, course: Course) -> None:
    give(course, 4)

    change = decide(clinic, course, "maintenance", now=after(10), interval_days=21)

    assert dates(change.freed) == [day(14), day(17)]
    assert dates(change.placed) == [day(31), day(52), day(73), day(94)]
    assert {session.phase for session in change.placed} == {Phase.MAINTENANCE}
    assert (change.course.phase, change.course.interval_days, change.missing) == ("maintenance", 21, 0)


def test_maintenance_tells_what_goes_and_what_comes_in_one_mail(clinic: Clinic, course: Course) -> None:
    give(course, 4)
    Mail.objects.filter(session=None).update(state=MailState.SENT, sent_at=NOW, settled_at=NOW)

    change = decide(clinic, course, "maintenance", now=after(10), interval_days=21)

    mail = Mail.objects.get(session=None, state=MailState.DUE)
    (letter,) = letters.write_all([mail], now=after(10))
    assert not isinstance(letter, Outcome)
    assert (mail.kind, len(letter.cancelled), len(letter.added)) == (MailKind.CHANGED, 2, 4)
    reminded = Mail.objects.filter(state=MailState.DUE, session__in=change.sessions).values_list("session", flat=True)
    assert set(reminded) == {session.pk for session in change.placed}


def test_another_interval_gives_the_dates_anew_and_the_same_one_is_no_decision(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    first = decide(clinic, course, "maintenance", now=after(17), interval_days=28)

    worklist.open_task(kind=TaskKind.RELAPSE, patient=course.patient, course=course, now=after(18))
    unchanged: list[dict[str, Any]] = [{}, {"interval_days": 28}]
    for same in unchanged:
        with pytest.raises(Invalid) as refused:
            decide(clinic, course, "maintenance", now=after(18), **same)
        assert refused.value.fields == {"interval_days": ["Nothing would change: this is the interval already."]}
    assert Task.objects.get(kind=TaskKind.RELAPSE).done_at is None
    other = decide(clinic, course, "maintenance", now=after(18), interval_days=21)

    assert Task.objects.get(kind=TaskKind.RELAPSE).done_by == clinic.prescriber
    assert dates(other.freed) == dates(first.placed)
    assert dates(other.placed) == [day(38), day(59), day(80), day(101)]


def test_a_paused_course_goes_on_in_maintenance_at_its_interval(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    decide(clinic, course, "maintenance", now=after(17), interval_days=28)
    decide(clinic, course, "pause", now=after(18))
    again = decide(clinic, course, "maintenance", now=after(19), interval_days=28)

    assert (again.course.state, bool(again.placed)) == (CourseState.ACTIVE, True)


def test_each_maintenance_date_that_finds_a_place_is_placed_the_others_are_listed(
    clinic: Clinic, course: Course
) -> None:
    give(course, 6)
    close(clinic, 50, 20)

    change = decide(clinic, course, "maintenance", now=after(17), interval_days=21)

    assert dates(change.placed) == [day(38), day(80), day(101)]
    assert (change.missing, line(course)) == (
        1,
        {"phase": "maintenance", "count": 1, "dates": [day(59).isoformat()]},
    )


def test_a_decision_is_kept_where_nothing_is_free(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    close(clinic, 18, 400)

    change = decide(clinic, course, "maintenance", now=after(17), interval_days=21)

    course.refresh_from_db()
    assert (course.phase, change.placed, change.missing) == ("maintenance", (), 4)
    assert line(course)["count"] == 4


def test_the_line_goes_once_the_desk_has_found_the_dates(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    close(clinic, 50, 20)
    decide(clinic, course, "maintenance", now=after(17), interval_days=21)
    course.refresh_from_db()

    place = Place(local(day(70)), clinic.chairs[0].pk, clinic.prescriber.pk)
    booking.add_sessions(actor=clinic.desk, course=course, places=[place], now=after(18))

    assert Task.objects.filter(kind=TaskKind.NO_DATES, done_at=None).count() == 0


def test_maintenance_of_the_spray_begins_after_its_weekly_taper(clinic: Clinic) -> None:
    days = (0, 3, 7, 10, 14, 17, 21, 24)
    course = book(clinic, PatientFactory.create(), days, "esketamine-trd-us")
    give(course, 8)

    change = decide(clinic, course, "maintenance", now=after(24), interval_days=14)

    taper = [session for session in change.placed if session.phase == Phase.TAPER]
    rest = [session for session in change.placed if session.phase == Phase.MAINTENANCE]
    assert dates(taper) == [day(28), day(35), day(42), day(49)]
    assert dates(rest)[:3] == [day(63), day(77), day(91)]
    assert decide(clinic, course, "go-on", now=after(24)).sessions == ()


# A new initial phase


def test_a_new_initial_phase_completes_the_old_course_and_books_another(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    decide(clinic, course, "maintenance", now=after(17), interval_days=21)
    give(course, 7)
    Mail.objects.filter(session=None).update(state=MailState.SENT, sent_at=NOW, settled_at=NOW)

    change = decide(clinic, course, "new-initial", now=after(38))

    course.refresh_from_db()
    assert (course.state, change.course.state, change.course.phase) == ("completed", "active", "initial")
    assert change.course.protocol_id == course.protocol_id
    assert dates(change.freed) == [day(59), day(80), day(101)]
    assert standing(change.course) == [("initial", "booked")] * 6
    assert dates(change.placed)[0] == day(42)
    mail = Mail.objects.get(session=None, state=MailState.DUE)
    (letter,) = letters.write_all([mail], now=after(38))
    assert not isinstance(letter, Outcome)
    assert (mail.course_id, len(letter.cancelled), len(letter.added)) == (change.course.pk, 3, 6)


def test_a_new_initial_phase_without_room_for_its_minimum_is_not_begun(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    close(clinic, 25, 60)

    change = decide(clinic, course, "new-initial", now=after(17))

    assert (change.course.state, change.placed, change.missing) == ("active", (), 6)
    assert line(change.course) == {"phase": "initial", "count": 6, "dates": []}


def test_what_is_signed_for_a_new_initial_phase_stays_with_the_course_that_it_is_about(
    clinic: Clinic, course: Course
) -> None:
    give(course, 3)
    answers = replace(WELL, pressure=True)
    screening.screen(
        actor=clinic.prescriber, patient=course.patient, answers=answers, decision="accepted", now=after(7)
    )

    change = decide(clinic, course, "new-initial", now=after(7), override=sign(clinic, "initial-min", "pressure"))

    assert list(course.overrides.values_list("rule", flat=True)) == ["initial-min"]
    assert list(change.course.overrides.values_list("rule", flat=True)) == ["pressure"]
    again = decide(clinic, change.course, "go-on", now=after(7))
    assert (again.course, again.placed) == (change.course, ())


# Pause, close, stop


def test_a_pause_keeps_the_course_without_dates_and_reminders(clinic: Clinic, course: Course) -> None:
    give(course, 2)

    change = decide(clinic, course, "pause", now=after(3))

    assert len(change.freed) == 4
    assert (change.course.state, change.course.ended_at) == (CourseState.PAUSED, None)
    assert Mail.objects.filter(session__in=change.freed, state=MailState.DUE).count() == 0
    assert Mail.objects.filter(course=course, kind=MailKind.CANCELLED, state=MailState.DUE).count() == 1


def test_closing_early_below_the_minimum_needs_an_early_stop_reason(clinic: Clinic, course: Course) -> None:
    give(course, 3)
    with pytest.raises(RulesBroken) as refusal:
        decide(clinic, course, "close-early", now=after(7))

    change = decide(clinic, course, "close-early", now=after(7), override=sign(clinic, "initial-min"))

    assert [one.rule for one in refusal.value.findings] == ["initial-min"]
    assert (change.course.state, len(change.freed)) == (CourseState.COMPLETED, 3)
    assert list(Override.objects.values_list("rule", flat=True)) == ["initial-min"]


def test_a_stop_cancels_all_that_was_to_come_in_the_same_act(clinic: Clinic, course: Course) -> None:
    give(course, 2)

    change = decide(clinic, course, "stop", now=after(3), cause="pregnancy", reason="Test positive.")

    assert (change.course.state, change.course.ended_at) == (CourseState.STOPPED, after(3))
    assert standing(course) == [("initial", "discharged")] * 2
    assert Mail.objects.filter(state=MailState.DUE, session__in=change.freed).count() == 0
    told = course.events.get(kind="decided").details
    assert (told["decision"], told["cause"], told["reason"]) == ("stop", "pregnancy", "Test positive.")


@pytest.mark.parametrize("state", [SessionState.CHECKED_IN, SessionState.GIVING, SessionState.MONITORING])
def test_a_stop_leaves_the_visit_under_way_to_be_finished(clinic: Clinic, course: Course, state: SessionState) -> None:
    went(course.sessions.filter(number=1), state)

    change = decide(clinic, course, "stop", now=local(MONDAY, "10:00"))

    assert (len(change.freed), standing(course)) == (5, [("initial", state)])


@pytest.mark.parametrize("decision", ["maintenance", "new-initial", "close-early"])
def test_a_phase_is_not_closed_while_it_is_open_whether_a_visit_counts(
    clinic: Clinic, course: Course, decision: str
) -> None:
    give(course, 5)
    went(course.sessions.filter(number=6), SessionState.CHECKED_IN)

    with pytest.raises(Stale):
        decide(clinic, course, decision, now=local(day(17), "09:10"))


def test_maintenance_can_be_decided_while_the_last_dose_is_monitored(clinic: Clinic, course: Course) -> None:
    give(course, 3)
    went(course.sessions.filter(number=4), SessionState.MONITORING)

    change = decide(clinic, course, "maintenance", now=local(day(10), "11:00"))

    assert (dates(change.freed), change.placed[0].local_date) == ([day(14), day(17)], day(31))


# What all have in common


@pytest.mark.parametrize("decision", list(deciding.Decision))
def test_a_dry_run_says_what_would_happen_and_changes_nothing(clinic: Clinic, course: Course, decision: str) -> None:
    give(course, 4)
    before = list(Session.objects.order_by("pk").values()), list(Course.objects.values())
    more = {"dose": Decimal("0.6")} if decision == "change-dose" else {}
    override = sign(clinic, "initial-max", "span-max")

    decide(clinic, course, decision, now=after(10), dry_run=True, override=override, **more)

    assert (list(Session.objects.order_by("pk").values()), list(Course.objects.values())) == before
    assert course.events.count() == 1


def test_the_same_request_takes_effect_once(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    request = uuid4()

    first = decide(clinic, course, "maintenance", now=after(17), request_id=request)
    again = decide(clinic, course, "maintenance", now=after(17), request_id=request)

    assert (again.repeated, again.placed, again.missing) == (True, first.placed, first.missing)
    assert course.events.filter(kind="decided").count() == 1


@pytest.mark.parametrize(
    ("decision", "more", "field"),
    [
        ("dance", {}, "decision"),
        ("go-on", {"reason": "  "}, "reason"),
        ("extend", {"sessions": 3}, "sessions"),
        ("extend", {"sessions": 0}, "sessions"),
        ("change-dose", {}, "dose"),
        ("change-dose", {"dose": Decimal(5)}, "dose"),
        ("change-dose", {"dose": Decimal("0.0501")}, "dose"),
        ("maintenance", {"interval_days": 91}, "interval_days"),
        ("pause", {"until": MONDAY}, "until"),
        ("stop", {"cause": "weather"}, "cause"),
        ("stop", {"interval_days": 21}, "interval_days"),
    ],
)
def test_what_cannot_be_meant_is_invalid(
    clinic: Clinic, course: Course, decision: str, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        decide(clinic, course, decision, now=NOW, **more)

    assert list(refusal.value.fields) == [field]


@pytest.mark.parametrize("decision", list(deciding.Decision))
def test_a_course_that_has_ended_takes_no_decision(clinic: Clinic, course: Course, decision: str) -> None:
    decide(clinic, course, "stop", now=NOW)
    more = {"dose": Decimal("0.6")} if decision == "change-dose" else {}

    with pytest.raises(Stale):
        decide(clinic, course, decision, now=NOW, **more)


# What can be chosen


def test_the_decisions_of_an_initial_phase_in_their_order(clinic: Clinic, course: Course) -> None:
    give(course, 3)

    found = deciding.choices(course, list(course.sessions.in_order()), now=after(7))

    assert [(one.key, one.decision, one.fields, one.rules) for one in found] == [
        ("1", "go-on", (), ()),
        ("2", "extend", ("sessions",), ("initial-max",)),
        ("3", "change-dose", ("dose",), ()),
        ("4", "maintenance", ("interval_days",), ("initial-min",)),
        ("5", "new-initial", (), ("initial-min",)),
        ("6", "pause", ("until",), ()),
        ("7", "close-early", (), ("initial-min",)),
        ("8", "stop", ("cause",), ()),
    ]


def test_in_maintenance_the_initial_phase_is_not_extended(clinic: Clinic, course: Course) -> None:
    give(course, 6)
    change = decide(clinic, course, "maintenance", now=after(17))

    found = deciding.choices(change.course, list(course.sessions.in_order()), now=after(18))

    assert [(one.key, str(one.label)) for one in found] == [
        ("1", "Change the dose"),
        ("2", "Change the interval"),
        ("3", "New initial phase"),
        ("4", "Pause"),
        ("5", "Close the course"),
        ("6", "Stop"),
    ]
