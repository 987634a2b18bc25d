"""How often the patient's page may be asked for: with one link, and by whoever tries links that were never made.

An address as such has no limit: behind one stand a whole clinic's patients, or a provider's. The counts stand in Redis.
Without it everybody is let through: a link cannot be guessed, and a patient has to be able to answer. A person never
comes near the limits: whoever answers all questions in a minute asks forty times.
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
    """A limit for everything that has the same `key`; it holds neither a link nor anything else that opens one."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.counted = key

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Under what it is counted."""
        return f"portal-{self.scope}-{self.counted}"

    def wait_of(self) -> int:
        """Count a request; how many seconds it has to wait, 0 for one that may pass."""
        asked = cast("Any", None)  # DRF's request and view, of which this limit uses nothing
        try:
            if self.allow_request(asked, asked):
                return 0
        except RedisError:
            return 0
        return int(self.wait() or 0) + 1


class ByLink(_Limit):
    """Whoever asks with one link."""

    scope = "link"
    rate = "120/min"


class ByGuesser(_Limit):
    """Whoever asks, from one address, with links that were never made."""

    scope = "guesser"
    rate = "30/min"


def wait_of(token: str) -> int:
    """How many seconds to wait for whoever asks too often with this link, 0 for everybody else. Counts the request."""
    return ByLink(links.digest(token)).wait_of()


def wait_of_guesser(request: HttpRequest) -> int:
    """The same for an address from which links are tried that were never made."""
    return ByGuesser(client_ip(request)).wait_of()
