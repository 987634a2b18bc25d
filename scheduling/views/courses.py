"""A course: its sessions, what the rules say, what happened, what was mailed; confirm it, decide on it, cancel it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from clinic import clock
from clinic.errors import DomainError, Stale
from clinic.findings import Finding, Level
from clinic.forms import add_error
from clinic.http import actor, page
from clinic.permissions import Verb, allowed, kind_of
from patients.templatetags.screenings import gates_of
from scheduling import cancelling, confirming, gating, history, openings, queries, wording
from scheduling.forms import GiveUpForm, SignForm
from scheduling.models import OPEN, Course, CourseState
from scheduling.views import hints, response, steps
from scheduling.views.signing import request_id_of, sign
from scheduling.visits import absence


@page(GET=Verb.SEE)
def course(request: HttpRequest, course_id: int) -> HttpResponse:
    """A course as its reader needs it: how the patient responds for who treats, visits and mails for the desk; each
    finds the other page by `?view=`."""
    if response.wanted(request):
        shown = response.course(request, course_id)
        if shown is not None:
            return shown
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
    found = get_object_or_404(Course.objects.with_history(), pk=course_id)
    if found.ended_at is not None and request.method != "POST":
        return _ended(request, found)
    form = GiveUpForm(request.POST or None, initial={"request_id": uuid4()})
    if form.is_valid():
        try:
            change = cancelling.cancel_course(actor=actor(request), course=found, now=clock.now(), **form.cleaned_data)
        except Stale as error:
            return _ended(request, Course.objects.with_history().get(pk=course_id), error.message)
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("The course is cancelled; its times are free."))
            return redirect("course", change.course.pk)
    going = [row for row in found.sessions.all() if row.state in OPEN]
    context = {"course": found, "patient": found.patient, "site": found.site, "form": form, "going": going}
    return _form(request, "courses/cancel.html", context, bound=form.is_bound)


def _ended(request: HttpRequest, found: Course, refusal: str = "") -> HttpResponse:
    """Nothing is left to cancel: what happened, and the way back. 409 for an act that came too late."""
    told = history.entries(found)
    context = {
        "section": "patients",
        "course": found,
        "patient": found.patient,
        "site": found.site,
        "entry": told[0] if told else None,
        "title": _("This course has ended."),
        "refusal": refusal,
    }
    return render(request, "courses/gone.html", context, status=409 if refusal else 200)


def _form(request: HttpRequest, template: str, context: dict[str, Any], *, bound: bool) -> HttpResponse:
    context["section"] = "patients"
    return render(request, template, context, status=422 if bound else 200)


@page(GET=Verb.SEE)
def dates(request: HttpRequest, course_id: int) -> HttpResponse:
    """The dates to come as a page for the patient: to print, in the patient's language, nothing clinical in it."""
    found = get_object_or_404(Course.objects.select_related("site", "patient"), pk=course_id)
    now, zone = clock.now(), found.site.zone
    coming = list(found.sessions.filter(state__in=OPEN, during__startswith__gt=now).in_order())
    with translation.override(found.patient.language):
        # Said once; where a zone is known only by its distance from UTC, summer and winter have names of their own.
        zones = {wording.zone_name(session.starts_at, zone) for session in coming}
        said = wording.clock if len(zones) == 1 else wording.time
        rows = [
            {
                "day": wording.day(session.starts_at, zone),
                "time": said(session.starts_at, zone),
                "length": wording.length(session.discharge_at - session.starts_at),
                "home": wording.clock(session.discharge_at, zone),
                "starts_at": session.starts_at,
            }
            for session in coming
        ]
        printed = wording.when(now, zone)
    # No site: browsers print a page's title, and the clinic's own name may say too much.
    context = {"course": found, "patient": found.patient, "site": None, "rows": rows, "printed": printed}
    context["zone"] = zones.pop() if len(zones) == 1 else ""
    return render(request, "courses/dates.html", context)


def _page(
    request: HttpRequest, course_id: int, *, refusal: str = "", status: int = 200, **context: Any
) -> HttpResponse:
    now, staff = clock.now(), actor(request)
    try:
        shown = queries.course_page(course_id)
    except Course.DoesNotExist as error:
        raise Http404 from error
    found, findings, mails = shown.course, shown.findings, shown.mails
    standing = steps.Standing(
        course=found,
        findings=findings,
        told=history.entries(found),
        now=now,
        books=allowed(staff, Verb.BOOK),
        marks_no_show=allowed(staff, Verb.NO_SHOW),
        runs=allowed(staff, Verb.RUN_VISIT),
        latest=_latest_starts(found, now),
    )
    signed = {override.rule for override in found.overrides.all()}
    held = found.state == CourseState.HELD
    unsigned = sorted({finding.rule for finding in findings if finding.level == Level.OVERRIDE} - signed)
    screened = _screened(found, now) if held else ()
    asked_of_screening = {finding.rule for finding in screened if finding.level == Level.OVERRIDE}
    needed = sorted({*unsigned, *asked_of_screening}) if held else []
    earlier, rows = steps.folded(standing.rows)
    kept, withdrawn = queries.in_turn(mails)
    return render(
        request,
        "courses/course.html",
        {
            "section": "patients",
            "course": found,
            "patient": found.patient,
            "site": found.site,
            "standing": standing,
            "earlier": earlier,
            "rows": rows,
            "overall": [finding for finding in findings if not finding.sessions],
            "hints": hints.hints(
                standing,
                unsigned=needed,
                asked=hints.asked_of(shown.asked, standing),
                mails=mails,
                decides=allowed(staff, Verb.DECIDE),
            ),
            "mails": kept,
            "withdrawn": withdrawn,
            "bookable": held and found.held_until is not None and found.held_until > now,
            "needed": needed,
            "gates": gates_of(found.patient_id, screened, request.path),
            "sign": context.get("sign_form") or SignForm(site=found.site, actor=staff, prefix="sign"),
            "refusal": refusal,
            "request_id": uuid4(),
            "clinical": kind_of(staff) in response.CLINICAL,
            "now": now,
        },
        status=status,
    )


def _screened(found: Course, now: datetime) -> tuple[Finding, ...]:
    """What the screening says against a held course."""
    rules = found.protocol.protocol
    return gating.findings(patient=found.patient_id, site=found.site, protocol=rules, course=found, now=now)


def _latest_starts(found: Course, now: datetime) -> Mapping[int, datetime | None]:
    """Until when those who are late today could still begin; four queries when somebody is late, none otherwise."""
    today = now.astimezone(found.site.zone).date()
    late = [session for session in found.sessions.all() if steps.is_late(session, now, today)]
    return absence.latest_starts(openings.read(found.site, [today])[today], late) if late else {}
