"""The clinic in which pages are measured: 100,000 patients, 40 chairs, ten years of history; made once a run."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinic.local.demo.large import Large
    from clinic.models import Staff

PATIENTS = 100_000
CHAIRS = 40
YEARS = 10


@cache
def clinic() -> Large:
    """The clinic, analysed."""
    from clinic.local.demo import large

    return large.load(patients=PATIENTS, years=YEARS, chairs=CHAIRS, now=datetime.now(UTC))


@cache
def desk() -> Staff:
    """Somebody of its front desk who may sign in."""
    from clinic.models import Role, Staff

    staff = Staff.objects.create(username="large-desk", role=Role.DESK, password="!")
    staff.sites.add(clinic().site)
    return staff


def busiest_days(most: int) -> dict[date, int]:
    """The days of the last year and the coming weeks with the most visits, and how many these are."""
    from django.db.models import Count

    from scheduling.models import LIVE, Session

    today = datetime.now(UTC).date()
    return dict(
        Session.objects.filter(site=clinic().site, state__in=LIVE, local_date__gte=today - timedelta(days=365))
        .values_list("local_date")
        .annotate(visits=Count("pk"))
        .order_by("-visits", "local_date")[:most]
    )


def patients_of(days: Collection[date]) -> dict[date, set[str]]:
    """The family names of everybody who has a visit on these days; in this clinic no two patients share one."""
    from scheduling.models import LIVE, Session

    found: dict[date, set[str]] = {day: set() for day in days}
    rows = Session.objects.filter(site=clinic().site, state__in=LIVE, local_date__in=days)
    for day, name in rows.values_list("local_date", "patient__last_name"):
        found[day].add(name)
    return found
