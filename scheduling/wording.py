"""How a date, a time and a length are said to patients, in the language that is active."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from babel.dates import get_timezone_name
from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _


def day(at: datetime, zone: tzinfo) -> str:
    """The local date: "Saturday 28 November 2026"."""
    return date_format(at.astimezone(zone).date(), pgettext("a date, in Django's format", "l j F Y"))


def clock(at: datetime, zone: tzinfo) -> str:
    """The local time: "10:00", and where the clocks show it twice "01:30 (EDT, UTC−4)"."""
    local = at.astimezone(zone)
    return f"{local:%H:%M}{_told_apart(local)}"


def time(at: datetime, zone: tzinfo) -> str:
    """The local time with its zone: "10:00 Eastern Time", "01:30 Eastern Time (EDT, UTC−4)"."""
    local = at.astimezone(zone)
    name = _("%(clock)s %(zone)s") % {"clock": f"{local:%H:%M}", "zone": zone_name(at, zone)}
    return f"{name}{_told_apart(local)}"


def when(at: datetime, zone: tzinfo) -> str:
    """Everything about an instant: "Saturday 28 November 2026, 10:00 Eastern Time"."""
    return _("%(day)s, %(time)s") % {"day": day(at, zone), "time": time(at, zone)}


def zone_name(at: datetime, zone: tzinfo) -> str:
    """What people call the zone: "Eastern Time"; its distance from UTC where it has no name of its own."""
    return _name(zone, get_language() or "en") or _offset(at.astimezone(zone))


def length(span: timedelta) -> str:
    """Hours and minutes: "3 h 10 min"."""
    hours, minutes = divmod(round(span / timedelta(minutes=1)), 60)
    if not hours:
        return _("%(minutes)s min") % {"minutes": minutes}
    if not minutes:
        return _("%(hours)s h") % {"hours": hours}
    return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}


@lru_cache
def _name(zone: tzinfo, language: str) -> str:
    """The zone's name the whole year round, empty where the common names do not know it."""
    name = get_timezone_name(zone, zone_variant="generic", locale=language)
    return "" if "(" in name else name


def _told_apart(local: datetime) -> str:
    """What tells one of two equal local times from the other, nothing for any other time."""
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return ""
    letters = [f"{local:%Z}"] if f"{local:%Z}".isalpha() else []
    return f" ({', '.join([*letters, _offset(local)])})"


def _offset(local: datetime) -> str:
    minutes = round((local.utcoffset() or timedelta()) / timedelta(minutes=1))
    sign = "−" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours}:{rest:02}" if rest else f"UTC{sign}{hours}"
