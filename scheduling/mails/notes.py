"""What has been sent, written down at once: on a connection of its own, past the transaction of the batch."""

from __future__ import annotations

import time
from datetime import datetime
from types import TracebackType
from typing import Self

from django.db import InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from scheduling.models import MailState

#: A database that is away is asked again for so many seconds: what is not written down is sent twice.
PATIENCE = 10.0
PAUSE = 0.1

_INSERT = "INSERT INTO scheduling_attempt (mail_id, at, state, answer) VALUES (%s, %s, %s, '')"


class Notes:
    """The connection of one batch: opened by its first mail that was sent, each note committed as it is made."""

    def __init__(self) -> None:
        self._connection: BaseDatabaseWrapper | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def sent(self, mail: int, at: datetime) -> None:
        """Commit that a mail has gone out. Raises what the database raises when it stays away for PATIENCE."""
        if self._connection is None:
            self._connection = connection.copy()
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute(_INSERT, [mail, at, MailState.SENT])
            except (OperationalError, InterfaceError):
                self._connection.close()
                if time.monotonic() >= ends:
                    raise
                time.sleep(PAUSE)
            else:
                return
