"""Two nurses at one chair who tap the same step at the same moment, while the desk books on the same day: each step
takes effect once, nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from clinic.errors import RequestReused, Stale
from clinic.models import Role, Shift
from scheduling import booking
from scheduling.models import CourseEvent, Day, Session, SessionState, VitalsRound
from scheduling.protocols.types import Place
from scheduling.visits import absence, charting, handing, treating
from tests.concurrency.test_booking_races import OK, RULES, Act, Desks
from tests.concurrency.test_races import assert_sound, misfits
from tests.factories import MONDAY, Clinic, PatientFactory, StaffFactory, local, make_clinic, protocol
from tests.visits import START, WELL, Visit, at, make_visit

pytestmark = pytest.mark.django_db(transaction=True)

IN = SessionState
STALE = "stale"
Step = Callable[[Visit, datetime], object]


@pytest.fixture
def desks() -> Iterator[Desks]:
    desks = Desks(6)
    yield desks
    desks.close()


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=4, prescribers=2, weeks=3)


def told(act: Act, said: list[str]) -> Act:
    """The act; what its nurse was told is written down."""

    def tap() -> None:
        try:
            act()
        except Stale:
            said.append(STALE)
        else:
            said.append(OK)

    return tap


def other_nurse(visit: Visit) -> Visit:
    """The same visit in the hands of another nurse."""
    return replace(visit, nurse=StaffFactory.create(role=Role.NURSE, sites=[visit.clinic.site]))


def leave(visit: Visit, now: datetime) -> object:
    return treating.leave_early(actor=visit.nurse, session=visit.session, reason="Would not stay.", now=now)


def give_up(visit: Visit, now: datetime) -> object:
    return treating.not_dosed(actor=visit.nurse, session=visit.session, reason="Fever.", now=now)


def stay_away(visit: Visit, now: datetime) -> object:
    return absence.no_show(actor=visit.nurse, session=visit.session, now=now)


def take_back(visit: Visit, now: datetime) -> object:
    return treating.undo(actor=visit.nurse, session=visit.session, now=now)


#: A step, the state in which it is taken, when, and where it leads.
STEPS: list[tuple[str, Step, SessionState | None, float, SessionState]] = [
    ("check-in", Visit.check_in, None, 0, IN.CHECKED_IN),
    ("no-show", stay_away, None, 20, IN.NO_SHOW),
    ("start", Visit.start, IN.CHECKED_IN, 30, IN.GIVING),
    ("not dosed", give_up, IN.CHECKED_IN, 20, IN.NOT_DOSED),
    ("finish", Visit.finish, IN.GIVING, 70, IN.MONITORING),
    ("leave early", leave, IN.MONITORING, 90, IN.LEFT_EARLY),
    ("discharge", Visit.discharge, IN.READY, 191, IN.DISCHARGED),
    ("undo a start", take_back, IN.GIVING, 31, IN.CHECKED_IN),
    ("undo a discharge", take_back, IN.DISCHARGED, 191, IN.READY),
]


@pytest.mark.parametrize(
    ("step", "before", "minutes", "after"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS]
)
def test_a_step_takes_effect_once_beside_bookings(
    clinic: Clinic, desks: Desks, step: Step, before: SessionState | None, minutes: float, after: SessionState
) -> None:
    visit = make_visit(clinic)
    if before is not None:
        visit.come_to(before)
    nurses = [visit, other_nurse(visit), other_nurse(visit), other_nurse(visit)]
    events, said = CourseEvent.objects.count(), list[str]()
    places = [
        [
            Place(local(MONDAY + timedelta(days=day), "14:00"), chair.pk, clinic.prescribers[1].pk)
            for day in (0, 3, 7, 10)
        ]
        for chair in clinic.chairs[2:]
    ]
    bookings = [
        partial(
            booking.book_course,
            actor=clinic.desk,
            patient=PatientFactory.create(),
            protocol=protocol(),
            places=wanted,
            now=at(minutes),
        )
        for wanted in places
    ]

    answers = desks.press([*(told(partial(step, nurse, at(minutes)), said) for nurse in nurses), *bookings])

    assert (sorted(said), answers) == ([OK, STALE, STALE, STALE], [OK] * 6)
    assert visit.fresh().state == after
    assert CourseEvent.objects.count() == events + 1 + len(bookings)
    assert_sound()


def test_one_free_chair_goes_to_one_visit_or_one_booking(clinic: Clinic, desks: Desks) -> None:
    """Three patients are to move to the only free chair while the desk books it for later in their visits."""
    under_way = [make_visit(clinic, chair=number) for number in range(3)]
    for visit in under_way:
        visit.come_to(IN.MONITORING)
    free, said = clinic.chairs[3], list[str]()
    moves = [
        partial(handing.change_chair, actor=visit.nurse, session=visit.session, chair=free, now=at(80))
        for visit in under_way
    ]
    bookings = [
        partial(
            booking.book_course,
            actor=clinic.desk,
            patient=PatientFactory.create(),
            protocol=protocol(),
            places=[Place(at(150), free.pk, clinic.prescribers[1].pk)],
            now=at(80),
        )
        for _ in range(3)
    ]

    answers = desks.press([*(told(move, said) for move in moves), *bookings])

    assert Counter([*answers[3:], *said])[OK] == 1
    assert Session.objects.filter(chair=free).count() == 1
    assert misfits() == []


def test_two_nurses_swap_the_same_two_chairs_once_each_time(clinic: Clinic, desks: Desks) -> None:
    """Swapped and swapped back from six tablets: whatever came first, two patients sit in two chairs."""
    one, other = make_visit(clinic), make_visit(clinic, chair=1)
    for visit in (one, other):
        visit.come_to(IN.GIVING)
    there = partial(handing.change_chair, session=one.session, chair=clinic.chairs[1], swap=other.session)
    same = partial(handing.change_chair, session=other.session, chair=clinic.chairs[0], swap=one.session)
    said: list[str] = []

    desks.press([told(partial(act, actor=one.nurse, now=at(50)), said) for act in (there, same) * 3])

    assert Counter(said) == {OK: 1, STALE: 5}
    assert (one.fresh().chair, other.fresh().chair) == (clinic.chairs[1], clinic.chairs[0])


def test_a_prescriber_with_room_for_one_takes_one_visit(clinic: Clinic, desks: Desks) -> None:
    under_way = [make_visit(clinic, chair=number) for number in range(4)]
    for visit in under_way:
        visit.come_to(IN.MONITORING)
    Shift.objects.filter(staff=clinic.prescribers[1]).update(patients_at_once=1)

    answers = desks.press(
        [
            partial(
                handing.hand_over,
                actor=visit.nurse,
                session=visit.session,
                prescriber=clinic.prescribers[1],
                now=at(90),
            )
            for visit in under_way
        ]
    )

    assert Counter(answers) == {OK: 1, RULES: 3}
    assert Session.objects.filter(prescriber=clinic.prescribers[1]).count() == 1


def test_one_request_from_two_tablets_gets_one_answer(clinic: Clinic, desks: Desks) -> None:
    visit, request = make_visit(clinic), uuid4()
    changes: list[booking.Change] = []

    def tap(request_id: UUID) -> None:
        changes.append(visit.check_in(request_id=request_id))

    assert desks.press([partial(tap, request)] * 6) == [OK] * 6
    assert sorted(change.repeated for change in changes) == [False, True, True, True, True, True]
    assert {change.sessions for change in changes} == {(visit.session,)}
    with pytest.raises(RequestReused):
        visit.check_in(now=START, request_id=request, weight_kg=None)


def test_two_rounds_of_one_moment_are_one_and_of_two_moments_two(clinic: Clinic, desks: Desks) -> None:
    visit = make_visit(clinic)
    visit.come_to(IN.MONITORING)
    said: list[str] = []

    def measure(nurse: Visit, taken_at: datetime) -> Act:
        return partial(
            charting.record_vitals, actor=nurse.nurse, session=visit.session, taken_at=taken_at, now=at(80), **WELL
        )

    nurses = [visit, *(other_nurse(visit) for _ in range(3))]
    same = [told(measure(nurse, at(75)), said) for nurse in nurses]
    desks.press([*same, measure(visit, at(76)), measure(nurses[1], at(77))])

    assert sorted(said) == [OK, STALE, STALE, STALE]
    times = VitalsRound.objects.order_by("taken_at").values_list("taken_at", flat=True)
    assert list(times) == [at(10), at(75), at(76), at(77)]


def test_four_chairs_step_at_once_with_the_clock_and_nobody_locks_another_out(clinic: Clinic, desks: Desks) -> None:
    """Each chair takes its own step while beat marks who is ready: all of them come through."""
    ready = [make_visit(clinic, chair=number) for number in range(3)]
    for visit in ready:
        visit.come_to(IN.MONITORING)
        visit.measure(at(175))
        visit.measure(at(185))
    waiting = make_visit(clinic, chair=3, prescriber=clinic.prescribers[1])
    version = Day.objects.get(site=clinic.site, date=MONDAY).version

    answers = desks.press(
        [
            *(partial(visit.discharge, at(195)) for visit in ready),
            partial(waiting.check_in, at(195)),
            partial(treating.mark_ready, now=at(195)),
            partial(treating.mark_ready, now=at(195)),
        ]
    )

    assert answers == [OK] * 6
    states = Session.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [IN.DISCHARGED] * 3 + [IN.CHECKED_IN]
    assert Day.objects.get(site=clinic.site, date=MONDAY).version >= version + 4
