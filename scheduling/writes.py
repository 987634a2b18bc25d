"""The frame of every write to the calendar: one transaction, retried where another writer was in the way, and each
request carried out once.

The order of locks is the same everywhere: the request, the days (by site and date), the patient; then everything that
a decision rests on is read again.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from clinic.errors import RequestReused, Stale
from clinic.findings import Finding, Level
from scheduling.models import Request

Result = TypeVar("Result")
Stored = TypeVar("Stored", bound=Model)

#: Serialization failure, deadlock, lock not available: another writer was in the way, the same again may succeed.
TRANSIENT = frozenset({"40001", "40P01", "55P03"})
RETRIES = 3


class DatesMoved(Exception):
    """The re-read under lock shows other dates than were locked: the transaction starts over."""


def commit(work: Callable[[], Result], *, dry_run: bool = False) -> Result:
    """Run `work` in a transaction of its own and return what it returns; a dry run rolls back at the end.

    Tried again up to three times, after a short random pause, when another writer was in the way; raises Stale when
    that does not help. Everything else that `work` raises leaves the transaction rolled back; an IntegrityError names
    the constraint (`constraint_of`).
    """
    for attempt in range(RETRIES + 1):
        try:
            with transaction.atomic():
                result = work()
                transaction.set_rollback(dry_run)
        except (OperationalError, DatesMoved) as error:
            in_the_way = isinstance(error, DatesMoved) or sqlstate_of(error) in TRANSIENT
            if not in_the_way:
                raise
            if attempt == RETRIES:
                raise Stale(_("Others are changing the same days right now. Please try again.")) from error
            time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 spreads retries, guards nothing
        else:
            return result
    raise AssertionError("the last attempt returns or raises")


def sqlstate_of(error: BaseException) -> str:
    """PostgreSQL's code of what went wrong, empty when the error is not PostgreSQL's."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def constraint_of(error: IntegrityError) -> str:
    """The name of the constraint that a write broke."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None) or ""


def lock_days(dates: Mapping[int, Collection[date]]) -> None:
    """Lock the day rows of these dates by site, creating what is missing; waits, in one order for every writer.

    Raises their versions, so every board that shows them looks again. Has to run inside a transaction.
    """
    if not connection.in_atomic_block:
        raise DatabaseError("Days are locked inside a transaction only.")
    with connection.cursor() as cursor:
        for site in sorted(dates):
            cursor.execute("SELECT lock_days(%s, %s)", [site, sorted(dates[site])])


def lock_patient(patient: int) -> None:
    """Lock a patient's row, after the days: one writer at a time for each patient's courses."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM patients_patient WHERE id = %s FOR NO KEY UPDATE", [patient])


@dataclass(frozen=True, slots=True)
class Once:
    """A request that takes effect once: claimed first in the transaction, so a double click waits for the first."""

    verb: str
    request_id: UUID | None
    asked: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """What was asked, as a hash: it tells another request from this one and says nothing of a patient."""
        text = json.dumps(self.asked, default=_plain, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def done(self) -> dict[str, Any] | None:
        """What the request led to when it succeeded before. Raises RequestReused when it was another request."""
        stored = Request.objects.filter(pk=self.request_id).first() if self.request_id else None
        if stored is not None and (stored.verb != self.verb or stored.body != self.digest):
            raise RequestReused(_("This request id belongs to another request."))
        return stored.result or None if stored else None

    def claim(self, now: datetime) -> dict[str, Any] | None:
        """Claim the request, first thing in the transaction; returns what it led to when it succeeded before.

        Waits for a transaction that has claimed the same id. Raises RequestReused when it was another request.
        """
        if self.request_id is None:
            return None
        claim = Request(id=self.request_id, verb=self.verb, body=self.digest, at=now)
        Request.objects.bulk_create([claim], ignore_conflicts=True)
        return self.done()

    def remember(self, findings: Sequence[Finding] = (), **result: Any) -> None:
        """Store what came of the request, for those who ask again."""
        if self.request_id is not None:
            result["findings"] = [_plain(finding) for finding in findings]
            Request.objects.filter(pk=self.request_id).update(result=json.loads(json.dumps(result, default=_plain)))


def carry_out_once(
    verb: str,
    request_id: UUID | None,
    asked: Mapping[str, Any],
    act: Callable[[], Stored],
    again: Callable[[int], Stored],
    *,
    now: datetime,
) -> tuple[Stored, bool]:
    """Act in one transaction, unless this request did before: then `again` reads the result by its id.

    For the verbs of patients/, which know nothing of requests. Returns the result and whether it is a repetition.
    Raises RequestReused, and what `act` raises; nothing is written then.
    """
    once = Once(verb, request_id, asked)

    def work() -> tuple[Stored, bool]:
        if earlier := once.claim(now):
            return again(earlier["id"]), True
        done = act()
        once.remember(id=done.pk)
        return done, False

    return commit(work)


def findings_of(result: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings that a remembered result holds."""
    return tuple(
        Finding(**{**stored, "level": Level(stored["level"]), "sessions": tuple(stored["sessions"])})
        for stored in result["findings"]
    )


def _plain(value: Any) -> Any:
    """What stands for a value in a digest: the same in every process, so no set in its own order."""
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, frozenset):
        return sorted(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)
