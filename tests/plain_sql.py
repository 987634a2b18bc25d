"""Writers who know nothing of the application: rows of sessions as plain SQL writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from clinic.models import Chair, Staff
from scheduling.models import Course
from scheduling.protocols.library import STANDARD

Columns = dict[str, Any]

INSERT = """
    INSERT INTO scheduling_session (
        course_id, patient_id, site_id, chair_id, prescriber_id, number, phase, state, during, local_date,
        dose_starts_at, dose_ends_at, discharge_at, times_version, needs_replan, confirmed_at, freed_at
    ) VALUES (
        %(course_id)s, %(patient_id)s, %(site_id)s, %(chair_id)s, %(prescriber_id)s, %(number)s, %(phase)s, %(state)s,
        %(during)s::tstzrange, %(local_date)s, %(dose_starts_at)s, %(dose_ends_at)s, %(discharge_at)s, 1,
        %(needs_replan)s, %(confirmed_at)s, %(freed_at)s
    ) RETURNING id
"""


class Cursor(Protocol):
    """Django's and psycopg's alike."""

    def execute(self, query: Any, params: Any = None) -> Any: ...

    def fetchone(self) -> tuple[Any, ...] | None: ...


def visit(course: Course, chair: Chair, prescriber: Staff, starts_at: datetime, **changes: Any) -> Columns:
    """The columns of a booked visit in the shape of the standard protocol: 30 minutes, 40, 120 and 10."""
    times = STANDARD.visit.at(starts_at)
    return {
        "course_id": course.pk,
        "patient_id": course.patient_id,
        "site_id": chair.site_id,
        "chair_id": chair.pk,
        "prescriber_id": prescriber.pk,
        "number": 1,
        "phase": "initial",
        "state": "booked",
        "during": f"[{times.starts_at.isoformat()},{times.ends_at.isoformat()})",
        "local_date": starts_at.astimezone(ZoneInfo(chair.site.time_zone)).date(),
        "dose_starts_at": times.dose_starts_at,
        "dose_ends_at": times.dose_ends_at,
        "discharge_at": times.discharge_at,
        "needs_replan": False,
        "confirmed_at": None,
        "freed_at": None,
    } | changes


def insert(cursor: Cursor, columns: Columns) -> int:
    """Write the visit and return its id."""
    cursor.execute(INSERT, columns)
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])
