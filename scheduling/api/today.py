"""The day: the board, the worklist, and what patients are reminded of."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django_filters import ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import PAGING, IdFilter, actor, answers, endpoint, filtered, page_of, paged, parameters_of, validated
from clinic.errors import Invalid
from clinic.permissions import Verb
from clinic.serializers import Day
from patients import worklist as lines
from patients.models import Task
from scheduling import board as today
from scheduling import queries, writes
from scheduling.api.asked import site_of
from scheduling.api.inputs import ConfirmIn
from scheduling.api.outputs import BoardOut, BoardVersionOut, ReminderOut, TaskOut
from scheduling.board import SiteDay
from scheduling.models import Mail, MailState


class BoardQuery(serializers.Serializer[Any]):
    """Which day: today without a date, at the actor's first site without a site."""

    date = Day(required=False)
    site = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class ReminderFilters(FilterSet):
    """Which mails a list holds."""

    session = IdFilter(field_name="session")
    course = IdFilter(field_name="course")
    state = ChoiceFilter(choices=MailState.choices)

    class Meta:
        model = Mail
        fields: list[str] = []


@extend_schema(parameters=[BoardQuery], responses=answers({200: BoardOut}, 400))
@endpoint(GET=Verb.SEE)
def board(request: Request) -> Response:
    """What every chair of a site does on a date, and what is due next."""
    now = clock.now()
    shown = today.board(_site_day(request), now=now)
    return Response(BoardOut(shown, context={"zone": shown.site.zone, "now": now}).data)


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


@extend_schema(
    operation_id="reminders_list",
    parameters=parameters_of(ReminderFilters),
    responses=answers({200: page_of(ReminderOut)}, 400, 404),
)
@endpoint(GET=Verb.SEE)
def reminders(request: Request) -> Response:
    """Mails to patients, by when they are due."""
    found = filtered(request, ReminderFilters, queries.reminders())
    return paged(request, found, lambda rows: ReminderOut(rows, many=True).data)


@extend_schema(operation_id="worklist_list", parameters=PAGING, responses=answers({200: page_of(TaskOut)}, 400, 404))
@endpoint(GET=Verb.SEE)
def worklist(request: Request) -> Response:
    """What waits for somebody, the oldest first."""
    zone = site_of(request).zone
    return paged(request, queries.worklist(), lambda rows: TaskOut(rows, many=True, context={"zone": zone}).data)


@extend_schema(request=ConfirmIn, responses=answers({200: TaskOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.ACKNOWLEDGE)
def acknowledge(request: Request, pk: int) -> Response:
    """Take a line off the worklist."""
    task, now, staff, site = get_object_or_404(Task, pk=pk), clock.now(), actor(request), site_of(request)
    request_id = validated(ConfirmIn, request.data)["request_id"]
    done, _repeated = writes.carry_out_once(
        "acknowledge",
        request_id,
        {"actor": staff.pk, "task": task.pk},
        lambda: lines.acknowledge(actor=staff, task=task, now=now),
        lambda pk: Task.objects.get(pk=pk),
        now=now,
    )
    return Response(TaskOut(done, context={"zone": site.zone}).data)
