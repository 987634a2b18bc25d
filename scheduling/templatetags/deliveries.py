"""The list of mails and their timelines in templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.models import Patient
from scheduling import reminded
from scheduling.mails import letters
from scheduling.models import Mail, MailState
from scheduling.reminded import NOT_MADE, Reminder
from scheduling.templatetags.visits import MAIL_STATES
from scheduling.timelines import Timeline

register = template.Library()

#: Why no mail goes to a patient -> what the desk does about it.
WITHHELD = {
    letters.NO_ADDRESS: gettext_lazy("No mail address: dates are told by phone."),
    letters.STOPPED: gettext_lazy("The patient wants no mails: tell dates and changes by phone."),
    letters.FAULTY: gettext_lazy("Mails to this address come back or reach somebody else: tell dates by phone."),
    letters.UNASKED: gettext_lazy(
        "The patient was not asked about mails yet: tell dates and changes by phone, and ask."
    ),
}


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
def mails_withheld(patient: Patient) -> str:
    """Why none of the mails that are due will go to this patient, and what to do instead; empty when they go."""
    hindrance = letters.withheld(patient)
    return str(WITHHELD[hindrance.reason]) if hindrance else ""


@register.filter
def story_of(mail: Mail) -> str:
    """Where it is told why a patient got a mail, or did not; at the mail's own place."""
    if mail.session_id is not None:
        return f"{reverse('session-mails', args=[mail.session_id])}#mail-{mail.pk}"
    if mail.course_id is not None:
        return f"{reverse('course-mails', args=[mail.course_id])}#mail-{mail.pk}"
    return reverse("evaluation", args=[mail.evaluation_id])
