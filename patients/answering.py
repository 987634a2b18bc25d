"""What a patient answers alone: every answer is kept as it is given, and makes a score when all are sent.

When something may be answered is known above: `scheduling/portal/questionnaires.py` judges that with the patient
locked, then calls this.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from clinic.errors import Invalid, Stale
from patients import scoring, worklist
from patients.measures import ANSWERS, INSTRUMENTS, PHQ9
from patients.models import Patient, Questionnaire, Score, Task, TaskKind

#: The item of PHQ-9 about thoughts of death or of harming oneself, counted from 1.
ITEM_9 = 9


def answer(
    *, patient: Patient, session: Any, instrument: str, item: int, value: int, anew: bool = False, now: datetime
) -> Questionnaire:
    """Keep one answer, `item` counted from 1; the first begins the questionnaire of the visit. `anew` begins again what
    was sent: its score no longer counts.

    An item 9 above 0 opens its line on the worklist in the same transaction, before anything is sent (`item-9`); taken
    back to 0 the line stays and says so. Locks the questionnaire. Raises Invalid for what is no item or no answer, and
    Stale for a questionnaire that was sent.
    """
    used = INSTRUMENTS[instrument]
    if not 1 <= item <= len(used.items):
        raise Invalid.at("item", _("There is no such question."))
    if value not in {one.value for one in ANSWERS}:
        raise Invalid.at("value", _("Choose one of the four answers."))
    with transaction.atomic():
        blank: list[int | None] = [None] * len(used.items)
        mine, _new = Questionnaire.objects.select_for_update(of=("self",), no_key=True).get_or_create(
            session=session,
            instrument=instrument,
            defaults={"patient": patient, "answers": blank, "started_at": now, "updated_at": now},
        )
        if mine.sent_at is not None and not anew:
            raise Stale(_("These answers have been sent already."))
        if mine.sent_at is not None:
            mine.answers, mine.started_at, mine.sent_at, mine.score = blank, now, None, None
        mine.answers[item - 1], mine.updated_at = value, now
        mine.save(update_fields=["answers", "started_at", "updated_at", "sent_at", "score"])
        if used is PHQ9 and item == ITEM_9:
            _alarm(mine, patient, session.course, value, now)
    return mine


def hand_in(*, questionnaire: Questionnaire, now: datetime) -> Score:
    """Make a score of the answers, written down by nobody but the patient. A line that item 9 has opened becomes that
    of the score; what a clinician has acknowledged of it counts for the score.

    The questionnaire is locked by the caller. Raises Invalid while an answer is missing, and Stale for one that was
    sent.
    """
    if questionnaire.sent_at is not None:
        raise Stale(_("These answers have been sent already."))
    items = [value for value in questionnaire.answers if value is not None]
    if len(items) < len(questionnaire.answers):
        raise Invalid.at("answers", _("Please answer every question first."))
    with transaction.atomic():
        score = scoring.record(
            actor=None,
            patient=questionnaire.patient,
            instrument=questionnaire.instrument,
            items=items,
            taken_at=now,
            session=questionnaire.session,
            line=_line(questionnaire),
            now=now,
        )
        questionnaire.score, questionnaire.sent_at, questionnaire.updated_at = score, now, now
        questionnaire.save(update_fields=["score", "sent_at", "updated_at"])
    return score


def _alarm(mine: Questionnaire, patient: Patient, course: Any, value: int, now: datetime) -> None:
    """Open the line, or let the open one say the answer as it is now. What a clinician has acknowledged opens no line
    again, unless the answer is worse."""
    line = _line(mine)
    highest = line.details["highest"] if line is not None else 0
    if line is not None and line.done_at is None:
        line.details = {**line.details, "value": value, "highest": max(value, highest)}
        line.save(update_fields=["details"])
    elif value > highest:
        worklist.open_task(
            kind=TaskKind.ITEM_9,
            patient=patient,
            course=course,
            key=worklist.unsent_key(mine.pk),
            details={"questionnaire": mine.pk, "value": value, "highest": value, "alone": True},
            now=now,
        )


def _line(mine: Questionnaire) -> Task | None:
    """The line that item 9 has opened, under lock: the one that waits, otherwise the last since the questionnaire was
    begun."""
    opened = Task.objects.filter(
        Q(done_at=None) | Q(since__gte=mine.started_at),
        kind=TaskKind.ITEM_9,
        patient=mine.patient_id,
        key=worklist.unsent_key(mine.pk),
    )
    return opened.select_for_update(of=("self",), no_key=True).order_by("pk").last()
