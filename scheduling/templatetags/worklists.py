"""Lines of the worklist: how they look, what they say and where to act on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.templatetags.icons import icon
from patients import worklist
from patients.models import Task, TaskKind
from scheduling import wording

register = template.Library()

#: Kind -> icon and colour; amber is what a visit without a time is on every page.
LOOKS: Mapping[str, tuple[str, str]] = {
    TaskKind.NO_ADDRESS: ("mail-off", "amber"),
    TaskKind.FAILED_MAIL: ("mail-x", "red"),
    TaskKind.OVERRIDE_ASKED: ("signature", "plum"),
    TaskKind.NEEDS_TIME: ("arrows-exchange", "amber"),
}

#: Urgency, from the worst -> icon, colour, word and the class of the line's edge.
URGENCIES = (
    ("alert-triangle", "red solid", gettext_lazy("Now"), "block"),
    ("clock-exclamation", "amber", gettext_lazy("Today"), "warn"),
    ("calendar", "", gettext_lazy("This week"), ""),
    ("hourglass", "", gettext_lazy("Later"), ""),
)


@register.inclusion_tag("parts/state.html")
def urgency_tag(task: Task, urgency: int) -> dict[str, Any]:
    """How urgent a line is: icon, word, colour. A visit that needs a time is amber at its worst, as on the board."""
    mark, tone, word, _edge = URGENCIES[urgency]
    return {"icon": mark, "tone": "amber" if _milder(task, urgency) else tone, "label": word}


@register.simple_tag
def urgency_edge(task: Task, urgency: int) -> str:
    """The class of the line's edge."""
    return "warn" if _milder(task, urgency) else URGENCIES[urgency][3]


def _milder(task: Task, urgency: int) -> bool:
    return task.kind == TaskKind.NEEDS_TIME and urgency == 0


@register.simple_tag
def task_icon(task: Task) -> SafeString:
    """The icon of its kind."""
    return icon(LOOKS[task.kind][0])


@register.simple_tag
def task_tone(task: Task) -> str:
    """The colour of its kind."""
    return LOOKS[task.kind][1]


@register.filter
def task_text(task: Task) -> str:
    """What has to be done, rules in words."""
    rules = task.details.get("rules")
    if not rules:
        return worklist.text_of(task)
    named = get_text_list([wording.rule(code) for code in rules], _("and"))
    return worklist.text_of(Task(kind=task.kind, details={**task.details, "rules": [named]}))


@register.filter
def can_be_ticked(task: Task) -> bool:
    """Whether "Done" takes it off; the others go with the act they ask for."""
    return task.kind not in worklist.CLOSED_BY_ACT


@register.simple_tag
def task_act(task: Task) -> SafeString:
    """The link to where it is done."""
    match task.kind:
        case TaskKind.NO_ADDRESS:
            target, word = reverse("patient-edit", args=[task.patient_id]) + "?add=email", _("Add an address")
        case TaskKind.OVERRIDE_ASKED if task.course_id:
            target, word = reverse("course", args=[task.course_id]), _("Review")
        case TaskKind.NEEDS_TIME if task.key.isdecimal():
            target, word = reverse("session-move", args=[int(task.key)]), _("Find a time")
        case _:
            target, word = reverse("patient", args=[task.patient_id]), _("See the mails")
    return format_html('<a class="button small" href="{}" data-act>{}</a>', target, word)
