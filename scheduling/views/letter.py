"""The letter about a course, to print or to send."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from clinic import clock
from clinic.http import actor, page
from clinic.permissions import Verb
from scheduling import referral
from scheduling.models import Course


@page(GET=Verb.REVIEW)
def letter(request: HttpRequest, course_id: int) -> HttpResponse:
    """One page as PDF; its name says nothing of the patient, and no cache keeps it."""
    found = get_object_or_404(Course.objects.select_related("site"), pk=course_id)
    pdf = referral.letter(actor=actor(request), course=found, now=clock.now())
    headers = {"Content-Disposition": 'inline; filename="letter.pdf"', "Cache-Control": "no-store"}
    return HttpResponse(pdf, content_type="application/pdf", headers=headers)
