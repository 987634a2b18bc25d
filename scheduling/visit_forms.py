"""Forms of a visit: one for each step, and for what is written down beside them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.forms import ClockField
from clinic.models import Role, Site, Staff
from scheduling.forms import PrescriberField
from scheduling.models import Reply
from scheduling.protocols.types import Protocol
from scheduling.visits import treating
from scheduling.visits.charts import Chart

#: The questions of check-in, as they are asked.
HISTORY = {
    "pressure": gettext_lazy("Blood pressure"),
    "liver": gettext_lazy("Liver"),
    "stroke": gettext_lazy("Stroke"),
    "heart": gettext_lazy("Heart"),
}

YES_NO = [("yes", gettext_lazy("Yes")), ("no", gettext_lazy("No"))]


def colleagues_of(site: Site, actor: Staff) -> QuerySet[Staff]:
    """Who can be the second person: everybody who runs visits at the site, except who is signed in."""
    runs_visits = Staff.objects.filter(sites=site, is_active=True, role__in=(Role.CLINICIAN, Role.NURSE))
    return runs_visits.exclude(pk=actor.pk).order_by("last_name", "first_name")


class VisitForm(forms.Form):
    """A step of a visit, by somebody who is signed in; `request_id` makes two taps one step."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, chart: Chart, actor: Staff, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chart, self.actor, self.now = chart, actor, now
        self.visit = chart.session
        self.zone = chart.session.site.zone
        self.initial.setdefault("request_id", uuid4())
        self.prepare()

    @property
    def protocol(self) -> Protocol:
        """The protocol of the visit's course."""
        return self.visit.course.protocol.protocol

    def prepare(self) -> None:
        """Fill in what depends on the visit."""

    def instant(self, wall: time | None) -> datetime | None:
        """A wall time of the visit's date; the last one that is not to come of a time that the clocks show twice."""
        if wall is None:
            return None
        walls = [datetime.combine(self.visit.local_date, wall.replace(fold=fold), self.zone) for fold in (1, 0)]
        instants = [each.astimezone(UTC) for each in walls]
        return next((each for each in instants if each <= self.now), instants[-1])


class TimedForm(VisitForm):
    """A step whose time can be another than now."""

    at = ClockField(label=gettext_lazy("Time, if not now"), required=False)

    def clean_at(self) -> datetime | None:
        """The instant on the visit's date; None for now."""
        return self.instant(self.cleaned_data["at"])


class SecondForm(forms.Form):
    """A second person signs in place, by name and password; the view checks the password."""

    second = PrescriberField(
        label=gettext_lazy("Second person"), queryset=Staff.objects.none(), empty_label=gettext_lazy("Choose")
    )
    password = forms.CharField(
        label=gettext_lazy("Password of the second person"),
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, site: Site, actor: Staff, required: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["second"].queryset = colleagues_of(site, actor)  # type: ignore[attr-defined]  # declared above
        for field in self.fields.values():
            field.required = required


class ArrivalForm(VisitForm):
    """What is known of a patient who has come; of a time of day that is still to come, yesterday is meant."""

    weight_kg = forms.DecimalField(
        label=gettext_lazy("Weight, kg"),
        max_digits=5,
        decimal_places=1,
        required=False,
        widget=forms.NumberInput(attrs={"step": "0.1", "inputmode": "decimal"}),
    )
    last_food_at = ClockField(label=gettext_lazy("Last food"), required=False)
    last_drink_at = ClockField(label=gettext_lazy("Last drink"), required=False)
    medicines = forms.MultipleChoiceField(
        label=gettext_lazy("Medicines taken today"),
        choices=list(treating.MEDICINES.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    escort_name = forms.CharField(label=gettext_lazy("Escort’s name"), max_length=100, required=False)
    escort_phone = forms.CharField(label=gettext_lazy("Escort’s phone"), max_length=40, required=False)

    def prepare(self) -> None:
        for name in ("escort_name", "escort_phone"):
            self.fields[name].widget.attrs["autocomplete"] = "off"

    def clean_last_food_at(self) -> datetime | None:
        return self._lately("last_food_at")

    def clean_last_drink_at(self) -> datetime | None:
        return self._lately("last_drink_at")

    def _lately(self, name: str) -> datetime | None:
        wall: time | None = self.cleaned_data[name]
        if wall is None:
            return None
        here = self.now.astimezone(self.zone)
        today = datetime.combine(here.date(), wall, self.zone)
        return (today if today <= here else today - timedelta(days=1)).astimezone(UTC)

    @property
    def escort(self) -> treating.Escort:
        """Who takes the patient home; the form has to be valid."""
        return treating.Escort(self.cleaned_data["escort_name"], self.cleaned_data["escort_phone"])


class CheckInForm(ArrivalForm):
    """The patient is here. Each question of the history is answered, none beforehand."""

    at = ClockField(label=gettext_lazy("Arrived, if not now"), required=False)

    def prepare(self) -> None:
        super().prepare()
        reply = Reply.objects.filter(session=self.visit).first()
        if reply is not None:  # what the patient has told beforehand
            self.initial.setdefault("escort_name", reply.escort_name)
            self.initial.setdefault("escort_phone", reply.escort_phone)
        for code, label in HISTORY.items():
            self.fields[f"new_{code}"] = forms.ChoiceField(label=label, choices=YES_NO, widget=forms.RadioSelect)

    @property
    def questions(self) -> list[forms.BoundField]:
        """The questions about what is new or changed."""
        return [self[f"new_{code}"] for code in HISTORY]

    @property
    def changed(self) -> Mapping[str, bool | None]:
        """The answers; the form has to be valid."""
        return {code: self.cleaned_data[f"new_{code}"] == "yes" for code in HISTORY}

    def clean_at(self) -> datetime | None:
        """The instant on the visit's date; None for now."""
        return self.instant(self.cleaned_data["at"])


class AmendForm(ArrivalForm):
    """What was written down at check-in is corrected."""

    def prepare(self) -> None:
        super().prepare()
        record = self.chart.record
        if record is None:
            return
        self.initial = {
            **self.initial,
            "weight_kg": record.weight_kg,
            "last_food_at": record.last_food_at and record.last_food_at.astimezone(self.zone).time(),
            "last_drink_at": record.last_drink_at and record.last_drink_at.astimezone(self.zone).time(),
            "medicines": record.medicines,
            "escort_name": record.escort_name,
            "escort_phone": record.escort_phone,
        }


class DoseForm(TimedForm):
    """The dose as it is given. Without mg they are what weight and mg/kg make."""

    drug = forms.CharField(label=gettext_lazy("Drug"), max_length=60)
    lot = forms.CharField(
        label=gettext_lazy("Lot"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    mg_per_kg = forms.DecimalField(
        label=gettext_lazy("mg/kg"),
        max_digits=5,
        decimal_places=3,
        required=False,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    mg = forms.DecimalField(
        label=gettext_lazy("Dose, mg"),
        max_digits=6,
        decimal_places=1,
        required=False,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )

    def prepare(self) -> None:
        protocol, course = self.protocol, self.visit.course
        self.initial.setdefault("drug", protocol.drug)
        if protocol.route != "iv":
            del self.fields["mg_per_kg"]
            self.initial.setdefault("mg", course.dose_mg or _default(protocol.dose, "mg,"))
            self.fields["mg"].required = True
            return
        self.initial.setdefault("mg_per_kg", course.dose_mg_per_kg or _default(protocol.dose, "mg/kg"))
        self.initial.setdefault("mg", self.computed(self.initial["mg_per_kg"]))

    @property
    def weight(self) -> Decimal | None:
        """In kg, from check-in."""
        record = self.chart.record
        return record.weight_kg if record else None

    def computed(self, mg_per_kg: Decimal | None) -> Decimal | None:
        """What the weight makes of mg/kg, to a tenth of a mg."""
        return round(mg_per_kg * self.weight, 1) if mg_per_kg and self.weight else None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "mg" in data and data["mg"] is None and "mg" not in self.errors:
            data["mg"] = self.computed(data.get("mg_per_kg"))
            if data["mg"] is None:
                self.add_error("mg", ValidationError(_("Say the dose in mg.")))
        return data


def _default(dose: str, wanted: str) -> Decimal | None:
    """The protocol's own dose in a unit: "0.5 mg/kg over 40 min", "56 mg, then 56 or 84 mg"."""
    number, _space, unit = dose.partition(" ")
    return Decimal(number) if unit.startswith(wanted) else None


class FinishForm(TimedForm):
    """The dose has ended; with nothing typed, all of it was given."""

    mg_given = forms.DecimalField(
        label=gettext_lazy("mg given, if stopped early"), max_digits=6, decimal_places=1, required=False
    )
    waste_mg = forms.DecimalField(label=gettext_lazy("Waste, mg"), max_digits=6, decimal_places=1, required=False)


class ReasonForm(TimedForm):
    """Why a visit ends in another way."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=1000, widget=forms.Textarea(attrs={"rows": 3}))


class DischargeForm(TimedForm):
    """The patient goes home: everything on the list is seen to, by two people."""

    checklist = forms.MultipleChoiceField(
        label=gettext_lazy("Before going home"),
        choices=list(treating.CHECKLIST.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    escort_name = forms.CharField(label=gettext_lazy("Escort’s name"), max_length=100, required=False)
    escort_phone = forms.CharField(label=gettext_lazy("Escort’s phone"), max_length=40, required=False)

    def prepare(self) -> None:
        record = self.chart.record
        if record is not None:
            known = {"escort_name": record.escort_name, "escort_phone": record.escort_phone}
            self.initial = {**self.initial, **known}

    @property
    def checked(self) -> Mapping[str, bool]:
        """Each item of the list; the form has to be valid."""
        return {code: code in self.cleaned_data["checklist"] for code in treating.CHECKLIST}

    @property
    def escort(self) -> treating.Escort:
        """Who takes the patient home; the form has to be valid."""
        return treating.Escort(self.cleaned_data["escort_name"], self.cleaned_data["escort_phone"])
