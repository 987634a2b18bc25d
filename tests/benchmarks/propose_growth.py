"""Whether proposing takes longer in a full calendar than in an empty one."""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import Any

from tests.benchmarks import _clinic, _http

NAME = "propose-growth"
AIM = 1.3
ROUNDS = 80


def run() -> dict[str, Any]:
    """The same request in turn at a site with 10,000 bookings and at one with none, alike in everything else."""
    from django.db import connection

    full = _clinic.clinic(chairs=80, weeks=12, full=0.5, name="growth-full")
    empty = _clinic.clinic(chairs=80, weeks=12, full=0, name="growth-empty")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM scheduling_session WHERE site_id = %s", [full.site])
        bookings = cursor.fetchone()[0]
        cursor.execute("ANALYZE")
    wanted = _clinic.patients(ROUNDS, "growth")
    spent: dict[int, list[float]] = {full.site: [], empty.site: []}
    cold: dict[int, float] = {}
    with _http.served() as port:
        clients = {bench.site: _http.Client(port, _http.token_of(bench.desk)) for bench in (full, empty)}
        for number, patient in enumerate(wanted):
            for bench in (full, empty) if number % 2 else (empty, full):
                days = [bench.first + timedelta(days=number % 21 + ahead) for ahead in (0, 3, 7, 10, 14, 17)]
                with connection.cursor() as cursor:
                    cursor.execute("SELECT lock_days(%s, %s)", [bench.site, days])
                asked = {"patient": patient, "protocol": "iv-ketamine-standard", "site": bench.site}
                taken, answer = clients[bench.site].ask("POST", "/api/v1/courses/propose/", asked)
                if not answer["plans"]:
                    raise AssertionError("a proposal without plans is no measurement")
                if bench.site in cold:
                    spent[bench.site].append(taken)
                else:
                    cold[bench.site] = taken
    queries = {bench.site: _queries(bench, wanted[0]) for bench in (full, empty)}
    ratios = [crowded / free for crowded, free in zip(spent[full.site], spent[empty.site], strict=True)]
    value = statistics.median(ratios)
    return {
        "value": round(value, 3),
        "unit": "ratio",
        "reference": round(statistics.median(spent[empty.site]), 2),
        "aim": AIM,
        "holds": value <= AIM and queries[full.site] == queries[empty.site],
        "runs": len(ratios),
        "how": (
            f"median ratio of {len(ratios)} pairs of proposals over HTTP at 80 chairs with {bookings} bookings in 12"
            f" weeks and with none, six days changed before each; {queries[full.site]} and {queries[empty.site]}"
            f" queries; with nothing kept {cold[full.site]:.0f} and {cold[empty.site]:.0f} ms; the reference is the"
            " median without bookings."
        ),
    }


def _queries(bench: _clinic.Bench, patient: int) -> int:
    """Queries of one request with nothing kept."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"authorization": f"Token {_http.token_of(bench.desk)}"})
    asked = {"patient": patient, "protocol": "iv-ketamine-standard", "site": bench.site}
    with CaptureQueriesContext(connection) as captured:
        answer = client.post("/api/v1/courses/propose/", asked, content_type="application/json")
    if answer.status_code != 200:
        raise AssertionError(f"answered {answer.status_code}")
    return len(captured)
