"""How screenings and what the rules say to them are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.findings import Finding, Level
from clinic.http import translate_finding
from clinic.models import Site
from patients import screening
from patients.eligibility import QUESTIONS, RULES, item_of
from patients.models import Patient
from patients.screening import Eligibility
from scheduling import wording

register = template.Library()

#: What a finding asks for, where no question of the history names it.
ITEMS = {
    "trials": gettext_lazy("antidepressants"),
    "therapies": gettext_lazy("therapy"),
    "doctor": gettext_lazy("doctor"),
    "therapist": gettext_lazy("therapist"),
    "psychologist": gettext_lazy("psychologist"),
    "treatment_consent": gettext_lazy("treatment"),
    "off_label_consent": gettext_lazy("off-label"),
    "rems_enrolled": gettext_lazy("patient"),
    "site": gettext_lazy("site"),
    "medicines": gettext_lazy("medicines"),
    "stroke_kind": gettext_lazy("kind of stroke"),
}
ROLES = {
    "doctor": gettext_lazy("Doctor"),
    "therapist": gettext_lazy("Therapist"),
    "psychologist": gettext_lazy("Psychologist"),
}
TONES = {
    Level.BLOCK: ("ban", "red"),
    Level.OVERRIDE: ("signature", "plum"),
    Level.WARN: ("alert-triangle", "amber"),
}
#: So many items a gate names; the page behind it has all of them.
NAMED = 2

#: Rules whose own name says all: they are about one thing.
OF_ONE_THING = frozenset({"not-screened", "two-failed", "alone", "vessels", "pressure", "stroke"})


@dataclass(frozen=True, slots=True)
class Gate:
    """A rule between a patient and a booking: a word with what is missing, and where that is asked for."""

    rule: str
    icon: str
    tone: str
    word: str
    told: str
    url: str


def item_name(item: str) -> str:
    """What is asked for, in a few words."""
    if item in QUESTIONS:
        return _(QUESTIONS[item].asks).lower()
    return str(ITEMS.get(item, ""))


def gates_of(patient: int, findings: Sequence[Finding], back: str = "") -> list[Gate]:
    """One gate for each rule of the screening that speaks, the most severe first."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.rule in RULES:
            found.setdefault(finding.rule, []).append(finding)
    page = reverse("screening", args=[patient]) + (f"?back={back}" if back else "")
    gates = []
    for rule, mine in found.items():
        names = [name for finding in mine if (name := item_name(item_of(finding)))]
        more = f" +{len(names) - NAMED}" if len(names) > NAMED else ""
        word = wording.rule(rule)
        if names and rule not in OF_ONE_THING:
            word = f"{word}: {', '.join(names[:NAMED])}{more}"
        icon, tone = TONES[mine[0].level]
        told = " ".join(translate_finding(finding) for finding in mine)
        gates.append(Gate(rule, icon, tone, word[:1].upper() + word[1:], told, f"{page}#at-{item_of(mine[0])}"))
    return gates


@register.inclusion_tag("patients/screening_tag.html")
def screening_tag(patient: Patient, drug: str, site: Site | None, now: datetime, back: str = "") -> dict[str, Any]:
    """What the latest screening comes to, as a tag that leads to it and from there `back`. One query."""
    today = now.astimezone(site.zone).date() if site else screening.last_today(now)
    certified = site is not None and site.rems_certified
    found = screening.eligibility_of(patient.pk, drug=drug, today=today, certified=certified)
    return {"patient": patient, "back": back, **_status(found)}


def _status(found: Eligibility) -> dict[str, Any]:
    if found.screening is None:
        return {"icon": "ban", "tone": "red", "word": _("Not screened")}
    at = date_format(found.screening.at, "j M")
    match found.decision:
        case "accepted" if found.eligible:
            signed = any(finding.level is Level.OVERRIDE for finding in found.findings)
            tone = "plum" if signed else "green"
            return {
                "icon": "signature" if signed else "circle-check",
                "tone": tone,
                "word": _("Screening accepted %(date)s") % {"date": at},
            }
        case "accepted":
            return {"icon": "ban", "tone": "red", "word": _("Screening accepted, something is missing")}
        case "declined":
            return {"icon": "ban", "tone": "red", "word": _("Screening declined %(date)s") % {"date": at}}
        case "deferred":
            return {"icon": "hourglass", "tone": "amber", "word": _("Screening put off %(date)s") % {"date": at}}
    return {"icon": "alert-triangle", "tone": "amber", "word": _("Screening open")}


@register.filter
def at_item(found: Finding) -> str:
    """Where the page asks for what a finding is about, empty where no answer can mend it."""
    item = item_of(found)
    return "" if item == "site" else f"at-{item}"


@register.filter
def item_of_finding(found: Finding) -> str:
    """What a finding is about, in a few words."""
    return item_name(item_of(found)) or translate_finding(found)


@register.filter
def role_name(role: str) -> str:
    """Who is heard, as a heading."""
    return str(ROLES[role])
