"""Sessions: move one, cancel it, note that the patient said yes."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import actor, answers, endpoint, validated
from clinic.permissions import Verb
from scheduling import booking, cancelling, confirming
from scheduling.api.asked import remember, require_real_times, signature_of
from scheduling.api.inputs import CancelIn, ConfirmIn, MoveIn
from scheduling.api.outputs import ChangeOut, SessionOut, TakenOut, change_data
from scheduling.models import Session
from scheduling.protocols.types import Wanted


@extend_schema(responses=answers({200: SessionOut}, 404))
@endpoint(GET=Verb.SEE)
def session(request: Request, pk: int) -> Response:
    """One session with the phases of its visit."""
    return Response(SessionOut(_session(request, pk)).data)


@extend_schema(request=MoveIn, responses=answers({200: ChangeOut, 409: TakenOut}, 400, 403, 404, 422))
@endpoint(POST=Verb.BOOK)
def move(request: Request, pk: int) -> Response:
    """Give a session another time, chair or prescriber; what is not given stays."""
    found = _session(request, pk)
    given = validated(MoveIn, request.data)
    require_real_times(given, found.site)
    change = booking.move_session(
        actor=actor(request),
        session=found,
        place=Wanted(given.get("starts_at"), given.get("chair"), given.get("prescriber")),
        override=signature_of(request, given),
        dry_run=given["dry_run"],
        request_id=given["request_id"],
        now=clock.now(),
    )
    return Response(change_data(change))


@extend_schema(request=CancelIn, responses=answers({200: ChangeOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.BOOK)
def cancel(request: Request, pk: int) -> Response:
    """Cancel one session; the findings say what its course lacks then."""
    found = _session(request, pk)
    given = validated(CancelIn, request.data)
    change = cancelling.cancel_session(actor=actor(request), session=found, now=clock.now(), **given)
    return Response(change_data(change))


@extend_schema(request=ConfirmIn, responses=answers({200: ChangeOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.BOOK)
def confirm(request: Request, pk: int) -> Response:
    """The patient said yes by phone."""
    found = _session(request, pk)
    given = validated(ConfirmIn, request.data)
    change = confirming.confirm_session(actor=actor(request), session=found, now=clock.now(), **given)
    return Response(change_data(change))


def _session(request: Request, pk: int) -> Session:
    sessions = Session.objects.select_related("site", "course__site", "course__protocol", "course__patient")
    found = get_object_or_404(sessions, pk=pk)
    remember(request, found.site, found.course.protocol)
    return found
