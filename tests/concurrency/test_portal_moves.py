"""Patients who take the same last time at the same moment, and a desk that moves what its patient moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from uuid import UUID, uuid4

import pytest

from clinic.errors import Stale
from clinic.models import SelfServiceHours
from scheduling import booking, offering
from scheduling import moving as desk
from scheduling.models import LIVE, CourseEvent, Offer, OfferState, Session, SessionState
from scheduling.portal import moving
from scheduling.portal.moving import TimeGone
from scheduling.protocols.types import Place, Wanted
from tests.concurrency.test_booking_races import OK, RULES, TAKEN, Act, Desks
from tests.concurrency.test_races import assert_sound
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, make_clinic, protocol

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, ROUNDS = 8, 3
GONE, STALE = "gone", "stale"


@pytest.fixture
def desks() -> Iterator[Desks]:
    desks = Desks(WRITERS)
    yield desks
    desks.close()


@pytest.fixture
def clinic() -> Clinic:
    """One prescriber for four patients at once; patients may move to any weekday at nine."""
    clinic = make_clinic(chairs=WRITERS, prescribers=1, weeks=6)
    SelfServiceHours.objects.bulk_create(
        SelfServiceHours(site=clinic.site, weekday=weekday, opens=time(9), closes=time(9)) for weekday in range(5)
    )
    return clinic


def visit(clinic: Clinic, days: int, chair: int = 0, clock: str = "14:00") -> Session:
    """The only visit of a course, so many days after MONDAY, as a page shows it."""
    place = Place(local(MONDAY + timedelta(days=days), clock), clinic.chairs[chair].pk, clinic.prescriber.pk)
    change = booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=[place], now=NOW
    )
    return shown(change.sessions[0])


def shown(session: Session) -> Session:
    return Session.objects.select_related("course__site", "course__protocol", "course__patient").get(pk=session.pk)


def take(session: Session, at: datetime, told: list[str], request_id: UUID | None = None) -> Act:
    """The patient taps; that it came too late is written down."""
    return or_told(lambda: moving.move(session=session, starts_at=at, request_id=request_id or uuid4(), now=NOW), told)


def or_told(verb: Callable[[], object], told: list[str]) -> Act:
    def act() -> None:
        try:
            verb()
        except TimeGone:
            told.append(GONE)
        except Stale:
            told.append(STALE)

    return act


def test_as_many_patients_get_a_time_as_fit_and_the_others_keep_theirs(clinic: Clinic, desks: Desks) -> None:
    for number in range(ROUNDS):
        day = MONDAY + timedelta(days=14 + number)
        aim = local(day)
        sessions = [visit(clinic, 7 + number % 5, chair, "08:00" if chair < 4 else "13:00") for chair in range(WRITERS)]
        # One place is left.
        for chair in range(3):
            visit(clinic, 14 + number, chair, "09:00")
        told: list[str] = []

        answers = desks.press([take(session, aim, told) for session in sessions])

        assert (Counter(answers), Counter(told)) == ({OK: WRITERS}, {GONE: WRITERS - 1})
        moved = [session for session in map(shown, sessions) if session.starts_at == aim]
        assert [session.state for session in moved] == [SessionState.CONFIRMED]
        assert_sound()
        Session.objects.filter(state__in=LIVE).update(state=SessionState.CANCELLED, freed_at=NOW)


def test_two_patients_to_whom_the_same_time_was_offered(clinic: Clinic, desks: Desks) -> None:
    aim = local(MONDAY + timedelta(days=15), "13:00")
    for number in range(3):
        visit(clinic, 15, number, "13:00")
    sessions = [visit(clinic, 7, chair, "08:00") for chair in range(4)]
    for session in sessions:
        offering.offer_times(actor=clinic.desk, session=session, starts=[aim], until=NOW + timedelta(days=2), now=NOW)
    told: list[str] = []

    desks.press([take(session, aim, told) for session in sessions])

    assert Counter(told) == {GONE: 3}
    assert Counter(Offer.objects.values_list("state", flat=True)) == {OfferState.TAKEN: 1, OfferState.OPEN: 3}
    assert [moving.choices(one, now=NOW).offers for one in map(shown, sessions) if one.starts_at != aim] == [()] * 3
    assert_sound()


def test_a_double_tap_moves_once(clinic: Clinic, desks: Desks) -> None:
    session, aim, request_id = visit(clinic, 7), local(MONDAY + timedelta(days=15)), uuid4()
    told: list[str] = []

    desks.press([take(session, aim, told, request_id) for _ in range(WRITERS)])

    assert told == []
    assert (shown(session).starts_at, shown(session).times_version) == (aim, 2)
    assert CourseEvent.objects.filter(kind="moved").count() == 1


def test_patient_and_desk_move_at_once_and_the_second_is_told(clinic: Clinic, desks: Desks) -> None:
    for number in range(ROUNDS):
        session = visit(clinic, 7 + number % 5, number)
        aims = local(MONDAY + timedelta(days=14 + number)), local(MONDAY + timedelta(days=21 + number), "11:00")
        told: list[str] = []

        def move(session: Session = session, aim: datetime = aims[1]) -> None:
            desk.move_session(actor=clinic.desk, session=session, place=Wanted(aim), now=NOW)

        answers = desks.press([take(session, aims[0], told), move])

        assert not {TAKEN, RULES} & set(answers)
        # The desk does not mind where the patient has put it a moment ago; the patient is told that it is elsewhere.
        stands = shown(session)
        assert (stands.starts_at, stands.times_version) == (aims[1], 2 if told else 3)
        assert told in ([], [STALE])
        assert_sound()
        Session.objects.filter(state__in=LIVE).update(state=SessionState.CANCELLED, freed_at=NOW)
