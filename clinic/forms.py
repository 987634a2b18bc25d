"""What forms share: widgets of the browser, and refusals of the domain shown where they belong."""

from __future__ import annotations

from typing import Any

from django import forms

from clinic.errors import DomainError, Invalid


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
