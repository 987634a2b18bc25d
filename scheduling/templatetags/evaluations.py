"""Evaluations where a patient and a day are shown, and how they are said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.template import RequestContext

from patients.models import Patient
from scheduling import evaluating, wording
from scheduling.board import Board
from scheduling.models import Evaluation, EvaluationState

register = template.Library()

#: State -> icon and colour.
STATES: Mapping[str, tuple[str, str]] = {
    EvaluationState.BOOKED: ("calendar", ""),
    EvaluationState.DONE: ("circle-check", "green"),
    EvaluationState.NO_SHOW: ("user-off", "amber"),
    EvaluationState.CANCELLED: ("x", ""),
}


@register.inclusion_tag("evaluations/panel.html", takes_context=True)
def evaluations_panel(context: RequestContext, patient: Patient, now: datetime) -> dict[str, Any]:
    """A patient's evaluations, the latest first, with what can become of them. One query."""
    found = evaluating.evaluations().filter(patient=patient).order_by("-during__startswith", "-pk")
    rows = [(one, one.starts_at <= now) for one in found]
    kept = {name: context.get(name) for name in ("may", "csrf_token")}
    return {"patient": patient, "rows": rows, **kept}


@register.inclusion_tag("board/evaluations.html")
def day_evaluations(board: Board) -> dict[str, Any]:
    """The evaluations of a board's date that keep their time. One query."""
    return {"evaluations": evaluating.of_day(board.site, board.date)}


@register.inclusion_tag("evaluations/state.html")
def evaluation_state(evaluation: Evaluation) -> dict[str, str]:
    """How an evaluation stands."""
    icon, colour = STATES[evaluation.state]
    return {"icon": icon, "colour": colour, "text": evaluation.get_state_display()}


@register.filter
def said(evaluation: Evaluation) -> str:
    """When it is, as one reads it out: "Monday 1 February 2027, 10:00 Eastern Time"."""
    return wording.when(evaluation.starts_at, evaluation.site.zone)


@register.filter
def as_length(span: timedelta) -> str:
    """Hours and minutes: "1 h"."""
    return wording.length(span)
