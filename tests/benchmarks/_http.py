"""Requests as a browser or a partner's program sends them: to a gunicorn of its own, over one kept connection."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode


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


class Browser:
    """One signed-in person's browser: pages come compressed, as browsers ask for them."""

    def __init__(self, port: int, session: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        secret = "0123456789abcdef" * 2
        self.headers = {
            "Accept-Encoding": "gzip",
            "Cookie": f"sessionid={session}; csrftoken={secret}",
            "X-CSRFToken": secret,
        }

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[float, str]:
        """Milliseconds until the whole answer was there, and the page; with a form it is sent, as htmx does it."""
        headers, body, method = self.headers, None, "GET"
        if form is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
            body, method = urlencode(form), "POST"
        began = time.perf_counter()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        content = response.read()
        spent = (time.perf_counter() - began) * 1000
        if response.headers["Content-Encoding"] == "gzip":
            content = gzip.decompress(content)
        if response.status != http.client.OK:
            raise AssertionError(f"{method} {path} answered {response.status}: {content[:300]!r}")
        return spent, content.decode()


def session_of(staff: int) -> str:
    """A session in which they are signed in, for a browser's cookie."""
    from django.conf import settings
    from django.test import Client

    from clinic.models import Staff

    client = Client()
    client.force_login(Staff.objects.get(pk=staff), "django.contrib.auth.backends.ModelBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def queries_of(path: str, session: str, form: dict[str, str] | None = None, **headers: str) -> int:
    """How many queries a page takes for somebody whose session has just been renewed."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={**headers, **({"HX-Request": "true"} if form else {})})
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path) if form is None else client.post(path, form)
        if answer.status_code != http.client.OK:
            raise AssertionError(f"{path} answered {answer.status_code}")
    return len(captured)


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
