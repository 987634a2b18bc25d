"""What the calendar's table says: hundreds of visits, so their list is put together here and not by a template each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.models import PhaseChoice
from scheduling.weeks import Column, Visit

register = template.Library()


@register.simple_tag
def day_note(column: Column, today: date) -> str:
    """What a date's head says beside it: how many visits, when it is closed and why; and whether it is today."""
    count = ngettext("%(count)s visit", "%(count)s visits", column.visits) % {"count": column.visits}
    facts = [_("closed"), *([count] if column.visits else [])] if column.closed else [count]
    note = ", ".join([*facts, *column.reasons])
    return _("today · %(note)s") % {"note": note} if column.date == today else note


@register.simple_tag
def visit_list(visits: Sequence[Visit], by: str, names: Mapping[int, str], *, may_move: bool) -> SafeString:
    """The visits of a cell in order of time: a link to each course, and to where it is moved.

    `names` are of what the rows do not say: prescribers' initials, or chairs.
    """
    if not visits:
        return SafeString("–")
    course, move = (reverse(name, args=[0]) for name in ("course", "session-move"))  # once, not for each of hundreds
    rows = (
        (
            course.replace("/0/", f"/{visit.course}/"),
            clock(visit.start),
            f"{visit.family}, {visit.first}",
            format_html(' <a href="{}">{}</a>', move.replace("/0/", f"/{visit.session}/"), _("Move"))
            if may_move and visit.movable
            else "",
            ", ".join(_facts(visit, names[visit.prescriber if by == "chair" else visit.chair])),
        )
        for visit in visits
    )
    return format_html("<ol>{}</ol>", format_html_join("", '<li><a href="{}">{} {}</a>{} <small>{}</small></li>', rows))


def clock(minutes: int) -> str:
    """What the site's clocks show so many minutes after midnight: "09:00"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _facts(visit: Visit, beside: str) -> Iterator[str]:
    yield str(visit.state.label)
    if visit.phase == PhaseChoice.INITIAL:
        yield _("%(number)s of %(of)s") % {"number": visit.number, "of": visit.of}
    yield beside
    if visit.movable and visit.expected is not None:
        yield _("comes %(time)s") % {"time": clock(visit.expected)}
    if visit.needs_replan:
        yield _("needs a new time")
