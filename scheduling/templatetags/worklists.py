"""Lines of the worklist: how they look, what they say and where to act on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.templatetags.icons import icon
from patients import worklist
from patients.models import Task, TaskKind
from patients.registering import digits
from scheduling import lines, wording

register = template.Library()

#: Kind -> icon and colour; amber is what a visit without a time is on every page.
LOOKS: Mapping[str, tuple[str, str]] = {
    TaskKind.NO_ADDRESS: ("mail-off", "amber"),
    TaskKind.FAILED_MAIL: ("mail-x", "red"),
    TaskKind.BAD_ADDRESS: ("mail-x", "amber"),
    TaskKind.MAIL_STOPPED: ("mail-off", "amber"),
    TaskKind.CALL_ASKED: ("phone", "amber"),
    TaskKind.MOVE_ASKED: ("arrows-exchange", "amber"),
    TaskKind.OVERRIDE_ASKED: ("signature", "plum"),
    TaskKind.NEEDS_TIME: ("arrows-exchange", "amber"),
    TaskKind.NO_DATES: ("calendar-off", ""),
    TaskKind.ITEM_9: ("alert-circle", "red"),
    TaskKind.ALERT: ("heart-rate-monitor", "red"),
    TaskKind.WORSE: ("trending-up", "red"),
    TaskKind.RELAPSE: ("trending-up", "amber"),
    TaskKind.NO_BENEFIT: ("minus", "amber"),
    TaskKind.PHASE_END: ("flag-check", ""),
    TaskKind.REVIEW: ("eye", "amber"),
    TaskKind.SCORE_OVERDUE: ("clipboard-off", ""),
    TaskKind.MONTH_EMPTY: ("calendar-x", ""),
    TaskKind.REACH: ("flag", "amber"),
    TaskKind.OPEN_RECORD: ("file-alert", ""),
    TaskKind.OPEN_FORM: ("file-text", ""),
}

#: Urgency, from the worst -> colour, word and the class of the line's edge.
URGENCIES = (
    ("red solid", gettext_lazy("Now"), "block"),
    ("amber", gettext_lazy("Today"), "warn"),
    ("", gettext_lazy("This week"), ""),
)


#: Kind, whose page it is done on, that page, and what doing it is called; of two the first that the line knows of.
ACTS = (
    (TaskKind.NO_ADDRESS, "patient", "patient-edit", gettext_lazy("Add an address")),
    (TaskKind.FAILED_MAIL, "course", "course-mails", gettext_lazy("See the mails")),
    (TaskKind.FAILED_MAIL, "patient", "patient", gettext_lazy("See the mails")),
    (TaskKind.BAD_ADDRESS, "patient", "patient-edit", gettext_lazy("Correct address")),
    (TaskKind.MAIL_STOPPED, "patient", "patient", gettext_lazy("Ask again")),
    (TaskKind.CALL_ASKED, "patient", "patient", gettext_lazy("Open patient")),
    (TaskKind.MOVE_ASKED, "visit", "session-move", gettext_lazy("Move it")),
    (TaskKind.OVERRIDE_ASKED, "course", "course", gettext_lazy("Review")),
    (TaskKind.NEEDS_TIME, "visit", "session-move", gettext_lazy("Find a time")),
    (TaskKind.NO_DATES, "course", "course-add", gettext_lazy("Find dates")),
    (TaskKind.ITEM_9, "course", "course", gettext_lazy("Review")),
    (TaskKind.ALERT, "visit", "visit", gettext_lazy("Open visit")),
    (TaskKind.WORSE, "course", "course", gettext_lazy("Review")),
    (TaskKind.RELAPSE, "course", "course", gettext_lazy("Choose")),
    (TaskKind.NO_BENEFIT, "course", "course", gettext_lazy("Review")),
    (TaskKind.PHASE_END, "course", "course", gettext_lazy("Decide")),
    (TaskKind.REVIEW, "visit", "visit", gettext_lazy("Open visit")),
    (TaskKind.REVIEW, "patient", "screening", gettext_lazy("Review")),
    (TaskKind.SCORE_OVERDUE, "patient", "score-new", gettext_lazy("Enter score")),
    (TaskKind.MONTH_EMPTY, "course", "course-add", gettext_lazy("Plan")),
    (TaskKind.REACH, "course", "course", gettext_lazy("Move, extend")),
    (TaskKind.OPEN_RECORD, "visit", "visit", gettext_lazy("Finish")),
    (TaskKind.OPEN_FORM, "visit", "visit", gettext_lazy("Send form")),
)


#: Where on its page it is done.
AT: Mapping[str, str] = {
    TaskKind.NO_ADDRESS: "?add=email",
    TaskKind.BAD_ADDRESS: "?add=email",
    TaskKind.MAIL_STOPPED: "#ask-mails",
}

#: Nothing is mailed while these wait.
TOLD_BY_PHONE = frozenset({TaskKind.NO_ADDRESS, TaskKind.BAD_ADDRESS, TaskKind.MAIL_STOPPED})


@register.inclusion_tag("parts/state.html")
def urgency_tag(task: Task, urgency: int) -> dict[str, Any]:
    """How urgent a line is: the icon of its kind, word, colour. A visit that needs a time is amber at its worst, as on
    the board, and who is worse is red on the same day."""
    tone, word, _edge = URGENCIES[urgency]
    if _milder(task, urgency):
        tone = "amber"
    elif task.kind == TaskKind.WORSE:
        tone = "red"
    return {"icon": LOOKS[task.kind][0], "tone": tone, "label": word}


@register.simple_tag
def urgency_edge(task: Task, urgency: int) -> str:
    """The class of the line's edge."""
    if task.kind == TaskKind.WORSE:
        return "block"
    return "warn" if _milder(task, urgency) else URGENCIES[urgency][2]


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
def task_text(task: Task, sees_answers: bool = True) -> str:
    """What has to be done, rules in words, answers to single items only for those who see them."""
    rules = task.details.get("rules")
    if not rules:
        return worklist.text_of(task, answers=sees_answers)
    named = get_text_list([wording.rule(code) for code in rules], _("and"))
    return worklist.text_of(Task(kind=task.kind, details={**task.details, "rules": [named]}))


@register.filter
def can_be_ticked(task: Task) -> bool:
    """Whether "Done" takes it off; the others go with the act they ask for, or by a clinician who has looked."""
    return task.kind not in worklist.CLOSED_BY_ACT and task.kind not in worklist.CLINICAL


@register.simple_tag
def task_act(task: Task, named: bool = False) -> SafeString:
    """The link to where it is done; `named` tells those of many patients apart for who does not see the row."""
    target, word = _act(task)
    name = format_html('<span class="hidden">: {}</span>', task.patient) if named else ""
    return format_html('<a class="button small" href="{}">{}{}</a>', target, word, name)


@register.simple_tag
def task_main_act(task: Task, key: str) -> SafeString:
    """The same as the first thing to do, pressed by a key."""
    target, word = _act(task)
    link = '<a class="button primary large" href="{}" data-key="{}" data-key-label="{}">{} <kbd>{}</kbd></a>'
    return format_html(link, target, key, _("Do what the line asks"), word, key)


@register.simple_tag
def task_call(task: Task) -> SafeString:
    """Beside what is done about mails: the call that tells the dates meanwhile."""
    if task.kind not in TOLD_BY_PHONE or not task.patient.phone:
        return SafeString()
    return _call(task.patient.phone)


def _call(number: str) -> SafeString:
    return format_html('<a class="button small" href="{}">{}{}</a>', dial(number), icon("phone"), _("Call"))


@register.filter
def number_of(task: Task) -> str:
    """The number at which the patient waits for a call: the one that was given with the wish, or the known one."""
    return str(task.details.get("phone") or task.patient.phone)


@register.filter
def dial(number: str) -> str:
    """The address that a phone dials."""
    return f"tel:{'+' if number.startswith('+') else ''}{digits(number)}"


def _act(task: Task) -> tuple[str, object]:
    """Where it is done, and how that is called; the patient's page for a line that lacks what its page needs."""
    if task.kind == TaskKind.CALL_ASKED and (number := number_of(task)):
        return dial(number), _("Call %(number)s") % {"number": number}
    known = {"patient": task.patient_id, "course": task.course_id, "visit": lines.visit_of(task)}
    for kind, about, name, word in ACTS:
        if kind == task.kind and known[about]:
            more = AT.get(kind, "")
            return reverse(name, args=[known[about]]) + more, word
    return reverse("patient", args=[task.patient_id]), _("Open patient")


@register.simple_tag
def address(request: HttpRequest, **changes: object) -> str:
    """The address of this page with other parameters: "/worklist/?show=desk&line=7"; an empty one goes."""
    asked: dict[str, object] = {name: request.GET.get(name) for name in ("show", "page", "line")}
    kept = {name: value for name, value in (asked | changes).items() if value not in ("", None)}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path
