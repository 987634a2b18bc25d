"""Lines of the worklist: how they look, what they say and where to act on them."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from patients import worklist
from patients.models import Task, TaskKind

register = template.Library()

LOOKS = {
    TaskKind.NO_ADDRESS: ("mail-off", "amber"),
    TaskKind.FAILED_MAIL: ("mail-x", "red"),
    TaskKind.OVERRIDE_ASKED: ("signature", "plum"),
    TaskKind.NEEDS_TIME: ("arrows-exchange", "red"),
}
LEVELS = {"amber": "warn", "red": "block", "plum": "override"}


@register.inclusion_tag("parts/state.html")
def task_tag(task: Task) -> dict[str, Any]:
    """The kind of a line: icon, word, colour."""
    icon, tone = LOOKS[TaskKind(task.kind)]
    return {"icon": icon, "tone": tone, "label": task.get_kind_display()}


@register.simple_tag
def task_level(task: Task) -> str:
    """The class of the line's edge."""
    return LEVELS[LOOKS[TaskKind(task.kind)][1]]


@register.filter
def task_text(task: Task) -> str:
    """What has to be done."""
    return worklist.text_of(task)


@register.simple_tag
def task_act(task: Task) -> SafeString:
    """The link to where it is done."""
    match task.kind:
        case TaskKind.NO_ADDRESS:
            target, word = reverse("patient-edit", args=[task.patient_id]), _("Add an address")
        case TaskKind.OVERRIDE_ASKED if task.course_id:
            target, word = reverse("course", args=[task.course_id]), _("Review")
        case TaskKind.NEEDS_TIME if task.key.isdecimal():
            target, word = reverse("session-move", args=[int(task.key)]), _("Find a time")
        case _:
            target, word = reverse("patient", args=[task.patient_id]), _("See the mails")
    return format_html('<a class="button small" href="{}">{}</a>', target, word)
