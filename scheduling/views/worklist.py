"""What waits for somebody: worst first, each line with its one act."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from django.contrib import messages
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from clinic import clock
from clinic.errors import Stale
from clinic.http import actor, page
from clinic.permissions import Verb
from patients import worklist as lines
from patients.models import Task, TaskKind
from scheduling import queries
from scheduling.models import OPEN, Session

#: A visit or a hold that ends so soon leaves no time for anything else.
SOON = timedelta(hours=4)


class Urgency(IntEnum):
    """When a line has to be dealt with at the latest."""

    NOW = 0
    TODAY = 1
    WEEK = 2
    LATER = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the worklist: `due_at` is when it is too late, on the clocks of the course's site."""

    task: Task
    urgency: Urgency
    due_at: datetime | None


#: Whose lines are shown, by the word in the address.
WHOSE: dict[str, Callable[[Task], bool]] = {
    "": lambda task: True,
    "desk": lambda task: task.kind != TaskKind.OVERRIDE_ASKED,
    "prescribers": lambda task: task.kind == TaskKind.OVERRIDE_ASKED,
}


@page(GET=Verb.SEE)
def worklist(request: HttpRequest) -> HttpResponse:
    """The open lines, the most urgent first. `?for=` shows those of the desk or of the prescribers."""
    now = clock.now()
    tasks = list(queries.worklist())
    asked = request.GET.get("for", "")
    whose = asked if asked in WHOSE else ""
    context = {
        "section": "worklist",
        "lines": _lines(filter(WHOSE[whose], tasks), now),
        "whose": whose,
        "counts": {word or "all": sum(map(belongs, tasks)) for word, belongs in WHOSE.items()},
        "open_tasks": len(tasks),
        "version": _version(len(tasks), max((task.pk for task in tasks), default=0)),
        "now": now,
    }
    return render(request, "worklist.html", context)


@page(GET=Verb.SEE)
def version(request: HttpRequest) -> HttpResponse:
    """A word that changes when a line comes or goes, and how many are open: what an open page keeps asking."""
    found = Task.objects.filter(done_at=None).aggregate(count=Count("pk"), last=Max("pk"))
    body = {"version": _version(found["count"], found["last"] or 0), "tasks": found["count"]}
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


def _version(count: int, last: int) -> str:
    """A line that is done never opens again: a new one has a greater id, and one that is gone is one less."""
    return f"{count}-{last}"


def _lines(tasks: Iterable[Task], now: datetime) -> list[Line]:
    """The lines in order: by urgency, by when it is too late, by age. One query beside that of the tasks."""
    tasks = list(tasks)
    coming: dict[int, list[Session]] = {}
    sessions = Session.objects.filter(patient__in={task.patient_id for task in tasks}, state__in=OPEN)
    for session in sessions.filter(during__startswith__gt=now).select_related("site").in_order():
        coming.setdefault(session.patient_id, []).append(session)
    found = [_line(task, coming.get(task.patient_id, ()), now) for task in tasks]
    return sorted(found, key=lambda line: (line.urgency, line.due_at or line.task.since, line.task.since, line.task.pk))


def _line(task: Task, coming: Iterable[Session], now: datetime) -> Line:
    """A hold has to be signed before it ends; a patient has to be called before the next visit, a visit that no longer
    fits be moved before it starts."""
    due_at = None
    if task.kind == TaskKind.OVERRIDE_ASKED:
        if task.course is not None and task.course.held_until is not None:
            due_at = task.course.held_until.astimezone(task.course.site.zone)
    else:
        meant = (one for one in coming if task.kind != TaskKind.NEEDS_TIME or str(one.pk) == task.key)
        due_at = next((session.starts_at.astimezone(session.site.zone) for session in meant), None)
    return Line(task, _urgency(due_at, now), due_at)


def _urgency(due_at: datetime | None, now: datetime) -> Urgency:
    """Now: today or within SOON; today: tomorrow, for then it is too late; this week: within seven days."""
    if due_at is None:
        return Urgency.LATER
    days = (due_at.date() - now.astimezone(due_at.tzinfo).date()).days
    if days <= 0 or due_at - now <= SOON:
        return Urgency.NOW
    if days == 1:
        return Urgency.TODAY
    return Urgency.WEEK if days <= 7 else Urgency.LATER


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
