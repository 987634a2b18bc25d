"""The board of a day over HTTP, in a clinic with ten years of history."""

from __future__ import annotations

import statistics
from typing import Any

from tests.benchmarks import _http, _large

NAME = "board-day"
AIM = 80.0
MOST_QUERIES = 12
REQUESTS = 200


def run() -> dict[str, Any]:
    """Every request asks for another day of the last year or of the coming weeks, none without visits."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    made = _large.clinic()
    days = _large.busiest_days(REQUESTS)
    token = _http.token_of(_large.desk().pk)
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
            f"p95 of {len(spent)} days over HTTP (gunicorn, one worker), {_large.CHAIRS} chairs,"
            f" {made.sessions} sessions in {_large.YEARS} years, {min(days.values())} to {max(days.values())} visits a"
            f" day, {len(captured)} queries; median {statistics.median(spent):.1f} ms; the reference is the median of"
            " the board's version alone."
        ),
    }
