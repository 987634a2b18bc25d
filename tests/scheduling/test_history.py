"""What happened to a course, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation

from clinic.findings import Level
from scheduling import history
from scheduling.history import Noted
from scheduling.models import Course, CourseEvent
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, SessionFactory, local


@pytest.fixture
def course(clinic: Clinic) -> Course:
    """Two visits: Monday 1 February and Thursday 4 February, both at nine."""
    course = CourseFactory.create(site=clinic.site)
    for day in (0, 3):
        SessionFactory.create(
            course=course,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(MONDAY + timedelta(days=day)),
        )
    return course


def happened(course: Course, kind: str, *, minutes: int = 0, **details: Any) -> None:
    CourseEvent.objects.create(course=course, kind=kind, at=NOW + timedelta(minutes=minutes), details=details)


def told(course: Course) -> list[str]:
    with translation.override("en"):
        return [entry.text for entry in history.entries(Course.objects.with_history().get(pk=course.pk))]


@pytest.mark.parametrize(
    ("kind", "visits", "details", "sentence"),
    [
        ("booked", 2, {}, "Booked: 2 visits, Mon 1 Feb to Thu 4 Feb."),
        ("held", 1, {}, "Held: 1 visit, Mon 1 Feb 09:00."),
        ("added", 1, {}, "Added: 1 visit, Mon 1 Feb 09:00."),
        ("session-cancelled", 1, {"reason": "Ill"}, "Mon 1 Feb 09:00 cancelled: Ill"),
        ("cancelled", 2, {"reason": "100% better"}, "The course was cancelled: 100% better"),
        ("no-show", 1, {"reason": "Overslept"}, "Mon 1 Feb 09:00, nobody came: Overslept"),
        ("no-show", 1, {"reason": ""}, "Mon 1 Feb 09:00: nobody came."),
        (
            "expected",
            1,
            {"expected_at": "2027-02-01T15:15:00+00:00"},
            "Mon 1 Feb 09:00: the patient comes at 10:15.",
        ),
        ("expected", 1, {"expected_at": None}, "Mon 1 Feb 09:00: the patient comes as planned."),
        ("hold-expired", 2, {}, "The hold has run out; the times are free."),
        ("confirmed", 1, {}, "Mon 1 Feb 09:00: the patient said yes."),
        ("decided", 0, {"interval_days": 21, "reason": "Better"}, "Maintenance every 21 days: Better"),
        (
            "decided",
            0,
            {"decision": "maintenance", "interval_days": 21, "reason": "Better", "missing": 2},
            "Maintenance every 21 days: Better (2 dates found no place)",
        ),
        ("decided", 0, {"decision": "go-on", "reason": "Better"}, "Go on: Better"),
        (
            "decided",
            0,
            {"decision": "change-dose", "dose": "0.75", "unit": "mg/kg", "reason": "Tired"},
            "Dose 0.75 mg/kg: Tired",
        ),
        ("decided", 0, {"decision": "stop", "reason": "Pregnant"}, "Stopped: Pregnant"),
        ("rolled-on", 2, {}, "Planned on: 2 visits, Mon 1 Feb to Thu 4 Feb."),
        ("needs-time", 2, {}, "2 visits no longer fit: Mon 1 Feb to Thu 4 Feb."),
        ("fits-again", 1, {}, "1 visit fits again: Mon 1 Feb 09:00."),
        ("paused", 0, {"reason": "Surgery"}, "Paused: Surgery"),
        ("stopped", 0, {"reason": "Pregnant"}, "Stopped: Pregnant"),
        ("completed", 0, {"reason": "Well"}, "Completed: Well"),
        ("something-new", 0, {}, "something-new"),
    ],
)
def test_every_event_is_a_sentence(
    course: Course, kind: str, visits: int, details: Mapping[str, Any], sentence: str
) -> None:
    sessions = [session.pk for session in course.sessions.in_order()[:visits]]
    happened(course, kind, sessions=sessions, **details)

    assert told(course) == [sentence]


def test_a_visit_is_named_by_the_date_it_had_when_something_happened(course: Course) -> None:
    first = course.sessions.in_order()[0]
    old, new = local(MONDAY - timedelta(days=3)), first.starts_at
    happened(course, "confirmed", sessions=[first.pk])
    ends = {"from": {"starts_at": old.isoformat()}, "to": {"starts_at": new.isoformat()}}
    happened(course, "moved", minutes=1, sessions=[first.pk], moved=[{"session": first.pk} | ends])
    happened(course, "confirmed", minutes=2, sessions=[first.pk])

    assert told(course) == [
        "Mon 1 Feb 09:00: the patient said yes.",
        "Moved: Fri 29 Jan 09:00 to Mon 1 Feb 09:00.",
        "Fri 29 Jan 09:00: the patient said yes.",
    ]


def test_a_move_to_another_chair_names_no_other_time(course: Course) -> None:
    first = course.sessions.in_order()[0]
    here = {"starts_at": first.starts_at.isoformat()}
    happened(course, "moved", sessions=[first.pk], moved=[{"session": first.pk, "from": here, "to": here}])

    assert told(course) == ["Mon 1 Feb 09:00: another chair or prescriber."]


def test_what_was_known_then_and_the_latest_about_a_visit_are_found(course: Course) -> None:
    first, second = course.sessions.in_order()
    found = [{"rule": "gap-max", "level": "warn", "observed": "8 days", "limit": "7 days"}]
    happened(course, "booked", sessions=[first.pk, second.pk], findings=found)
    happened(course, "session-cancelled", minutes=1, sessions=[second.pk], reason="Ill")
    entries = history.entries(Course.objects.with_history().get(pk=course.pk))

    assert entries[1].noted == (Noted(Level.WARN, "gap-max", "8 days"),)
    assert [history.about(entries, session.pk) for session in (first, second)] == [entries[1], entries[0]]
    assert history.about(entries, 0) is None
