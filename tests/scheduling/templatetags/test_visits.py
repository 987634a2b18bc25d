"""How what happened is told on pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from clinic.models import Site
from scheduling.models import CourseEvent
from scheduling.templatetags.visits import told

SITE = Site(time_zone="America/New_York")


@pytest.mark.parametrize(
    ("kind", "details", "sentence"),
    [
        ("booked", {"sessions": [1, 2]}, "Booked: 2 visits."),
        ("held", {"sessions": [1]}, "Held: 1 visit."),
        ("added", {"sessions": [1]}, "Added: 1 visit."),
        ("session-cancelled", {"reason": "Ill"}, "A visit was cancelled: Ill"),
        ("cancelled", {"reason": "100% better"}, "The course was cancelled: 100% better"),
        ("hold-expired", {}, "The hold has run out; the times are free."),
        ("confirmed", {}, "The patient said yes to a visit."),
        ("decided", {"interval_days": 21, "reason": "Better"}, "Maintenance every 21 days: Better"),
        ("needs-time", {"sessions": [1, 2]}, "2 visits no longer fit."),
        ("fits-again", {"sessions": [1]}, "1 visit fits again."),
        ("paused", {"reason": "Surgery"}, "Paused: Surgery"),
        ("stopped", {"reason": "Pregnant"}, "Stopped: Pregnant"),
        ("completed", {"reason": "Well"}, "Completed: Well"),
        ("something-new", {}, "something-new"),
    ],
)
def test_every_event_is_a_sentence(kind: str, details: dict[str, Any], sentence: str) -> None:
    with translation.override("en"):
        assert told(CourseEvent(kind=kind, details=details), SITE) == sentence


def test_a_move_names_both_times_on_the_wall_of_the_site() -> None:
    moved = [{"from": {"starts_at": "2027-02-01T14:00:00+00:00"}, "to": {"starts_at": "2027-02-02T15:30:00+00:00"}}]
    with translation.override("en"):
        sentence = told(CourseEvent(kind="moved", details={"moved": moved}), SITE)
    assert sentence == "Moved: Mon 1 Feb 09:00 to Tue 2 Feb 10:30."
