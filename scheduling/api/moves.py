"""Other times: those that the desk offers a patient, and those that it opens for all of them."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import PAGING, actor, answers, endpoint, page_of, paged, validated
from clinic.permissions import Verb
from clinic.serializers import Clock, Instant, RequestId, SiteTime, Whole
from scheduling import offering, self_service
from scheduling.api.asked import remember, require_real_times, site_of
from scheduling.models import OfferState, Session
from scheduling.self_service import LONGEST_NOTICE, MOST_WINDOWS, SelfService, Window


class OffersIn(serializers.Serializer[Any]):
    """Other times for a visit. They are not kept free; the first that the patient takes is the visit's."""

    starts_at = serializers.ListField(child=Instant(), allow_empty=False, max_length=offering.MOST_STARTS)
    until = Instant(help_text="Until when they can be taken, before the visit.")
    request_id = RequestId()


class OfferOut(serializers.Serializer[Any]):
    """A time that was offered. It can be taken while it is open, until `until`, as long as it is free."""

    id = serializers.IntegerField(source="pk")
    session = serializers.IntegerField(source="session_id")
    starts_at = SiteTime()
    until = SiteTime()
    state = serializers.ChoiceField(choices=OfferState.choices)
    made_at = SiteTime()
    made_by = serializers.IntegerField(source="made_by_id")
    closed_at = SiteTime(allow_null=True)


class WindowIn(serializers.Serializer[Any]):
    """Starts on a weekday, from the first to the last, both included, by the site's clocks."""

    weekday = Whole(max_value=6, help_text="0 is Monday.")
    opens = Clock(help_text="The first start.")
    closes = Clock(help_text="The last start.")


class SelfServiceIn(serializers.Serializer[Any]):
    """What patients may do by themselves; takes the place of what was said before."""

    notice_hours = Whole(max_value=LONGEST_NOTICE, help_text="How far ahead the old time and the new one have to be.")
    hours: Any = serializers.ListSerializer(child=WindowIn(), max_length=MOST_WINDOWS)


class WindowOut(serializers.Serializer[Any]):
    """Starts on a weekday, from the first to the last, both included."""

    weekday = serializers.IntegerField()
    opens = serializers.TimeField(format="%H:%M")
    closes = serializers.TimeField(format="%H:%M")


class SelfServiceOut(serializers.Serializer[Any]):
    """What patients of a site may do by themselves: nothing without hours."""

    site = serializers.IntegerField(source="site.pk")
    notice_hours = serializers.IntegerField(source="site.self_service_notice")
    hours = WindowOut(source="windows", many=True)


class SiteQuery(serializers.Serializer[Any]):
    """Which site: the actor's first by name without."""

    site = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


@extend_schema(
    methods=["GET"], operation_id="offers_list", parameters=PAGING, responses=answers({200: page_of(OfferOut)}, 404)
)
@extend_schema(
    methods=["POST"],
    request=OffersIn,
    responses=answers({201: OfferOut(many=True), 200: OfferOut(many=True)}, 400, 403, 404, 409),
)
@endpoint(GET=Verb.SEE, POST=Verb.BOOK)
def offers(request: Request, pk: int) -> Response:
    """Other times that were offered for a session; offer up to three, by mail."""
    found = get_object_or_404(
        Session.objects.select_related("course__site", "course__protocol", "course__patient"), pk=pk
    )
    site = remember(request, found.course.site, found.course.protocol)
    context = {"zone": site.zone}
    if request.method != "POST":
        return paged(request, offering.of(found), lambda rows: OfferOut(rows, many=True, context=context).data)
    given = validated(OffersIn, request.data)
    require_real_times(given, site)
    made = offering.offer_times(
        actor=actor(request),
        session=found,
        starts=given["starts_at"],
        until=given["until"],
        request_id=given["request_id"],
        now=clock.now(),
    )
    return Response(OfferOut(made.offers, many=True, context=context).data, status=200 if made.repeated else 201)


@extend_schema(methods=["GET"], parameters=[SiteQuery], responses=answers({200: SelfServiceOut}, 400))
@extend_schema(
    methods=["PUT"], parameters=[SiteQuery], request=SelfServiceIn, responses=answers({200: SelfServiceOut}, 400, 403)
)
@endpoint(GET=Verb.SEE, PUT=Verb.BOOK)
def self_service_hours(request: Request) -> Response:
    """To which times patients of a site may move visits by themselves, and until when."""
    site = site_of(request, validated(SiteQuery, request.query_params).get("site"))
    if request.method != "PUT":
        return _said(self_service.read(site))
    given = validated(SelfServiceIn, request.data)
    windows = [Window(row["weekday"], row["opens"], row["closes"]) for row in given["hours"]]
    return _said(self_service.replace(actor=actor(request), site=site, hours=given["notice_hours"], windows=windows))


def _said(known: SelfService) -> Response:
    return Response(SelfServiceOut(known).data)
