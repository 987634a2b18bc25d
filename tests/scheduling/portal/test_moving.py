"""A patient moves a visit alone, among the times that the desk has opened or offered; or asks for another time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from clinic.errors import Invalid, Stale
from clinic.models import SelfServiceHours, Shift
from patients import worklist
from patients.models import Task, TaskKind
from scheduling import booking, cancelling, offering
from scheduling import moving as desk
from scheduling.mails import links
from scheduling.models import Course, Day, Mail, MailKind, Offer, OfferState, Session, SessionState
from scheduling.portal import access, moving
from scheduling.portal.moving import TimeGone
from scheduling.protocols.types import Place, Wanted
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, protocol

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = (MONDAY + timedelta(days=ahead) for ahead in range(1, 6))


@pytest.fixture
def open_(clinic: Clinic) -> None:
    """Patients may move to any weekday but Monday, starts from nine to ten."""
    SelfServiceHours.objects.bulk_create(
        SelfServiceHours(site=clinic.site, weekday=weekday, opens=time(9), closes=time(10)) for weekday in range(1, 7)
    )


@pytest.fixture
def session(course: Course) -> Session:
    """The second visit, on the first Thursday at nine, as its link opens it."""
    mail = Mail.objects.get(session=course.sessions.in_order()[1], kind=MailKind.TWO_DAYS)
    found = access.read(links.token(mail.seed), now=NOW).session
    assert found is not None
    return found


def offer(clinic: Clinic, session: Session, *starts: datetime, until: datetime) -> None:
    Offer.objects.bulk_create(
        Offer(
            session=session,
            times_version=session.times_version,
            turn=1,
            starts_at=start,
            until=until,
            made_at=NOW,
            made_by=clinic.desk,
        )
        for start in starts
    )


def starts_of(session: Session, now: datetime = NOW) -> list[datetime]:
    return [start for day in moving.choices(session, now=now).days for start in day.starts]


def take(session: Session, starts_at: datetime, now: datetime = NOW) -> Session:
    return moving.move(session=session, starts_at=starts_at, request_id=uuid4(), now=now).sessions[0]


def fill(clinic: Clinic, day: date, *clocks: str) -> None:
    """Other patients have every chair of the clinic then, for three visits of four hours or fewer."""
    for clock in clocks:
        for number, chair in enumerate(clinic.chairs):
            place = Place(local(day, clock), chair.pk, clinic.prescribers[number % 2].pk)
            booking.book_course(
                actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=[place], now=NOW
            )


@pytest.mark.usefixtures("open_")
def test_open_times_break_no_rule_on_the_days_nearest_to_the_visit(session: Session) -> None:
    # The visits before and after it stand on Mondays, two days from which it may be; the next gap of four days is a
    # weekend, on which the site is closed; after the last visit of the course, on a Thursday, there is room again.
    days = moving.choices(session, now=NOW).days

    assert [day.date for day in days] == [WEDNESDAY, THURSDAY, FRIDAY]
    assert days[0].starts == tuple(local(WEDNESDAY, clock) for clock in ("09:00", "09:10", "09:30", "10:00"))
    # Its own time is none of them.
    assert days[1].starts == tuple(local(THURSDAY, clock) for clock in ("09:10", "09:20", "09:40", "10:00"))


def test_nothing_is_offered_that_the_desk_has_not_opened(session: Session) -> None:
    found = moving.choices(session, now=NOW)

    assert (found.days, found.offers, found.too_late) == ((), (), False)


@pytest.mark.usefixtures("open_")
def test_a_visit_that_is_too_near_is_not_moved_and_no_time_too_near_is_offered(
    clinic: Clinic, session: Session
) -> None:
    clinic.site.self_service_notice = 24
    clinic.site.save(update_fields=["self_service_notice"])
    session.course.site.refresh_from_db()
    day_before = session.starts_at - timedelta(hours=24)

    assert WEDNESDAY not in [start.date() for start in starts_of(session, day_before)]
    assert starts_of(session, day_before) != []
    late = moving.choices(session, now=day_before + timedelta(seconds=1))
    assert (late.days, late.too_late) == ((), True)
    with pytest.raises(TimeGone):
        take(session, local(FRIDAY + timedelta(days=7)), day_before + timedelta(seconds=1))


@pytest.mark.usefixtures("open_")
def test_the_patient_moves_and_has_said_yes_with_it(clinic: Clinic, session: Session) -> None:
    Mail.objects.all().delete()
    moving.ask(session=session, text="Wednesdays", now=NOW)

    moved = take(session, local(WEDNESDAY, "09:30"))

    moved.refresh_from_db()
    assert (moved.pk, moved.starts_at, moved.state, moved.confirmed_at) == (
        session.pk,
        local(WEDNESDAY, "09:30"),
        SessionState.CONFIRMED,
        NOW,
    )
    assert (moved.chair_id, moved.prescriber_id, moved.times_version) == (session.chair_id, session.prescriber_id, 2)
    event = moved.course.events.get(kind="moved")
    assert (event.by, event.details["alone"], event.details["findings"]) == (None, True, [])
    news = Mail.objects.get(course=moved.course, session=None)
    assert (news.kind, news.details["moved"][0]["session"]) == ("changed", session.pk)
    # What was wished is settled.
    assert Task.objects.filter(kind=TaskKind.MOVE_ASKED, done_at=None).count() == 0


@pytest.mark.usefixtures("open_")
def test_another_chair_and_prescriber_where_the_own_are_taken(clinic: Clinic, session: Session) -> None:
    Shift.objects.filter(staff=clinic.prescriber, during__startswith__date=WEDNESDAY).delete()
    other = Place(local(WEDNESDAY), clinic.chairs[0].pk, clinic.prescribers[1].pk)
    booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=[other], now=NOW
    )

    moved = take(session, local(WEDNESDAY))

    assert moved.prescriber_id == clinic.prescribers[1].pk
    assert moved.chair_id != session.chair_id


@pytest.mark.usefixtures("open_")
def test_the_same_request_again_changes_nothing(session: Session) -> None:
    request_id = uuid4()
    first = moving.move(session=session, starts_at=local(WEDNESDAY), request_id=request_id, now=NOW)
    again = moving.move(session=session, starts_at=local(WEDNESDAY), request_id=request_id, now=NOW)

    assert (first.repeated, again.repeated, again.sessions) == (False, True, first.sessions)
    assert session.course.events.filter(kind="moved").count() == 1
    assert moving.done(request_id, session.course_id) == first.sessions[0]
    assert moving.done(request_id, session.course_id + 1) is None


@pytest.mark.usefixtures("open_")
@pytest.mark.parametrize(
    ("day", "clock"),
    [
        (WEDNESDAY, "08:50"),  # before the hours that are open
        (WEDNESDAY, "10:10"),  # after them
        (WEDNESDAY, "09:05"),  # between two starts
        (MONDAY + timedelta(days=7), "09:30"),  # a weekday that is not open, and two visits on one date
        (TUESDAY, "09:00"),  # a day after the first visit: it would need an override
        (SATURDAY, "09:00"),  # the site is closed
        (FRIDAY + timedelta(days=364), "09:00"),  # nobody works then yet
        (THURSDAY, "09:00"),  # its own time, which is no other
    ],
)
def test_no_other_time_can_be_taken(session: Session, day: date, clock: str) -> None:
    with pytest.raises(TimeGone):
        take(session, local(day, clock))

    session.refresh_from_db()
    assert (session.starts_at, session.times_version) == (local(THURSDAY), 1)


@pytest.mark.usefixtures("open_")
def test_a_time_that_is_taken_meanwhile_is_gone_and_others_are_shown(clinic: Clinic, session: Session) -> None:
    assert local(WEDNESDAY) in starts_of(session)
    Shift.objects.filter(during__startswith__date=WEDNESDAY).update(patients_at_once=0)

    with pytest.raises(TimeGone):
        take(session, local(WEDNESDAY))

    assert [start for start in starts_of(session) if start.date() == WEDNESDAY] == []
    assert session.course.events.filter(kind="moved").count() == 0


@pytest.mark.usefixtures("open_")
def test_a_page_that_is_older_than_the_visits_time_moves_nothing(clinic: Clinic, session: Session) -> None:
    fresh = Session.objects.get(pk=session.pk)
    desk.move_session(actor=clinic.desk, session=fresh, place=Wanted(local(THURSDAY, "11:00")), now=NOW)

    with pytest.raises(Stale):
        take(session, local(WEDNESDAY))
    with pytest.raises(Stale):
        moving.ask(session=session, text="After ten", now=NOW)


@pytest.mark.usefixtures("open_")
def test_a_course_that_is_only_held_or_paused_is_not_moved_alone(session: Session) -> None:
    Course.objects.filter(pk=session.course_id).update(state="paused")
    session.course.refresh_from_db()

    assert starts_of(session) == []
    with pytest.raises(TimeGone):
        take(session, local(WEDNESDAY))


@pytest.mark.usefixtures("open_")
def test_choices_are_read_with_the_same_number_of_queries(
    clinic: Clinic, session: Session, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(12):
        assert len(starts_of(session)) == 12
    offer(clinic, session, *(local(WEDNESDAY, f"13:{minute}0") for minute in range(3)), until=NOW + timedelta(days=1))
    with django_assert_num_queries(21):
        assert len(moving.choices(session, now=NOW).offers) == 3


# What the desk has offered


def test_an_offered_time_needs_no_open_hours_and_the_first_tap_takes_it(clinic: Clinic, session: Session) -> None:
    friday, wednesday = local(THURSDAY, "13:00"), local(WEDNESDAY, "13:00")
    offer(clinic, session, friday, wednesday, until=NOW + timedelta(days=1))
    assert moving.choices(session, now=NOW).offers == (wednesday, friday)
    assert moving.choices(session, now=NOW).until == NOW + timedelta(days=1)

    take(session, wednesday)

    assert list(Offer.objects.order_by("starts_at").values_list("starts_at", "state", "closed_at")) == [
        (wednesday, OfferState.TAKEN, NOW),
        (friday, OfferState.LAPSED, NOW),
    ]


def test_an_offer_ends_by_its_time(clinic: Clinic, session: Session) -> None:
    offer(clinic, session, local(WEDNESDAY, "13:00"), until=NOW + timedelta(days=1))

    assert moving.choices(session, now=NOW + timedelta(days=1)).offers == ()
    with pytest.raises(TimeGone):
        take(session, local(WEDNESDAY, "13:00"), NOW + timedelta(days=1))


def test_what_was_offered_until_a_moment_lapses_then(clinic: Clinic, session: Session) -> None:
    offer(clinic, session, local(WEDNESDAY, "13:00"), until=NOW + timedelta(days=1))

    assert offering.lapse(now=NOW + timedelta(hours=23)) == 0
    assert (offering.lapse(now=NOW + timedelta(days=1)), offering.lapse(now=NOW + timedelta(days=1))) == (1, 0)
    assert Offer.objects.get().state == OfferState.LAPSED


def test_an_offered_time_that_somebody_else_has_is_shown_no_more(clinic: Clinic, session: Session) -> None:
    offer(clinic, session, local(WEDNESDAY, "13:00"), until=NOW + timedelta(days=1))
    Shift.objects.filter(during__startswith__date=WEDNESDAY).update(patients_at_once=0)

    assert moving.choices(session, now=NOW).offers == ()
    with pytest.raises(TimeGone):
        take(session, local(WEDNESDAY, "13:00"))


def test_offers_lapse_when_the_desk_moves_or_cancels(clinic: Clinic, session: Session) -> None:
    offer(clinic, session, local(WEDNESDAY, "13:00"), until=NOW + timedelta(days=1))

    cancelling.cancel_session(actor=clinic.desk, session=Session.objects.get(pk=session.pk), reason="Ill", now=NOW)

    assert list(Offer.objects.values_list("state", flat=True)) == [OfferState.LAPSED]


# The wish


def test_a_wish_is_one_line_on_the_worklist_with_what_was_said(clinic: Clinic, session: Session) -> None:
    moving.ask(session=session, weekdays=[4, 2, 4], part="morning", text="  Not before\n ten ", now=NOW)
    moving.ask(session=session, weekdays=[2, 4], part="morning", text="Not before ten", now=NOW)

    task = Task.objects.get(kind=TaskKind.MOVE_ASKED)
    assert (task.patient_id, task.course_id, task.key, task.since) == (
        session.patient_id,
        session.course_id,
        str(session.pk),
        NOW,
    )
    assert task.details == {"weekdays": [2, 4], "part": "morning", "text": "Not before ten"}
    assert moving.choices(session, now=NOW).asked == task
    assert [event.details["sessions"] for event in session.course.events.filter(kind="move-asked", by=None)] == [
        [session.pk]
    ]


def test_another_wish_takes_its_place_and_it_can_be_taken_back(session: Session) -> None:
    moving.ask(session=session, weekdays=[4], now=NOW)
    Task.objects.update(snoozed_until=NOW + timedelta(days=1))
    moving.ask(session=session, text="Never on Mondays", now=NOW)

    task = Task.objects.get(kind=TaskKind.MOVE_ASKED)
    assert (task.details, task.snoozed_until) == ({"weekdays": [], "part": "", "text": "Never on Mondays"}, None)

    moving.take_back(session=session, now=NOW)
    moving.take_back(session=session, now=NOW)

    task.refresh_from_db()
    assert (task.done_at, task.done_by) == (NOW, None)
    kinds = session.course.events.filter(kind__startswith="move-").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["move-asked", "move-asked", "move-taken-back"]


def test_the_line_goes_when_the_desk_moves_it_and_stays_for_another_chair(clinic: Clinic, session: Session) -> None:
    moving.ask(session=session, text="After ten", now=NOW)
    fresh = Session.objects.get(pk=session.pk)
    desk.move_session(actor=clinic.desk, session=fresh, place=Wanted(chair=clinic.chairs[1].pk), now=NOW)
    assert Task.objects.filter(kind=TaskKind.MOVE_ASKED, done_at=None).count() == 1

    fresh.refresh_from_db()
    desk.move_session(actor=clinic.desk, session=fresh, place=Wanted(local(THURSDAY, "11:00")), now=NOW)

    assert Task.objects.get(kind=TaskKind.MOVE_ASKED).done_by == clinic.desk


def test_once_the_desk_has_dealt_with_a_wish_another_can_follow(clinic: Clinic, session: Session) -> None:
    moving.ask(session=session, text="After ten", now=NOW)
    worklist.acknowledge(actor=clinic.desk, task=Task.objects.get(kind=TaskKind.MOVE_ASKED), now=NOW)
    assert moving.choices(session, now=NOW).asked is None

    moving.ask(session=session, text="Again", now=NOW)

    assert Task.objects.get(kind=TaskKind.MOVE_ASKED, done_at=None).details["text"] == "Again"


@pytest.mark.parametrize("more", [{}, {"text": " "}, {"text": "x" * 201}, {"weekdays": [7]}, {"part": "night"}])
def test_a_wish_that_no_form_has_is_refused(session: Session, more: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        moving.ask(session=session, now=NOW, **more)  # type: ignore[arg-type]  # what a form could send

    assert Task.objects.filter(kind=TaskKind.MOVE_ASKED).count() == 0


@pytest.mark.django_db(transaction=True)  # a transaction raises a day once
@pytest.mark.usefixtures("open_")
def test_open_boards_of_both_days_look_again(clinic: Clinic, session: Session) -> None:
    def versions() -> list[int]:
        days = Day.objects.filter(site=clinic.site, date__in=(WEDNESDAY, THURSDAY)).order_by("date")
        return [day.version for day in days]

    Day.objects.get_or_create(site=clinic.site, date=WEDNESDAY, defaults={"version": 0})
    before = versions()
    moving.ask(session=session, text="After ten", now=NOW)
    asked = versions()
    take(session, local(WEDNESDAY))

    assert [asked[0] - before[0], asked[1] > before[1]] == [0, True]
    assert all(after > earlier for after, earlier in zip(versions(), asked, strict=True))
