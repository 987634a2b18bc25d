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
from scheduling.protocols.visit_safety import ALARMING, EMERGENCY_SATURATION, LOW_SATURATION, alerts
from scheduling.protocols.vitals import JUMP, PLAUSIBLE, POSSIBLE, RAISED

register = template.Library()

#: What each number is measured in.
UNITS = {
    "systolic": gettext_noop("mmHg"),
    "diastolic": gettext_noop("mmHg"),
    "heart_rate": gettext_noop("/min"),
    "spo2": "%",
}


#: The first value that is amber, and the first that is red.
TONES = {
    "systolic": (RAISED[0] + 1, ALARMING[0]),
    "diastolic": (RAISED[1] + 1, ALARMING[1]),
    "spo2": (LOW_SATURATION - 1, EMERGENCY_SATURATION - 1),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A number of the form: its unit, what is possible and plausible, what it was in the round before, and from where
    on it stands out: downwards for the saturation, upwards for a pressure."""

    field: BoundField
    unit: str
    possible: tuple[int, int]
    plausible: tuple[int, int]
    jump: int
    before: int | None
    amber: int | None
    red: int | None

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
            amber=amber,
            red=red,
        )
        for name in VitalsForm.NUMBERS
        for amber, red in [TONES.get(name, (None, None))]
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
