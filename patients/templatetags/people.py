"""How people and their next visits are shown."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django import template

from patients.models import Patient
from scheduling import wording

register = template.Library()


@register.filter
def age(birth_date: date, today: date) -> int:
    """Whole years on that day; who was born on 29 February is a year older on 1 March."""
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))


@register.filter
def short(at: datetime) -> str:
    """A date and time on the clocks that it comes with: "Sat 28 Nov 10:00"."""
    return wording.short(at, at.tzinfo or UTC)


@register.filter
def tel(patient: Patient) -> str:
    """What a phone dials; for a patient with a number."""
    return f"tel:{'+' if patient.phone.startswith('+') else ''}{patient.phone_digits}"
