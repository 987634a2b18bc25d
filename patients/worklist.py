"""Lines that wait for somebody: opened and closed by other verbs, or taken off by whoever has dealt with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Stale
from clinic.models import Staff
from clinic.permissions import Verb
from patients.models import Patient, Task, TaskKind

#: The lines that go only with the act they ask for: nobody takes a visit without a time off with a tap.
CLOSED_BY_ACT = frozenset({TaskKind.OVERRIDE_ASKED, TaskKind.NEEDS_TIME})


def open_task(
    *,
    kind: TaskKind,
    patient: Patient,
    course: Any = None,
    key: str = "",
    details: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Put a line on the worklist, unless one of this kind, patient and key is open already. Locks nothing."""
    task = Task(kind=kind, patient=patient, course=course, key=key, details=dict(details or {}), since=now)
    Task.objects.bulk_create([task], ignore_conflicts=True)


def close_tasks(
    *, kind: TaskKind, patient: Patient, key: str | None = None, by: Staff | None = None, now: datetime
) -> None:
    """Take the open lines of this kind and patient off the worklist, with `key` only that one. Locks their rows."""
    tasks = Task.objects.filter(kind=kind, patient=patient, done_at=None)
    if key is not None:
        tasks = tasks.filter(key=key)
    tasks.update(done_at=now, done_by=by)


def acknowledge(*, actor: Staff, task: Task, now: datetime) -> Task:
    """Take a line off the worklist; locks its row.

    Raises RoleRefused, and Stale for a line that somebody has done already or that is one of CLOSED_BY_ACT.
    """
    permissions.require(actor, Verb.ACKNOWLEDGE)
    with transaction.atomic():
        fresh = Task.objects.select_for_update(of=("self",)).select_related("patient").get(pk=task.pk)
        if fresh.done_at is not None:
            raise Stale(_("This line has been dealt with already."))
        if fresh.kind in CLOSED_BY_ACT:
            raise Stale(_("This line goes when the times are booked or given up."))
        fresh.done_at, fresh.done_by = now, actor
        fresh.save(update_fields=["done_at", "done_by"])
    return fresh


def text_of(task: Task) -> str:
    """What has to be done, in the reader's language. Without the patient's name, which stands beside it."""
    match task.kind:
        case TaskKind.NO_ADDRESS:
            return _("There is no mail address: tell the patient the dates by phone.")
        case TaskKind.FAILED_MAIL:
            return _("A mail could not be delivered: tell the patient by phone.")
        case TaskKind.OVERRIDE_ASKED:
            values = {"rules": ", ".join(task.details.get("rules", [])), "name": task.details.get("asked_name", "")}
            if values["name"]:
                text = _("The times are held; %(name)s is asked to sign: %(rules)s.") % values
            else:
                text = _("The times are held; a prescriber is asked to sign: %(rules)s.") % values
            reason = task.details.get("reason", "")
            return _("%(text)s Reason: %(reason)s") % {"text": text, "reason": reason} if reason else text
        case _:
            return _("A visit no longer fits and needs a new time.")
