"""How a course's scores, screening and advice are shown to a clinician."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms, template
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from patients.answers import Answers
from patients.eligibility import QUESTIONS
from scheduling import clinical, wording
from scheduling.models import Session
from scheduling.protocols.response import Reason

register = template.Library()


@register.filter
def said(reason: Reason) -> str:
    """Why something is advised, in the reader's language."""
    values = {name: _(value) if isinstance(value, str) else value for name, value in reason.values.items()}
    return wording.sentence(reason.text, values)


@register.filter
def number(session: Session) -> str:
    """What a visit is called in its course: 5, M3 in maintenance."""
    return clinical.number(session)


@register.filter
def field(form: forms.Form, name: str) -> forms.BoundField:
    """A form's field by its name."""
    return form[name]


@register.filter
def of(values: Mapping[Any, Any], key: Any) -> Any:
    """What stands under a key, None for nothing."""
    return values.get(key)


@register.filter
def plain(count: int) -> str:
    """A figure for a form's field, in no language's own way."""
    return str(count)


# A screening in a few words


@register.filter
def failed_trials(answers: Answers) -> list[str]:
    """The antidepressants that were given well enough and did not help."""
    return [trial.drug for trial in answers.trials if trial.failed]


@register.filter
def heard(answers: Answers, today: date) -> list[str]:
    """Who was heard about the treatment."""
    asked = {_("doctor"): answers.doctor, _("therapist"): answers.therapist, _("psychologist"): answers.psychologist}
    return [who for who, sign_off in asked.items() if sign_off.heard(today)]


@register.filter
def consents(answers: Answers) -> list[str]:
    """Which consents were given, and when."""
    given = {_("treatment"): answers.treatment_consent, _("off-label"): answers.off_label_consent}
    return [f"{what} {date_format(on, 'j M Y')}" for what, on in given.items() if on is not None]


@register.filter
def yeses(answers: Answers) -> list[str]:
    """The questions of the history that were answered with yes."""
    return [_(asked.asks) for item, asked in QUESTIONS.items() if getattr(answers, item, None)]
