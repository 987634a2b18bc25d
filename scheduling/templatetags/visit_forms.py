"""How the form of a round of vitals is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django import template
from django.forms import BoundField
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
def calls(findings: Sequence[Finding]) -> bool:
    """The prescriber is called for one of them."""
    return bool(alerts(findings))


@register.filter
def urgent(found: Finding) -> bool:
    """The prescriber is called for it."""
    return bool(alerts([found]))
