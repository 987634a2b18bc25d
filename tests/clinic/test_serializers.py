"""Times with their offsets, held against the clocks of a site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.serializers import clocks_refuse

SKIPPED = "There is no such time at the site: the clocks go forward then."
WINTER = "The site's clocks are at -05:00 from UTC then, not at %s."
EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]


@pytest.mark.parametrize(
    ("said", "zone", "refusal"),
    [
        ("2027-02-01T09:00:00-05:00", "America/New_York", ""),
        ("2027-02-01T14:00:00+00:00", "America/New_York", ""),
        (
            "2027-02-01T09:00:00-04:00",
            "America/New_York",
            WINTER % "-04:00",
        ),
        (
            "2027-02-01T15:00:00+01:00",
            "America/New_York",
            WINTER % "+01:00",
        ),
        ("2027-03-14T02:30:00-05:00", "America/New_York", SKIPPED),
        ("2027-03-14T02:30:00-04:00", "America/New_York", SKIPPED),
        ("2027-03-14T02:30:00+01:00", "America/New_York", SKIPPED),
        ("2027-03-14T02:30:00+00:00", "America/New_York", ""),
        ("2027-03-14T03:00:00-04:00", "America/New_York", ""),
        ("2027-11-07T01:30:00-04:00", "America/New_York", ""),
        ("2027-11-07T01:30:00-05:00", "America/New_York", ""),
        ("2027-10-03T02:15:00+11:00", "Australia/Lord_Howe", SKIPPED),
        ("2027-04-04T01:45:00+10:30", "Australia/Lord_Howe", ""),
    ],
)
def test_a_time_is_taken_when_the_clocks_show_it(said: str, zone: str, refusal: str) -> None:
    assert clocks_refuse(datetime.fromisoformat(said), ZoneInfo(zone)) == refusal


@given(seconds=st.integers(0, 230 * 365 * 24 * 3600), zone=st.sampled_from(ZONES).map(ZoneInfo))
def test_every_moment_is_taken_as_the_zones_clocks_write_it(seconds: int, zone: ZoneInfo) -> None:
    moment = EPOCH + timedelta(seconds=seconds)
    local = moment.astimezone(zone)
    said = datetime.fromisoformat(local.isoformat())

    assert clocks_refuse(said, zone) == ""
    assert said == moment


@given(seconds=st.integers(0, 230 * 365 * 24 * 3600), zone=st.sampled_from(ZONES).map(ZoneInfo))
def test_no_moment_is_taken_by_another_offset(seconds: int, zone: ZoneInfo) -> None:
    moment = EPOCH + timedelta(seconds=seconds)
    local = moment.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    other = datetime.fromisoformat(local.isoformat()).replace(
        tzinfo=datetime.fromisoformat(f"2000-01-01T00:00:00{'-' if offset > timedelta() else '+'}13:37").tzinfo
    )

    assert clocks_refuse(other, zone) != ""
