"""How often the patient's page may be asked for: by one address, and by one link.

The counts stand in Redis. Without it everybody is let through: a link cannot be guessed, and a patient has to be able
to answer. A person never comes near the limits, also behind an address that many share.
"""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from clinic.sessions import client_ip
from scheduling.mails import links


class _Limit(SimpleRateThrottle):
    """A limit that holds for what `key` tells apart."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key_of = key

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """What counts together. Neither a link nor anything else that opens it."""
        return f"portal-{self.scope}-{self.key_of}"


class ByAddress(_Limit):
    """Whoever asks from one address."""

    scope = "address"
    rate = "240/min"


class ByLink(_Limit):
    """Whoever asks with one link, wrong ones too."""

    scope = "link"
    rate = "60/min"


def wait_of(request: HttpRequest, token: str) -> int:
    """How many seconds somebody has to wait who asks too often, 0 for everybody else. Counts the request."""
    limits = (ByAddress(client_ip(request)), ByLink(links.digest(token)))
    asked = cast("Any", request), cast("Any", None)  # DRF's own request and view, of which these limits use nothing
    try:
        waits = [limit.wait() or 1 for limit in limits if not limit.allow_request(*asked)]
    except RedisError:
        return 0
    return round(max(waits, default=0.0) + 0.5) if waits else 0
