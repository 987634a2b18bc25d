"""/healthz names what is missing, and nothing else."""

import socket

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from clinic import health

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_is_alive() -> None:
    cache.clear()


@pytest.fixture
def mail_server(settings: LazySettings) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    settings.EMAIL_HOST, settings.EMAIL_PORT = listener.getsockname()
    return listener


def answer(client: Client) -> tuple[int, object]:
    response = client.get("/healthz")
    return response.status_code, response.json()


def test_all_is_well_when_worker_and_beat_have_reported(client: Client, mail_server: socket.socket) -> None:
    health.worker_is_alive()
    health.beat_is_alive()
    with mail_server:
        assert answer(client) == (200, {"status": "ok", "missing": [], "down": []})


def test_worker_and_beat_are_missed_apart(client: Client, mail_server: socket.socket) -> None:
    health.beat_is_alive()
    with mail_server:
        assert answer(client) == (503, {"status": "missing", "missing": ["worker"], "down": []})


def test_a_mail_server_that_is_down_is_named_but_costs_nothing(client: Client, mail_server: socket.socket) -> None:
    health.worker_is_alive()
    health.beat_is_alive()
    mail_server.close()
    assert answer(client) == (200, {"status": "ok", "missing": [], "down": ["mail"]})


def test_a_migration_that_has_not_run_is_missed(client: Client, mail_server: socket.socket) -> None:
    health.worker_is_alive()
    health.beat_is_alive()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'clinic'")
    with mail_server:
        assert answer(client) == (503, {"status": "missing", "missing": ["migrations"], "down": []})


def test_redis_is_missed(client: Client, mail_server: socket.socket, settings: LazySettings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "unix:///nowhere/redis.sock"}}
    with mail_server:
        assert answer(client) == (503, {"status": "missing", "missing": ["redis"], "down": []})


def test_nobody_writes_to_it(client: Client) -> None:
    assert client.post("/healthz").status_code == 405


def test_a_container_asks_for_its_own_worker_or_beat_alone(capsys: pytest.CaptureFixture[str]) -> None:
    cache.set("alive:worker:another-container", 1)
    with pytest.raises(CommandError) as missed:
        call_command("alive", "worker")
    health.worker_is_alive()
    call_command("alive", "worker")

    assert (str(missed.value), capsys.readouterr().out) == (
        f"The worker of {socket.gethostname()} has not reported for 20 seconds.",
        f"The worker of {socket.gethostname()} is alive.\n",
    )


def test_without_redis_nobody_can_tell_who_is_alive(settings: LazySettings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "unix:///nowhere/redis.sock"}}
    with pytest.raises(CommandError) as missed:
        call_command("alive", "beat")
    assert str(missed.value) == "Redis does not answer."
