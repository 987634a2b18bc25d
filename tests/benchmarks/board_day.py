"""The board of a day over HTTP, in a clinic with ten years of history."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.benchmarks import _http

NAME = "board-day"
AIM = 80.0
MOST_QUERIES = 12
CHAIRS = 40
YEARS = 10
REQUESTS = 200


def run() -> dict[str, Any]:
    """Every request asks for another day of the last year or of the coming weeks, none without visits."""
    from django.db import connection
    from django.db.models import Count
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from clinic.local.demo import large
    from clinic.models import Role, Staff
    from scheduling.models import LIVE, Session

    now = datetime.now(UTC)
    made = large.load(patients=20_000, years=YEARS, chairs=CHAIRS, now=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    desk = Staff.objects.create(username="board-day", role=Role.DESK, password="!")
    desk.sites.add(made.site)
    today = now.date()
    busy = (
        Session.objects.filter(site=made.site, state__in=LIVE, local_date__gte=today - timedelta(days=365))
        .values_list("local_date")
        .annotate(visits=Count("pk"))
        .order_by("-visits", "local_date")[:REQUESTS]
    )
    days = dict(busy)
    token = _http.token_of(desk.pk)
    spent = []
    with _http.served() as port:
        client = _http.Client(port, token)
        version = f"/api/v1/board/version/?site={made.site.pk}"
        client.ask("GET", version)
        cheap = statistics.median(client.ask("GET", version)[0] for _ in range(20))
        for day, visits in days.items():
            taken, answer = client.ask("GET", f"/api/v1/board/?site={made.site.pk}&date={day}")
            if sum(len(chair["visits"]) for chair in answer["chairs"]) != visits:
                raise AssertionError("the board does not show every visit of its day")
            spent.append(taken)
    with CaptureQueriesContext(connection) as captured:
        Client(headers={"authorization": f"Token {token}"}).get(f"/api/v1/board/?site={made.site.pk}&date={day}")
    value = _http.p95(spent)
    return {
        "value": round(value, 2),
        "unit": "ms",
        "reference": round(cheap, 2),
        "aim": AIM,
        "holds": value <= AIM and len(captured) <= MOST_QUERIES,
        "runs": len(spent),
        "how": (
            f"p95 of {len(spent)} days over HTTP (gunicorn, one worker), {CHAIRS} chairs, {made.sessions} sessions in"
            f" {YEARS} years, {min(days.values())} to {max(days.values())} visits a day, {len(captured)} queries;"
            f" median {statistics.median(spent):.1f} ms; the reference is the median of the board's version alone."
        ),
    }
