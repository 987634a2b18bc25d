"""A course: its sessions, what the rules say, what happened, what was mailed; confirm it, decide on it, cancel it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from clinic import clock
from clinic.errors import DomainError, RulesBroken
from clinic.findings import Finding, Level, worst
from clinic.forms import add_error
from clinic.http import actor, page
from clinic.permissions import Verb
from scheduling import cancelling, confirming, deciding, queries
from scheduling.booking import Signature
from scheduling.forms import MaintenanceForm, ReasonForm, SignForm
from scheduling.models import OPEN, Course, CourseState, Session, SessionState
from scheduling.protocols.progress import default_interval
from scheduling.views.signing import request_id_of, sign


@dataclass(frozen=True, slots=True)
class Row:
    """A session on the course's page: its day number, what is found about it, and what can still be done."""

    session: Session
    day: int
    findings: tuple[Finding, ...]
    movable: bool
    confirmable: bool

    @property
    def tone(self) -> str:
        """How the findings' row stands out."""
        return str(worst(self.findings) or "")


@page(GET=Verb.SEE)
def course(request: HttpRequest, course_id: int) -> HttpResponse:
    """Everything about one course."""
    return _page(request, course_id)


@sensitive_post_parameters()
@page(POST=Verb.BOOK)
def confirm(request: HttpRequest, course_id: int) -> HttpResponse:
    """Turn a held course into a booked one; what is still to be signed is signed here."""
    found = get_object_or_404(Course.objects.select_related("site", "protocol", "patient"), pk=course_id)
    form = SignForm(request.POST, site=found.site, actor=actor(request), prefix="sign")
    try:
        confirming.confirm_course(
            actor=actor(request),
            course=found,
            override=sign(request, form),
            request_id=request_id_of(request),
            now=clock.now(),
        )
    except DomainError as error:
        return _page(request, course_id, sign_form=form, refusal=error.message, status=422)
    messages.success(request, _("The course is booked. The patient gets one mail with all dates."))
    return redirect("course", course_id)


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def cancel(request: HttpRequest, course_id: int) -> HttpResponse:
    """Cancel a course and its sessions to come, after saying which."""
    found = get_object_or_404(Course.objects.select_related("site", "protocol", "patient"), pk=course_id)
    form = ReasonForm(request.POST or None, initial={"request_id": uuid4()})
    if form.is_valid():
        try:
            change = cancelling.cancel_course(actor=actor(request), course=found, now=clock.now(), **form.cleaned_data)
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("The course is cancelled; its times are free."))
            return redirect("course", change.course.pk)
    going = [row for row in found.sessions.with_site().in_order() if row.state in OPEN]
    context = {"course": found, "patient": found.patient, "site": found.site, "form": form, "going": going}
    return _form(request, "courses/cancel.html", context, bound=form.is_bound)


@page(GET=Verb.DECIDE, POST=Verb.DECIDE)
def decide(request: HttpRequest, course_id: int) -> HttpResponse:
    """Begin maintenance, or change its interval, for a reason."""
    found = get_object_or_404(Course.objects.select_related("site", "protocol", "patient"), pk=course_id)
    interval = found.interval_days or default_interval(found.protocol.protocol)
    form = MaintenanceForm(request.POST or None, initial={"request_id": uuid4(), "interval_days": interval})
    findings: tuple[Finding, ...] = ()
    if form.is_valid():
        data = form.cleaned_data
        rules = frozenset(request.POST.getlist("rule"))
        try:
            deciding.decide(
                actor=actor(request),
                course=found,
                decision=deciding.MAINTENANCE,
                reason=data["reason"],
                interval_days=data["interval_days"],
                override=Signature(actor(request), rules, data["reason"]) if data["pass_over"] else None,
                request_id=data["request_id"],
                now=clock.now(),
            )
        except RulesBroken as error:
            findings = error.findings
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("Maintenance is decided. Its visits can be added now."))
            return redirect("course", found.pk)
    going = [row for row in found.sessions.with_site().in_order() if row.state in OPEN and row.phase != "maintenance"]
    context = {"course": found, "patient": found.patient, "site": found.site, "form": form, "going": going}
    context |= {"findings": findings, "needed": [found.rule for found in findings if found.level == Level.OVERRIDE]}
    return _form(request, "courses/decide.html", context, bound=form.is_bound)


def _form(request: HttpRequest, template: str, context: dict[str, Any], *, bound: bool) -> HttpResponse:
    context["section"] = "patients"
    return render(request, template, context, status=422 if bound else 200)


def _page(
    request: HttpRequest, course_id: int, *, refusal: str = "", status: int = 200, **context: Any
) -> HttpResponse:
    now = clock.now()
    found = get_object_or_404(queries.courses(), pk=course_id)
    findings = queries.findings_of([found])[found.pk]
    signed = {override.rule for override in found.overrides.all()}
    unsigned = sorted({finding.rule for finding in findings if finding.level == Level.OVERRIDE} - signed)
    form = context.get("sign_form") or SignForm(site=found.site, actor=actor(request), prefix="sign")
    return render(
        request,
        "courses/course.html",
        {
            "section": "patients",
            "course": found,
            "patient": found.patient,
            "site": found.site,
            "shape": found.protocol.protocol.visit,
            "rows": _rows(found, findings, now),
            "overall": [finding for finding in findings if not finding.sessions],
            "events": list(reversed(found.events.all())),
            "mails": list(queries.reminders().filter(course=found)),
            "held": found.state == CourseState.HELD,
            "needed": unsigned if found.state == CourseState.HELD else [],
            "sign": form,
            "refusal": refusal,
            "request_id": uuid4(),
            "now": now,
        },
        status=status,
    )


def _rows(found: Course, findings: tuple[Finding, ...], now: datetime) -> list[Row]:
    sessions = list(found.sessions.all())
    live = [session for session in sessions if session.is_live]
    first = (live or sessions)[0].local_date if sessions else None
    starts = {session.pk: session.starts_at for session in sessions}
    blamed: dict[int, list[Finding]] = {}
    for finding in findings:
        mine = [session for session in finding.sessions if session in starts]
        if mine:
            blamed.setdefault(max(mine, key=starts.__getitem__), []).append(finding)
    return [
        Row(
            session=session,
            day=(session.local_date - first).days if first else 0,
            findings=tuple(blamed.get(session.pk, ())),
            movable=session.state in OPEN,
            confirmable=session.state == SessionState.BOOKED and session.starts_at > now,
        )
        for session in sessions
    ]
