"""What the worker does by itself, when beat says so (clinic/celery.py). Each task is safe to run again, and beside
itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from celery import shared_task
from django.db import connection

from clinic import clock
from scheduling import days, holding, offering, reviewing, rolling
from scheduling.mails import drain
from scheduling.visits import treating

#: Any number will do, as long as nothing else in the database locks by it.
DRAINING = 7_305_002

#: A drain of the outbox gives the worker back after so many seconds; the next one goes on.
DRAIN_SECONDS = 30.0


@shared_task
def send_mail() -> None:
    """Send what is due until nothing is left, or the mail server does not answer. One process of each worker at a time:
    a server that takes its time with each mail keeps that one busy, and leaves the others to holds and visits."""
    with _alone(DRAINING) as mine:
        ends = time.monotonic() + DRAIN_SECONDS
        while mine and (left := ends - time.monotonic()) > 0 and drain.send_batch(now=clock.now(), seconds=left):
            pass


@shared_task
def expire_holds() -> None:
    """Free the times of holds that have run out, and end what was offered until now."""
    holding.expire_holds(now=clock.now())
    offering.lapse(now=clock.now())


@shared_task
def mark_ready() -> None:
    """Let the visits be ready whose patients may go home."""
    treating.mark_ready(now=clock.now())


@shared_task
def review_courses() -> None:
    """Put what time brings onto the worklist, take off what it has taken away."""
    reviewing.review(now=clock.now())


@shared_task
def roll_on() -> None:
    """Give maintenance courses dates for three months ahead."""
    rolling.roll_on(now=clock.now())


@shared_task
def create_days() -> None:
    """Make day rows ahead."""
    days.create_ahead(now=clock.now())


@contextmanager
def _alone(work: int) -> Iterator[bool]:
    """Whether no other process of this worker is at this work. The lock belongs to the connection: it goes when the
    process dies, or when its connection is lost; `drain.py` holds also where two are at it."""
    key = [work, os.getppid()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        mine = bool(cursor.fetchone()[0])
    holder = connection.connection
    try:
        yield mine
    finally:
        if mine and connection.connection is holder:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
