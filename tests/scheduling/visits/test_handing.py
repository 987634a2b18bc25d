"""Another chair, another prescriber during a visit: what is to come moves, what is planned stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from clinic.errors import Invalid, RoleRefused, RulesBroken, Stale
from clinic.findings import Level
from clinic.models import Shift
from scheduling import booking, openings
from scheduling.models import CourseEvent, Session, SessionState
from scheduling.protocols.types import Place
from scheduling.visits import handing, treating
from scheduling.writes import constraint_of
from tests.factories import (
    MONDAY,
    ChairFactory,
    Clinic,
    ClosureFactory,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    StaffFactory,
    local,
    protocol,
)
from tests.visits import Visit, at, make_visit

pytestmark = pytest.mark.django_db

IN = SessionState


@pytest.fixture
def visit(clinic: Clinic) -> Visit:
    visit = make_visit(clinic)
    visit.come_to(IN.MONITORING)
    return visit


def change(visit: Visit, chair: int, minutes: float = 80, swap: Visit | None = None) -> booking.Change:
    return handing.change_chair(
        actor=visit.nurse,
        session=visit.session,
        chair=visit.clinic.chairs[chair],
        swap=None if swap is None else swap.session,
        now=at(minutes),
    )


def planned(clinic: Clinic, chair: int, minutes: float, doctor: int = 1) -> Session:
    return SessionFactory.create(
        course=CourseFactory.create(site=clinic.site),
        chair=clinic.chairs[chair],
        prescriber=clinic.prescribers[doctor],
        starts_at=at(minutes),
    )


# In the database


def test_a_chair_is_taken_from_when_the_visit_came_to_it_and_free_from_when_it_left(clinic: Clinic) -> None:
    visit = make_visit(clinic)
    Session.objects.filter(pk=visit.session.pk).update(chair=clinic.chairs[1], chair_since=at(80))

    planned(clinic, 0, 80)  # the old one is free, even for a time that was its own
    with pytest.raises(IntegrityError) as taken, transaction.atomic():
        planned(clinic, 1, 190)
    planned(clinic, 1, 200)

    assert constraint_of(taken.value) == "session_chair_free"


def test_a_prescriber_has_a_visit_from_when_it_was_handed_over(clinic: Clinic) -> None:
    visit = make_visit(clinic)
    late = StaffFactory.create(prescriber=True, sites=[clinic.site])
    Shift.objects.create(staff=late, site=clinic.site, during=(at(100), at(500)), patients_at_once=1)
    mine = Session.objects.filter(pk=visit.session.pk)
    with pytest.raises(IntegrityError) as absent, transaction.atomic():
        mine.update(prescriber=late, prescriber_since=at(99))

    mine.update(prescriber=late, prescriber_since=at(100))

    assert constraint_of(absent.value) == "session_prescriber_on_shift"
    other = make_visit(clinic, chair=1)
    with pytest.raises(IntegrityError) as full, transaction.atomic():
        Session.objects.filter(pk=other.session.pk).update(prescriber=late, prescriber_since=at(120))
    assert constraint_of(full.value) == "session_prescriber_limit"


@pytest.mark.parametrize(
    ("column", "minutes"),
    [("chair_since", -1), ("chair_since", 201), ("prescriber_since", 29), ("prescriber_since", 191)],
)
def test_a_change_lies_within_the_planned_visit(clinic: Clinic, column: str, minutes: float) -> None:
    visit = make_visit(clinic)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Session.objects.filter(pk=visit.session.pk).update(**{column: at(minutes)})

    assert constraint_of(refused.value) == f"session_{column}"


def test_planning_sees_the_old_chair_free_and_the_old_prescriber_with_room(clinic: Clinic, visit: Visit) -> None:
    change(visit, 3)
    handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=clinic.prescribers[1], now=at(90))

    (booked,) = openings.read(clinic.site, [MONDAY])[MONDAY].booked

    assert (booked.chair, booked.starts_at, booked.ends_at) == (clinic.chairs[3].pk, at(80), at(200))
    assert (booked.prescriber, booked.dose_starts_at, booked.discharge_at) == (
        clinic.prescribers[1].pk,
        at(90),
        at(190),
    )


# Another chair


def test_a_visit_moves_to_a_free_chair_and_leaves_its_own_for_others(clinic: Clinic, visit: Visit) -> None:
    before = visit.fresh().during

    done = change(visit, 2)

    session = visit.fresh()
    assert done.sessions == (session,)
    assert (session.chair, session.chair_since, session.during) == (clinic.chairs[2], at(80), before)
    event = CourseEvent.objects.latest("pk")
    assert (event.kind, event.by, event.details["from_chair"], event.details["to_chair"]) == (
        "chair-changed",
        visit.nurse,
        clinic.chairs[0].pk,
        clinic.chairs[2].pk,
    )
    place = Place(at(90), clinic.chairs[0].pk, clinic.prescriber.pk)
    booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=[place], now=at(81)
    )
    with pytest.raises(Stale):
        change(visit, 2)


def test_a_chair_that_another_visit_needs_before_is_not_to_be_had(clinic: Clinic, visit: Visit) -> None:
    planned(clinic, 1, 190)
    with pytest.raises(Stale) as refused:
        change(visit, 1)

    assert refused.value.message == "Another visit needs this chair before this one ends."
    assert visit.fresh().chair == clinic.chairs[0]


def test_two_visits_swap_their_chairs_in_one_act(clinic: Clinic, visit: Visit) -> None:
    other = make_visit(clinic, chair=1)
    other.come_to(IN.GIVING)
    with pytest.raises(Stale):
        change(visit, 1)

    change(visit, 1, swap=other)

    assert (visit.fresh().chair, other.fresh().chair) == (clinic.chairs[1], clinic.chairs[0])
    assert (visit.fresh().chair_since, other.fresh().chair_since) == (at(80), at(80))
    change(visit, 0, minutes=85, swap=other)
    assert (visit.fresh().chair, other.fresh().chair) == (clinic.chairs[0], clinic.chairs[1])


def test_a_visit_that_runs_over_moves_as_well_but_not_onto_a_patient(clinic: Clinic, visit: Visit) -> None:
    other = make_visit(clinic, chair=1)
    other.come_to(IN.MONITORING)
    with pytest.raises(Stale):
        change(visit, 1, minutes=210)

    change(visit, 2, minutes=210)

    assert (visit.fresh().chair, visit.fresh().chair_since) == (clinic.chairs[2], at(200))


def test_a_chair_out_of_order_or_of_another_site_is_refused(clinic: Clinic, visit: Visit) -> None:
    ClosureFactory.create(site=clinic.site, chair=clinic.chairs[1])
    with pytest.raises(RulesBroken) as broken:
        change(visit, 1)
    elsewhere = ChairFactory.create()
    with pytest.raises(Invalid) as invalid:
        handing.change_chair(actor=visit.nurse, session=visit.session, chair=elsewhere, now=at(80))

    assert [(found.rule, found.level) for found in broken.value.findings] == [("hours", Level.BLOCK)]
    assert list(invalid.value.fields) == ["chair"]


def test_only_a_visit_under_way_changes_its_chair_or_prescriber_here(clinic: Clinic) -> None:
    visit = make_visit(clinic)
    with pytest.raises(Stale):
        change(visit, 1)
    with pytest.raises(Stale):
        handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=clinic.prescribers[1], now=at(0))
    with pytest.raises(RoleRefused):
        handing.hand_over(actor=clinic.desk, session=visit.session, prescriber=clinic.prescribers[1], now=at(0))


# Another prescriber


def test_a_visit_is_handed_over(clinic: Clinic, visit: Visit) -> None:
    handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=clinic.prescribers[1], now=at(100))

    session = visit.fresh()
    assert (session.prescriber, session.prescriber_since) == (clinic.prescribers[1], at(100))
    event = CourseEvent.objects.latest("pk")
    assert (event.kind, event.details["from_prescriber"], event.details["to_prescriber"]) == (
        "handed-over",
        clinic.prescriber.pk,
        clinic.prescribers[1].pk,
    )


def test_before_the_dose_the_whole_of_it_is_handed_over(clinic: Clinic) -> None:
    visit = make_visit(clinic)
    visit.check_in()
    handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=clinic.prescribers[1], now=at(10))

    assert visit.fresh().prescriber_since == at(30)
    visit.measure(at(20))
    assert visit.start().sessions[0].prescriber == clinic.prescribers[1]


def test_a_visit_goes_only_to_a_prescriber_who_is_there_with_room(clinic: Clinic, visit: Visit) -> None:
    away = StaffFactory.create(prescriber=True, sites=[clinic.site])
    leaving = StaffFactory.create(prescriber=True, sites=[clinic.site])
    Shift.objects.create(staff=leaving, site=clinic.site, during=(at(0), at(150)))
    full = clinic.prescribers[1]
    Shift.objects.filter(staff=full, during__contains=at(0)).update(patients_at_once=1)
    planned(clinic, 4, 0)
    for doctor in (away, leaving, full):
        with pytest.raises(RulesBroken) as refused:
            handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=doctor, now=at(100))
        assert [(found.rule, found.level) for found in refused.value.findings] == [("doctor", Level.BLOCK)]
    for stranger in (clinic.nurse, StaffFactory.create(prescriber=True)):
        with pytest.raises(Invalid):
            handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=stranger, now=at(100))
    assert visit.fresh().prescriber == clinic.prescriber


def test_visits_that_run_over_count_at_a_hand_over_as_well(clinic: Clinic, visit: Visit) -> None:
    full = clinic.prescribers[1]
    Shift.objects.filter(staff=full, during__contains=at(0)).update(patients_at_once=1)
    other = make_visit(clinic, chair=1, prescriber=full)
    other.come_to_monitoring()

    with pytest.raises(RulesBroken) as refused:
        handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=full, now=at(195))

    assert [(found.rule, found.level) for found in refused.value.findings] == [("doctor", Level.BLOCK)]
    assert visit.fresh().prescriber == clinic.prescriber


def test_a_prescriber_who_leaves_early_hands_over_and_the_visit_goes_on(clinic: Clinic, visit: Visit) -> None:
    shift = Shift.objects.get(staff=clinic.prescriber, during__contains=at(0))
    shift.during = (shift.during.lower, at(100))
    shift.save(update_fields=["during"])

    handing.hand_over(actor=visit.nurse, session=visit.session, prescriber=clinic.prescribers[1], now=at(95))
    visit.measure(at(175))
    visit.measure(at(188))

    assert visit.discharge().sessions[0].state == IN.DISCHARGED


def test_a_check_in_that_is_undone_after_a_change_of_chair_can_be_moved(clinic: Clinic) -> None:
    from scheduling import moving
    from scheduling.protocols.types import Wanted

    visit = make_visit(clinic)
    visit.check_in()
    change(visit, 2, minutes=3)
    treating.undo(actor=visit.nurse, session=visit.session, now=at(4))

    moving.move_session(
        actor=clinic.desk,
        session=visit.fresh(),
        place=Wanted(starts_at=local(MONDAY + timedelta(days=1), "10:00")),
        now=at(5),
    )

    assert (visit.fresh().chair, visit.fresh().chair_since) == (clinic.chairs[2], None)
