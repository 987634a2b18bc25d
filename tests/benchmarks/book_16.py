"""The verb with 16 clients against the same statements in plain psycopg."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import _booking

NAME = "book-16"


def run() -> dict[str, Any]:
    return _booking.measure(clients=16, each=8, rounds=5)
