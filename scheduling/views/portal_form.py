"""The questions before a visit, on the patient's page: one at a time, each tap kept, sent at the end."""

from __future__ import annotations

from contextlib import suppress

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

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
    """One question; a POST keeps its `value` and goes on. Item 9 above 0 is answered in the same request with whom to
    call."""
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
    if part.item_9 or kept.item_9:
        return _about_item_9(request, access, part, kept, step)
    if kept.next is None:
        return redirect("portal-form", access.token)
    return redirect("portal-form-step", access.token, kept.next)


def _about_item_9(request: HttpRequest, access: Access, before: Part, kept: Part, step: int) -> HttpResponse:
    """What comes next, with whom to call; not a redirect, so that nothing can come between."""
    taken_back = bool(before.item_9 and not kept.item_9)
    if kept.next is None:
        return _review(request, access, kept, taken_back=taken_back)
    if step - kept.first + 1 != ITEM_9:
        return redirect("portal-form-step", access.token, kept.next)
    return _question(request, access, kept, kept.next, alarmed=bool(kept.item_9), taken_back=taken_back)


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
    alarmed: bool = False,
    taken_back: bool = False,
) -> HttpResponse:
    """A question with its four answers; `alarmed`: whom to call has to be seen before it."""
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
        "taken_back": taken_back,
    }
    return show(request, "portal/form_step.html", access, context, status=422 if lacks else 200)


def _review(request: HttpRequest, access: Access, part: Part, *, taken_back: bool = False) -> HttpResponse:
    """The answers before they are sent."""
    rows = [
        (step, part.item(step), ANSWERS[value])
        for step, value in zip(part.steps, part.answers, strict=True)
        if value is not None
    ]
    context = {"part": part, "rows": rows, "at_risk": part.item_9, "taken_back": taken_back}
    return show(request, "portal/form_review.html", access, context)


def _send(request: HttpRequest, access: Access, session: Session) -> HttpResponse:
    place = request.POST.get("part", "")
    codes = {str(number): code for number, code in enumerate(missing.FORMS, start=1)}
    if place in codes:
        with suppress(Invalid, Stale):  # a question is open, or nothing is asked any more: the page leads on
            questionnaires.send(session=session, instrument=codes[place], now=clock.now())
    return redirect("portal-form", access.token)
