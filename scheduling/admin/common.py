"""What closures and shifts share: local times in their forms, and lists of what is still to come."""

from __future__ import annotations

from datetime import date, datetime, time, tzinfo
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic import clock
from clinic.admin import SetUpAdmin, may_set_up
from clinic.models import Closure, Shift
from scheduling import roster
from scheduling.protocols.windows import NoSuchTime, instant


def in_reach(day: date) -> None:
    """For date fields: refuse what lies outside the years in which anybody plans."""
    if day.year not in roster.YEARS:
        raise ValidationError(roster.OUT_OF_REACH)


def moment(form: forms.BaseForm, field: str, day: date, at: time, zone: tzinfo) -> datetime | None:
    """The instant of a local time, None after an error at the field when the clocks skip it."""
    try:
        return instant(day, at, zone)
    except NoSuchTime:
        form.add_error(field, _("The clocks skip this time on that date."))
        return None


def _told(during: Any, zone: tzinfo) -> str:
    """A time span by the clock on the wall."""
    start, end = during.lower.astimezone(zone), during.upper.astimezone(zone)
    first, last = date_format(start, "D j M Y H:i"), date_format(end, "D j M Y H:i")
    return f"{first}–{end:%H:%M}" if start.date() == end.date() else f"{first} – {last}"


class When(admin.SimpleListFilter):
    """What is still to come, unless told otherwise."""

    title = gettext_lazy("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", _("Also what is past"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield first | {"display": _("To come")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() == "all" else queryset.filter(during__endswith__gt=clock.now())


class RosterAdmin(SetUpAdmin[Any]):
    """Rows that the verbs of the roster write and remove."""

    ordering = ["during"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("site")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_set_up(request)

    @admin.display(description=gettext_lazy("when"), ordering="during")
    def told_when(self, row: Closure | Shift) -> str:
        return _told(row.during, row.site.zone)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset.select_related("site"):
            self.delete_model(request, row)

    def say_who_needs_a_time(self, request: HttpRequest, row: Closure | Shift) -> None:
        """Name the visits in that time that do not fit any more."""
        count = roster.waiting(site=row.site, during=row.during)
        if count:
            text = ngettext(
                "%(count)s visit in that time needs a new one; it is on the worklist.",
                "%(count)s visits in that time need a new one; they are on the worklist.",
                count,
            )
            messages.warning(request, text % {"count": count})
