"""The database is away: a calm page for people, `{code: "unavailable", message}` for programs, 503 for both.

That is told from a failure of ours by the connection. Whatever the database itself has refused is a failure, too.
"""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from clinic import api

RETRY_SECONDS = 10

#: PostgreSQL has too many connections, is being stopped, has crashed, is starting.
TURNED_AWAY = frozenset({"53300", "57P01", "57P02", "57P03"})


def is_away(error: BaseException | None) -> bool:
    """Whether the error means that there is no connection to the database, be it that none comes about or that it has
    been cut; no query."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    if state := getattr(error.__cause__, "sqlstate", None):
        return state in TURNED_AWAY
    return connection.connection is None or connection.connection.closed


def server_error(request: HttpRequest) -> HttpResponseBase:
    """What Django answers with when a view, or anything around it, has raised: 503 or 500."""
    return unavailable(request) if is_away(sys.exception()) else api.server_error(request)


def unavailable(request: HttpRequest) -> HttpResponse:
    """The answer in which nothing is asked of the database; a browser may try again in some seconds."""
    status, again = HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(RETRY_SECONDS), "Cache-Control": "no-store"}
    if request.path.startswith("/api/"):
        message = _("The clinic's database cannot be reached. Please try again; a request_id takes effect once.")
        return JsonResponse({"code": "unavailable", "message": message}, status=status, headers=again)
    # Without the request, so that nothing around the page asks who is signed in, at which site.
    page = render_to_string("503.html", {"sent": request.method not in ("GET", "HEAD")})
    return HttpResponse(page, status=status, headers=again)
