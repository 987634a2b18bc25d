"""Signing in for programs: a name and a password for a token."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from clinic.api import answers, endpoint, validated
from clinic.permissions import ANYBODY
from clinic.serializers import Text


class TokenIn(serializers.Serializer[Any]):
    """Who signs in."""

    username = Text(max_length=150)
    password = Text(max_length=500, trim_whitespace=False, write_only=True)


class TokenOut(serializers.Serializer[Any]):
    """What later requests carry: `Authorization: Token ...`."""

    token = serializers.CharField()


@extend_schema(request=TokenIn, responses=answers({200: TokenOut}, 400, 429), auth=[])
@endpoint(POST=ANYBODY)
def token(request: Request) -> Response:
    """Name and password for a token; throttled like the page on which people sign in."""
    given = validated(TokenIn, request.data)
    staff = authenticate(request._request, username=given["username"], password=given["password"])  # noqa: SLF001 the throttle writes on Django's request
    if staff is None:
        raise AuthenticationFailed(_("Name and password do not match."))
    return Response({"token": Token.objects.get_or_create(user=staff)[0].key})
