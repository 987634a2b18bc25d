"""`make run`, with its real processes: it opens, survives what dies, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from clinic.local import places, services
from clinic.local.places import BASE_DIR
from tests.clinic.local.conftest import processes_of

PATIENCE = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Clinic:
    """One run of the supervisor, and what it has printed."""

    def __init__(self, var: Path, port: int, **environ: str) -> None:
        self.port = port
        self.lines: list[str] = []
        inherited = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clinic.local.run"],
            cwd=BASE_DIR,
            env=inherited | {"CLINIC_VAR": str(var), "PORT": str(port)} | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < until, self.lines
            time.sleep(0.1)

    def opened(self) -> "Clinic":
        """Wait until it says that it is open, and has said all."""
        self.wait_for(lambda: any(line.startswith("The clinic is open") for line in self.lines))
        time.sleep(0.3)
        return self

    def health(self) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def ended(self, how: signal.Signals | None = None) -> tuple[int, str]:
        """Send the signal; returns the exit code and the last line."""
        if how is not None:
            self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code, self.lines[-1] if self.lines else ""


@pytest.fixture
def run(var: Path) -> Iterator[Callable[..., Clinic]]:
    port = free_port()
    runs: list[Clinic] = []

    def start(**environ: str) -> Clinic:
        runs.append(Clinic(var, port, **environ))
        return runs[-1]

    yield start
    for clinic in runs:
        if clinic.process.poll() is None:
            clinic.ended(signal.SIGKILL)


CLOSED = (0, "The clinic is closed.")
WELL = (200, {"status": "ok", "missing": [], "down": []})


def logins(clinic: Clinic) -> list[str]:
    return [line for line in clinic.lines if line.startswith("login ")]


def test_a_clinic_opens_alone_and_after_a_kill_opens_again_with_what_it_had(
    var: Path, run: Callable[..., Clinic]
) -> None:
    first = run().opened()
    assert first.health() == WELL
    assert sorted(line.split()[1] for line in logins(first)) == ["clinician", "desk", "manager", "nurse"]

    sentence = f"This clinic already runs, as process {first.process.pid} (its folder is {var})."
    assert run().ended() == (1, sentence)

    first.ended(signal.SIGKILL)
    assert {"python", "postgres", "redis-server"} <= {*processes_of(var)}

    second = run().opened()
    assert (second.health(), logins(second)) == (WELL, logins(first))
    assert second.ended(signal.SIGTERM) == CLOSED
    assert processes_of(var) == []


def test_what_dies_is_started_again_the_database_too(var: Path, run: Callable[..., Clinic]) -> None:
    clinic = run().opened()
    for process in [*services.left_over(var), *services.Postgres(var).processes(), *services.Redis(var).processes()]:
        with contextlib.suppress(psutil.NoSuchProcess):  # PostgreSQL's own end by themselves when their parent is gone
            process.kill()
    clinic.wait_for(lambda: len([line for line in clinic.lines if " has died" in line]) >= 6)
    clinic.wait_for(lambda: clinic.health() == WELL)
    assert {line.split()[0] for line in clinic.lines if " has died" in line} == {
        *("postgres", "redis", "web", "worker", "beat", "sink")
    }
    assert clinic.ended(signal.SIGINT) == CLOSED
    assert processes_of(var) == []


def test_a_port_that_somebody_has_is_named_before_anything_starts(var: Path, run: Callable[..., Clinic]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sentence = f"Port {port} cannot be used: Address already in use. Choose another by PORT=..."
        assert run(PORT=str(port)).ended() == (1, sentence)
    assert (processes_of(var), (var / "postgres").exists()) == ([], False)


@pytest.mark.parametrize("port", ["abc", "0", "99999", "80 80"])
def test_a_port_that_is_none_is_said_in_a_sentence(run: Callable[..., Clinic], port: str) -> None:
    assert run(PORT=port).ended() == (1, f"PORT={port} is no port: it has to be a number from 1 to 65535.")


def test_servers_of_ones_own_replace_the_embedded_ones_and_get_no_demo(var: Path, run: Callable[..., Clinic]) -> None:
    name = f"clinic_{os.getpid()}"
    theirs = services.Postgres(places.var())
    with theirs.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    clinic = run(
        DATABASE_URL=f"postgres:///{places.sockets(theirs.var)}/{name}",
        PGUSER="clinic",
        REDIS_URL=f"unix://{places.redis_socket(theirs.var)}?db=3",
        EMAIL_URL="smtp://127.0.0.1:9",
    ).opened()
    try:
        assert clinic.health() == (200, {"status": "ok", "missing": [], "down": ["mail"]})
        assert (sorted({*processes_of(var)}), (var / "postgres").exists()) == (["python"], False)
        assert logins(clinic) == []
        with psycopg.connect(host=str(places.sockets(theirs.var)), user="clinic", dbname=name) as connection:
            assert connection.execute("SELECT count(*) FROM clinic_staff").fetchone() == (0,)
    finally:
        assert clinic.ended(signal.SIGTERM) == CLOSED
    with theirs.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
