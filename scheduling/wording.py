"""How a date, a time, a length and a rule are said, in the language that is active."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from babel.dates import get_timezone_name
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy, ngettext_lazy, pgettext

from clinic.findings import Finding
from clinic.phrases import gettext as _

#: The rules of protocol.md by their codes, as a page names them.
RULES = {
    "initial-max": gettext_lazy("too many initial visits"),
    "initial-min": gettext_lazy("too few initial visits"),
    "span-max": gettext_lazy("initial phase too long"),
    "span-min": gettext_lazy("initial phase too short"),
    "gap-min": gettext_lazy("gap too short"),
    "gap-max": gettext_lazy("gap too long"),
    "one-a-day": gettext_lazy("two on one date"),
    "month-max": gettext_lazy("too many in a month"),
    "month-gap": gettext_lazy("maintenance gap too short"),
    "month-min": gettext_lazy("month without a visit"),
    "reach": gettext_lazy("minimum out of reach"),
    "less-often": gettext_lazy("maintenance not less often"),
    "phase-decided": gettext_lazy("maintenance not decided"),
    "stopped": gettext_lazy("course has ended"),
    "one-course": gettext_lazy("another course running"),
    "hours": gettext_lazy("outside opening hours"),
    "doctor": gettext_lazy("prescriber not on shift"),
    "not-screened": gettext_lazy("screening not accepted"),
    "first-line": gettext_lazy("no earlier treatment"),
    "two-failed": gettext_lazy("fewer than two failed trials"),
    "sign-offs": gettext_lazy("sign-off missing"),
    "consent": gettext_lazy("consent missing"),
    "rems": gettext_lazy("REMS enrolment missing"),
    "alone": gettext_lazy("no antidepressant beside it"),
    "bleed": gettext_lazy("bleed, malformation or allergy"),
    "vessels": gettext_lazy("blood vessel disease"),
    "pressure": gettext_lazy("history of high blood pressure"),
    "stroke": gettext_lazy("earlier stroke"),
    "tell-us": gettext_lazy("liver disease or heart attack"),
    "unanswered": gettext_lazy("history question unanswered"),
    "also-asked": gettext_lazy("pregnancy, psychosis or substance use"),
    "baseline": gettext_lazy("no recent PHQ-9"),
    "two-hours": gettext_lazy("two hours not over"),
    "new-history": gettext_lazy("new history not reviewed"),
    "bp-before": gettext_lazy("blood pressure before the dose"),
    "bp-high": gettext_lazy("blood pressure too high"),
    "bp-during": gettext_lazy("blood pressure during the visit"),
    "spo2": gettext_lazy("oxygen saturation"),
    "bp-leave": gettext_lazy("blood pressure not falling"),
    "sedation": gettext_lazy("still sedated"),
    "escort": gettext_lazy("escort not named"),
    "score-seen": gettext_lazy("score not acknowledged"),
    "dose-check": gettext_lazy("dose not confirmed"),
    "rems-form": gettext_lazy("monitoring form open"),
    "no-baseline": gettext_lazy("baseline too low for a percentage"),
    "early-review": gettext_lazy("early review"),
    "offer-maintenance": gettext_lazy("offer maintenance"),
    "go-on": gettext_lazy("go on"),
    "extend": gettext_lazy("extend"),
    "stop-advised": gettext_lazy("stop advised"),
    "worse": gettext_lazy("worse"),
    "relapse": gettext_lazy("relapse"),
    "item-9": gettext_lazy("item 9"),
}

#: How a breach reads where the observed value says more than the rule's name.
_OBSERVED = {
    "initial-max": gettext_lazy("%(observed)s"),
    "initial-min": gettext_lazy("only %(observed)s"),
    "span-max": gettext_lazy("%(observed)s"),
    "span-min": gettext_lazy("ends on %(observed)s"),
    "gap-min": gettext_lazy("gap %(observed)s"),
    "gap-max": gettext_lazy("gap %(observed)s"),
    "month-max": gettext_lazy("%(observed)s in a month"),
    "month-gap": gettext_lazy("gap %(observed)s"),
}

#: How a breach reads where nothing was observed.
_MISSING = {
    "bp-high": gettext_lazy("blood pressure missing"),
    "bp-leave": gettext_lazy("blood pressure missing"),
    "sedation": gettext_lazy("sedation not graded"),
}

#: The units in which rules measure; rules are pure and say them in English.
_UNITS = {
    "calendar day": ngettext_lazy("%(count)s calendar day", "%(count)s calendar days", "count"),
    "day": ngettext_lazy("%(count)s day", "%(count)s days", "count"),
    "hour": ngettext_lazy("%(count)s hour", "%(count)s hours", "count"),
    "session": ngettext_lazy("%(count)s session", "%(count)s sessions", "count"),
    "course": ngettext_lazy("%(count)s course", "%(count)s courses", "count"),
}
_COUNTED = re.compile(rf"\b(\d+) ({'|'.join(_UNITS)})s?\b")
_NUMBERED = re.compile(r"\bday (\d+)\b")


def rule(code: str) -> str:
    """The rule's short name: "gap too long"; a code that is not known stands for itself."""
    return str(RULES.get(code, code))


def breach(found: Finding) -> str:
    """What a rule found, in a few words: "gap 8 days", "day 23", "outside opening hours"."""
    if found.observed and found.rule in _OBSERVED:
        return _OBSERVED[found.rule] % {"observed": measured(found.observed)}
    if not found.observed and found.rule in _MISSING:
        return str(_MISSING[found.rule])
    return rule(found.rule)


def measured(text: str) -> str:
    """A rule's measure in the language that is active: "8 days", "1 day, 23 h", "day 23"."""
    first, joined, second = text.partition(" and ")
    if joined:
        return _("%(first)s and %(second)s") % {"first": measured(first), "second": measured(second)}
    text = _NUMBERED.sub(lambda match: _("day %(number)s") % {"number": match[1]}, text)
    return _COUNTED.sub(lambda match: str(_UNITS[match[2]] % {"count": int(match[1])}), text)


def sentence(text: str, values: Mapping[str, object]) -> str:
    """A rule's text with its values in their places, measures and all in the language that is active."""
    return _(text) % {name: measured(value) if isinstance(value, str) else value for name, value in values.items()}


def day(at: datetime, zone: tzinfo) -> str:
    """The local date: "Saturday 28 November 2026"."""
    return date_format(at.astimezone(zone).date(), pgettext("a date, in Django's format", "l j F Y"))


def short(at: datetime, zone: tzinfo) -> str:
    """A local date and time where many stand together: "Sat 28 Nov 10:00"."""
    return f"{date_format(at.astimezone(zone), 'D j M')} {clock(at, zone)}"


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
