"""The visit as it happens: its steps, what is measured and noted, its ways out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from clinic import clock
from clinic.api import Endpoint, actor, answers, endpoint, validated
from clinic.errors import Invalid
from clinic.models import Chair, Staff
from clinic.permissions import Verb
from clinic.serializers import FindingOut
from scheduling.api.asked import remember, require_real_times, signature_of
from scheduling.api.outputs import change_data
from scheduling.api.visit_inputs import (
    GRADES,
    ActionIn,
    AddendumIn,
    AdverseEventIn,
    AmendIn,
    ChairIn,
    CheckInIn,
    DischargeIn,
    FinishIn,
    OnceIn,
    PrescriberIn,
    ReasonIn,
    ReviewIn,
    StartIn,
    StepIn,
    VitalsIn,
)
from scheduling.api.visit_outputs import ChartedOut, ChartOut, StepOut
from scheduling.booking import Change
from scheduling.models import Session, VitalsRound
from scheduling.visits import charting, charts, handing, stepping, treating
from scheduling.visits.stepping import Escort

_REFUSALS = (400, 403, 404, 409)


def _describe(body: type[Serializer[Any]], *more: int) -> Callable[[Endpoint], Endpoint]:
    return extend_schema(request=body, responses=answers({200: StepOut}, *_REFUSALS, *more))


def _describe_made(body: type[Serializer[Any]]) -> Callable[[Endpoint], Endpoint]:
    return extend_schema(request=body, responses=answers({200: ChartedOut, 201: ChartedOut}, *_REFUSALS))


@extend_schema(responses=answers({200: ChartOut}, 404))
@endpoint(GET=Verb.SEE)
def visit(request: Request, pk: int) -> Response:
    """Everything that was written down about a visit."""
    return Response(_shown(_session(request, pk))["visit"])


@extend_schema(methods=["POST"], request=CheckInIn, responses=answers({200: StepOut}, *_REFUSALS, 422))
@extend_schema(methods=["PATCH"], request=AmendIn, responses=answers({200: StepOut}, *_REFUSALS))
@endpoint(POST=Verb.RUN_VISIT, PATCH=Verb.RUN_VISIT)
def check_in(request: Request, pk: int) -> Response:
    """The patient is here. PATCH corrects what was said, while the record is open."""
    if request.method == "PATCH":
        return _step(request, pk, AmendIn, lambda given: charting.amend(**_escorted(given)))
    return _step(
        request,
        pk,
        CheckInIn,
        lambda given: treating.check_in(
            **{
                **given,
                "escort": _escort(given["escort"]) or stepping.NOBODY,
                "medicines": given["medicines"] or (),
            }
        ),
    )


@_describe(ReviewIn)
@endpoint(POST=Verb.REVIEW)
def review(request: Request, pk: int) -> Response:
    """A clinician has looked at what is new or changed."""
    return _step(request, pk, ReviewIn, lambda given: treating.review(**given))


@_describe(StartIn, 422)
@endpoint(POST=Verb.RUN_VISIT)
def start(request: Request, pk: int) -> Response:
    """The dose begins, confirmed by a second person."""
    return _step(request, pk, StartIn, lambda given: treating.start(**_signed(request, given)))


@_describe(FinishIn)
@endpoint(POST=Verb.RUN_VISIT)
def finish(request: Request, pk: int) -> Response:
    """The dose has ended, or was stopped early."""
    return _step(request, pk, FinishIn, lambda given: treating.finish(**given))


@_describe(DischargeIn, 422)
@endpoint(POST=Verb.RUN_VISIT)
def discharge(request: Request, pk: int) -> Response:
    """The patient goes home. A refusal names everything that is missing and, as `earliest`, when it can be."""

    def act(given: dict[str, Any]) -> Change:
        signer = given.pop("signed_by")
        if signer not in (None, actor(request)):
            raise Invalid.at("signed_by", _("Nobody signs for somebody else."))
        return treating.discharge(**_escorted(_signed(request, given)))

    return _step(request, pk, DischargeIn, act)


@_describe(ReasonIn)
@endpoint(POST=Verb.RUN_VISIT)
def not_dosed(request: Request, pk: int) -> Response:
    """The patient came and gets no dose today; the time is free."""
    return _step(request, pk, ReasonIn, lambda given: treating.not_dosed(**given))


@_describe(ReasonIn)
@endpoint(POST=Verb.RUN_VISIT)
def leave_early(request: Request, pk: int) -> Response:
    """The patient leaves against advice."""
    return _step(request, pk, ReasonIn, lambda given: treating.leave_early(**given))


@_describe(ReasonIn)
@endpoint(POST=Verb.RUN_VISIT)
def transfer(request: Request, pk: int) -> Response:
    """The patient is handed to emergency care."""
    return _step(request, pk, ReasonIn, lambda given: treating.transfer(**given))


@_describe(StepIn)
@endpoint(POST=Verb.NO_SHOW)
def undo(request: Request, pk: int) -> Response:
    """Take the last step back, within five minutes."""

    def act(given: dict[str, Any]) -> Change:
        del given["at"]  # it is undone now
        return treating.undo(**given)

    return _step(request, pk, StepIn, act)


@_describe(OnceIn)
@endpoint(POST=Verb.RUN_VISIT)
def form(request: Request, pk: int) -> Response:
    """The monitoring form of a dose of esketamine was sent."""
    return _step(request, pk, OnceIn, lambda given: charting.send_form(**given))


@_describe(ChairIn, 422)
@endpoint(POST=Verb.RUN_VISIT)
def chair(request: Request, pk: int) -> Response:
    """The patient moves to another chair for the rest of the visit; two visits can swap theirs."""

    def act(given: dict[str, Any]) -> Change:
        other = given.pop("swap")
        swap = None if other is None else _referred(Session.objects.all(), other, "swap")
        place = _referred(Chair.objects.all(), given.pop("chair"), "chair")
        return handing.change_chair(chair=place, swap=swap, **given)

    return _step(request, pk, ChairIn, act)


@_describe(PrescriberIn, 422)
@endpoint(POST=Verb.RUN_VISIT)
def prescriber(request: Request, pk: int) -> Response:
    """Another prescriber has the patient for the rest of the visit."""

    def act(given: dict[str, Any]) -> Change:
        person = _referred(Staff.objects.all(), given.pop("prescriber"), "prescriber")
        return handing.hand_over(prescriber=person, **given)

    return _step(request, pk, PrescriberIn, act)


@_describe_made(VitalsIn)
@endpoint(POST=Verb.RUN_VISIT)
def vitals(request: Request, pk: int) -> Response:
    """Write down a round. Unusual values are answered 400 `implausible` until `confirmed` names them."""
    given = _given(request, pk, VitalsIn)
    charted = charting.record_vitals(**{**given, "dissociation": GRADES[given["dissociation"]]})
    change = Change(charted.session.course, (charted.session,), charted.findings)
    answer = {**_answer(change), "recorded": charted.round.pk}
    return Response(answer, status=200 if charted.repeated else 201)


@_describe(OnceIn)
@endpoint(POST=Verb.RUN_VISIT)
def void(request: Request, pk: int, round_: int) -> Response:
    """A round was a mistake; it does not count any more."""
    given = _given(request, pk, OnceIn)
    session = given.pop("session")
    charting.void_round(round_=get_object_or_404(session.rounds.select_related("session"), pk=round_), **given)
    return Response(_answer_of(session))


@_describe(ActionIn)
@endpoint(POST=Verb.RUN_VISIT)
def action(request: Request, pk: int, round_: int) -> Response:
    """What was done about a round."""
    given = _given(request, pk, ActionIn)
    session = given.pop("session")
    found: VitalsRound = get_object_or_404(session.rounds.select_related("session"), pk=round_)
    charting.note_action(round_=found, **given)
    return Response(_answer_of(session))


@_describe_made(AdverseEventIn)
@endpoint(POST=Verb.RUN_VISIT)
def adverse_events(request: Request, pk: int) -> Response:
    """Something untoward happened."""
    return _record(request, pk, AdverseEventIn, lambda given: charting.adverse_event(**given))


@_describe_made(AddendumIn)
@endpoint(POST=Verb.RUN_VISIT)
def addenda(request: Request, pk: int) -> Response:
    """Add to a record that is closed."""
    return _record(request, pk, AddendumIn, lambda given: charting.addendum(**given))


def _given(request: Request, pk: int, body: type[Serializer[Any]]) -> dict[str, Any]:
    """What a verb takes: who asks, the session, the time, and what the body says."""
    session = _session(request, pk)
    given = validated(body, request.data)
    require_real_times(given, session.course.site)
    return {**given, "actor": actor(request), "session": session, "now": clock.now()}


def _step(request: Request, pk: int, body: type[Serializer[Any]], act: Callable[[dict[str, Any]], Change]) -> Response:
    return Response(_answer(act(_given(request, pk, body))))


def _record(
    request: Request, pk: int, body: type[Serializer[Any]], act: Callable[[dict[str, Any]], tuple[Any, bool]]
) -> Response:
    given = _given(request, pk, body)
    row, repeated = act(given)
    return Response({**_answer_of(given["session"]), "recorded": row.pk}, status=200 if repeated else 201)


def _referred(known: QuerySet[Any], pk: int, field: str) -> Any:
    """What a number in a body names; raises Invalid for one that names nothing."""
    found = known.filter(pk=pk).first()
    if found is None:
        raise Invalid.at(field, _("There is nothing by this number."))
    return found


def _signed(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "override": signature_of(request, given)}


def _escort(row: dict[str, str] | None) -> Escort | None:
    return None if row is None else Escort(**row)


def _escorted(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "escort": _escort(given["escort"])}


def _answer_of(session: Session) -> dict[str, Any]:
    fresh = stepping.again(session)
    return _answer(Change(fresh.course, (fresh,)))


def _answer(change: Change) -> dict[str, Any]:
    """The session after a step, with its visit."""
    return {**change_data(change), **_shown(change.sessions[0])}


def _shown(session: Session) -> dict[str, Any]:
    chart = charts.read(session, now=clock.now())
    return {
        "visit": ChartOut(chart, context={"zone": session.course.site.zone}).data,
        "missing": FindingOut(chart.missing, many=True).data,
    }


def _session(request: Request, pk: int) -> Session:
    sessions = Session.objects.select_related("site", "course__site", "course__protocol", "course__patient")
    found = get_object_or_404(sessions, pk=pk)
    remember(request, found.site, found.course.protocol)
    return found
