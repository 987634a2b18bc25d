"""Day rows made ahead of need, so that a booking finds the rows it locks."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

#: How far ahead; bookings reach no further in practice, and `lock_days` makes what is missing.
DAYS = 400

_CREATE = """
INSERT INTO scheduling_day (site_id, date, version)
SELECT site.id, wanted.date, 1
FROM clinic_site AS site
CROSS JOIN LATERAL (SELECT (%(now)s AT TIME ZONE site.time_zone)::date + number AS date
                    FROM generate_series(0, %(days)s - 1) AS number) AS wanted
WHERE NOT EXISTS (SELECT FROM scheduling_day AS day WHERE day.site_id = site.id AND day.date = wanted.date)
ORDER BY site.id, wanted.date
ON CONFLICT (site_id, date) DO NOTHING
"""


def create_ahead(*, now: datetime, days: int = DAYS) -> int:
    """Make the missing day rows of every site from its local today on; returns how many were made.

    One statement that locks no existing row; it makes rows in the order in which `lock_days` does.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CREATE, {"now": now, "days": days})
        made: int = cursor.rowcount
    return made
