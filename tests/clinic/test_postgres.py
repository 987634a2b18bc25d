"""Instants come out of the database as they went in, and as Django's own loader reads them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, connection
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange as Range
from hypothesis import given
from hypothesis import strategies as st
from psycopg.postgres import types

from clinic.postgres.base import InstantLoader


def stored(at: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [at])
        return cursor.fetchone()[0]


class DjangosLoader(BaseTzLoader):  # type: ignore[misc]  # Django leaves it untyped
    timezone = UTC


@given(st.datetimes())
def test_an_instant_is_read_as_djangos_loader_reads_it(at: datetime) -> None:
    oid = types["timestamptz"].oid
    text = at.isoformat(" ").rstrip("0").encode() if at.microsecond else at.isoformat(" ").encode()

    quick = InstantLoader(oid, None).load(memoryview(text + b"+00"))

    assert quick == DjangosLoader(oid, None).load(memoryview(text + b"+00")) == at.replace(tzinfo=UTC)
    assert quick.tzinfo is UTC


@pytest.mark.django_db
def test_instants_alone_in_ranges_and_in_arrays_come_back_as_they_are() -> None:
    at = datetime(2026, 3, 8, 6, 59, 59, 123450, tzinfo=UTC)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::timestamptz, tstzrange(%s, %s), ARRAY[%s]::timestamptz[]",
            [at, at, at + timedelta(days=1), at],
        )
        row = cursor.fetchone()

    assert row == (at, Range(at, at + timedelta(days=1), "[)"), [at])


@pytest.mark.django_db
@pytest.mark.parametrize("at", ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "10001-01-01 00:00:00+00"])
def test_what_python_cannot_hold_is_refused_as_before(at: str) -> None:
    with pytest.raises(DataError):
        stored(at)
