"""Forms of what is written down beside the steps of a visit: measurements, adverse events, what a clinician saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.forms import ClockField
from clinic.models import Chair, Staff
from patients import scoring
from patients.models import Score
from scheduling.forms import PrescriberField, prescribers_of
from scheduling.models import UNDER_WAY, Dissociation, Session
from scheduling.visit_forms import VisitForm

#: MOAA/S, as short as a button.
SEDATION = [
    (5, gettext_lazy("awake")),
    (4, gettext_lazy("slow")),
    (3, gettext_lazy("loud voice")),
    (2, gettext_lazy("shake")),
    (1, gettext_lazy("pain")),
    (0, gettext_lazy("none")),
]

#: Severity of an adverse event (CTCAE).
SEVERITY = [
    (1, gettext_lazy("1 mild")),
    (2, gettext_lazy("2 moderate")),
    (3, gettext_lazy("3 severe")),
    (4, gettext_lazy("4 life-threatening")),
    (5, gettext_lazy("5 death")),
]

#: What is seen most often; anything else can be typed.
EVENTS = (
    gettext_lazy("High blood pressure"),
    gettext_lazy("Nausea or vomiting"),
    gettext_lazy("Dissociation"),
    gettext_lazy("Sedation"),
    gettext_lazy("Dizziness"),
    gettext_lazy("Headache"),
    gettext_lazy("Anxiety"),
    gettext_lazy("Low oxygen saturation"),
    gettext_lazy("Allergic reaction"),
)

#: How far a measuring device's clock, or a browser's, may be ahead of ours.
AHEAD = timedelta(seconds=90)


class NoteForm(VisitForm):
    """A clinician has looked at something, and says what was found."""

    note = forms.CharField(
        label=gettext_lazy("What was found"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )


class SeenForm(VisitForm):
    """A clinician has seen an answer to item 9: that of the `score` which was waiting when the form was opened."""

    score = forms.ModelChoiceField(
        queryset=Score.objects.none(),
        widget=forms.HiddenInput,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), gettext_lazy("There is no item 9 above 0 in this score.")
        ),
    )
    note = forms.CharField(
        label=gettext_lazy("What is done about it"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def prepare(self) -> None:
        """The score that waits now, and no other patient's."""
        patient = self.visit.patient_id
        self.fields["score"].queryset = Score.objects.filter(patient=patient)  # type: ignore[attr-defined]  # its field
        if not self.is_bound:
            self.initial["score"] = scoring.unseen_item_9(patient)


class VitalsForm(VisitForm):
    """One round of measurements. `began` is when somebody began to type: that is when it was taken, unless `at` is
    given. `confirmed` and `told` are what was asked and said before, with the values that were meant."""

    systolic = forms.IntegerField(label=gettext_lazy("Systolic"))
    diastolic = forms.IntegerField(label=gettext_lazy("Diastolic"))
    heart_rate = forms.IntegerField(label=gettext_lazy("Heart rate"))
    spo2 = forms.IntegerField(label=gettext_lazy("SpO₂"))
    sedation = forms.TypedChoiceField(
        label=gettext_lazy("Sedation, MOAA/S"), choices=SEDATION, coerce=int, widget=forms.RadioSelect
    )
    dissociation = forms.TypedChoiceField(
        label=gettext_lazy("Dissociation"), choices=Dissociation.choices, coerce=int, widget=forms.RadioSelect
    )
    at = ClockField(label=gettext_lazy("Taken at"), required=False)
    began = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    action = forms.CharField(label=gettext_lazy("What is done about it"), max_length=900, required=False)
    called = forms.BooleanField(label=gettext_lazy("Prescriber called"), required=False)

    NUMBERS = ("systolic", "diastolic", "heart_rate", "spo2")
    MEASURED = (*NUMBERS, "sedation", "dissociation")

    def prepare(self) -> None:
        for name in self.NUMBERS:
            self.fields[name].widget = forms.TextInput(
                attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": 3, "pattern": "[0-9]*"}
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        began = data.get("began")
        if began is not None and began > self.now + AHEAD:
            began = None
        data["taken_at"] = self.instant(data.get("at")) or (min(began, self.now) if began else None)
        return data

    @property
    def done(self) -> str:
        """What is done about the round, in words: a tap, what was typed, or both."""
        called = str(self.fields["called"].label) if self.cleaned_data["called"] else ""
        return "; ".join(filter(None, [called, self.cleaned_data.get("action", "").strip()]))

    @property
    def measured(self) -> dict[str, int]:
        """What was typed so far and can be a number."""
        typed = {name: self.cleaned_data.get(name) for name in self.MEASURED}
        return {name: value for name, value in typed.items() if isinstance(value, int)}


class EventForm(VisitForm):
    """Something untoward."""

    type = forms.CharField(label=gettext_lazy("What happened"), max_length=60)
    onset = ClockField(label=gettext_lazy("Since"), required=False)
    severity = forms.TypedChoiceField(
        label=gettext_lazy("Severity"), choices=SEVERITY, coerce=int, widget=forms.RadioSelect
    )
    serious = forms.BooleanField(label=gettext_lazy("Serious: hospital, disability, danger to life"), required=False)
    action = forms.CharField(
        label=gettext_lazy("What is done about it"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    @property
    def usual(self) -> Sequence[object]:
        """What is offered while somebody types."""
        return EVENTS

    def prepare(self) -> None:
        self.fields["type"].widget = forms.TextInput(attrs={"list": "event-types", "autocomplete": "off"})

    def clean_onset(self) -> datetime:
        """The instant on the visit's date; now without a time."""
        return self.instant(self.cleaned_data["onset"]) or self.now


class CallForm(VisitForm):
    """The prescriber was called: what was said, and what is done."""

    action = forms.CharField(
        label=gettext_lazy("What the prescriber said, what is done"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class AddendumForm(VisitForm):
    """What is added to a closed record."""

    text = forms.CharField(label=gettext_lazy("Addendum"), max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))


class ChairField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when the program runs
    """A chair, and who sits there: the two would swap."""

    sitting: Mapping[int, Session] = {}

    def label_from_instance(self, obj: Chair) -> str:
        other = self.sitting.get(obj.pk)
        if other is None:
            return str(obj)
        return _("%(chair)s: swap with %(patient)s") % {"chair": obj, "patient": other.patient}


class ChairForm(VisitForm):
    """Another chair for the rest of the visit; where somebody sits, the two swap."""

    chair = ChairField(label=gettext_lazy("Chair"), queryset=Chair.objects.none(), empty_label=gettext_lazy("Choose"))

    def prepare(self) -> None:
        field, visit = self.fields["chair"], self.visit
        here = Session.objects.filter(site=visit.site_id, local_date=visit.local_date, state__in=UNDER_WAY)
        field.sitting = {  # type: ignore[attr-defined]  # declared above
            other.chair_id: other
            for other in here.select_related("patient", "course__site", "site").exclude(pk=visit.pk)
        }
        chairs = Chair.objects.filter(site=visit.site_id, active=True).exclude(pk=visit.chair_id)
        field.queryset = chairs.order_by("position", "pk")  # type: ignore[attr-defined]  # declared above

    @property
    def swap(self) -> Session | None:
        """The visit in the chosen chair; the form has to be valid."""
        chair: Chair = self.cleaned_data["chair"]
        sitting: Mapping[int, Session] = self.fields["chair"].sitting  # type: ignore[attr-defined]  # declared above
        return sitting.get(chair.pk)


class HandOverForm(VisitForm):
    """Another prescriber for the rest of the visit."""

    prescriber = PrescriberField(
        label=gettext_lazy("Prescriber"), queryset=Staff.objects.none(), empty_label=gettext_lazy("Choose")
    )

    def prepare(self) -> None:
        session = self.visit
        others = prescribers_of(session.site).exclude(pk=session.prescriber_id)
        self.fields["prescriber"].queryset = others  # type: ignore[attr-defined]  # declared above


def values_of(pairs: Sequence[str]) -> dict[str, str]:
    """ "heart_rate=176" as it came from the page: field and value."""
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
