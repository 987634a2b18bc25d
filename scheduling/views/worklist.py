"""What waits for somebody."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from clinic import clock
from clinic.errors import Stale
from clinic.http import actor, page
from clinic.permissions import Verb
from patients import worklist as lines
from patients.models import Task
from scheduling import queries


@page(GET=Verb.SEE)
def worklist(request: HttpRequest) -> HttpResponse:
    """The open lines, the oldest first."""
    context = {"section": "worklist", "tasks": list(queries.worklist()), "now": clock.now()}
    return render(request, "worklist.html", context)


@page(POST=Verb.ACKNOWLEDGE)
def acknowledge(request: HttpRequest, task_id: int) -> HttpResponse:
    """Take a line off."""
    task = get_object_or_404(Task.objects.select_related("patient"), pk=task_id)
    try:
        lines.acknowledge(actor=actor(request), task=task, now=clock.now())
    except Stale as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, _("Done: %(line)s, %(patient)s") % {"line": task, "patient": task.patient})
    return redirect("worklist")
