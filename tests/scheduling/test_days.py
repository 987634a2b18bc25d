"""Day rows made ahead."""

from datetime import UTC, date, datetime, timedelta

import pytest

from scheduling import days
from scheduling.models import Day
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db

#: The second of February in Auckland, the first everywhere else.
NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)


def test_every_site_gets_its_days_from_its_own_today_on() -> None:
    west, east = (SiteFactory.create(time_zone=zone) for zone in ("America/New_York", "Pacific/Auckland"))
    assert days.create_ahead(now=NOW) == 800
    for site, first in ((west, date(2027, 2, 1)), (east, date(2027, 2, 2))):
        dates = Day.objects.filter(site=site).order_by("date").values_list("date", flat=True)
        assert list(dates) == [first + timedelta(days=number) for number in range(400)]


def test_days_that_are_there_keep_their_version() -> None:
    site = SiteFactory.create()
    Day.objects.create(site=site, date=date(2027, 2, 3), version=7)
    assert days.create_ahead(now=NOW, days=5) == 4
    assert days.create_ahead(now=NOW, days=5) == 0
    assert list(Day.objects.order_by("date").values_list("version", flat=True)) == [1, 1, 7, 1, 1]
