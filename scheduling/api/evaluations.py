"""Evaluations as JSON: booked, listed, ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import PAGING, actor, answers, endpoint, page_of, paged, validated
from clinic.models import Staff
from clinic.permissions import Verb
from clinic.serializers import Instant, Reference, RequestId, SiteTime, Text
from patients.models import Patient
from scheduling import evaluating
from scheduling.api.asked import remember, require_real_times
from scheduling.api.inputs import ConfirmIn
from scheduling.api.outputs import TakenOut
from scheduling.evaluating import evaluations as found_evaluations
from scheduling.models import Evaluation, EvaluationState, Room


class EvaluationIn(serializers.Serializer[Any]):
    """An evaluation to be booked; how long it takes is the clinic's to say."""

    starts_at = Instant()
    room = Reference(queryset=Room.objects.select_related("site"))
    prescriber = Reference(queryset=Staff.objects.filter(is_prescriber=True, is_active=True))
    request_id = RequestId()


class EvaluationReasonIn(serializers.Serializer[Any]):
    """Why an evaluation is cancelled."""

    reason = Text(max_length=500, lines=True)
    request_id = RequestId()


class EvaluationOut(serializers.Serializer[Any]):
    """An evaluation; `at` is when it was booked."""

    id = serializers.IntegerField(source="pk")
    patient = serializers.IntegerField(source="patient_id")
    site = serializers.IntegerField(source="site_id")
    room = serializers.IntegerField(source="room_id")
    prescriber = serializers.IntegerField(source="prescriber_id")
    state = serializers.ChoiceField(choices=EvaluationState.choices)
    starts_at = SiteTime(site="site")
    ends_at = SiteTime(site="site")
    local_date = serializers.DateField()
    booked_by = serializers.IntegerField(source="booked_by_id")
    at = SiteTime(site="site")
    ended_at = SiteTime(site="site")
    reason = serializers.CharField()


@extend_schema(
    methods=["GET"],
    operation_id="evaluations_list",
    parameters=PAGING,
    responses=answers({200: page_of(EvaluationOut)}, 404),
)
@extend_schema(
    methods=["POST"],
    request=EvaluationIn,
    responses=answers({201: EvaluationOut, 200: EvaluationOut, 409: TakenOut}, 400, 403, 404, 422),
)
@endpoint(GET=Verb.SEE, POST=Verb.BOOK)
def evaluations(request: Request, pk: int) -> Response:
    """A patient's evaluations, the latest first; POST books one."""
    patient = get_object_or_404(Patient, pk=pk)
    if request.method == "POST":
        given = validated(EvaluationIn, request.data)
        require_real_times(given, remember(request, given["room"].site))
        booked, repeated = evaluating.book_evaluation(actor=actor(request), patient=patient, now=clock.now(), **given)
        return Response(_as_json(booked), status=200 if repeated else 201)
    found = found_evaluations().filter(patient=patient).order_by("-during__startswith", "-pk")
    return paged(request, found, lambda rows: EvaluationOut(rows, many=True).data)


@extend_schema(request=EvaluationReasonIn, responses=answers({200: EvaluationOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.BOOK)
def cancel(request: Request, pk: int) -> Response:
    """Give up an evaluation; its time is free."""
    return _end(request, pk, evaluating.cancel_evaluation, EvaluationReasonIn)


@extend_schema(request=ConfirmIn, responses=answers({200: EvaluationOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.RUN_VISIT)
def done(request: Request, pk: int) -> Response:
    """The evaluation has taken place."""
    return _end(request, pk, evaluating.finish_evaluation, ConfirmIn)


@extend_schema(request=ConfirmIn, responses=answers({200: EvaluationOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.NO_SHOW)
def no_show(request: Request, pk: int) -> Response:
    """Nobody came."""
    return _end(request, pk, evaluating.evaluation_no_show, ConfirmIn)


def _end(
    request: Request,
    pk: int,
    verb: Callable[..., tuple[Evaluation, bool]],
    body: type[serializers.Serializer[Any]],
) -> Response:
    evaluation = get_object_or_404(found_evaluations(), pk=pk)
    remember(request, evaluation.site)
    given = validated(body, request.data)
    ended, _repeated = verb(actor=actor(request), evaluation=evaluation, now=clock.now(), **given)
    return Response(_as_json(ended))


def _as_json(evaluation: Evaluation) -> Any:
    return EvaluationOut(evaluation).data
