"""Sessions: move one, cancel it, note that the patient said yes, comes late or has not come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import actor, answers, endpoint, to_json, validated
from clinic.errors import RulesBroken
from clinic.permissions import Verb
from scheduling import cancelling, confirming, moving
from scheduling.api.asked import remember, require_real_times, signature_of
from scheduling.api.inputs import CancelIn, ConfirmIn, ExpectIn, MoveIn, NoShowIn
from scheduling.api.outputs import ChangeOut, MovedOut, MoveRefusedOut, SessionOut, TakenOut, change_data
from scheduling.models import Session
from scheduling.protocols.types import Wanted
from scheduling.visits import absence


@extend_schema(responses=answers({200: SessionOut}, 404))
@endpoint(GET=Verb.SEE)
def session(request: Request, pk: int) -> Response:
    """One session with the phases of its visit."""
    return Response(SessionOut(_session(request, pk)).data)


@extend_schema(request=MoveIn, responses=answers({200: MovedOut, 409: TakenOut, 422: MoveRefusedOut}, 400, 403, 404))
@endpoint(POST=Verb.BOOK)
def move(request: Request, pk: int) -> Response:
    """Give a session another time, chair or prescriber; what is not given stays. Others of its course can move too.

    A dry run says, whatever the rules say, which later sessions would have to move as well: `cascade`.
    """
    found = _session(request, pk)
    given = validated(MoveIn, request.data)
    require_real_times(given, found.site)
    now = clock.now()

    def cascade() -> Any:
        if given["also"]:
            return None
        return to_json(moving.cascade(actor=actor(request), session=found, place=_wanted(given), now=now), request)

    try:
        change = moving.move_session(
            actor=actor(request),
            session=found,
            place=_wanted(given),
            also=_also(given["also"]),
            override=signature_of(request, given),
            dry_run=given["dry_run"],
            request_id=given["request_id"],
            now=now,
        )
    except RulesBroken as refusal:
        if given["dry_run"]:
            refusal.details["cascade"] = cascade()
        raise
    answer = change_data(change)
    return Response({**answer, "cascade": cascade()} if given["dry_run"] else answer)


def _wanted(row: Mapping[str, Any]) -> Wanted:
    return Wanted(row.get("starts_at"), row.get("chair"), row.get("prescriber"))


def _also(rows: Sequence[Mapping[str, Any]]) -> list[tuple[Session, Wanted]]:
    """The other sessions and where they go; raises ValidationError for one that there is not. One query."""
    known = Session.objects.in_bulk([row["session"] for row in rows])
    sentence = _("There is no such session.")
    missing = {str(index): {"session": [sentence]} for index, row in enumerate(rows) if row["session"] not in known}
    if missing:
        raise ValidationError({"also": missing})
    return [(known[row["session"]], _wanted(row)) for row in rows]


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


@extend_schema(request=NoShowIn, responses=answers({200: ChangeOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.NO_SHOW)
def no_show(request: Request, pk: int) -> Response:
    """Nobody came; the findings say what the course lacks then."""
    found = _session(request, pk)
    given = validated(NoShowIn, request.data)
    return Response(change_data(absence.no_show(actor=actor(request), session=found, now=clock.now(), **given)))


@extend_schema(request=ExpectIn, responses=answers({200: ChangeOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.NO_SHOW)
def expect(request: Request, pk: int) -> Response:
    """The patient comes late and has said when; nothing that is planned changes."""
    found = _session(request, pk)
    given = validated(ExpectIn, request.data)
    require_real_times(given, found.site)
    return Response(change_data(absence.expect(actor=actor(request), session=found, now=clock.now(), **given)))


def _session(request: Request, pk: int) -> Session:
    sessions = Session.objects.select_related("site", "course__site", "course__protocol", "course__patient")
    found = get_object_or_404(sessions, pk=pk)
    remember(request, found.site, found.course.protocol)
    return found
