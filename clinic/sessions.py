"""Sign-in sessions: how long they last, and from where a request comes."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class IdleTimeoutMiddleware:
    """Renews the session of whoever works; one that rests for SESSION_COOKIE_AGE ends by itself.

    Requests that a page makes on its own, such as the board's look for changes, carry `X-Background: 1` and renew
    nothing. The session is written at most once a minute, so it may end up to a minute early, never late.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "X-Background" not in request.headers and settings.SESSION_COOKIE_NAME in request.COOKIES:
            minute = int(time.time()) // 60
            if not request.session.is_empty() and request.session.get("minute") != minute:
                request.session["minute"] = minute
        return self.get_response(request)


def seconds_left(request: HttpRequest) -> int:
    """How long the session lasts at least if nobody works in it from now on."""
    renewed = request.session.get("minute", int(time.time()) // 60) * 60
    return max(0, int(renewed + settings.SESSION_COOKIE_AGE - time.time()))


def client_ip(request: HttpRequest) -> str:
    """Where a request comes from; behind our proxy, the address that the proxy itself has seen."""
    direct = str(request.META.get("REMOTE_ADDR", ""))  # a request that Django makes up itself has none
    if settings.BEHIND_PROXY:
        return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or direct
    return direct
