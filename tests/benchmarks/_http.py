"""Requests as a browser or a partner's program sends them: to a gunicorn of its own, over one kept connection."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any


class Client:
    """One signed-in user's connection."""

    def __init__(self, port: int, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> tuple[float, Any]:
        """Milliseconds until the whole answer was there, and the answer; raises AssertionError unless it is 200."""
        began = time.perf_counter()
        self.connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
        response = self.connection.getresponse()
        content = response.read()
        spent = (time.perf_counter() - began) * 1000
        if response.status != http.client.OK:
            raise AssertionError(f"{method} {path} answered {response.status}: {content[:300]!r}")
        return spent, json.loads(content)


def token_of(staff: int) -> str:
    """A token for the interface."""
    from rest_framework.authtoken.models import Token

    return str(Token.objects.get_or_create(user_id=staff)[0].key)


@contextlib.contextmanager
def served() -> Iterator[int]:
    """A gunicorn with one worker on a free port, which is the value."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "clinic.wsgi", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        [*command, "--worker-class", "gthread", "--log-level", "warning"],
        env={**os.environ, "WEB_CONCURRENCY": "1"},
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def p95(values: list[float]) -> float:
    """The value that 95 of 100 do not pass."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]
