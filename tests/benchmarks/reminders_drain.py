"""A hundred thousand reminders that are due at once, in the drain's batches and as a Celery task each."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

NAME = "reminders-drain"
AIM = 10.0
REMINDERS = 100_000
TASKS = 300
CHAIRS = 100
BATCH = 100
PATIENCE = 300.0  # seconds for all tasks
GROWTH = 1.1  # of the memory, at most


def run() -> dict[str, Any]:
    """The value is how many times faster the batches are; the reference is reminders in a second by tasks."""
    import psutil

    from scheduling.models import Mail, MailState
    from tests.benchmarks import _reminders

    now = _due()
    first, *_between, last = Mail.objects.order_by("pk").values_list("pk", flat=True)[: 1 + TASKS]
    with _worker() as worker:
        _reminders.reminder.delay(now.isoformat())
        _wait(first, worker)  # it has started, and has made its first mail
        began = time.perf_counter()
        for _ in range(TASKS):
            _reminders.reminder.delay(now.isoformat())
        _wait(last, worker)
        by_tasks = TASKS / (time.perf_counter() - began)
    process = psutil.Process()
    memory, done = [], 0
    _reminders.deliver(BATCH, now)  # each way has made its first mail before the clock starts
    began = time.perf_counter()
    while count := _reminders.deliver(BATCH, now):
        done += count
        memory.append(process.memory_info().rss / 2**20)
    by_batches = done / (time.perf_counter() - began)
    if (states := _states()) != {MailState.SENT: REMINDERS}:
        raise AssertionError(f"not every reminder was sent: {states}")
    value = by_batches / by_tasks
    # What is kept for the next mails is complete after a tenth.
    start, end = memory[len(memory) // 10], memory[-1]
    return {
        "value": round(value, 1),
        "unit": "times",
        "reference": round(by_tasks, 1),
        "aim": AIM,
        "holds": value >= AIM and end <= start * GROWTH,
        "runs": done,
        "how": (
            f"{REMINDERS} reminders due at once, each claimed, read anew, written as text, page and calendar, held to"
            f" the list of what no mail says, made into bytes and recorded; both ways stop where the mail server would"
            f" be asked. {done} in batches of {BATCH} in one process: {by_batches:.0f} a second; the reference is"
            f" {TASKS} of them by a Celery task each, through Redis and one worker process: {by_tasks:.0f} a second."
            f" Memory of the process that drains {start:.0f} MB after a tenth, {end:.0f} MB at the end, at most"
            f" {max(memory):.0f} MB."
        ),
    }


def _due() -> datetime:
    """Make a clinic with visits in the next weeks, and so many reminders of them that are due now; returns now."""
    from django.db import connection

    from clinic.local.demo import large
    from clinic.models import Site
    from scheduling.models import Mail, MailState

    now = datetime.now(UTC)
    # Every chair is full for six weeks; nobody has two courses.
    made = large.load(patients=24 * CHAIRS, years=0, chairs=CHAIRS, fill=1.0, now=now)
    Site.objects.filter(pk=made.site.pk).update(quiet_from="00:00", quiet_until="00:00")
    Mail.objects.exclude(kind__in=["preparation", "two-days", "two-hours"]).delete()
    Mail.objects.exclude(state=MailState.DUE).delete()
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now})
        cursor.execute(_MORE, {"wanted": REMINDERS})
        cursor.execute("ANALYZE scheduling_mail")
    if (states := _states()) != {MailState.DUE: REMINDERS}:
        raise AssertionError(f"these are due: {states}")
    return now


#: Worth sending until the visit.
_DUE = """
UPDATE scheduling_mail AS mail SET due_at = %(now)s, try_at = %(now)s, expires_at = lower(session.during)
FROM scheduling_session AS session WHERE session.id = mail.session_id
"""

#: Each reminder again, in turns, until there are enough of them: those of one visit are far apart.
_MORE = """
INSERT INTO scheduling_mail (patient_id, course_id, session_id, kind, times_version, turn, state, due_at, try_at,
                             expires_at, attempts, error, created_at, details)
SELECT patient_id, course_id, session_id, kind, times_version, turns.turn, state, due_at, try_at, expires_at, 0, '',
       created_at, details
FROM scheduling_mail AS mail CROSS JOIN generate_series(1, 20) AS turns (turn)
ORDER BY turns.turn, mail.id
LIMIT %(wanted)s - (SELECT count(*) FROM scheduling_mail)
"""


def _states() -> dict[str, int]:
    from django.db.models import Count

    from scheduling.models import Mail

    return dict(Mail.objects.values_list("state").annotate(mails=Count("pk")).order_by("state"))


@contextlib.contextmanager
def _worker() -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker with one process for its tasks."""
    options = ["--include", "tests.benchmarks._reminders", "--concurrency", "1", "--loglevel", "ERROR"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--quiet", "--app", "clinic.celery", "worker", *options, *quiet],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def _wait(mail: int, worker: subprocess.Popen[bytes]) -> None:
    """Until this reminder is sent; a single worker takes them in order."""
    from scheduling.models import Mail, MailState

    ends = time.monotonic() + PATIENCE
    while Mail.objects.values_list("state", flat=True).get(pk=mail) != MailState.SENT:
        if worker.poll() is not None or time.monotonic() > ends:
            raise AssertionError("the worker did not send what it was asked to")
        time.sleep(0.05)
