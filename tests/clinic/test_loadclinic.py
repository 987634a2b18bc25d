"""A large clinic in bulk: lawful in every row, and with what grows in a real one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count, Q

from clinic.local.demo import large
from clinic.local.demo.large import Large
from clinic.models import Shift, Site
from patients.models import Patient
from scheduling.models import LIVE, Course, CourseEvent, CourseState, Mail, MailState, Session, SessionState
from scheduling.protocols import spacing
from scheduling.protocols.types import Phase, Spot
from tests.factories import protocol

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 2, 3, 17, tzinfo=UTC)  # a Wednesday; it is noon there


@pytest.fixture
def made() -> Large:
    protocol()
    return large.load(patients=60, years=1, chairs=5, now=NOW)


def test_it_has_years_of_history_and_weeks_ahead(made: Large) -> None:
    assert (Patient.objects.count(), Course.objects.count(), Session.objects.count(), Mail.objects.count()) == (
        made.patients,
        made.courses,
        made.sessions,
        made.mails,
    )
    assert (made.patients, made.site.chairs.count()) == (60, 5)
    assert made.sessions == 6 * made.courses
    assert Session.objects.earliest("during").starts_at < NOW - timedelta(days=364)
    assert Session.objects.latest("during").starts_at > NOW + timedelta(weeks=5)
    assert Shift.objects.latest("during").during.upper > NOW + timedelta(weeks=25)


def test_every_row_passes_the_guard(made: Large) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT session_misfit(s), count(*) FROM scheduling_session s WHERE session_live(state) GROUP BY 1"
        )
        assert cursor.fetchall() == [(None, Session.objects.filter(state__in=LIVE).count())]
    assert not Session.objects.filter(needs_replan=True).exists()


def test_no_course_breaks_a_rule(made: Large) -> None:
    rules = protocol().protocol
    for course in Course.objects.prefetch_related("sessions"):
        spots = [Spot(visit.pk, visit.starts_at, Phase(visit.phase)) for visit in course.sessions.all()]
        assert spacing.judge(protocol=rules, sessions=spots, zone=made.site.zone, closed=True) == ()


def test_states_fit_the_present(made: Large) -> None:
    past = set(Session.objects.filter(discharge_at__lt=NOW).values_list("state", flat=True))
    coming = set(Session.objects.filter(discharge_at__gte=NOW).values_list("state", flat=True))
    assert past == {SessionState.DISCHARGED, SessionState.CANCELLED, SessionState.NO_SHOW}
    assert coming == {SessionState.BOOKED, SessionState.CONFIRMED}
    ended = Course.objects.annotate(ahead=Count("sessions", filter=Q(sessions__discharge_at__gte=NOW)))
    assert not ended.filter(state=CourseState.COMPLETED, ahead__gt=0).exists()
    assert not Mail.objects.filter(state=MailState.DUE, due_at__lt=NOW).exists()
    assert not Mail.objects.filter(state=MailState.SENT, due_at__gt=NOW).exists()


def test_every_course_says_what_happened_to_it(made: Large) -> None:
    kinds = CourseEvent.objects.values_list("kind").annotate(Count("pk")).order_by("kind")
    completed = Course.objects.filter(state=CourseState.COMPLETED).count()
    assert list(kinds) == [("booked", made.courses), ("completed", completed)]


def test_chairs_are_as_many_as_every_patient_needs_for_a_course() -> None:
    protocol()
    made = large.load(patients=600, years=1, now=NOW)
    assert made.courses >= 600
    assert not Patient.objects.filter(courses=None).exists()


def test_the_same_moment_makes_the_same_clinic(made: Large) -> None:
    again = large.load(patients=60, years=1, chairs=5, now=NOW)

    def visits(site: Site) -> list[tuple[object, ...]]:
        rows = Session.objects.filter(site=site).values_list("during", "chair__name", "number")
        return list(rows.order_by("during", "chair__name"))

    assert again.site != made.site
    assert visits(again.site) == visits(made.site)


def test_the_command_says_what_it_made() -> None:
    protocol()
    out = StringIO()
    call_command("loadclinic", "--patients", "30", "--years", "1", "--chairs", "4", stdout=out)
    courses = Course.objects.count()
    said = out.getvalue().rpartition(" mails in ")[0]
    assert (
        said == f"Large clinic 1: 30 patients, {courses} courses, {6 * courses:,} sessions and {Mail.objects.count():,}"
    )


@pytest.mark.parametrize("wrong", [("--patients", "0"), ("--years", "51"), ("--chairs", "-1")])
def test_what_cannot_be_is_refused(wrong: tuple[str, str]) -> None:
    values = {"--patients": "30", "--years": "1"} | dict([wrong])
    with pytest.raises(CommandError):
        call_command("loadclinic", *[part for pair in values.items() for part in pair])
    assert not Site.objects.exists()
