"""The demonstration: alive at any hour, lawful, the same for the same moment; and only in an empty database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from clinic.local.demo import fill, house, people
from clinic.models import Chair, Closure, Role, Shift, Site, Staff
from patients.models import Patient, Questionnaire, Task, TaskKind
from scheduling import board, timelines
from scheduling.models import UNDER_WAY, Course, CourseEvent, Mail, MailKind, MailState, ProtocolVersion, Session
from scheduling.protocols import library, spacing
from scheduling.protocols.types import Phase, Spot
from scheduling.visits import charts

pytestmark = pytest.mark.django_db

MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

#: Weekdays and hours of all kinds: the ends of the week at the date line, of a month, of the year, of summer time.
MOMENTS = [
    datetime(2026, 11, 20, 23, 50, tzinfo=UTC),
    datetime(2026, 11, 21, 10, 5, tzinfo=UTC),
    datetime(2026, 11, 22, 3, 33, tzinfo=UTC),
    datetime(2026, 11, 22, 23, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 17, 59, tzinfo=UTC),
    datetime(2027, 3, 15, 15, 0, tzinfo=UTC),
    datetime(2027, 5, 5, 5, 45, tzinfo=UTC),
]


def store_protocols() -> None:
    """What the migrations store, and a test with transactions of its own may have flushed."""
    for protocol in library.builtin():
        ProtocolVersion.objects.get_or_create(
            code=protocol.code,
            version=protocol.version,
            defaults={"name": protocol.name, "data": library.to_data(protocol)},
        )


@pytest.fixture(autouse=True)
def protocols(db: None) -> None:
    store_protocols()


def misfits() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM scheduling_session s WHERE session_live(state) AND session_misfit(s) <> ''"
        )
        return int(cursor.fetchone()[0])


def moments_of_a_year() -> Iterator[datetime]:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=439 * number) for number in range(1_200))


def test_it_is_between_eleven_and_two_somewhere_at_any_moment_of_the_year() -> None:
    hours = {now.astimezone(house.zone_at_noon(now)).hour for now in moments_of_a_year()}
    assert hours <= {11, 12, 13}


def test_a_weekday_is_found_as_long_as_there_is_one() -> None:
    """Saturday begins at the date line: the last zones with a Friday noon are far west of it."""
    friday_noon_in_hawaii = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    assert house.zone_at_noon(friday_noon_in_hawaii).key == "Pacific/Honolulu"
    monday_noon_in_kiritimati = datetime(2026, 11, 22, 22, 15, tzinfo=UTC)
    assert house.zone_at_noon(monday_noon_in_kiritimati).key == "Pacific/Kiritimati"


@pytest.fixture(scope="class")
def demonstration(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Made once for the tests of a class, which change it only in transactions of their own."""
    with django_db_blocker.unblock(), transaction.atomic():
        store_protocols()
        assert fill.fill(now=MONDAY_NOON)
        yield
        transaction.set_rollback(True)


@pytest.mark.usefixtures("demonstration")
class TestTheClinic:
    def today(self) -> dict[str, int]:
        site = Site.objects.get()
        today = MONDAY_NOON.astimezone(site.zone).date()
        return Counter(Session.objects.filter(local_date=today).values_list("state", flat=True))

    def test_has_chairs_people_and_shifts(self) -> None:
        site = Site.objects.get()
        assert (site.time_zone, Chair.objects.count()) == ("Europe/London", 6)
        roles = Counter(Staff.objects.values_list("role", "is_prescriber"))
        assert roles == {
            (Role.CLINICIAN, True): 3,
            (Role.NURSE, False): 4,
            (Role.DESK, False): 1,
            (Role.MANAGER, False): 1,
        }
        assert Shift.objects.earliest("during").during.lower < MONDAY_NOON - timedelta(days=120)
        assert Shift.objects.latest("during").during.upper > MONDAY_NOON + timedelta(days=240)

    def test_is_closed_on_a_working_day_of_the_next_month(self) -> None:
        closed = Closure.objects.get().during.lower.date()
        assert (closed.year, closed.month, closed.weekday()) == (2026, 12, 2)
        assert not Session.objects.filter(local_date=closed).exists()

    def test_has_courses_in_every_state(self) -> None:
        assert Counter(Course.objects.values_list("state", flat=True)) == {
            "active": 25,
            "held": 1,
            "paused": 1,
            "completed": 1,
            "stopped": 1,
            "cancelled": 1,
        }
        assert set(Course.objects.values_list("phase", flat=True)) == {"initial", "maintenance"}

    def test_has_a_visit_at_every_phase_now(self) -> None:
        assert self.today() == {
            "discharged": 1,
            "ready": 1,
            "monitoring": 1,
            "giving": 1,
            "checked-in": 1,
            "no-show": 1,
            "confirmed": 1,
            "booked": 2,
        }
        late = Session.objects.filter(state="booked", during__startswith__lt=MONDAY_NOON)
        assert [MONDAY_NOON - visit.starts_at for visit in late] == [timedelta(minutes=30)]

    def test_has_patients_who_are_ready_for_a_course(self) -> None:
        assert Patient.objects.count() == 40
        places = range(len(people.NAMES) - 25, len(people.NAMES) - 25 + people.READY)
        for first, last in [people.NAMES[place] for place in places]:
            patient = Patient.objects.get(first_name=first, last_name=last)
            assert patient.email.endswith("@example.org")
            assert not patient.courses.exists()

    def test_reaches_nobody_who_exists(self) -> None:
        addresses = {mail.rpartition("@")[2] for mail in Patient.objects.values_list("email", flat=True) if mail}
        assert addresses == {"example.org"}
        assert all(phone.startswith("(555) 01") for phone in Patient.objects.values_list("phone", flat=True))

    def test_has_a_line_of_each_kind_on_the_worklist(self) -> None:
        """But of visits that need another time: nothing has disturbed the calendar."""
        kinds = Task.objects.filter(done_at=None).values_list("kind", flat=True)
        assert set(kinds) == set(TaskKind) - {TaskKind.NEEDS_TIME}

    def test_waits_for_a_measurement_that_is_overdue(self) -> None:
        visits = Session.objects.filter(state__in=UNDER_WAY, local_date=MONDAY_NOON.date()).select_related(
            "course__protocol", "course__site"
        )
        overdue = [visit.state for visit in visits if charts.read(visit, now=MONDAY_NOON).overdue]
        assert overdue == ["monitoring"]

    def test_has_sent_what_was_due_and_will_send_what_is_to_come(self) -> None:
        due = Mail.objects.filter(state=MailState.DUE)
        assert due.filter(due_at__lt=MONDAY_NOON).count() == 0
        assert due.filter(kind="two-days").count() > 15
        assert Mail.objects.filter(state=MailState.SENT, kind="two-hours").count() > 30

    def test_has_mails_in_every_state_and_of_every_kind_but_what_the_desk_offers(self) -> None:
        lately = Mail.objects.filter(due_at__gt=MONDAY_NOON - timedelta(hours=24))
        assert set(lately.values_list("state", flat=True)) == set(MailState)
        assert set(Mail.objects.values_list("kind", flat=True)) == set(MailKind) - {MailKind.OFFER}

    def test_has_patients_who_answered_behind_the_links_of_their_mails(self) -> None:
        levels = Counter(Patient.objects.exclude(email="").values_list("mail_level", flat=True))
        assert (levels["stopped"], levels["detailed"], levels[""]) == (1, 1, 0)
        assert list(Patient.objects.exclude(email_fault="").values_list("email_fault", flat=True)) == ["bounced"]
        assert [form.answers[:5] for form in Questionnaire.objects.filter(sent_at=None)] == [[2, 1, 2, 1, None]]
        alone = CourseEvent.objects.filter(kind="confirmed", by=None)
        assert {event.course.sessions.filter(reply__isnull=False).count() for event in alone} == {1}

    def test_tells_why_every_patient_of_today_was_mailed(self) -> None:
        for session in Session.objects.filter(local_date=MONDAY_NOON.date()):
            told = timelines.of_session(session.pk, now=MONDAY_NOON)
            assert told.summary
            assert [one.at for one in told.told] == sorted(one.at for one in told.told)

    def test_shows_a_board_with_every_visit_of_today_that_takes_place(self) -> None:
        today = board.site_day(actor=Staff.objects.get(username="desk"), now=MONDAY_NOON)
        assert today is not None
        shown = board.board(today, now=MONDAY_NOON)
        assert len(shown.chairs) == 6
        assert len(list(shown.visits)) == sum(self.today().values()) - 1

    def test_passes_over_a_rule_only_where_a_prescriber_signed(self) -> None:
        broken = {}
        for course in Course.objects.select_related("protocol").prefetch_related("sessions"):
            spots = [
                Spot(visit.pk, visit.starts_at, Phase(visit.phase)) for visit in course.sessions.all() if visit.is_live
            ]
            zone = Site.objects.get().zone
            found = spacing.judge(protocol=course.protocol.protocol, sessions=spots, zone=zone)
            if rules := {finding.rule for finding in found if finding.level != "warn"}:
                broken[course.state] = rules
        assert broken == {"active": {"initial-max"}, "held": {"gap-min"}}

    def test_is_not_made_twice(self) -> None:
        assert not fill.fill(now=MONDAY_NOON + timedelta(hours=3))
        assert Site.objects.count() == 1

    def test_names_who_can_sign_in_as_long_as_the_password_is_known(self) -> None:
        assert [(role, name) for role, name, _ in fill.logins()] == [
            ("clinician", "clinician"),
            ("nurse", "nurse"),
            ("desk", "desk"),
            ("manager", "manager"),
        ]
        desk = Staff.objects.get(username="desk")
        desk.set_password("a password of their own")
        desk.save(update_fields=["password"])
        assert [role for role, _, _ in fill.logins()] == ["clinician", "nurse", "manager"]


@pytest.mark.parametrize("now", MOMENTS, ids=lambda now: f"{now:%a %H:%M}")
def test_it_can_be_made_at_any_moment(now: datetime) -> None:
    assert fill.fill(now=now)
    site = Site.objects.get()
    local = now.astimezone(site.zone)
    assert 11 <= local.hour < 14
    assert site.opening_hours.filter(weekday=local.weekday()).exists()
    assert misfits() == 0
    states = set(Session.objects.filter(local_date=local.date()).values_list("state", flat=True))
    assert states >= {"discharged", "ready", "monitoring", "giving", "checked-in", "no-show", "confirmed", "booked"}


def test_it_leaves_any_other_database_alone() -> None:
    Site.objects.create(name="Ours", neutral_name="Ours", time_zone="Europe/Berlin")
    assert not fill.fill(now=MONDAY_NOON)
    assert not Patient.objects.exists()


class TestTheCommand:
    def run(self, *args: str) -> list[str]:
        out = StringIO()
        call_command("filldemo", *args, stdout=out)
        return out.getvalue().splitlines()

    def test_prints_who_can_sign_in_each_time(self) -> None:
        with time_machine.travel(MONDAY_NOON):
            first, again = self.run(), self.run()
        assert first == ["The demonstration is ready.", *again]
        assert again == [
            f"login {role} {role} {role}-of-the-demo" for role in ("clinician", "nurse", "desk", "manager")
        ]

    def test_asks_before_it_fills_a_database_that_was_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/clinic")
        with pytest.raises(CommandError):
            self.run()
        assert not Site.objects.exists()
        assert self.run("--yes")[0] == "The demonstration is ready."

    @pytest.mark.parametrize("command", [("filldemo", "--yes"), ("loadclinic", "--patients", "9", "--years", "1")])
    def test_nothing_fictional_comes_into_production(self, settings: Any, command: tuple[str, ...]) -> None:
        settings.PRODUCTION = True
        with pytest.raises(CommandError):
            call_command(*command)
        assert not Site.objects.exists()
