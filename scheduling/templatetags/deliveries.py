"""The list of mails and their timelines in templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from scheduling import reminded
from scheduling.models import Mail, MailState
from scheduling.reminded import NOT_MADE, Reminder
from scheduling.templatetags.visits import MAIL_STATES
from scheduling.timelines import Timeline

register = template.Library()


@register.simple_tag
def narrowed(request: HttpRequest, **changes: object) -> str:
    """The address of this list with other words in it, from its first page; an empty one goes."""
    query = request.GET.copy()
    for name, value in {"after": "", "before": "", **changes}.items():
        query[name] = str(value)
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return f"{request.path}?{query.urlencode()}" if query else request.path


@register.filter
def said(answer: str) -> str:
    """What came of a try, in the reader's language where the words are ours."""
    return reminded.said(answer)


@register.inclusion_tag("parts/state.html")
def reminder_tag(reminder: Reminder) -> dict[str, Any]:
    """What became of a reminder: icon, word, colour."""
    if reminder.state == NOT_MADE:
        return {"icon": "minus", "tone": "", "label": _("Not made")}
    icon, tone = MAIL_STATES[MailState(reminder.state)]
    return {"icon": icon, "tone": tone, "label": MailState(reminder.state).label}


@register.filter
def summary_icon(told: Timeline) -> str:
    """The icon beside the sentence."""
    return {"green": "mail-check", "red": "mail-x", "amber": "mail-off"}.get(told.tone, "mail")


@register.filter
def story_of(mail: Mail) -> str:
    """Where it is told why a patient got a mail, or did not; at the mail's own place."""
    if mail.session_id is not None:
        return f"{reverse('session-mails', args=[mail.session_id])}#mail-{mail.pk}"
    if mail.course_id is not None:
        return f"{reverse('course-mails', args=[mail.course_id])}#mail-{mail.pk}"
    return reverse("evaluation", args=[mail.evaluation_id])
