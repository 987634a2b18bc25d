"""Many writers at the same moment, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import psycopg
from django.db import connection

#: A write by plain SQL, inside a transaction that the crowd opens and commits.
Write = Callable[["psycopg.Cursor[tuple[Any, ...]]"], None]

OK = "ok"


@dataclass(frozen=True)
class Manners:
    """How a writer behaves who knows nothing of the application."""

    isolation: psycopg.IsolationLevel = psycopg.IsolationLevel.READ_COMMITTED
    locks_days: bool = False
    defers: bool = False

    def __str__(self) -> str:
        parts = [self.isolation.name.lower().replace("_", "-")]
        parts += ["lock-days"] * self.locks_days + ["deferred"] * self.defers
        return " ".join(parts)


def connect() -> psycopg.Connection[tuple[Any, ...]]:
    """A connection of one's own to the tests' database."""
    parameters: dict[str, Any] = connection.get_connection_params()
    wanted = ("dbname", "user", "password", "host", "port")
    return psycopg.connect(**{name: parameters[name] for name in wanted if name in parameters})


class Crowd(AbstractContextManager["Crowd"]):
    """So many threads, each with an open connection; they begin together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._connections = [connect() for _ in range(size)]
        self._threads = ThreadPoolExecutor(size)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        for link in self._connections:
            link.close()

    def write(self, writes: Sequence[Write], manners: Manners = Manners()) -> list[str]:
        """Run every write in a transaction of its own, all at once; for each OK or the SQLSTATE of its refusal."""
        barrier = threading.Barrier(len(writes))

        def act(link: psycopg.Connection[tuple[Any, ...]], write: Write) -> str:
            link.isolation_level = manners.isolation
            barrier.wait(timeout=30)
            try:
                with link.transaction(), link.cursor() as cursor:
                    if manners.defers:
                        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                    write(cursor)
            except psycopg.Error as refused:
                return refused.sqlstate or str(refused)
            return OK

        return list(self._threads.map(act, self._connections[: len(writes)], writes))
