"""How the form of a round of vitals is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django import template
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BoundField, Form
from django.utils.safestring import SafeString
from django.utils.translation import gettext_noop

from clinic.findings import Finding
from scheduling.charting_forms import VitalsForm
from scheduling.models import VitalsRound
from scheduling.protocols.visit_safety import alerts
from scheduling.protocols.vitals import JUMP, PLAUSIBLE, POSSIBLE

register = template.Library()

#: What each number is measured in.
UNITS = {
    "systolic": gettext_noop("mmHg"),
    "diastolic": gettext_noop("mmHg"),
    "heart_rate": gettext_noop("/min"),
    "spo2": "%",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A number of the form: its unit, what is possible and plausible, and what it was in the round before."""

    field: BoundField
    unit: str
    possible: tuple[int, int]
    plausible: tuple[int, int]
    jump: int
    before: int | None

    @property
    def tone(self) -> str:
        """How the field stands out."""
        return "wrong" if self.field.errors else ""


@register.filter
def entries(form: VitalsForm, last: VitalsRound | None) -> list[Entry]:
    """The numbers of a round, in the order in which they are typed."""
    return [
        Entry(
            field=form[name],
            unit=UNITS[name],
            possible=POSSIBLE[name],
            plausible=PLAUSIBLE[name],
            jump=JUMP[name],
            before=getattr(last, name) if last else None,
        )
        for name in VitalsForm.NUMBERS
    ]


@register.filter
def keyed(field: BoundField, key: int) -> SafeString:
    """A field that a single key leads to."""
    return field.as_widget(attrs={"data-key": str(key), "data-key-label": str(field.label)})


@register.filter
def faults(shown: Iterable[Form]) -> list[tuple[BoundField | None, str]]:
    """What is wrong in the forms of a step, each with its field; None for what is about no field that is seen."""
    return [
        (None if name == NON_FIELD_ERRORS or form[name].is_hidden else form[name], str(sentence))
        for form in shown
        for name, sentences in sorted(form.errors.items(), key=lambda item: item[0] != NON_FIELD_ERRORS)
        for sentence in sentences
    ]


@register.filter
def calls(findings: Sequence[Finding]) -> bool:
    """The prescriber is called for one of them."""
    return bool(alerts(findings))


@register.filter
def urgent(found: Finding) -> bool:
    """The prescriber is called for it."""
    return bool(alerts([found]))
