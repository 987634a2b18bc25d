"""Protocols, patterns of dates held against them, and proposals."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import PAGING, actor, answers, endpoint, page_of, paged, validated
from clinic.permissions import Verb
from scheduling import queries
from scheduling.api.asked import chairs_of, places_of, remember, require_real_times, site_of
from scheduling.api.inputs import CheckIn, ProposeIn
from scheduling.api.outputs import ProposalOut
from scheduling.api.protocols import CheckedOut, ProtocolOut, protocol_data
from scheduling.proposing import propose
from scheduling.protocols import spacing
from scheduling.protocols.types import Phase, Spot, Wishes


@extend_schema(operation_id="protocols_list", parameters=PAGING, responses=answers({200: page_of(ProtocolOut)}, 404))
@endpoint(GET=Verb.SEE)
def protocols(request: Request) -> Response:
    """The protocols that a course can be booked by."""
    return paged(
        request,
        queries.protocols(),
        lambda versions: ProtocolOut([protocol_data(version.protocol) for version in versions], many=True).data,
    )


@extend_schema(request=CheckIn, responses=answers({200: CheckedOut}, 400, 403, 404))
@endpoint(POST=Verb.SEE)
def check(request: Request, code: str) -> Response:
    """What the rules say to a pattern of dates alone. Writes nothing."""
    protocol = get_object_or_404(queries.protocols(), code=code).protocol
    given = validated(CheckIn, request.data)
    phase, closed = Phase(given["phase"]), given["closed"]
    if "days" in given:
        found = spacing.judge_days(protocol=protocol, phase=phase, days=given["days"], closed=closed)
    else:
        site = site_of(request, given.get("site"))
        require_real_times(given, site)
        spots = [Spot(index, moment, phase) for index, moment in enumerate(given["starts_at"])]
        found = spacing.judge(protocol=protocol, sessions=spots, zone=site.zone, closed=closed)
    return Response(CheckedOut({"findings": found}).data)


@extend_schema(request=ProposeIn, responses=answers({200: ProposalOut}, 400, 403))
@endpoint(POST=Verb.BOOK)
def propose_course(request: Request) -> Response:
    """Up to three plans for a new course, or for what a running one lacks; with none, what is in the way."""
    given = validated(ProposeIn, request.data)
    course = given.get("course")
    protocol = course.protocol if course else given["protocol"]
    site = course.site if course else site_of(request, given.get("site"), chairs=chairs_of(given["fixed"]))
    require_real_times(given, site)
    proposal = propose(
        actor=actor(request),
        site=remember(request, site, protocol),
        patient=course.patient if course else given["patient"],
        protocol=protocol,
        course=course,
        phase=given["phase"] and Phase(given["phase"]),
        count=given["sessions"],
        earliest=given["earliest"],
        wishes=_wishes(given["wishes"]),
        fixed=places_of(given["fixed"], "fixed"),
        now=clock.now(),
    )
    return Response(ProposalOut(proposal, context={"zone": site.zone, "visit": protocol.protocol.visit}).data)


def _wishes(given: dict[str, Any] | None) -> Wishes:
    if given is None:
        return Wishes()
    dates, weekdays = frozenset(given["except_dates"]), frozenset(given["weekdays"])
    return Wishes(**{**given, "except_dates": dates, "weekdays": weekdays})
