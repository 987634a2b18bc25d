"""Shifts, one at a time or as a weekly pattern."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic import clock
from clinic.admin import set_up
from clinic.errors import DomainError
from clinic.forms import ClockField, DateField, add_error
from clinic.http import actor
from clinic.models import Role, Shift, Site, Staff
from scheduling import roster
from scheduling.admin.common import RosterAdmin, When, in_reach, moment

WEEKDAYS = [
    (0, gettext_lazy("Monday")),
    (1, gettext_lazy("Tuesday")),
    (2, gettext_lazy("Wednesday")),
    (3, gettext_lazy("Thursday")),
    (4, gettext_lazy("Friday")),
    (5, gettext_lazy("Saturday")),
    (6, gettext_lazy("Sunday")),
]


class WorkerField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when the program runs
    """Somebody who works here, by name and role."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            Staff.objects.filter(is_active=True).order_by("last_name", "first_name"),
            label=gettext_lazy("Who"),
            **kwargs,
        )

    def label_from_instance(self, obj: Staff) -> str:
        role = _("Prescriber") if obj.is_prescriber else Role(obj.role).label
        return f"{obj} ({role})"


class PatientsField(forms.IntegerField):
    """How many patients a prescriber may have at once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=gettext_lazy("Patients at once"),
            min_value=0,
            max_value=20,
            required=False,
            help_text=gettext_lazy("For prescribers. Empty: what their own page says."),
            **kwargs,
        )


class ShiftForm(forms.ModelForm[Shift]):
    """One shift, by the clock on the wall of the site."""

    staff = WorkerField()
    day = DateField(label=gettext_lazy("Day"), validators=[in_reach])
    begins = ClockField(label=gettext_lazy("Begins"))
    ends = ClockField(label=gettext_lazy("Ends"), help_text=gettext_lazy("Before it begins: on the next day."))
    patients_at_once = PatientsField()

    class Meta:
        model = Shift
        fields = ["staff", "site", "patients_at_once"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = self.instance
        #: Where and when it stands now, whatever the form will say.
        self.stored = Shift(pk=row.pk, site=row.site, during=row.during) if row.pk else None
        if row.pk:
            zone = row.site.zone
            start, end = row.during.lower.astimezone(zone), row.during.upper.astimezone(zone)
            self.initial.update(day=start.date(), begins=start.time(), ends=end.time())

    def clean_patients_at_once(self) -> int:
        return _limit(self)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        site, day = cleaned["site"], cleaned["day"]
        until = day if cleaned["ends"] > cleaned["begins"] else day + timedelta(days=1)
        starts_at = moment(self, "begins", day, cleaned["begins"], site.zone)
        ends_at = moment(self, "ends", until, cleaned["ends"], site.zone)
        if starts_at and ends_at:
            cleaned |= {"starts_at": starts_at, "ends_at": ends_at}
            others = Shift.objects.filter(
                staff=cleaned["staff"], during__startswith__lt=ends_at, during__endswith__gt=starts_at
            )
            if others.exclude(pk=self.instance.pk).exists():
                self.add_error("day", _("This person already has a shift then."))
        _works_there(self)
        return cleaned


class PatternForm(forms.Form):
    """The same shift on some weekdays of a period."""

    staff = WorkerField()
    site = forms.ModelChoiceField(Site.objects.order_by("name"), label=gettext_lazy("Site"))
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Weekdays"), choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    begins = ClockField(label=gettext_lazy("Begins"))
    ends = ClockField(label=gettext_lazy("Ends"), help_text=gettext_lazy("Before it begins: on the next day."))
    first = DateField(label=gettext_lazy("First day"), validators=[in_reach])
    last = DateField(label=gettext_lazy("Last day"), validators=[in_reach])
    patients_at_once = PatientsField()

    def clean_patients_at_once(self) -> int:
        return _limit(self)


def _limit(form: forms.BaseForm) -> int:
    """The limit that was entered, otherwise the person's own."""
    entered: int | None = form.cleaned_data["patients_at_once"]
    staff: Staff | None = form.cleaned_data.get("staff")
    if entered is not None:
        return entered
    return staff.patients_at_once if staff is not None else 0


def _works_there(form: forms.BaseForm) -> None:
    staff, site = form.cleaned_data["staff"], form.cleaned_data["site"]
    if not staff.sites.filter(pk=site.pk).exists():
        form.add_error("staff", _("This person does not work at this site."))


@admin.register(Shift, site=set_up)
class ShiftAdmin(RosterAdmin):
    """Who works when. A visit needs its prescriber on shift from the start of the dose to discharge."""

    form = ShiftForm
    fields = ["staff", "site", "day", "begins", "ends", "patients_at_once"]
    list_display = ["told_when", "staff", "site", "patients_at_once"]
    list_filter = [When, "site", ("staff", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["staff", "site"]
    change_list_template = "admin/clinic/shift/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        pattern = path("pattern/", self.admin_site.admin_view(self.pattern), name="clinic_shift_pattern")
        return [pattern, *super().get_urls()]

    def pattern(self, request: HttpRequest) -> HttpResponse:
        """A weekly pattern for a period."""
        form = PatternForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                made = roster.set_pattern(actor=actor(request), **form.cleaned_data, now=clock.now())
            except DomainError as refusal:
                add_error(form, refusal)
            else:
                text = ngettext("%(count)s shift was added.", "%(count)s shifts were added.", len(made))
                messages.success(request, text % {"count": len(made)})
                return redirect("admin:clinic_shift_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Add a weekly pattern"),
            "opts": self.opts,
            "form": form,
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "admin/clinic/shift/pattern.html", context, status=status)

    def save_model(self, request: HttpRequest, obj: Shift, form: Any, change: bool) -> None:
        values = form.cleaned_data
        stored = roster.set_shift(
            actor=actor(request),
            staff=values["staff"],
            site=values["site"],
            starts_at=values["starts_at"],
            ends_at=values["ends_at"],
            patients_at_once=values["patients_at_once"],
            shift=form.stored,
            now=clock.now(),
        )
        obj.pk, obj.during = stored.pk, stored.during
        self.say_who_needs_a_time(request, obj)

    def delete_model(self, request: HttpRequest, obj: Shift) -> None:
        roster.remove_shift(actor=actor(request), shift=obj, now=clock.now())
