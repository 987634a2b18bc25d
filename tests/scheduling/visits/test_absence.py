"""Who comes late or not at all, and until when a late visit can still begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, RequestReused, RoleRefused, Stale
from clinic.models import OpeningHours, Shift
from patients.models import Patient
from scheduling import booking, confirming, openings
from scheduling.mails import outbox
from scheduling.models import Course, Day, Mail, MailKind, MailState, Session, SessionState
from scheduling.protocols.types import Place
from scheduling.visits import absence, stepping, undoing
from scheduling.writes import constraint_of
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    ClosureFactory,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    make_clinic,
    protocol,
)

pytestmark = pytest.mark.django_db

TUESDAY = MONDAY + timedelta(days=1)
DAYS = (0, 3, 7, 10)
START = local(TUESDAY, "09:00")
LATE = START + timedelta(minutes=20)


@pytest.fixture
def course(clinic: Clinic) -> Course:
    """A course on Tuesdays and Fridays at nine, from TUESDAY on."""
    return book(clinic, PatientFactory.create())


def book(clinic: Clinic, patient: Patient, *, hold: bool = False, days: tuple[int, ...] = DAYS) -> Course:
    places = [
        Place(local(TUESDAY + timedelta(days=ahead)), clinic.chairs[0].pk, clinic.prescriber.pk) for ahead in days
    ]
    return booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, hold=hold, now=NOW
    ).course


def first_of(course: Course) -> Session:
    return course.sessions.in_order()[0]


# Nobody came


def test_a_no_show_frees_its_time_and_says_who_noted_it(clinic: Clinic, course: Course) -> None:
    session = first_of(course)

    change = absence.no_show(actor=clinic.nurse, session=session, reason=" No answer by phone. ", now=LATE)

    (gone,) = change.sessions
    assert (gone.state, gone.freed_at, gone.during) == (SessionState.NO_SHOW, LATE, session.during)
    event = course.events.get(kind="no-show")
    assert (event.by, event.at, event.details["sessions"]) == (clinic.nurse, LATE, [session.pk])
    assert event.details["reason"] == "No answer by phone."
    numbers = course.sessions.live().in_order().values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3]
    place = Place(START + timedelta(hours=1), session.chair_id, session.prescriber_id)
    booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=[place], now=LATE
    )


@pytest.mark.parametrize("who", ["desk", "clinician", "prescriber", "nurse", "manager"])
def test_everybody_of_the_site_notes_a_no_show(clinic: Clinic, course: Course, who: str) -> None:
    change = absence.no_show(actor=getattr(clinic, who), session=first_of(course), now=LATE)

    assert change.sessions[0].state == SessionState.NO_SHOW


@pytest.mark.parametrize("who", ["desk", "nurse"])
def test_nobody_of_another_site_does(clinic: Clinic, course: Course, who: str) -> None:
    stranger = getattr(make_clinic(chairs=1, weeks=1), who)

    with pytest.raises(RoleRefused):
        absence.no_show(actor=stranger, session=first_of(course), now=LATE)
    with pytest.raises(RoleRefused):
        absence.expect(actor=stranger, session=first_of(course), at=LATE + timedelta(hours=1), now=LATE)


def test_nobody_is_missing_before_the_planned_start(clinic: Clinic, course: Course) -> None:
    session = first_of(course)

    with pytest.raises(Stale) as refusal:
        absence.no_show(actor=clinic.desk, session=session, now=START - timedelta(seconds=1))
    change = absence.no_show(actor=clinic.desk, session=session, now=START)

    assert refusal.value.message == "This visit begins at 09:00; before that nobody is missing."
    assert change.sessions[0].state == SessionState.NO_SHOW


@pytest.mark.parametrize("state", [state for state in SessionState if state not in absence.AWAITED])
def test_only_who_is_awaited_can_be_missing_or_late(clinic: Clinic, state: SessionState) -> None:
    session = SessionFactory.create(
        course=CourseFactory.create(site=clinic.site),
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        starts_at=START,
        state=state,
    )

    with pytest.raises(Stale):
        absence.no_show(actor=clinic.desk, session=session, now=LATE)
    with pytest.raises(Stale):
        absence.expect(actor=clinic.desk, session=session, at=LATE + timedelta(hours=1), now=LATE)
    session.refresh_from_db()
    assert (session.state, session.expected_at) == (state, None)


def test_a_confirmed_visit_can_be_a_no_show(clinic: Clinic, course: Course) -> None:
    session = confirming.confirm_session(actor=clinic.desk, session=first_of(course), now=NOW).sessions[0]

    assert absence.no_show(actor=clinic.desk, session=session, now=LATE).sessions[0].state == SessionState.NO_SHOW


def missed(session: Session) -> list[tuple[str, datetime]]:
    """State and due time of each mail that says that this visit was missed."""
    rows = Mail.objects.filter(session=session, kind=MailKind.MISSED).order_by("pk")
    return list(rows.values_list("state", "due_at"))


def test_what_was_to_be_sent_about_it_is_withdrawn_and_the_patient_hears_that_it_was_missed(
    clinic: Clinic, course: Course
) -> None:
    session = first_of(course)
    others = Mail.objects.exclude(session=session)
    before = list(others.order_by("pk").values("pk", "state"))
    Mail.objects.filter(session=session).update(state=MailState.DUE, settled_at=None)

    absence.no_show(actor=clinic.desk, session=session, now=LATE)

    states = set(Mail.objects.filter(session=session).exclude(kind=MailKind.MISSED).values_list("state", flat=True))
    assert states == {MailState.WITHDRAWN}
    assert missed(session) == [(MailState.DUE, LATE + outbox.MISSED_AFTER)]
    assert list(others.order_by("pk").values("pk", "state")) == before


def test_a_wrong_tap_that_is_undone_in_time_is_never_mailed_and_the_next_one_is(clinic: Clinic, course: Course) -> None:
    session = first_of(course)
    for _ in range(2):
        absence.no_show(actor=clinic.desk, session=session, now=LATE)
        undoing.undo(actor=clinic.desk, session=session, now=LATE)
    absence.no_show(actor=clinic.desk, session=session, now=LATE)
    assert [state for state, _ in missed(session)] == [MailState.WITHDRAWN, MailState.WITHDRAWN, MailState.DUE]
    assert outbox.MISSED_AFTER == stepping.UNDO_FOR


def test_a_missed_visit_is_not_mailed_in_the_quiet_hours(clinic: Clinic, course: Course) -> None:
    late = local(TUESDAY, "22:00")
    absence.no_show(actor=clinic.desk, session=first_of(course), now=late)
    assert missed(first_of(course)) == [(MailState.DUE, local(TUESDAY + timedelta(days=1), "07:00"))]


def test_the_findings_say_what_the_course_breaks_now(clinic: Clinic) -> None:
    """Of three sessions on days 0, 3 and 20, the second is missed: the minimum is out of reach."""
    course = book(clinic, PatientFactory.create(), days=(0, 3, 20))
    second = course.sessions.get(number=2)

    change = absence.no_show(actor=clinic.desk, session=second, now=second.starts_at + timedelta(hours=1))

    assert [finding.rule for finding in change.findings] == ["gap-max", "reach"]
    assert [found["rule"] for found in course.events.get(kind="no-show").details["findings"]] == ["gap-max", "reach"]


def test_a_no_show_takes_effect_once(clinic: Clinic, course: Course) -> None:
    session, request = first_of(course), uuid4()

    first = absence.no_show(actor=clinic.desk, session=session, request_id=request, now=LATE)
    again = absence.no_show(actor=clinic.desk, session=session, request_id=request, now=LATE)
    with pytest.raises(RequestReused):
        absence.no_show(actor=clinic.desk, session=session, reason="Ill", request_id=request, now=LATE)
    with pytest.raises(Stale):
        absence.no_show(actor=clinic.desk, session=session, now=LATE)

    assert (first.repeated, again.repeated, again.findings) == (False, True, first.findings)
    assert course.events.filter(kind="no-show").count() == 1


@pytest.mark.django_db(transaction=True)  # in one transaction a version is raised once
def test_boards_see_who_is_late_and_who_did_not_come(clinic: Clinic, course: Course) -> None:
    def version() -> int:
        return Day.objects.get(site=clinic.site, date=TUESDAY).version

    before = version()
    absence.expect(actor=clinic.desk, session=first_of(course), at=LATE, now=START)
    late = version()
    absence.no_show(actor=clinic.desk, session=first_of(course), now=LATE)

    assert before < late < version()


def test_a_missed_session_is_made_up(clinic: Clinic, course: Course) -> None:
    session = first_of(course)
    absence.no_show(actor=clinic.desk, session=session, now=LATE)

    proposal = booking.propose(
        actor=clinic.desk,
        site=clinic.site,
        patient=course.patient,
        protocol=course.protocol,
        course=course,
        count=1,
        now=LATE,
    )
    offered = [row.place for row in proposal.offers[0].sessions]
    made_up = booking.add_sessions(actor=clinic.desk, course=course, places=offered, now=LATE)

    assert len(offered) == 1
    assert offered[0].starts_at > LATE
    assert made_up.findings == ()
    assert list(course.sessions.live().in_order().values_list("number", flat=True)) == [1, 2, 3, 4]


# Who comes late


def test_a_late_patient_is_expected_and_nothing_planned_changes(clinic: Clinic, course: Course) -> None:
    session = first_of(course)
    at = local(TUESDAY, "09:40")

    change = absence.expect(actor=clinic.desk, session=session, at=at, now=START)

    stored = Session.objects.get(pk=session.pk)
    assert (change.sessions[0].expected_at, stored.expected_at) == (at, at)
    assert (stored.during, stored.state, stored.times_version) == (session.during, session.state, 1)
    event = course.events.get(kind="expected")
    assert (event.details["expected_at"], event.details["sessions"]) == (at.isoformat(), [session.pk])


def test_what_was_said_can_be_said_anew_and_taken_back(clinic: Clinic, course: Course) -> None:
    session = first_of(course)
    for at in (LATE, LATE + timedelta(minutes=10), LATE + timedelta(minutes=10), None, None):
        absence.expect(actor=clinic.desk, session=session, at=at, now=START)

    session.refresh_from_db()
    told = [event.details["expected_at"] for event in course.events.filter(kind="expected").order_by("pk")]
    assert session.expected_at is None
    assert told == [LATE.isoformat(), (LATE + timedelta(minutes=10)).isoformat(), None]


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        (local(TUESDAY, "08:50"), "Later means after the planned start."),
        (START, "Later means after the planned start."),
        (local(TUESDAY + timedelta(days=1), "09:30"), "For another date, move the visit."),
        (NOW, "This time is past."),
        (LATE.replace(tzinfo=None), "A time needs its zone."),
    ],
)
def test_late_is_after_the_planned_start_on_the_same_date(
    clinic: Clinic, course: Course, at: datetime, sentence: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        absence.expect(actor=clinic.desk, session=first_of(course), at=at, now=NOW)

    assert refusal.value.fields == {"at": [sentence]}


def test_the_date_is_that_of_the_sites_clocks(clinic: Clinic, course: Course) -> None:
    """23:30 in New York is the next date in UTC; what is said about it is that the visit cannot start so late."""
    at = local(TUESDAY, "23:30")

    with pytest.raises(Invalid) as refusal:
        absence.expect(actor=clinic.desk, session=first_of(course), at=at, now=NOW)

    assert at.date() == TUESDAY + timedelta(days=1)
    assert refusal.value.fields == {"at": ["The last start today is 14:40; move the visit instead."]}


def test_nobody_is_expected_after_the_latest_start(clinic: Clinic, course: Course) -> None:
    session = first_of(course)
    latest = local(TUESDAY, "14:40")

    with pytest.raises(Invalid) as refusal:
        absence.expect(actor=clinic.desk, session=session, at=latest + timedelta(minutes=1), now=LATE)
    change = absence.expect(actor=clinic.desk, session=session, at=latest, now=LATE)
    with pytest.raises(Invalid) as over:
        absence.expect(actor=clinic.desk, session=session, at=latest + timedelta(minutes=2), now=latest)

    assert refusal.value.fields == {"at": ["The last start today is 14:40; move the visit instead."]}
    assert change.sessions[0].expected_at == latest
    assert over.value.fields == {"at": ["No later start is possible today; move the visit instead."]}


def test_the_database_expects_nobody_before_the_planned_start(clinic: Clinic, course: Course) -> None:
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Session.objects.filter(pk=first_of(course).pk).update(expected_at=START)

    assert constraint_of(error.value) == "session_expected_at"


def test_noting_a_late_patient_takes_effect_once(clinic: Clinic, course: Course) -> None:
    request = uuid4()

    answers = [
        absence.expect(actor=clinic.desk, session=first_of(course), at=LATE, request_id=request, now=START)
        for _ in range(2)
    ]

    assert [answer.repeated for answer in answers] == [False, True]
    assert course.events.filter(kind="expected").count() == 1


def test_a_repeated_call_gets_its_answer_when_the_time_that_was_said_is_past(clinic: Clinic, course: Course) -> None:
    request = uuid4()
    absence.expect(actor=clinic.desk, session=first_of(course), at=LATE, request_id=request, now=START)

    again = absence.expect(actor=clinic.desk, session=first_of(course), at=LATE, request_id=request, now=LATE)

    assert (again.repeated, again.sessions[0].expected_at) == (True, LATE)


# Until when a late visit can begin


@dataclass(frozen=True)
class Scene:
    """What else is there on TUESDAY, when a visit is planned in the first chair with the first prescriber at nine."""

    told: str
    until: str | None
    next_in_chair: str = ""
    under_care: tuple[str, ...] = ()
    shift: tuple[str, str] = ("08:00", "18:00")
    limit: int = 4
    closed: tuple[str, str] | None = None
    outage: tuple[str, str] | None = None


SCENES = [
    Scene("closing time: 200 minutes before 18:00", "14:40"),
    Scene("the next visit in the chair at 13:00", "09:40", next_in_chair="13:00"),
    Scene("the next visit begins when this one ends", "09:00", next_in_chair="12:20"),
    Scene(
        "the prescriber leaves at 15:00, discharge is 190 minutes after the start", "11:50", shift=("08:00", "15:00")
    ),
    Scene("a closure at 14:00", "10:40", closed=("14:00", "15:00")),
    Scene("the chair is out of order from 13:30 on", "10:10", outage=("13:30", "17:00")),
    Scene("one more patient from 13:30 on is one too many", "10:20", under_care=("13:00",), limit=1),
    Scene("two at once are allowed", "14:40", under_care=("13:00",), limit=2),
    Scene("the third at once from 14:30 on", "11:20", under_care=("13:00", "14:00"), limit=2),
    Scene(
        "the nearest of several", "09:40", next_in_chair="13:00", shift=("08:00", "16:00"), closed=("17:00", "18:00")
    ),
    Scene("what does not fit as it is planned", None, closed=("10:00", "10:30")),
    Scene("nor under a prescriber who left", None, shift=("08:00", "12:00")),
    Scene("nor under one who takes nobody", None, limit=0),
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.told)
def test_a_late_visit_begins_until(clinic: Clinic, scene: Scene) -> None:
    session = visit(clinic, chair=0, clock="09:00")
    if scene.next_in_chair:
        visit(clinic, chair=0, clock=scene.next_in_chair, doctor=1)
    for number, clock in enumerate(scene.under_care, start=1):
        visit(clinic, chair=number, clock=clock)
    if scene.closed:
        closed(clinic, scene.closed)
    if scene.outage:
        closed(clinic, scene.outage, chair=clinic.chairs[0])
    begins, ends = (local(TUESDAY, clock) for clock in scene.shift)
    Shift.objects.filter(staff=clinic.prescriber, during__contains=local(TUESDAY, "09:00")).update(
        during=DateTimeTZRange(begins, ends), patients_at_once=scene.limit
    )

    facts = openings.read(clinic.site, [TUESDAY])[TUESDAY]

    until = local(TUESDAY, scene.until) if scene.until else None
    assert absence.latest_starts(facts, [session]) == {session.pk: until}


def visit(clinic: Clinic, *, chair: int, clock: str, doctor: int = 0, day: date = TUESDAY) -> Session:
    return SessionFactory.create(
        course=CourseFactory.create(site=clinic.site),
        chair=clinic.chairs[chair],
        prescriber=clinic.prescribers[doctor],
        starts_at=local(day, clock),
    )


def closed(clinic: Clinic, hours: tuple[str, str], **more: object) -> None:
    during = DateTimeTZRange(*(local(TUESDAY, clock) for clock in hours))
    ClosureFactory.create(site=clinic.site, during=during, **more)


def test_a_gap_between_two_shifts_ends_the_care(clinic: Clinic) -> None:
    session = visit(clinic, chair=0, clock="09:00")
    morning = Shift.objects.get(staff=clinic.prescriber, during__contains=START)
    morning.during = DateTimeTZRange(local(TUESDAY, "08:00"), local(TUESDAY, "13:00"))
    morning.save(update_fields=["during"])
    facts = {}
    for afternoon in ("13:00", "13:10"):
        Shift.objects.filter(staff=clinic.prescriber, during__startswith__gte=local(TUESDAY, "13:00")).filter(
            during__startswith__lt=local(TUESDAY, "18:00")
        ).delete()
        during = DateTimeTZRange(local(TUESDAY, afternoon), local(TUESDAY, "18:00"))
        Shift.objects.create(staff=clinic.prescriber, site=clinic.site, during=during)
        facts[afternoon] = openings.read(clinic.site, [TUESDAY])[TUESDAY]

    found = {clock: absence.latest_starts(one, [session])[session.pk] for clock, one in facts.items()}

    assert found == {"13:00": local(TUESDAY, "14:40"), "13:10": local(TUESDAY, "09:50")}


def test_until_it_can_begin_it_can_be_booked_there_and_no_step_later(clinic: Clinic) -> None:
    """The answer held against the judgement of a booking, ten minutes by ten minutes."""
    session = visit(clinic, chair=0, clock="09:00")
    visit(clinic, chair=1, clock="12:30")
    Shift.objects.filter(staff=clinic.prescriber, during__contains=START).update(patients_at_once=1)
    facts = openings.read(clinic.site, [TUESDAY])[TUESDAY]
    shape = session.course.protocol.protocol.visit

    until = absence.latest_starts(facts, [session])[session.pk]

    fits = []
    for minutes in range(0, 400, 10):
        at = START + timedelta(minutes=minutes)
        place = Place(at, session.chair_id, session.prescriber_id)
        if any(facts.refusals(0, place, shape.at(at))) or facts.taken(place, shape.at(at), {session.pk}):
            break
        fits.append(at)
    assert until == fits[-1]


@pytest.mark.parametrize(
    ("sunday", "until"), [(date(2027, 3, 14), "05:40"), (date(2027, 11, 7), "05:40")], ids=["spring", "autumn"]
)
def test_a_clock_change_in_the_visit_takes_nothing_from_it(clinic: Clinic, sunday: date, until: str) -> None:
    """Open from 00:30 to 09:00 while the clocks change at 2: 200 minutes before closing stay 200 minutes."""
    OpeningHours.objects.create(site=clinic.site, weekday=6, opens=time(0, 30), closes=time(9))
    during = DateTimeTZRange(local(sunday, "00:30"), local(sunday, "09:00"))
    Shift.objects.create(staff=clinic.prescriber, site=clinic.site, during=during)
    session = visit(clinic, chair=0, clock="00:40", day=sunday)

    facts = openings.read(clinic.site, [sunday])[sunday]

    assert absence.latest_starts(facts, [session]) == {session.pk: local(sunday, until)}
    assert session.ends_at - session.starts_at == timedelta(minutes=200)


def test_a_whole_day_is_answered_without_a_query(clinic: Clinic) -> None:
    found = [visit(clinic, chair=chair, clock="08:00", doctor=chair % 2) for chair in range(6)]
    facts = openings.read(clinic.site, [TUESDAY])[TUESDAY]

    with CaptureQueriesContext(connection) as counted:
        answers = absence.latest_starts(facts, found)

    assert len(counted) == 0
    assert answers == {session.pk: local(TUESDAY, "14:40").astimezone(UTC) for session in found}
