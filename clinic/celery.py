"""The worker's and beat's application, and the only list of what runs by itself.

Celery carries no work of its own: every task is a loop over rows that are due, so a lost message costs one interval.
"""

import os
from typing import Any

from celery import Celery, signals
from celery.beat import Scheduler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

app = Celery("clinic")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

#: A message that no worker has taken until the next one is due is dropped: they do not pile up.
app.conf.beat_schedule = {
    "send mail": {"task": "scheduling.tasks.send_mail", "schedule": 5.0, "options": {"expires": 5}},
    "expire holds": {"task": "scheduling.tasks.expire_holds", "schedule": 60.0, "options": {"expires": 60}},
    "mark ready": {"task": "scheduling.tasks.mark_ready", "schedule": 30.0, "options": {"expires": 30}},
    "review courses": {"task": "scheduling.tasks.review_courses", "schedule": 300.0, "options": {"expires": 300}},
    "roll on": {"task": "scheduling.tasks.roll_on", "schedule": 3600.0, "options": {"expires": 3600}},
    "create days": {"task": "scheduling.tasks.create_days", "schedule": 600.0, "options": {"expires": 600}},
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
