"""What every endpoint of the JSON interface shares: who asks, what bodies and lists are, how refusals are answered.

A refusal is `{code, message}` and what belongs to it. Domain errors say these themselves; REST framework's own are
translated here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import singledispatch
from http import HTTPStatus
from typing import Any

from django import forms
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.validators import MaxValueValidator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views import defaults
from django_filters import ChoiceFilter, FilterSet, NumberFilter
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import exceptions, serializers, views
from rest_framework.decorators import api_view
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import permissions
from clinic.errors import DomainError
from clinic.findings import Finding
from clinic.models import Staff
from clinic.permissions import Verb
from clinic.serializers import ErrorOut, FindingOut, InvalidOut, RulesOut

Endpoint = Callable[..., HttpResponse]


def endpoint(**methods: Verb | None) -> Callable[[Callable[..., Response]], Endpoint]:
    """Make a function an endpoint for these methods: `@endpoint(GET=Verb.SEE, POST=Verb.BOOK)`. HEAD goes with GET."""
    names = [*methods, "HEAD"] if "GET" in methods else list(methods)

    def decorate(function: Callable[..., Response]) -> Endpoint:
        return permissions.declare(**methods)(api_view(names)(function))

    return decorate


def actor(request: Request) -> Staff:
    """The staff member who asks; raises NotAuthenticated when nobody is signed in."""
    if not isinstance(request.user, Staff):
        raise exceptions.NotAuthenticated
    return request.user


class Pages(PageNumberPagination):
    """`{count, next, previous, results}`, 50 at a time, up to 200 by `page_size`."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


def paged(request: Request, found: Any, render: Callable[[list[Any]], Any]) -> Response:
    """One page of a queryset: counts, reads the rows of the page, and answers what `render` makes of them."""
    pages = Pages()
    rows: list[Any] = pages.paginate_queryset(found, request) or []
    return pages.get_paginated_response(render(rows))


def filtered(request: Request, filters: type[FilterSet], found: Any) -> Any:
    """The queryset narrowed by the query string; raises ValidationError for what cannot be meant."""
    chosen = filters(request.query_params, queryset=found)
    if not chosen.is_valid():
        raise exceptions.ValidationError(chosen.errors)
    return chosen.qs


def validated(serializer: type[serializers.Serializer[Any]], data: Any, **context: Any) -> dict[str, Any]:
    """What a body or a query string says, or ValidationError."""
    given = serializer(data=data, context=context)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class IdFilter(NumberFilter):
    """Narrows a list to what belongs to something stored; a number that nothing can have is refused."""

    field_class = forms.IntegerField  # type: ignore[assignment]  # whole numbers, where its parent takes decimals

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, **kwargs)

    def get_max_validator(self) -> MaxValueValidator:
        """The largest number that the database counts to."""
        return MaxValueValidator(2**63 - 1)


# How refusals are answered


@singledispatch
def to_json(value: Any, request: Any) -> Any:
    """What belongs to a refusal as JSON; other packages register their types.

    The request carries what its endpoint has found out: `clinic_site`, whose clocks show the times.
    """
    return value


@to_json.register
def _finding(value: Finding, request: Any) -> Any:
    return FindingOut(value).data


@to_json.register
def _datetime(value: datetime, request: Any) -> Any:
    site = getattr(request, "clinic_site", None)
    return value.astimezone(site.zone if site else UTC).isoformat()


@to_json.register
def _date(value: date, request: Any) -> Any:
    return value.isoformat()


@to_json.register
def _mapping(value: Mapping, request: Any) -> Any:  # type: ignore[type-arg]  # singledispatch wants the bare class
    return {name: to_json(item, request) for name, item in value.items()}


@to_json.register(list)
@to_json.register(tuple)
def _sequence(value: Iterable[Any], request: Any) -> Any:
    return [to_json(item, request) for item in value]


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer to whatever an endpoint raises; None, and so a 500, for what nobody expected."""
    if isinstance(error, DomainError):
        details = to_json(error.details, context.get("request"))
        refusal = {"code": error.code, "message": error.message, **details}
        return Response(refusal, status=error.status)
    if isinstance(error, (SuspiciousOperation, BadRequest)):
        error = exceptions.ParseError(_("The request cannot be read."))
    response = views.exception_handler(error, dict(context))
    if response is not None:
        response.data = _described(error, response.data)
    return response


def _described(error: Exception, data: Any) -> dict[str, Any]:
    """A refusal of REST framework's own in our words."""
    if isinstance(error, exceptions.ValidationError):
        fields = data if isinstance(data, dict) else {"non_field_errors": data}
        return {"code": "invalid", "message": _("Some of the input cannot be used."), "fields": fields}
    if isinstance(error, exceptions.ParseError):
        return {"code": "invalid", "message": data["detail"], "fields": {}}
    if isinstance(error, Http404):
        return {"code": "not_found", "message": _("There is nothing here by that number or name.")}
    code = error.default_code if isinstance(error, exceptions.APIException) else "permission_denied"
    return {"code": code, "message": data["detail"]}


def _error_view(page: Callable[..., HttpResponseBase], code: str, status: int) -> Callable[..., HttpResponseBase]:
    """Django's answer for pages, and one in JSON below /api/, for what fails before any endpoint is reached."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.path.startswith("/api/"):
            return JsonResponse({"code": code, "message": HTTPStatus(status).description}, status=status)
        return page(request, *args, **kwargs)

    return answer


bad_request = _error_view(defaults.bad_request, "invalid", 400)
permission_denied = _error_view(defaults.permission_denied, "permission_denied", 403)
not_found = _error_view(defaults.page_not_found, "not_found", 404)
server_error = _error_view(defaults.server_error, "error", 500)


# What the interface's description says of every endpoint

_REFUSALS: Mapping[int, type[serializers.Serializer[Any]]] = {
    400: InvalidOut,
    401: ErrorOut,
    403: ErrorOut,
    404: ErrorOut,
    409: ErrorOut,
    422: RulesOut,
    429: ErrorOut,
}

PAGING = [
    OpenApiParameter("page", int, description="Which page, from 1."),
    OpenApiParameter("page_size", int, description="Rows a page, 50 unless told otherwise, at most 200."),
]


def answers(good: Mapping[int, Any], *refusals: int) -> dict[int, Any]:
    """The answers of an endpoint: the good ones, 401, and these refusals."""
    return {**good, **{code: _REFUSALS[code] for code in (401, *refusals) if code not in good}}


def page_of(serializer: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """One page of a list, for the description."""
    return inline_serializer(
        f"{serializer.__name__.removesuffix('Out')}Page",
        {
            "count": serializers.IntegerField(),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": serializer(many=True),
        },
    )


def parameters_of(filters: type[FilterSet]) -> list[OpenApiParameter]:
    """The query string of a filtered list, for the description."""
    return [
        OpenApiParameter(
            name,
            int if isinstance(chosen, IdFilter) else str,
            enum=[value for value, _label in chosen.extra["choices"]] if isinstance(chosen, ChoiceFilter) else None,
        )
        for name, chosen in filters.base_filters.items()
    ] + PAGING
