"""Django's own backend for PostgreSQL with a quicker way to read instants: a day board reads more than a thousand, and
Django's loader takes psycopg's slow path for each. `ENGINE` in the settings names this package."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap


class InstantLoader(BaseTzLoader):  # type: ignore[misc]  # Django leaves it untyped
    """Reads what PostgreSQL writes while its connection's zone is UTC; all else is left to Django's loader."""

    timezone = UTC

    def load(self, data: Buffer) -> datetime:
        try:
            at = datetime.fromisoformat(str(data, "ascii"))
        except ValueError:  # infinity, before Christ, after 9999: what it says about those is said once
            return self.carefully(data)
        return at if at.tzinfo is UTC else self.carefully(data)

    def carefully(self, data: Buffer) -> datetime:
        at: datetime = super().load(data)
        return at


@lru_cache
def _adapters(context: AdaptersMap) -> AdaptersMap:
    adapters = AdaptersMap(context)
    adapters.register_loader("timestamptz", InstantLoader)
    return adapters


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that reads instants quickly."""

    def get_connection_params(self) -> dict[str, Any]:
        """Django's, with the loader of instants in place of its own where both read UTC."""
        params: dict[str, Any] = super().get_connection_params()
        if self.timezone is UTC:
            params["context"] = _adapters(params["context"])
        return params
