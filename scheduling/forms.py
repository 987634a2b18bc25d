"""Forms about courses and sessions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.forms import ClockField, DateField
from clinic.models import Chair, Site, Staff
from scheduling import queries
from scheduling.models import ProtocolVersion, Session
from scheduling.protocols.types import Place, Wishes

#: More sessions in one proposal are a mistake; the longest built-in phase has eight.
MOST_SESSIONS = 20
MOST_AWAY = 6
LONGEST_AWAY = timedelta(days=120)

WEEKDAYS = [
    (0, gettext_lazy("Mon")),
    (1, gettext_lazy("Tue")),
    (2, gettext_lazy("Wed")),
    (3, gettext_lazy("Thu")),
    (4, gettext_lazy("Fri")),
    (5, gettext_lazy("Sat")),
    (6, gettext_lazy("Sun")),
]


class ProtocolField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when the program runs
    """A protocol by its name and version."""

    def label_from_instance(self, obj: ProtocolVersion) -> str:
        return f"{obj.name} · v{obj.version}"


class PrescriberField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when the program runs
    """A prescriber as colleagues name them."""

    def label_from_instance(self, obj: Staff) -> str:
        return f"{obj.title} {obj}".strip()


class DayField(DateField):
    """A day to plan on: the years that the board has, far from the ends of the calendar."""

    default_validators = [
        MinValueValidator(date(1900, 1, 1), gettext_lazy("Choose a date from 1900 on.")),
        MaxValueValidator(date(2199, 12, 31), gettext_lazy("Choose a date before 2200.")),
    ]


class DayForm(forms.Form):
    """The board's date picker."""

    date = DayField()


def prescribers_of(site: Site) -> QuerySet[Staff]:
    """Who can be chosen for a visit, or sign an override."""
    return Staff.objects.filter(sites=site, is_prescriber=True, is_active=True).order_by("last_name", "first_name")


class AskForm(forms.Form):
    """What is asked of the planner: protocol, how many sessions, from when, and the patient's wishes.

    `weekdays` are those on which the site ever opens; all of them chosen is no wish.
    """

    protocol = ProtocolField(label=gettext_lazy("Protocol"), queryset=ProtocolVersion.objects.none(), empty_label=None)
    sessions = forms.IntegerField(label=gettext_lazy("Sessions"), min_value=1, max_value=MOST_SESSIONS)
    earliest = DayField(label=gettext_lazy("Earliest"))
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Wishes"),
        choices=WEEKDAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    not_before = ClockField(label=gettext_lazy("Not before"), required=False)
    home_by = ClockField(label=gettext_lazy("Home by"), required=False)

    def __init__(self, *args: Any, weekdays: Collection[int], running: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open_on = frozenset(weekdays)
        self.fields["weekdays"].choices = [  # type: ignore[attr-defined]  # declared above
            (day, name) for day, name in WEEKDAYS if day in self.open_on
        ]
        if running:
            del self.fields["protocol"]
            self.fields["sessions"].required = False
            self.fields["sessions"].widget.attrs["placeholder"] = _("all due")
        else:
            self.fields["protocol"].queryset = queries.protocols()  # type: ignore[attr-defined]  # declared above

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        not_before, home_by = data.get("not_before"), data.get("home_by")
        if not_before and home_by and home_by <= not_before:
            self.add_error("home_by", ValidationError(_("Nobody is home before the visit begins.")))
        return data

    def wishes(self, away: Iterable[tuple[date, date]]) -> Wishes:
        """What was wished, with the dates on which the patient cannot come."""
        chosen = frozenset(self.cleaned_data["weekdays"])
        return Wishes(
            weekdays=frozenset() if chosen == self.open_on else chosen,
            not_before=self.cleaned_data["not_before"],
            home_by=self.cleaned_data["home_by"],
            except_dates=frozenset(
                first + timedelta(days=number) for first, last in away for number in range((last - first).days + 1)
            ),
        )


class AwayForm(forms.Form):
    """Dates on which the patient cannot come, both inclusive; one date alone is one day."""

    first = DayField(label=gettext_lazy("Cannot come from"), required=False)
    last = DayField(label=gettext_lazy("until"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first"), data.get("last")
        if first and last and last < first:
            self.add_error("last", ValidationError(_("The last day is before the first.")))
        if first and last and last - first > LONGEST_AWAY:
            self.add_error(
                "last", ValidationError(_("This is longer than four months; plan from a later date instead."))
            )
        return data


class AwayFormSet(forms.BaseFormSet[AwayForm]):
    """Several spans; empty ones do not count."""

    def spans(self) -> list[tuple[date, date]]:
        """First and last day of each."""
        result = []
        for form in self.forms:
            first: date | None = form.cleaned_data.get("first")
            last: date | None = form.cleaned_data.get("last")
            if earlier := first or last:
                result.append((earlier, last or earlier))
        return result


class EditForm(forms.Form):
    """Another place for one visit: a wall time of the site, a chair, a prescriber."""

    date = DayField(label=gettext_lazy("Date"))
    start = ClockField(label=gettext_lazy("Start"))
    chair = forms.ModelChoiceField(label=gettext_lazy("Chair"), queryset=Chair.objects.none(), empty_label=None)
    prescriber = PrescriberField(label=gettext_lazy("Prescriber"), queryset=Staff.objects.none(), empty_label=None)

    def __init__(self, *args: Any, site: Site, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site = site
        chairs = Chair.objects.filter(site=site, active=True).order_by("position", "pk")
        self.fields["chair"].queryset = chairs  # type: ignore[attr-defined]  # declared above
        self.fields["prescriber"].queryset = prescribers_of(site)  # type: ignore[attr-defined]  # likewise

    def clean(self) -> dict[str, Any]:
        """A time that the site's clocks skip is refused; of one that they show twice, the first is meant."""
        data = super().clean() or {}
        if "date" in data and "start" in data:
            wall = datetime.combine(data["date"], data["start"], self.site.zone)
            if wall.astimezone(UTC).astimezone(self.site.zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
                self.add_error(
                    "start", ValidationError(_("There is no such time on this date: the clocks go forward then."))
                )
            data["starts_at"] = wall.astimezone(UTC)
        return data

    @property
    def place(self) -> Place:
        """What was chosen; the form has to be valid."""
        data = self.cleaned_data
        return Place(data["starts_at"], data["chair"].pk, data["prescriber"].pk)

    @staticmethod
    def values(place: Place, site: Site) -> dict[str, Any]:
        """A place as the form's initial values."""
        local = place.starts_at.astimezone(site.zone)
        return {"date": local.date(), "start": local.time(), "chair": place.chair, "prescriber": place.prescriber}


class SignForm(forms.Form):
    """A prescriber passes over rules, on the page of whoever is signed in; with `asking` they are asked to, later."""

    prescriber = PrescriberField(
        label=gettext_lazy("Prescriber"), queryset=Staff.objects.none(), empty_label=gettext_lazy("Choose")
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (kept with the course, cannot be changed)"),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password of the prescriber"),
        required=False,
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, site: Site, actor: Staff, asking: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["prescriber"].queryset = prescribers_of(site)  # type: ignore[attr-defined]  # declared above
        self.actor, self.asking = actor, asking
        if actor.is_prescriber:
            self.initial.setdefault("prescriber", actor.pk)
            self.fields["password"].help_text = _("Not needed for your own signature.")

    def clean(self) -> dict[str, Any]:
        """Nobody signs for another without a password; what is missing is said all at once."""
        data = super().clean() or {}
        own = data.get("prescriber", self.actor if self.actor.is_prescriber else None) == self.actor
        if not (self.asking or own or data.get("password")):
            self.add_error("password", ValidationError(_("The prescriber types a password here.")))
        return data


class ReasonForm(forms.Form):
    """Why something is given up."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)


#: What patients and clinics mostly give up visits for.
WHY = [
    ("ill", gettext_lazy("Patient is ill")),
    ("wish", gettext_lazy("Patient’s wish")),
    ("clinic", gettext_lazy("The clinic")),
    ("other", gettext_lazy("Other")),
]


class GiveUpForm(ReasonForm):
    """Why something is given up: one of the usual reasons, a sentence, or both. `reason` is what is kept."""

    why = forms.ChoiceField(label=gettext_lazy("Reason"), choices=WHY, widget=forms.RadioSelect, required=False)

    field_order = ["why", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("In words")
        self.fields["reason"].required = False
        self.fields["reason"].widget.attrs["placeholder"] = _("Add a sentence, if you wish")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        why, words = data.pop("why", ""), data.get("reason", "").strip()
        if "why" not in self.errors and why in ("", "other") and not words:
            field, text = (
                ("reason", _("Say in a few words why.")) if why else ("why", _("Choose a reason, or type one."))
            )
            self.add_error(field, ValidationError(text))
        usual = "" if why in ("", "other") else str(dict(WHY)[why])
        data["reason"] = ": ".join(filter(None, [usual, words]))
        return data


class NoShowForm(ReasonForm):
    """Nobody came; what is known about it need not be said."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False
        self.fields["reason"].label = _("What is known about it")


class ExpectForm(forms.Form):
    """When a patient who rang comes instead; empty: as planned."""

    at = ClockField(label=gettext_lazy("Comes at"), required=False)
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, session: Session, zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session, self.zone = session, zone
        self.fields["at"].widget.attrs["autofocus"] = True

    def clean_at(self) -> datetime | None:
        """The instant on the visit's date; of a time that the clocks show twice, the first that is after the start."""
        at: time | None = self.cleaned_data["at"]
        if at is None:
            return None
        walls = [datetime.combine(self.session.local_date, at.replace(fold=fold), self.zone) for fold in (0, 1)]
        instants = [wall.astimezone(UTC) for wall in walls]
        return next((instant for instant in instants if instant > self.session.starts_at), instants[0])


AwayForms = cast(
    "type[AwayFormSet]",
    forms.formset_factory(AwayForm, formset=AwayFormSet, extra=1, max_num=MOST_AWAY, validate_max=True),
)
