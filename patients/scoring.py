"""Scores: written down by somebody or by the patient, seen by a clinician, taken back when they were a mistake.

What a score means for a course is not known here: pages and interface call `scheduling/reviewing.py`, which does both
in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.models import Staff
from clinic.permissions import Verb
from patients import measures, worklist
from patients.measures import INSTRUMENTS, PHQ9
from patients.models import Patient, Score, Task, TaskKind


def record(
    *,
    actor: Staff | None,
    patient: Patient,
    instrument: str,
    items: Sequence[int] | None = None,
    total: int | None = None,
    taken_at: datetime,
    session: Any = None,
    line: Task | None = None,
    now: datetime,
) -> Score:
    """Write a score down, either answer by answer or as a total; nobody as `actor` is the patient alone.

    Item 9 above 0 opens its line on the worklist in the same transaction (`item-9`). `line` is what the answer has
    opened before it was sent: it becomes the score's, and if a clinician has acknowledged it, so is the score. Locks
    nothing. Raises RoleRefused, and Invalid for answers, totals, times and sessions that cannot be meant.
    """
    if actor is not None:
        permissions.require(actor, Verb.SCORE)
    used = INSTRUMENTS.get(instrument)
    if used is None:
        raise Invalid.at("instrument", _("There is no such questionnaire."))
    points = _points(used, items, total)
    if taken_at.tzinfo is None:
        raise Invalid.at("taken_at", _("A time needs its zone."))
    if taken_at > now:
        raise Invalid.at("taken_at", _("This is still to come."))
    if taken_at.date() < patient.birth_date:
        raise Invalid.at("taken_at", _("The patient was not born then."))
    if session is not None and session.patient_id != patient.pk:
        raise Invalid.at("session", _("This visit is another patient's."))
    with transaction.atomic():
        item_9 = measures.item_9(used, items) if items is not None else None
        seen = line if line is not None and line.done_by is not None and item_9 else None
        score = Score.objects.create(
            patient=patient,
            instrument=instrument,
            items=None if items is None else list(items),
            total=points,
            item_9=item_9,
            taken_at=taken_at,
            session=session,
            by=actor,
            at=now,
            seen_at=seen.done_at if seen else None,
            seen_by=seen.done_by if seen else None,
            seen_note=seen.details.get("note", "") if seen else "",
        )
        if item_9:
            key = str(score.pk)
            details = {"score": score.pk, "value": item_9, "total": points, "alone": actor is None}
            if line is None:
                worklist.open_task(kind=TaskKind.ITEM_9, patient=patient, key=key, details=details, now=now)
            else:
                line.key, line.details = key, details
                line.save(update_fields=["key", "details"])
    return score


def _points(used: measures.Instrument, items: Sequence[int] | None, total: int | None) -> int:
    """The total, which the answers give when there are any."""
    if items is None:
        if total is None:
            raise Invalid.at("items" if used.items else "total", _("The answers are missing."))
        if not 0 <= total <= used.highest:
            raise Invalid.at("total", _("A total is 0 to %(highest)s.") % {"highest": used.highest})
        return total
    if not used.items:
        raise Invalid.at("items", _("Of %(name)s only the total is kept.") % {"name": used.name})
    try:
        points = measures.total(used, items)
    except ValueError as error:
        values = {"count": len(used.items)}
        raise Invalid.at("items", _("Answer all %(count)s items, each with 0 to 3.") % values) from error
    if total not in (None, points):
        raise Invalid.at("total", _("The answers add up to %(points)s.") % {"points": points})
    return points


def see(*, actor: Staff, score: Score, note: str = "", now: datetime) -> Score:
    """A clinician has seen an item 9 above 0 and acts on it: the line goes, a dose and a discharge are free again.

    `note` says what is done about it. Locks the score's row. Raises RoleRefused, Invalid without a note, and Stale when
    there is nothing to see, or somebody has seen it already.
    """
    permissions.require(actor, Verb.REVIEW)
    with transaction.atomic():
        fresh = Score.objects.select_for_update(of=("self",), no_key=True).select_related("patient").get(pk=score.pk)
        if not fresh.item_9 or fresh.voided_at is not None:
            raise Stale(_("There is no item 9 above 0 in this score."))
        if fresh.seen_at is not None:
            raise Stale(_("A clinician has acknowledged this already."))
        if not note.strip():
            raise Invalid.at("note", _("Say what is done about it."))
        fresh.seen_at, fresh.seen_by, fresh.seen_note = now, actor, note.strip()
        fresh.save(update_fields=["seen_at", "seen_by", "seen_note"])
        worklist.close_tasks(kind=TaskKind.ITEM_9, patient=fresh.patient, key=str(fresh.pk), by=actor, now=now)
    return fresh


def void(*, actor: Staff, score: Score, now: datetime) -> Score:
    """Take a score back that was written by mistake; it stays in the record and counts nowhere.

    Locks its row. With item 9 above 0 only a clinician may. Raises RoleRefused, and Stale for one that is void already.
    """
    permissions.require(actor, Verb.REVIEW if score.item_9 else Verb.SCORE)
    with transaction.atomic():
        fresh = Score.objects.select_for_update(of=("self",), no_key=True).select_related("patient").get(pk=score.pk)
        if fresh.voided_at is not None:
            raise Stale(_("This score has been taken back already."))
        fresh.voided_at, fresh.voided_by = now, actor
        fresh.save(update_fields=["voided_at", "voided_by"])
        worklist.close_tasks(kind=TaskKind.ITEM_9, patient=fresh.patient, key=str(fresh.pk), by=actor, now=now)
    return fresh


def unseen_item_9(patient: int) -> Score | None:
    """The latest PHQ-9 of a patient whose item 9 is above 0 and no clinician has acknowledged: rule `score-seen`."""
    waiting = Score.objects.filter(
        patient=patient, instrument=PHQ9.code, item_9__gt=0, seen_at=None, voided_at=None
    ).order_by("-taken_at", "-pk")
    return waiting.first()
