"""The questions before a visit, on the patient's page: one at a time, each tap kept, sent at the end."""

from __future__ import annotations

from contextlib import suppress

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic import clock
from clinic.errors import Invalid, Stale
from patients.answering import ITEM_9
from patients.measures import ANSWERS
from scheduling import missing
from scheduling.models import Session
from scheduling.portal import questionnaires
from scheduling.portal.access import Access
from scheduling.portal.questionnaires import Part
from scheduling.views.portal_frame import portal_page, show

VALUES = {str(answer.value): answer.value for answer in ANSWERS}


@portal_page("GET", "POST")
def form(request: HttpRequest, access: Access) -> HttpResponse:
    """Where the patient was: the next question, the answers before they are sent, or that they were. A POST sends the
    answers of `part`."""
    if access.session is None:
        return show(request, "portal/form_none.html", access)
    if request.method == "POST":
        return _send(request, access, access.session)
    parts = questionnaires.parts(access.session, now=clock.now())
    open_part = next((part for part in parts if part.due), None)
    sent = [part for part in parts if part.sent_at]
    if open_part is None or (sent and not open_part.begun):
        template = "portal/form_sent.html" if sent else "portal/form_none.html"
        at_risk = any(part.item_9 for part in sent)
        return show(request, template, access, {"sent": sent, "more": open_part, "at_risk": at_risk})
    if open_part.next is None:
        return _review(request, access, open_part)
    return redirect("portal-form-step", access.token, open_part.next)


@portal_page("GET", "POST")
def step(request: HttpRequest, access: Access, step: int) -> HttpResponse:
    """One question; a POST keeps its `value` and goes on. The page after an item 9 above 0 begins with whom to call:
    it is shown because of the answer that is stored, so going back or loading it again sends nothing."""
    part = _part(access, step)
    if part is None or access.session is None:
        return redirect("portal-form", access.token)
    if request.method != "POST":
        return _question(request, access, part, step)
    value = VALUES.get(request.POST.get("value", ""))
    if value is None:
        return _question(request, access, part, step, lacks=True)
    try:
        questionnaires.answer(session=access.session, step=step, value=value, now=clock.now())
    except Stale:  # sent meanwhile, in another window or at the clinic: the page says so
        return redirect("portal-form", access.token)
    kept = part.with_answer(step, value)
    if part.item_9 and not kept.item_9:
        told = _(
            "Your answer is changed. Our clinicians were told of the first one and may still call you: "
            "that is no trouble at all."
        )
        messages.info(request, told)
    if kept.next is None:
        return redirect("portal-form", access.token)
    following = reverse("portal-form-step", args=[access.token, kept.next])
    return redirect(f"{following}?after={step}" if kept.item_9 else following)


def _part(access: Access, step: int) -> Part | None:
    """The questionnaire of a step, None where it is not due."""
    if access.session is None:
        return None
    parts = questionnaires.parts(access.session, now=clock.now())
    return next((part for part in parts if part.due and step in part.steps), None)


def _question(
    request: HttpRequest,
    access: Access,
    part: Part,
    step: int,
    *,
    lacks: bool = False,
) -> HttpResponse:
    """A question with its four answers; right after item 9 above 0 whom to call has to be seen before it."""
    alarmed = bool(part.item_9) and request.GET.get("after", "") == str(part.first + ITEM_9 - 1)
    context = {
        "part": part,
        "step": step,
        "number": step - part.first + 1,
        "item": part.item(step),
        "chosen": part.answer(step),
        "answers": ANSWERS,
        "before": step - 1 if step > part.first else None,
        "lacks": lacks,
        "at_risk": part.item_9,
        "brief": not alarmed,
        "alarmed": alarmed,
    }
    return show(request, "portal/form_step.html", access, context, status=422 if lacks else 200)


def _review(request: HttpRequest, access: Access, part: Part) -> HttpResponse:
    """The answers before they are sent."""
    rows = [
        (step, part.item(step), ANSWERS[value])
        for step, value in zip(part.steps, part.answers, strict=True)
        if value is not None
    ]
    context = {"part": part, "rows": rows, "at_risk": part.item_9}
    return show(request, "portal/form_review.html", access, context)


def _send(request: HttpRequest, access: Access, session: Session) -> HttpResponse:
    place = request.POST.get("part", "")
    codes = {str(number): code for number, code in enumerate(missing.FORMS, start=1)}
    if place in codes:
        with suppress(Invalid, Stale):  # a question is open, or nothing is asked any more: the page leads on
            questionnaires.send(session=session, instrument=codes[place], now=clock.now())
    return redirect("portal-form", access.token)
