"""The verb with 1 client against the same statements in plain psycopg."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import _booking

NAME = "book-1"


def run() -> dict[str, Any]:
    return _booking.measure(clients=1, each=60, rounds=5)
