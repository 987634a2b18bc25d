"""Setting up the clinic: sites with their hours, staff, chairs. Managers only; see also `scheduling/admin.py`.

Nobody needs Django's own permissions here: who may enter stands in `permissions.py`. What the calendar rests on is
written by the verbs of `scheduling/roster.py`, under their locks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import clock, door, permissions, signin
from clinic.errors import DomainError
from clinic.http import actor
from clinic.models import Chair, OpeningHours, Role, Shift, Site, Staff
from clinic.permissions import Verb
from scheduling import roster
from scheduling.mails import privacy
from scheduling.roster import Hours

Row = TypeVar("Row", bound=Model)
AdminView = TypeVar("AdminView", bound=Callable[..., HttpResponseBase])


def may_set_up(request: HttpRequest) -> bool:
    """Whether whoever asks may enter."""
    return isinstance(request.user, Staff) and permissions.allowed(request.user, Verb.SET_UP)


class SetUp(admin.AdminSite):
    """Django's admin behind the clinic's own door: its sign-in page, and its table of roles."""

    site_header = gettext_lazy("Set up the clinic")
    site_title = gettext_lazy("Set up")
    index_title = gettext_lazy("What the clinic consists of")

    def has_permission(self, request: HttpRequest) -> bool:
        return may_set_up(request)

    def admin_view(self, view: AdminView, cacheable: bool = False) -> AdminView:
        """Like Django's; what is sent by somebody who is not signed in any more is kept."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST" and not request.user.is_authenticated:
                return door.to_sign_in(request)
            return guarded(request, *args, **kwargs)

        return cast("AdminView", inner)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Lead to the clinic's sign-in page; refuse those who are signed in in another role."""
        if request.user.is_authenticated and not may_set_up(request):
            raise PermissionDenied(_("Your role does not allow this."))
        return redirect_to_login(request.GET.get("next") or "/")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return signin.sign_out(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("change-password")


set_up = SetUp()


class SetUpAdmin(admin.ModelAdmin[Row]):
    """Rows that managers set up. Nothing is deleted unless a class says so: history needs it."""

    list_per_page = 50

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_set_up(request)

    def has_view_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return may_set_up(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_set_up(request)

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return may_set_up(request)

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self.told(
            request, lambda: super(SetUpAdmin, self).changeform_view(request, object_id, form_url, extra_context)
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.told(request, lambda: super(SetUpAdmin, self).delete_view(request, object_id, extra_context))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return self.told(request, lambda: super(SetUpAdmin, self).changelist_view(request, extra_context))

    def told(self, request: HttpRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
        """Say what a verb has refused although the form was fine: somebody else was quicker."""
        try:
            return act()
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return HttpResponseRedirect(request.get_full_path())


class StaffForm(UserChangeForm[Staff]):
    """A staff member; role and right to prescribe fit each other."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        refuse_prescribers_who_are_no_clinicians(self)
        return cleaned


class NewStaffForm(AdminUserCreationForm[Staff]):
    """The same with a first password."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        refuse_prescribers_who_are_no_clinicians(self)
        return cleaned


def refuse_prescribers_who_are_no_clinicians(form: forms.BaseForm) -> None:
    if form.cleaned_data.get("is_prescriber") and form.cleaned_data.get("role") != Role.CLINICIAN:
        form.add_error("is_prescriber", _("Only a clinician can be a prescriber."))


@admin.register(Staff, site=set_up)
class StaffAdmin(SetUpAdmin[Staff], UserAdmin[Staff]):
    """Who works here. Somebody who leaves is made inactive: what they have done keeps their name."""

    form = StaffForm
    add_form = NewStaffForm
    list_display = ["username", "last_name", "first_name", "role", "is_prescriber", "is_active"]
    list_filter = ["role", "is_active", "sites"]
    ordering = ["last_name", "first_name"]
    filter_horizontal = ["sites"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (gettext_lazy("Person"), {"fields": ["title", "first_name", "last_name", "email", "language"]}),
        (gettext_lazy("Work"), {"fields": ["role", "is_prescriber", "patients_at_once", "sites", "is_active"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "usable_password", "password1", "password2"]}),
        *fieldsets[1:],
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Staff | None = None) -> list[str]:
        """Nobody locks themselves out."""
        return ["role", "is_active"] if obj is not None and obj.pk == request.user.pk else []

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change and {"role", "is_prescriber", "is_active"} & set(form.changed_data):
            for site in Site.objects.filter(shifts__staff=form.instance).distinct():
                roster.review(actor=actor(request), site=site, now=clock.now())


class HoursFormSet(forms.BaseInlineFormSet[OpeningHours, Site, "forms.ModelForm[OpeningHours]"]):
    """All opening hours of a site at once."""

    def hours(self) -> list[Hours]:
        """What the rows say, in the order of the week."""
        rows = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        hours = [Hours(row["weekday"], row["opens"], row["closes"]) for row in rows]
        return sorted(hours, key=lambda one: (one.weekday, one.opens))

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        try:
            roster.check_hours(self.hours())
        except DomainError as refusal:
            raise ValidationError(refusal.message) from refusal


class HoursInline(admin.TabularInline[OpeningHours, Site]):
    """When the site is open; two rows on one weekday make a break."""

    model = OpeningHours
    formset = HoursFormSet
    extra = 0
    ordering = ["weekday", "opens"]

    def has_view_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        return may_set_up(request)

    def has_add_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        return may_set_up(request)

    def has_change_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        return may_set_up(request)

    def has_delete_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        return may_set_up(request)


class SiteForm(forms.ModelForm[Site]):
    """A site; its time zone is chosen from those that there are."""

    class Meta:
        model = Site
        fields = [
            *("name", "neutral_name", "address", "phone", "time_zone", "start_step"),
            *("quiet_from", "quiet_until", "crisis_line", "emergency_number"),
        ]
        help_texts = {
            "quiet_from": gettext_lazy("What falls between these two goes out before. None where both are the same."),
            "crisis_line": gettext_lazy("Patients whose answers are alarming are told at once to call it."),
            "emergency_number": gettext_lazy("Beside the crisis line, for whoever is in danger now."),
        }
        widgets = {
            "quiet_from": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "quiet_until": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "time_zone": forms.Select(choices=[(zone, zone) for zone in sorted(available_timezones())]),
            "start_step": forms.Select(choices=[(step, step) for step in (10, 20, 30, 60)]),
        }

    def clean(self) -> dict[str, Any]:
        """What stands in mails reveals nothing, or every mail of the site would be held back."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for field in ("neutral_name", "address", "phone"):
            if found := privacy.find(cleaned.get(field) or ""):
                sentence = _("This stands in mails and must not reveal what is treated: %(words)s.")
                self.add_error(field, sentence % {"words": ", ".join(found)})
        return cleaned


@admin.register(Site, site=set_up)
class SiteAdmin(SetUpAdmin[Site]):
    """Where the clinic treats, and when it is open."""

    form = SiteForm
    inlines = [HoursInline]
    list_display = ["name", "neutral_name", "time_zone"]
    ordering = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Site | None = None) -> list[str]:
        """Once somebody works there, local dates and times have been stored by its time zone."""
        return ["time_zone"] if obj is not None and Shift.objects.filter(site=obj).exists() else []

    def save_model(self, request: HttpRequest, obj: Site, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            obj.staff.add(actor(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Hours are written by their verb, all at once: visits outside them are marked."""
        formset.save(commit=False)  # works out what the log says
        if formset.has_changed():
            roster.set_hours(actor=actor(request), site=form.instance, hours=formset.hours(), now=clock.now())


@admin.register(Chair, site=set_up)
class ChairAdmin(SetUpAdmin[Chair]):
    """The places for treatment. One that is not used any more is made inactive."""

    fields = ["site", "name", "position", "active"]
    list_display = ["name", "site", "position", "active"]
    list_filter = ["site", "active"]
    ordering = ["site__name", "position", "name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Chair]:
        return super().get_queryset(request).select_related("site")

    def get_readonly_fields(self, request: HttpRequest, obj: Chair | None = None) -> list[str]:
        """A chair stays where it is: its visits are there."""
        return ["site"] if obj is not None else []

    def save_model(self, request: HttpRequest, obj: Chair, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "active" in form.changed_data:
            roster.review(actor=actor(request), site=obj.site, now=clock.now())
