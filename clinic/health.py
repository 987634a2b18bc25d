"""Is everything there that a clinic needs? `GET /healthz`, for the supervisor, for compose and for balancers."""

import contextlib
import socket
from http import HTTPStatus

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import RedisError

ALIVE_SECONDS = 20


def worker_is_alive() -> None:
    """Called by every worker, every two seconds."""
    report("worker")


def beat_is_alive() -> None:
    """Called by beat at each of its rounds, five seconds apart at most."""
    report("beat")


def report(name: str) -> None:
    """Leave a sign of life, which fades; without Redis there is none, and nobody stops working for that."""
    with contextlib.suppress(RedisError):
        cache.set_many({f"alive:{name}": 1, f"alive:{name}:{socket.gethostname()}": 1}, ALIVE_SECONDS)


def lives_here(name: str) -> bool:
    """Whether the worker or beat of this very machine or container has reported; raises RedisError without Redis."""
    return f"alive:{name}:{socket.gethostname()}" in cache


def missing() -> list[str]:
    """What the clinic cannot run without and is not there: database, migrations, redis, worker, beat."""
    lacks = []
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            lacks.append("migrations")
    except DatabaseError:
        lacks.append("database")
    try:
        alive = cache.get_many(["alive:worker", "alive:beat"])
    except RedisError:
        return [*lacks, "redis"]
    return lacks + [name for name in ("worker", "beat") if f"alive:{name}" not in alive]


def mail_server_answers() -> bool:
    """Whether the mail server takes connections; a second's patience."""
    try:
        with socket.create_connection((settings.EMAIL_HOST, settings.EMAIL_PORT), timeout=1):
            return True
    except OSError:
        return False


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200, or 503 with what is missing; a mail server that is down is only named, for mail waits in the outbox."""
    lacks = missing()
    down = [] if mail_server_answers() else ["mail"]
    status = HTTPStatus.SERVICE_UNAVAILABLE if lacks else HTTPStatus.OK
    return JsonResponse({"status": "missing" if lacks else "ok", "missing": lacks, "down": down}, status=status)
