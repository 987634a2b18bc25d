"""What every open board asks every few seconds: has this day changed?"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from tests.benchmarks import _http, _large

NAME = "board-version"
AIM = 5.0
QUERIES = 1
REQUESTS = 500
BACKGROUND = {"X-Background": "1"}  # as pages mark what they ask by themselves


def run() -> dict[str, Any]:
    """Boards of other days in turn, each of whose versions has to be the one that is stored."""
    from django.db import connection

    from scheduling.models import Day

    staff, site = _large.desk(), _large.clinic().site
    days = [*_large.busiest_days(50)]
    versions = dict(Day.objects.filter(site=site, date__in=days).values_list("date", "version"))
    session = _http.session_of(staff.pk)
    asked, alone = [], []
    with _http.served() as port:
        browser = _http.Browser(port, session)
        browser.headers |= BACKGROUND
        browser.ask("/")
        for number in range(REQUESTS):
            day = days[number % len(days)]
            spent, answer = browser.ask(f"/board/{day}/version/?site={site.pk}")
            if json.loads(answer)["version"] != versions[day]:
                raise AssertionError("this is not the version of the day")
            asked.append(spent)
            began = time.perf_counter()
            with connection.cursor() as cursor:
                cursor.execute("SELECT version FROM scheduling_day WHERE site_id = %s AND date = %s", [site.pk, day])
                cursor.fetchall()
            alone.append((time.perf_counter() - began) * 1000)
    queries = _http.queries_of(f"/board/{days[0]}/version/?site={site.pk}", session, None, **BACKGROUND)
    value = _http.p95(asked)
    return {
        "value": round(value, 2),
        "unit": "ms",
        "reference": round(_http.p95(alone), 2),
        "aim": AIM,
        "holds": value <= AIM and queries == QUERIES,
        "runs": len(asked),
        "how": (
            f"p95 of {len(asked)} checks over HTTP (gunicorn, one worker) by somebody who is signed in, {queries} query"
            f" with the sign-in (at most {QUERIES}); median {statistics.median(asked):.1f} ms; the reference is the p95"
            " of the version's query alone."
        ),
    }
