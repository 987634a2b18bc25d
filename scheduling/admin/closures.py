"""Closures of a site, outages of a chair."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import clock
from clinic.admin import set_up
from clinic.forms import ClockField, DateField
from clinic.http import actor
from clinic.models import Closure
from scheduling import roster
from scheduling.admin.common import RosterAdmin, When, in_reach, moment


class ClosureForm(forms.ModelForm[Closure]):
    """A closure of whole days, or from a time to a time, by the clock on the wall of the site."""

    first_day = DateField(label=gettext_lazy("First day"), validators=[in_reach])
    last_day = DateField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy("Empty: one day."),
        validators=[in_reach],
    )
    from_time = ClockField(
        label=gettext_lazy("Closed from"), required=False, help_text=gettext_lazy("Empty: the whole day.")
    )
    until_time = ClockField(
        label=gettext_lazy("Closed until"), required=False, help_text=gettext_lazy("Empty: the whole day.")
    )

    class Meta:
        model = Closure
        fields = ["site", "chair", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = self.instance
        #: Where and when it stands now, whatever the form will say.
        self.stored = Closure(pk=row.pk, site=row.site, during=row.during) if row.pk else None
        if row.pk:
            zone = row.site.zone
            start, end = row.during.lower.astimezone(zone), row.during.upper.astimezone(zone)
            until = end - timedelta(days=1) if end.time() == time.min else end
            self.initial.update(
                first_day=start.date(),
                last_day=until.date(),
                from_time=start.time() if start.time() != time.min else None,
                until_time=end.time() if end.time() != time.min else None,
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        site, first, chair = cleaned.get("site"), cleaned.get("first_day"), cleaned.get("chair")
        if site is None or first is None:
            return cleaned
        if chair is not None and chair.site_id != site.pk:
            self.add_error("chair", _("This chair is at another site."))
        last = cleaned.get("last_day") or first
        end = cleaned.get("until_time")
        end_day = last if end else last + timedelta(days=1)
        starts_at = moment(self, "from_time", first, cleaned.get("from_time") or time.min, site.zone)
        ends_at = moment(self, "until_time", end_day, end or time.min, site.zone)
        if starts_at and ends_at:
            cleaned |= {"starts_at": starts_at, "ends_at": ends_at}
            if not starts_at < ends_at:
                self.add_error("last_day", _("It ends after it begins."))
            elif ends_at - starts_at > roster.LONGEST_CLOSURE:
                self.add_error("last_day", _("A closure lasts at most a year."))
        return cleaned


@admin.register(Closure, site=set_up)
class ClosureAdmin(RosterAdmin):
    """When a site, or a chair of it, does not treat. Visits that this touches go onto the worklist."""

    form = ClosureForm
    fields = ["site", "chair", "first_day", "last_day", "from_time", "until_time", "reason"]
    list_display = ["told_when", "site", "chair", "reason"]
    list_filter = [When, "site"]
    list_select_related = ["site", "chair"]

    def save_model(self, request: HttpRequest, obj: Closure, form: Any, change: bool) -> None:
        values = form.cleaned_data
        stored = roster.set_closure(
            actor=actor(request),
            site=values["site"],
            chair=values["chair"],
            starts_at=values["starts_at"],
            ends_at=values["ends_at"],
            reason=values["reason"],
            closure=form.stored,
            now=clock.now(),
        )
        obj.pk, obj.during = stored.pk, stored.during
        self.say_who_needs_a_time(request, obj)

    def delete_model(self, request: HttpRequest, obj: Closure) -> None:
        roster.remove_closure(actor=actor(request), closure=obj, now=clock.now())
