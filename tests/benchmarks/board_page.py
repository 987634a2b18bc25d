"""The board of a day as a page, in a clinic with ten years of history."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks import _http, _large

NAME = "board-page"
AIM = 80.0
MOST_QUERIES = 12
REQUESTS = 200


def run() -> dict[str, Any]:
    """Every request asks for another of the busiest days, today among them; each page has to name every patient."""
    staff, site = _large.desk(), _large.clinic().site
    today = datetime.now(UTC).astimezone(site.zone).date()
    days = _large.patients_of([today, *(day for day in _large.busiest_days(REQUESTS) if day != today)][:REQUESTS])
    session = _http.session_of(staff.pk)
    pages, answers, sizes = [], [], []
    with _http.served() as port:
        browser, client = _http.Browser(port, session), _http.Client(port, _http.token_of(staff.pk))
        browser.ask("/")
        client.ask("GET", f"/api/v1/board/?site={site.pk}")
        for day, names in days.items():
            spent, shown = browser.ask(f"/board/{day}/")
            if missing := [name for name in names if name not in shown]:
                raise AssertionError(f"the board of {day} does not name {len(missing)} of its patients")
            pages.append(spent)
            sizes.append(len(shown))
            answers.append(client.ask("GET", f"/api/v1/board/?site={site.pk}&date={day}")[0])
    queries = max(_http.queries_of(f"/board/{day}/", session) for day in list(days)[:5])
    value = _http.p95(pages)
    return {
        "value": round(value, 2),
        "unit": "ms",
        "reference": round(_http.p95(answers), 2),
        "aim": AIM,
        "holds": value <= AIM and queries <= MOST_QUERIES,
        "runs": len(pages),
        "how": (
            f"p95 of {len(pages)} days over HTTP (gunicorn, one worker, gzip), {_large.CHAIRS} chairs,"
            f" {_large.YEARS} years, up to {max(map(len, days.values()))} visits a day, {max(sizes) // 1000} kB before"
            f" gzip, {queries} queries (at most {MOST_QUERIES}); median {statistics.median(pages):.1f} ms; the"
            " reference is the p95 of the same days by the JSON interface."
        ),
    }
