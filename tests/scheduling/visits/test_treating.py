"""The steps of a visit: what each writes and refuses, who may take it, how it is taken back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from clinic.errors import Invalid, RoleRefused, RulesBroken, Stale
from clinic.findings import Level
from clinic.models import Shift, Staff
from patients.models import Task, TaskKind
from scheduling import booking, deciding
from scheduling.judging import Signature
from scheduling.models import Course, CourseEvent, Mail, MailState, Override, Session, SessionState, VisitRecord
from scheduling.protocols.types import Place
from scheduling.visits import absence, charting, treating
from scheduling.writes import constraint_of
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    PatientFactory,
    ScreeningFactory,
    SessionFactory,
    StaffFactory,
    local,
    protocol,
)
from tests.visits import KIM, NO_CHANGE, START, Visit, answer_phq9, at, make_visit

pytestmark = pytest.mark.django_db

IN = SessionState
BLOCK, OVERRIDE = Level.BLOCK, Level.OVERRIDE


@pytest.fixture
def visit(clinic: Clinic) -> Visit:
    return make_visit(clinic)


def rules(refused: pytest.ExceptionInfo[RulesBroken]) -> list[tuple[str, Level]]:
    return [(found.rule, found.level) for found in refused.value.findings]


def signed(staff: Staff, *codes: str) -> Signature:
    return Signature(staff, frozenset(codes), "Discussed with the patient.")


# A whole visit


def test_a_whole_visit_writes_who_did_what_and_when(visit: Visit) -> None:
    planned = visit.session.during

    visit.come_to(IN.DISCHARGED)

    session = visit.fresh()
    assert session.state == IN.DISCHARGED
    assert [session.checked_in_at, session.dose_started_at, session.dose_ended_at, session.left_at] == [
        START,
        at(30),
        at(70),
        at(190),
    ]
    assert session.during == planned
    record = session.record
    assert (record.checked_in_by, record.started_by, record.confirmed_by) == (visit.nurse, visit.nurse, visit.second)
    assert (record.drug, record.lot, record.mg, record.mg_per_kg, record.mg_given) == (
        "Ketamine",
        "K-1",
        Decimal(40),
        Decimal("0.5"),
        Decimal(40),
    )
    assert (record.signed_by, record.seen_by, record.checklist) == (visit.nurse, visit.second, {"oriented": True})
    assert (record.escort_name, record.escort_phone) == (KIM.name, KIM.phone)
    kinds = CourseEvent.objects.order_by("pk").values_list("kind", "by", "at")
    assert list(kinds) == [
        ("checked-in", visit.nurse.pk, START),
        ("dose-started", visit.nurse.pk, at(30)),
        ("dose-ended", visit.nurse.pk, at(70)),
        ("discharged", visit.nurse.pk, at(190)),
    ]


def test_a_repeated_request_answers_the_same_and_another_finds_the_step_taken(visit: Visit) -> None:
    request = uuid4()
    first = visit.check_in(request_id=request)

    again = visit.check_in(request_id=request)

    assert (first.repeated, again.repeated) == (False, True)
    assert again.sessions == first.sessions
    with pytest.raises(Stale):
        visit.check_in(request_id=uuid4())
    assert CourseEvent.objects.count() == 1


@pytest.mark.parametrize("state", [IN.CHECKED_IN, IN.GIVING, IN.MONITORING, IN.READY, IN.DISCHARGED])
def test_a_step_is_taken_in_its_turn_only(visit: Visit, state: SessionState) -> None:
    session = visit.come_to(state)
    turn = {
        visit.check_in: (),
        visit.start: (IN.CHECKED_IN,),
        visit.finish: (IN.GIVING,),
        visit.discharge: (IN.MONITORING, IN.READY),
    }
    for step, states in turn.items():
        if state not in states:
            with pytest.raises(Stale):
                step(at(195))
    assert visit.fresh() == session
    assert visit.fresh().state == state


def test_the_desk_and_the_manager_run_no_visit(visit: Visit) -> None:
    for actor in (visit.clinic.desk, visit.clinic.manager):
        visit.nurse = actor
        for step in (visit.check_in, visit.start, visit.finish, visit.discharge):
            with pytest.raises(RoleRefused):
                step()


def test_a_step_can_be_written_down_late_and_never_before_the_one_before_it(visit: Visit) -> None:
    visit.check_in(at(5), at=at(1))
    visit.measure(at(10))
    visit.start(at(35), at=at(31))

    with pytest.raises(Invalid) as early:
        visit.finish(at(75), at=at(30))
    with pytest.raises(Invalid) as ahead:
        visit.finish(at(75), at=at(76))
    visit.finish(at(75), at=at(71))

    assert (list(early.value.fields), list(ahead.value.fields)) == (["at"], ["at"])
    session = visit.fresh()
    assert [session.checked_in_at, session.dose_started_at, session.dose_ended_at] == [at(1), at(31), at(71)]
    assert session.stepped_at == at(75)


# Check-in


@pytest.mark.parametrize("open_question", ["pressure", "liver", "stroke", "heart"])
def test_nobody_is_checked_in_while_a_question_of_the_history_is_open(visit: Visit, open_question: str) -> None:
    with pytest.raises(RulesBroken) as refused:
        visit.check_in(changed={**NO_CHANGE, open_question: None})

    assert rules(refused) == [("new-history", BLOCK)]
    assert visit.fresh().state == IN.BOOKED


def test_a_yes_asks_a_clinician_for_a_review_before_the_dose(visit: Visit) -> None:
    visit.check_in(changed={**NO_CHANGE, "stroke": True})
    visit.measure(at(10))
    (line,) = Task.objects.filter(kind=TaskKind.REVIEW, done_at=None)
    with pytest.raises(RulesBroken) as refused:
        visit.start()
    with pytest.raises(RoleRefused):
        treating.review(actor=visit.nurse, session=visit.session, note="Nothing new.", now=at(20))

    treating.review(actor=visit.clinic.clinician, session=visit.session, note=" A TIA was ruled out. ", now=at(20))

    assert (line.key, line.details) == (str(visit.session.pk), {"items": ["stroke"]})
    assert rules(refused) == [("new-history", BLOCK)]
    record = VisitRecord.objects.get()
    assert (record.reviewed_by, record.reviewed_at, record.review_note) == (
        visit.clinic.clinician,
        at(20),
        "A TIA was ruled out.",
    )
    assert not Task.objects.filter(kind=TaskKind.REVIEW, done_at=None).exists()
    assert visit.start().sessions[0].state == IN.GIVING


def test_check_in_is_on_the_planned_date_only(visit: Visit) -> None:
    for now in (START - timedelta(days=1), START + timedelta(days=1)):
        with pytest.raises(Invalid):
            visit.check_in(now)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight_kg", Decimal(19)),
        ("weight_kg", Decimal(401)),
        ("last_food_at", at(1)),
        ("last_drink_at", START - timedelta(days=8)),
        ("medicines", ["Lithium", " "]),
    ],
)
def test_what_cannot_be_of_a_patient_who_comes_is_refused(visit: Visit, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        visit.check_in(**{field: value})

    assert list(refused.value.fields) == [field]


# The dose


def test_nobody_confirms_their_own_dose(visit: Visit) -> None:
    visit.come_to(IN.CHECKED_IN)
    for person in (None, visit.nurse):
        with pytest.raises(RulesBroken) as refused:
            visit.start(confirmed_by=person)
        assert rules(refused) == [("dose-check", BLOCK)]


def test_the_second_person_treats_at_this_site(visit: Visit) -> None:
    visit.come_to(IN.CHECKED_IN)
    for person in (visit.clinic.desk, StaffFactory.create(prescriber=True)):
        with pytest.raises(Invalid) as refused:
            visit.start(confirmed_by=person)
        assert list(refused.value.fields) == ["confirmed_by"]


def test_the_first_dose_wants_a_baseline_of_seven_days(visit: Visit, clinic: Clinic) -> None:
    visit.session.patient.scores.update(voided_at=NOW)
    answer_phq9(visit.session.patient, taken_at=START - timedelta(days=8))
    visit.come_to(IN.CHECKED_IN)
    with pytest.raises(RulesBroken) as refused:
        visit.start()

    visit.start(override=signed(clinic.prescriber, "baseline"))

    assert rules(refused) == [("baseline", OVERRIDE)]
    (override,) = Override.objects.all()
    assert (override.rule, override.observed, override.limit, override.by) == (
        "baseline",
        "8 days",
        "7 days",
        clinic.prescriber,
    )


def test_a_later_dose_wants_no_new_baseline(visit: Visit, clinic: Clinic) -> None:
    visit.session.patient.scores.update(voided_at=NOW)
    earlier = {"starts_at": START - timedelta(days=3), "state": IN.CANCELLED}
    before = SessionFactory.create(course=visit.session.course, chair=clinic.chairs[0], number=9, **earlier)
    visit.come_to(IN.CHECKED_IN)
    with pytest.raises(RulesBroken):
        visit.start()
    Shift.objects.create(
        staff=before.prescriber,
        site=clinic.site,
        during=(START - timedelta(days=3, hours=2), START - timedelta(days=3, hours=-8)),
    )
    Session.objects.filter(pk=before.pk).update(
        state=IN.DISCHARGED,
        freed_at=None,
        checked_in_at=before.starts_at,
        dose_started_at=before.dose_starts_at,
        dose_ended_at=before.dose_ends_at,
        left_at=before.discharge_at,
    )

    assert visit.start().findings == ()


def test_an_answer_to_item_9_is_acknowledged_before_the_dose_and_before_discharge(visit: Visit) -> None:
    score = answer_phq9(visit.session.patient, taken_at=START - timedelta(hours=1), item_9=1)
    visit.come_to(IN.CHECKED_IN)
    with pytest.raises(RulesBroken) as before_dose:
        visit.start()
    score.seen_at, score.seen_by = at(20), visit.clinic.clinician
    score.save(update_fields=["seen_at", "seen_by"])
    visit.start()
    visit.finish()
    visit.measure(at(185))
    answer_phq9(visit.session.patient, taken_at=at(186), item_9=2)
    with pytest.raises(RulesBroken) as before_discharge:
        visit.discharge()

    assert (rules(before_dose), rules(before_discharge)) == ([("score-seen", BLOCK)], [("score-seen", BLOCK)])


def test_a_high_pressure_needs_a_prescribers_reason(visit: Visit, clinic: Clinic) -> None:
    visit.check_in()
    visit.measure(at(10), systolic=162, diastolic=95)
    with pytest.raises(RulesBroken) as refused:
        visit.start()
    with pytest.raises(RoleRefused):
        visit.start(override=signed(visit.nurse, "bp-high"))

    change = visit.start(override=signed(clinic.prescriber, "bp-high"))

    assert rules(refused) == [("bp-high", OVERRIDE)]
    assert [(found.rule, found.observed) for found in change.findings] == [("bp-high", "162/95")]
    assert Override.objects.values_list("rule", "observed", "limit").get() == ("bp-high", "162/95", "160/100")


def test_an_earlier_time_does_not_leave_out_what_was_measured_by_now(visit: Visit) -> None:
    visit.come_to(IN.CHECKED_IN)
    high = visit.measure(at(20), systolic=170).round
    with pytest.raises(RulesBroken) as refused:
        visit.start(at(22), at=at(15))
    charting.void_round(actor=visit.nurse, round_=high, now=at(22))
    visit.start(at(22), at=at(15))
    visit.finish(at(62))
    visit.measure(at(185))
    visit.measure(at(200), sedation=3)
    with pytest.raises(Invalid) as early:
        visit.discharge(at(201), at=at(190))

    assert rules(refused) == [("bp-high", OVERRIDE)]
    assert list(early.value.fields) == ["at"]


def test_an_override_of_an_earlier_visit_does_not_pass_this_one(visit: Visit, clinic: Clinic) -> None:
    Override.objects.create(course=visit.session.course, rule="bp-high", reason="Once.", by=clinic.prescriber, at=NOW)
    visit.check_in()
    visit.measure(at(10), systolic=162, diastolic=95)

    with pytest.raises(RulesBroken):
        visit.start()


def test_a_raised_pressure_is_said_and_goes_through(visit: Visit) -> None:
    visit.check_in()
    visit.measure(at(10), systolic=145, diastolic=85)

    assert [found.rule for found in visit.start().findings] == ["bp-before"]


def test_no_dose_without_a_pressure_of_the_last_hour(visit: Visit) -> None:
    visit.check_in()
    with pytest.raises(RulesBroken) as refused:
        visit.start()

    assert rules(refused) == [("bp-high", OVERRIDE)]


def test_who_is_not_accepted_gets_no_dose(visit: Visit) -> None:
    visit.come_to(IN.CHECKED_IN)
    ScreeningFactory.create(patient=visit.session.patient, version=2, decision="deferred")
    with pytest.raises(RulesBroken) as refused:
        visit.start()

    assert rules(refused) == [("not-screened", BLOCK)]


def test_a_course_that_was_stopped_after_check_in_gives_no_dose(visit: Visit, clinic: Clinic) -> None:
    visit.come_to(IN.CHECKED_IN)
    deciding.decide(
        actor=clinic.prescriber,
        course=visit.session.course,
        decision="stop",
        cause="pregnancy",
        reason="A test today.",
        now=at(15),
    )

    with pytest.raises(RulesBroken) as refused:
        visit.start()

    assert rules(refused) == [("stopped", BLOCK)]
    treating.not_dosed(actor=visit.nurse, session=visit.session, reason="The course was stopped.", now=at(31))
    assert visit.fresh().state == IN.NOT_DOSED


def test_a_dose_so_late_that_the_last_prescriber_leaves_is_refused(clinic: Clinic) -> None:
    visit = make_visit(clinic, starts_at=local(MONDAY, "14:40"))
    came = local(MONDAY, "14:40")
    visit.check_in(came)
    visit.measure(came + timedelta(minutes=10))
    begins = came + timedelta(minutes=41)
    with pytest.raises(RulesBroken) as refused:
        visit.start(begins)

    assert rules(refused) == [("doctor", BLOCK)]
    assert refused.value.message == "The prescriber leaves at 18:00; monitoring ends at 18:01."
    assert visit.start(begins - timedelta(minutes=1)).sessions[0].state == IN.GIVING


def test_a_prescriber_who_left_gives_no_dose(visit: Visit, clinic: Clinic) -> None:
    visit.come_to(IN.CHECKED_IN)
    shift = Shift.objects.get(staff=clinic.prescriber, during__contains=START)
    shift.during = (shift.during.lower, at(20))
    shift.save(update_fields=["during"])
    with pytest.raises(RulesBroken) as refused:
        visit.start()

    assert rules(refused) == [("doctor", BLOCK)]


def test_a_prescriber_at_the_limit_takes_no_more_patients(visit: Visit, clinic: Clinic) -> None:
    visit.come_to(IN.CHECKED_IN)
    for chair in (1, 2):
        make_visit(clinic, chair=chair).come_to(IN.GIVING)
    Shift.objects.filter(staff=clinic.prescriber, during__contains=START).update(patients_at_once=2)
    with pytest.raises(RulesBroken) as refused:
        visit.start()

    assert rules(refused) == [("doctor", BLOCK)]
    assert refused.value.message == "The prescriber would have 3 patients under care; the limit is 2."


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("drug", " "),
        ("drug", "Esketamine"),
        ("lot", ""),
        ("mg", None),
        ("mg", Decimal(0)),
        ("mg", Decimal(501)),
        ("mg", Decimal(45)),
        ("mg_per_kg", Decimal("2.1")),
    ],
)
def test_a_dose_that_cannot_be_meant_is_refused(visit: Visit, field: str, value: Any) -> None:
    visit.come_to(IN.CHECKED_IN)
    with pytest.raises(Invalid) as refused:
        visit.start(**{field: value})

    assert list(refused.value.fields) == [field]


def test_an_infusion_is_held_against_the_weight_without_mg_per_kg_too(visit: Visit) -> None:
    visit.come_to(IN.CHECKED_IN)
    with pytest.raises(Invalid) as refused:
        visit.start(mg=Decimal(400), mg_per_kg=None)

    assert refused.value.fields == {"mg": ["This has to be above 0 and at most 160 mg."]}


def test_a_dose_stopped_early_is_written_down_with_its_waste_and_witness(visit: Visit) -> None:
    visit.come_to(IN.GIVING)
    with pytest.raises(Invalid) as more:
        visit.finish(mg_given=Decimal(41))
    with pytest.raises(Invalid) as unseen:
        visit.finish(mg_given=Decimal(25), waste_mg=Decimal(15))
    with pytest.raises(Invalid) as alone:
        visit.finish(mg_given=Decimal(25), waste_mg=Decimal(15), waste_witness=visit.nurse)

    visit.finish(mg_given=Decimal(25), waste_mg=Decimal(15), waste_witness=visit.second)

    assert [list(error.value.fields) for error in (more, unseen, alone)] == [
        ["mg_given"],
        ["waste_witness"],
        ["waste_witness"],
    ]
    record = VisitRecord.objects.get()
    assert (record.mg_given, record.waste_mg, record.waste_witness, record.ended_by) == (
        Decimal(25),
        Decimal(15),
        visit.second,
        visit.nurse,
    )


# Going home


def test_discharge_says_everything_that_is_missing_and_when_it_can_be(visit: Visit) -> None:
    visit.come_to(IN.MONITORING)
    with pytest.raises(RulesBroken) as refused:
        visit.discharge(at(189))

    assert rules(refused) == [("bp-leave", BLOCK), ("sedation", BLOCK), ("two-hours", BLOCK)]
    assert refused.value.details["earliest"] == at(190)


def test_two_hours_hold_in_the_database_too(visit: Visit) -> None:
    visit.come_to(IN.MONITORING)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Session.objects.filter(pk=visit.session.pk).update(state=IN.DISCHARGED, left_at=at(189))

    assert constraint_of(refused.value) == "session_two_hours"


def test_somebody_takes_the_patient_home_or_a_prescriber_signs(visit: Visit, clinic: Clinic) -> None:
    visit.check_in(escort=treating.Escort())
    visit.measure(at(10))
    visit.start()
    visit.finish()
    visit.measure(at(185))
    with pytest.raises(RulesBroken) as refused:
        visit.discharge()
    assert rules(refused) == [("escort", OVERRIDE)]
    with transaction.atomic():
        assert visit.discharge(escort=KIM).findings == ()
        transaction.set_rollback(True)

    visit.discharge(override=signed(clinic.prescriber, "escort"))

    assert Override.objects.get().rule == "escort"


def test_discharge_has_two_names_and_a_checklist(visit: Visit) -> None:
    visit.come_to(IN.READY)
    for given, field in (
        ({"seen_by": None}, "seen_by"),
        ({"seen_by": visit.nurse}, "seen_by"),
        ({"seen_by": visit.clinic.desk}, "seen_by"),
        ({"checklist": {}}, "checklist"),
        ({"checklist": {"oriented": True, "walks": False}}, "checklist"),
    ):
        with pytest.raises(Invalid) as refused:
            visit.discharge(**given)
        assert list(refused.value.fields) == [field]
    assert visit.fresh().state == IN.READY


def test_a_visit_is_ready_when_the_last_block_goes_and_observed_again_when_one_comes(visit: Visit) -> None:
    visit.come_to(IN.MONITORING)
    visit.measure(at(175))
    states: list[object] = [visit.fresh().state]
    for minutes in (189, 190, 205, 206):
        changed = treating.mark_ready(now=at(minutes))
        states.append((changed, visit.fresh().state))
    visit.measure(at(207))
    states.append(visit.fresh().state)
    visit.measure(at(208), sedation=4)
    states.append(visit.fresh().state)

    assert states == [
        IN.MONITORING,
        (0, IN.MONITORING),
        (1, IN.READY),
        (0, IN.READY),
        (1, IN.MONITORING),
        IN.READY,
        IN.MONITORING,
    ]


def test_who_leaves_early_or_is_transferred_had_a_dose_and_says_why(clinic: Clinic) -> None:
    left, moved = make_visit(clinic), make_visit(clinic, chair=1)
    left.come_to(IN.MONITORING)
    moved.come_to(IN.GIVING)
    with pytest.raises(Invalid):
        treating.leave_early(actor=left.nurse, session=left.session, reason=" ", now=at(100))

    treating.leave_early(actor=left.nurse, session=left.session, reason="Would not wait.", now=at(100))
    treating.transfer(actor=moved.nurse, session=moved.session, reason="Chest pain.", now=at(50))

    session = left.fresh()
    assert (session.state, session.left_at, session.dose_ended_at) == (IN.LEFT_EARLY, at(100), at(70))
    assert session.record.exit_reason == "Would not wait."
    session = moved.fresh()
    assert (session.state, session.left_at, session.dose_ended_at) == (IN.TRANSFERRED, at(50), at(50))
    assert session.is_live


def test_before_the_dose_nobody_leaves_early(visit: Visit) -> None:
    visit.come_to(IN.CHECKED_IN)
    for verb in (treating.leave_early, treating.transfer):
        with pytest.raises(Stale):
            verb(actor=visit.nurse, session=visit.session, reason="Changed his mind.", now=at(20))


def test_a_visit_without_a_dose_frees_its_time(clinic: Clinic) -> None:
    change = booking.book_course(
        actor=clinic.desk,
        patient=PatientFactory.create(),
        protocol=protocol(),
        places=[
            Place(local(MONDAY + timedelta(days=day)), clinic.chairs[0].pk, clinic.prescriber.pk)
            for day in (0, 3, 7, 10)
        ],
        now=NOW,
    )
    session = change.sessions[0]
    visit = Visit(clinic, session, clinic.nurse, clinic.clinician)
    visit.check_in()

    done = treating.not_dosed(actor=visit.nurse, session=session, reason="Fever.", now=at(20))

    fresh = visit.fresh()
    assert (fresh.state, fresh.freed_at, fresh.left_at) == (IN.NOT_DOSED, at(20), at(20))
    assert [found.rule for found in done.findings] == []
    assert list(Session.objects.live().in_order().values_list("number", flat=True)) == [1, 2, 3]
    place = Place(START + timedelta(hours=1), session.chair_id, session.prescriber_id)
    booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=[place], now=at(20)
    )


# Wrong taps


@pytest.mark.parametrize(
    ("reached", "before", "cleared"),
    [
        (IN.CHECKED_IN, IN.BOOKED, "checked_in_at"),
        (IN.GIVING, IN.CHECKED_IN, "dose_started_at"),
        (IN.MONITORING, IN.GIVING, "dose_ended_at"),
        (IN.DISCHARGED, IN.READY, "left_at"),
    ],
)
def test_a_wrong_tap_is_undone_for_five_minutes(
    visit: Visit, reached: SessionState, before: SessionState, cleared: str
) -> None:
    if reached == IN.CHECKED_IN:
        visit.check_in()
    else:
        visit.come_to(reached)
    stepped = visit.fresh().stepped_at
    assert stepped is not None
    late = stepped + treating.UNDO_FOR + timedelta(seconds=1)
    with pytest.raises(Stale):
        treating.undo(actor=visit.nurse, session=visit.session, now=late)

    treating.undo(actor=visit.nurse, session=visit.session, now=stepped + treating.UNDO_FOR)

    session = visit.fresh()
    assert (session.state, getattr(session, cleared), session.stepped_at) == (before, None, None)
    event = CourseEvent.objects.latest("pk")
    assert (event.kind, event.by, event.details["step"]) == ("undone", visit.nurse, reached)
    with pytest.raises(Stale):
        treating.undo(actor=visit.nurse, session=visit.session, now=stepped)


def test_an_undone_step_can_be_taken_again(visit: Visit) -> None:
    visit.come_to(IN.GIVING)
    treating.undo(actor=visit.nurse, session=visit.session, now=at(31))
    record = VisitRecord.objects.get()
    assert (record.drug, record.mg, record.started_by, record.confirmed_by) == ("", None, None, None)

    visit.start(at(33), lot="K-2")

    record.refresh_from_db()
    assert (record.lot, visit.fresh().dose_started_at) == ("K-2", at(33))


def test_who_left_while_the_dose_ran_has_it_running_again(visit: Visit) -> None:
    visit.come_to(IN.GIVING)
    treating.transfer(actor=visit.nurse, session=visit.session, reason="Wrong chair tapped.", now=at(50))

    treating.undo(actor=visit.nurse, session=visit.session, now=at(51))

    session = visit.fresh()
    assert (session.state, session.dose_ended_at, session.left_at) == (IN.GIVING, None, None)


def test_a_check_in_with_measurements_is_not_undone(visit: Visit) -> None:
    visit.check_in()
    visit.measure(at(2))
    with pytest.raises(Stale):
        treating.undo(actor=visit.nurse, session=visit.session, now=at(3))


def test_a_no_show_comes_back_while_its_time_is_free(visit: Visit, clinic: Clinic) -> None:
    absence.no_show(actor=clinic.desk, session=visit.session, now=at(15))

    treating.undo(actor=clinic.desk, session=visit.session, now=at(18))

    session = visit.fresh()
    assert (session.state, session.freed_at) == (IN.BOOKED, None)
    absence.no_show(actor=clinic.desk, session=visit.session, now=at(20))
    SessionFactory.create(
        course__site=clinic.site, starts_at=at(60), chair=clinic.chairs[0], prescriber=clinic.prescriber
    )
    with pytest.raises(Stale):
        treating.undo(actor=clinic.desk, session=visit.session, now=at(21))
    assert visit.fresh().state == IN.NO_SHOW


def test_a_visit_without_a_dose_comes_back_while_its_time_is_free(visit: Visit) -> None:
    visit.come_to(IN.CHECKED_IN)
    treating.not_dosed(actor=visit.nurse, session=visit.session, reason="Fever.", now=at(20))

    treating.undo(actor=visit.nurse, session=visit.session, now=at(22))

    session = visit.fresh()
    assert (session.state, session.freed_at, session.left_at, session.checked_in_at) == (
        IN.CHECKED_IN,
        None,
        None,
        START,
    )
    assert session.record.exit_reason == ""


def test_what_was_not_reviewed_is_asked_for_again_when_a_visit_without_a_dose_comes_back(visit: Visit) -> None:
    visit.check_in(changed=NO_CHANGE | {"liver": True})
    treating.not_dosed(actor=visit.nurse, session=visit.session, reason="Fever.", now=at(20))
    waiting = Task.objects.filter(kind=TaskKind.REVIEW, done_at=None)
    assert not waiting.exists()

    treating.undo(actor=visit.nurse, session=visit.session, now=at(22))

    assert [(line.key, line.details) for line in waiting] == [(str(visit.session.pk), {"items": ["liver"]})]


def test_a_check_in_stays_once_its_course_was_stopped(visit: Visit, clinic: Clinic) -> None:
    visit.check_in()
    deciding.decide(
        actor=clinic.prescriber, course=visit.session.course, decision="stop", reason="Patient's choice.", now=at(2)
    )

    with pytest.raises(Stale):
        treating.undo(actor=visit.nurse, session=visit.session, now=at(3))


# Lines on the worklist


def test_a_discharge_closes_the_line_of_an_open_record_and_esketamine_asks_for_its_form(clinic: Clinic) -> None:
    clinic.site.rems_certified = True
    clinic.site.save(update_fields=["rems_certified"])
    visit = make_visit(clinic, code="esketamine-trd-us")
    key = f"session-{visit.session.pk}"
    Task.objects.create(kind=TaskKind.OPEN_RECORD, patient=visit.session.patient, key=key, since=NOW)
    visit.check_in()
    visit.measure(at(10))
    visit.start(at(20), drug="Esketamine", mg=Decimal(56), mg_per_kg=None)
    visit.finish(at(30))
    visit.measure(at(145))

    visit.discharge(at(150))

    lines = Task.objects.filter(done_at=None).values_list("kind", "key", "details")
    assert list(lines) == [(TaskKind.OPEN_FORM, key, {"due": "2027-02-08"})]
    treating.undo(actor=visit.nurse, session=visit.session, now=at(151))
    assert not Task.objects.filter(done_at=None).exists()


def test_reminders_of_a_freed_visit_are_withdrawn(visit: Visit) -> None:
    Mail.objects.create(
        kind="two-days",
        patient=visit.session.patient,
        course=visit.session.course,
        session=visit.session,
        times_version=1,
        due_at=at(100),
        try_at=at(100),
        created_at=NOW,
    )
    visit.check_in()
    treating.not_dosed(actor=visit.nurse, session=visit.session, reason="Fever.", now=at(20))

    assert Mail.objects.get().state == MailState.WITHDRAWN
    assert Course.objects.get().state == "active"
