"""What forms share: widgets of the browser, and refusals of the domain shown where they belong."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from clinic.errors import DomainError, Invalid
from clinic.models import Appearance, Language, Staff


class DateField(forms.DateField):
    """A date by the browser's own picker."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
        super().__init__(input_formats=["%Y-%m-%d"], **kwargs)


class ClockField(forms.TimeField):
    """A wall time, to the minute."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TimeInput(format="%H:%M", attrs={"type": "time"}))
        super().__init__(input_formats=["%H:%M", "%H:%M:%S"], **kwargs)


class PreferencesForm(forms.ModelForm[Staff]):
    """What somebody wants the pages to be like; only for themselves."""

    language = forms.ChoiceField(
        label=gettext_lazy("Language"), choices=Language, required=False, widget=forms.RadioSelect
    )
    appearance = forms.ChoiceField(label=gettext_lazy("Appearance"), choices=Appearance, widget=forms.RadioSelect)
    single_keys = forms.BooleanField(
        label=gettext_lazy("Single keys act, such as / for the search"),
        help_text=gettext_lazy("Never while you type in a field. Keys with Ctrl always act."),
        required=False,
    )

    class Meta:
        model = Staff
        fields = ["language", "appearance", "single_keys"]

    def store(self) -> None:
        """Save the three columns and nothing else of the row."""
        self.save(commit=False).save(update_fields=self.Meta.fields)


def add_error(form: forms.BaseForm, error: DomainError) -> None:
    """Show a refusal in the form: at its fields where it names fields that the form has, otherwise above them."""
    placed = False
    if isinstance(error, Invalid):
        for name, sentences in error.fields.items():
            field = name if name in form.fields else None
            for sentence in sentences:
                form.add_error(field, sentence)
                placed = True
    if not placed:
        form.add_error(None, error.message)
