"""The worker's and beat's application, and the only list of what runs by itself.

Celery carries no work of its own: every task is a loop over rows that are due, so a lost message costs one interval.
"""

import os
from datetime import datetime
from typing import Any

from celery import Celery, signals
from celery.beat import Scheduler
from celery.schedules import schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

app = Celery("clinic")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def _now() -> datetime:
    """The clinic's clock: where it is set ahead, what is due by then runs."""
    from clinic import clock

    return clock.now()


def _every(task: str, seconds: float) -> dict[str, Any]:
    """A job of the beat. A message that no worker has taken until the next one is due is dropped: they do not pile
    up."""
    return {
        "task": f"scheduling.tasks.{task}",
        "schedule": schedule(seconds, nowfun=_now),
        "options": {"expires": seconds},
    }


app.conf.beat_schedule = {
    "send mail": _every("send_mail", 5),
    "expire holds": _every("expire_holds", 60),
    "mark ready": _every("mark_ready", 30),
    "review courses": _every("review_courses", 300),
    "roll on": _every("roll_on", 3600),
    "create days": _every("create_days", 600),
}


class Beat(Scheduler):
    """Keeps its times in memory - every job is safe to run again - and shows that it ticks."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, and report to /healthz that beat is alive."""
        from clinic import health

        health.beat_is_alive()
        return float(super().tick(*args, **kwargs))


@signals.heartbeat_sent.connect
def report_worker(**kwargs: Any) -> None:
    """Report to /healthz that a worker is alive; the worker calls this every two seconds."""
    from clinic import health

    health.worker_is_alive()
