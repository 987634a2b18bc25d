"""Plan and book: a new course, and more sessions of a running one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters

from clinic import clock
from clinic.errors import DomainError
from clinic.findings import Level
from clinic.http import actor, go, page, site_of
from clinic.permissions import Verb
from patients.models import Patient
from scheduling import booking
from scheduling.models import Course
from scheduling.views.desk import Desk


@sensitive_post_parameters()
@page(GET=Verb.BOOK, POST=Verb.BOOK)
def new_course(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Propose, change, hold or book a whole course."""
    patient = get_object_or_404(Patient, pk=patient_id)
    desk = Desk(request, site=site_of(request), patient=patient, now=clock.now())
    if not desk.commits:
        return desk.render("courses/new.html")
    try:
        change = booking.book_course(
            actor=actor(request),
            patient=patient,
            protocol=desk.protocol,
            places=desk.places,
            override=desk.signature(),
            hold=desk.holds,
            reason=desk.reason if desk.holds else "",
            ask=desk.asks if desk.holds else None,
            request_id=desk.request_id,
            now=desk.now,
        )
    except DomainError as error:
        desk.refused(error)
        return desk.render("courses/new.html")
    asked = any(finding.level == Level.OVERRIDE for finding in change.findings)
    _say(request, len(desk.places), held=desk.holds, asked=asked)
    return go(request, "course", change.course.pk)


@sensitive_post_parameters()
@page(GET=Verb.BOOK, POST=Verb.BOOK)
def add_sessions(request: HttpRequest, course_id: int) -> HttpResponse:
    """Propose, change and book more sessions of a running course."""
    course = get_object_or_404(Course.objects.select_related("patient", "site", "protocol"), pk=course_id)
    desk = Desk(request, site=course.site, patient=course.patient, course=course, now=clock.now())
    if not desk.commits:
        return desk.render("courses/add.html")
    try:
        booking.add_sessions(
            actor=actor(request),
            course=course,
            places=desk.places,
            override=desk.signature(),
            request_id=desk.request_id,
            now=desk.now,
        )
    except DomainError as error:
        desk.refused(error)
        return desk.render("courses/add.html")
    _say(request, len(desk.places))
    return go(request, "course", course.pk)


def _say(request: HttpRequest, count: int, *, held: bool = False, asked: bool = False) -> None:
    if held and asked:
        text = ngettext(
            "%(count)d visit is held for 24 hours; a prescriber is asked to sign. Nothing is mailed yet.",
            "%(count)d visits are held for 24 hours; a prescriber is asked to sign. Nothing is mailed yet.",
            count,
        )
    elif held:
        text = ngettext(
            "%(count)d visit is held for 24 hours. Nothing is mailed yet.",
            "%(count)d visits are held for 24 hours. Nothing is mailed yet.",
            count,
        )
    else:
        text = ngettext("%(count)d visit is booked.", "%(count)d visits are booked.", count)
    messages.success(request, text % {"count": count})
