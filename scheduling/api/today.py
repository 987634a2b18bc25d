"""The day: the board and the worklist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django_filters import ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import IdFilter, actor, answers, endpoint, filtered, page_of, paged, parameters_of, validated
from clinic.errors import Invalid
from clinic.models import Site, Staff
from clinic.permissions import Verb, allowed
from clinic.serializers import Day
from patients import worklist as lines
from patients.models import Task, TaskKind
from scheduling import board as today
from scheduling import queries, writes
from scheduling.api.asked import require_real_times, site_of
from scheduling.api.inputs import AcknowledgeIn, AssignIn, SnoozeIn
from scheduling.api.outputs import BoardOut, BoardVersionOut, TaskOut
from scheduling.board import SiteDay


class BoardQuery(serializers.Serializer[Any]):
    """Which day: today without a date, at the actor's first site without a site."""

    date = Day(required=False)
    site = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


@extend_schema(parameters=[BoardQuery], responses=answers({200: BoardOut}, 400))
@endpoint(GET=Verb.SEE)
def board(request: Request) -> Response:
    """What every chair of a site does on a date, and what is due next."""
    now = clock.now()
    shown = today.board(_site_day(request), now=now)
    due = {visit.session.pk: visit.due for visit in shown.visits}
    return Response(BoardOut(shown, context={"zone": shown.site.zone, "due": due}).data)


@extend_schema(parameters=[BoardQuery], responses=answers({200: BoardVersionOut}, 400))
@endpoint(GET=Verb.SEE)
def board_version(request: Request) -> Response:
    """How often the date has changed: cheap enough to be asked every few seconds."""
    return Response({"version": _site_day(request).version})


def _site_day(request: Request) -> SiteDay:
    given = validated(BoardQuery, request.query_params)
    found = today.site_day(actor=actor(request), site=given.get("site"), day=given.get("date"), now=clock.now())
    if found is None:
        raise Invalid.at("site", _("You do not work at this site."))
    return found


class TaskFilters(FilterSet):
    """Which lines a list holds."""

    kind = ChoiceFilter(choices=TaskKind.choices)
    patient = IdFilter(field_name="patient")
    course = IdFilter(field_name="course")
    assigned_to = IdFilter(field_name="assigned_to")

    class Meta:
        model = Task
        fields: list[str] = []


@extend_schema(
    operation_id="worklist_list",
    parameters=parameters_of(TaskFilters),
    responses=answers({200: page_of(TaskOut)}, 400, 404),
)
@endpoint(GET=Verb.SEE)
def worklist(request: Request) -> Response:
    """What waits for somebody, the oldest first; without what was put off until later."""
    context = _context(site_of(request), actor(request))
    waiting = queries.worklist().exclude(snoozed_until__gt=clock.now())
    found = filtered(request, TaskFilters, waiting)
    return paged(request, found, lambda rows: TaskOut(rows, many=True, context=context).data)


def _context(site: Site, reader: Staff) -> dict[str, Any]:
    """What lines are shown by: the site's zone, and whether single answers are for the reader."""
    return {"zone": site.zone, "answers": allowed(reader, Verb.REVIEW)}


@extend_schema(request=AcknowledgeIn, responses=answers({200: TaskOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.ACKNOWLEDGE)
def acknowledge(request: Request, pk: int) -> Response:
    """Take a line off the worklist; of item 9 and all else that is clinical only a clinician does."""
    return _carried_out(request, pk, "acknowledge", AcknowledgeIn, lines.acknowledge)


@extend_schema(request=AssignIn, responses=answers({200: TaskOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.ACKNOWLEDGE)
def assign(request: Request, pk: int) -> Response:
    """Give a line to somebody, null to nobody in particular."""
    return _carried_out(request, pk, "assign", AssignIn, lines.assign)


@extend_schema(request=SnoozeIn, responses=answers({200: TaskOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.ACKNOWLEDGE)
def snooze(request: Request, pk: int) -> Response:
    """Put a line off until a time, null takes that back. Item 9 cannot be put off."""
    return _carried_out(request, pk, "snooze", SnoozeIn, lines.snooze)


def _carried_out(
    request: Request, pk: int, verb: str, body: type[serializers.Serializer[Any]], act: Callable[..., Task]
) -> Response:
    """A verb of the worklist, once for each request."""
    task, now, staff, site = get_object_or_404(Task, pk=pk), clock.now(), actor(request), site_of(request)
    given = validated(body, request.data)
    require_real_times(given, site)
    request_id = given.pop("request_id")
    done, _repeated = writes.carry_out_once(
        verb,
        request_id,
        {"actor": staff.pk, "task": task.pk, **given},
        lambda: act(actor=staff, task=task, now=now, **given),
        lambda pk: Task.objects.get(pk=pk),
        now=now,
    )
    return Response(TaskOut(done, context=_context(site, staff)).data)
