"""Real servers and processes, each test in a folder of its own that nothing outlives."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinic.local import services


def processes_of(var: Path) -> list[str]:
    """The names of all processes that belong to the folder."""
    servers = (services.Postgres(var), services.Redis(var))
    return sorted(
        process.name()
        for process in [*services.left_over(var), *(one for server in servers for one in server.processes())]
    )


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A folder for embedded servers. Those that a failed test leaves end with it."""
    var = tmp_path / "var"
    yield var
    services.end(services.left_over(var), signal.SIGKILL)
    for server in (services.Postgres(var), services.Redis(var)):
        server.kill()
