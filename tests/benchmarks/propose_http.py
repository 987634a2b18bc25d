"""A whole course proposed over HTTP, while others book."""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import Any

from tests.benchmarks import _clinic, _http

NAME = "propose-http"
AIM = 100.0
REQUESTS = 200


def run() -> dict[str, Any]:
    """Each request follows a booking that changed six of the days it looks at."""
    from django.db import connection

    bench = _clinic.clinic(chairs=40, weeks=12, full=0.5, name="propose-http")
    wanted = _clinic.patients(REQUESTS, "propose-http")
    spent = []
    with _http.served() as port:
        client = _http.Client(port, _http.token_of(bench.desk))
        client.ask("GET", "/api/v1/protocols/")
        listing, _ = client.ask("GET", "/api/v1/protocols/")
        for number, patient in enumerate(wanted):
            days = [bench.first + timedelta(days=number % 21 + ahead) for ahead in (0, 3, 7, 10, 14, 17)]
            with connection.cursor() as cursor:
                cursor.execute("SELECT lock_days(%s, %s)", [bench.site, days])
            taken, answer = client.ask(
                "POST",
                "/api/v1/courses/propose/",
                {
                    "patient": patient,
                    "protocol": "iv-ketamine-standard",
                    "site": bench.site,
                    "wishes": {"weekdays": [0, 2, 4], "not_before": "09:00"},
                },
            )
            if len(answer["plans"]) < 2 or len(answer["plans"][0]["sessions"]) != 6:
                raise AssertionError("a proposal without plans is no measurement")
            spent.append(taken)
    value = _http.p95(spent[1:])
    return {
        "value": round(value, 2),
        "unit": "ms",
        "reference": round(listing, 2),
        "aim": AIM,
        "holds": value <= AIM,
        "runs": len(spent) - 1,
        "how": (
            f"p95 of {len(spent) - 1} proposals over HTTP (gunicorn, one worker), 40 chairs, 12 weeks half full, six"
            f" days changed before each; median {statistics.median(spent):.1f} ms, the first with nothing kept"
            f" {spent[0]:.1f} ms; the reference is the list of protocols over the same connection."
        ),
    }
