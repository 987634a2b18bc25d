"""The times that the desk has opened for patients: when they may move a visit by themselves, and how long before it.

`SelfServiceHours` says on which weekday a visit may begin, from its first start to its last, both included; the site's
`self_service_notice` how many hours have to lie between the act and the visit, the old one and the new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid
from clinic.models import SelfServiceHours, Site, Staff
from clinic.permissions import Verb

#: The longest notice that can be asked for, in hours (P): four weeks.
LONGEST_NOTICE = 672

#: More windows than this are a mistake (P).
MOST_WINDOWS = 50


class Window(NamedTuple):
    """On a weekday, 0 for Monday, visits may be moved to starts from `opens` to `closes`, by the site's clocks."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class SelfService:
    """What patients of a site may do by themselves. `windows` by weekday and time, none where nothing is opened."""

    site: Site
    windows: tuple[Window, ...]

    @property
    def notice(self) -> timedelta:
        """How much time has to be left before the visit, the old one and the new."""
        return timedelta(hours=self.site.self_service_notice)

    def may_leave(self, starts_at: datetime, now: datetime) -> bool:
        """Whether a visit that begins then may still be moved by the patient."""
        return bool(self.windows) and now + self.notice <= starts_at

    def may_take(self, starts_at: datetime, now: datetime) -> bool:
        """Whether a patient may move a visit to this start, as far as hours and notice go."""
        if now + self.notice > starts_at:
            return False
        local = starts_at.astimezone(self.site.zone)
        return any(one.weekday == local.weekday() and one.opens <= local.time() <= one.closes for one in self.windows)


def read(site: Site) -> SelfService:
    """What is open now. One query."""
    rows = SelfServiceHours.objects.filter(site=site).order_by("weekday", "opens")
    return SelfService(site, tuple(Window(*row) for row in rows.values_list("weekday", "opens", "closes")))


def open_window(*, actor: Staff, site: Site, window: Window) -> SelfService:
    """Open a window; one that touches others of its weekday becomes one with them. Locks the site's row.

    Raises RoleRefused, Invalid for a weekday that there is not, a last start before the first, and too many windows.
    """
    return _change(actor, site, adding=[window])


def close_window(*, actor: Staff, site: Site, window: Window) -> SelfService:
    """Take a window away; does nothing where there is none. Locks the site's row. Raises RoleRefused."""
    return _change(actor, site, without=window)


def set_notice(*, actor: Staff, site: Site, hours: int) -> SelfService:
    """How many hours before a visit patients may still move it. Locks the site's row. Raises RoleRefused, Invalid."""
    return _change(actor, site, notice=hours)


def replace(*, actor: Staff, site: Site, hours: int, windows: Sequence[Window]) -> SelfService:
    """Say anew what is open, all of it at once. Locks the site's row. Raises as `open_window`."""
    return _change(actor, site, notice=hours, adding=windows, afresh=True)


def _change(
    actor: Staff,
    site: Site,
    *,
    notice: int | None = None,
    adding: Sequence[Window] = (),
    without: Window | None = None,
    afresh: bool = False,
) -> SelfService:
    permissions.require(actor, Verb.BOOK, at=site)
    for window in adding:
        _check(window)
    if notice is not None and not 0 <= notice <= LONGEST_NOTICE:
        values = {"most": LONGEST_NOTICE}
        raise Invalid.at("notice_hours", _("Say how many hours before, up to %(most)s.") % values)
    with transaction.atomic():
        fresh = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        known = () if afresh else read(fresh).windows
        wanted = _joined([*(one for one in known if one != without), *adding])
        if len(wanted) > MOST_WINDOWS:
            raise Invalid.at("windows", _("At most %(most)s times of the week.") % {"most": MOST_WINDOWS})
        SelfServiceHours.objects.filter(site=fresh).delete()
        SelfServiceHours.objects.bulk_create(SelfServiceHours(site=fresh, **one._asdict()) for one in wanted)
        if notice is not None:
            fresh.self_service_notice = notice
            fresh.save(update_fields=["self_service_notice"])
    site.self_service_notice = fresh.self_service_notice
    return SelfService(fresh, wanted)


def _check(window: Window) -> None:
    if not 0 <= window.weekday <= 6:
        raise Invalid.at("weekday", _("There is no such weekday."))
    if window.closes < window.opens:
        raise Invalid.at("closes", _("The last start comes after the first."))


def _joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same times in as few windows as possible, by weekday and time."""
    joined: list[Window] = []
    for window in sorted(windows):
        last = joined[-1] if joined else None
        if last is not None and last.weekday == window.weekday and window.opens <= last.closes:
            joined[-1] = last._replace(closes=max(last.closes, window.closes))
        else:
            joined.append(window)
    return tuple(joined)


def by_weekday(windows: Iterable[Window]) -> Mapping[int, list[Window]]:
    """The windows of each weekday."""
    found: dict[int, list[Window]] = {day: [] for day in range(7)}
    for window in windows:
        found[window.weekday].append(window)
    return found
