"""What waits for somebody: worst first, each line with its one act, the chosen one with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic import clock
from clinic.errors import Invalid, RoleRefused, Stale
from clinic.http import actor, back_of, page, site_of
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist as verbs
from patients.models import Task
from scheduling import lines
from scheduling.lines import Line, Worklist
from scheduling.views import worklist_panel as panel

#: So many lines stand on a page; whatever is worse stands before.
ON_A_PAGE = 50

#: For how many days a line can be put off with one press.
SNOOZES = {1: gettext_lazy("Until tomorrow"), 3: gettext_lazy("3 days"), 7: gettext_lazy("A week")}


@page(GET=Verb.SEE)
def worklist(request: HttpRequest) -> HttpResponse:
    """The lines of `?show=` a word of `lines.SHOWN`, the worst first; beside them `?line=`, otherwise the first."""
    now, me = clock.now(), actor(request)
    found = lines.read(site=site_of(request), now=now)
    asked = request.GET.get("show", "")
    show = asked if asked in lines.SHOWN else ""
    pages = _paged(found.show(show, me), request)
    line, gone = _asked_for(found, request, pages)
    context = {
        "section": "worklist",
        "show": show,
        "gone": gone,
        "chosen": panel.chosen(line, me, now) if line else None,
        "sees_answers": panel.sees_answers(me),
        "snoozes": SNOOZES.items(),
        "now": now,
    }
    if request.htmx.target == "chosen":  # type: ignore[attr-defined]  # set by HtmxMiddleware
        return render(request, "worklist/chosen.html", context)
    return render(request, "worklist.html", context | _list(found, pages, me))


def _list(found: Worklist, pages: Page[Line], me: Staff) -> dict[str, Any]:
    """What the list shows beside the chosen line."""
    counts = found.counts(me)
    curves = panel.curves({line.task.patient_id for line in pages})
    return {
        "rows": [(line, curves.get(line.task.patient_id)) for line in pages],
        "pages": pages,
        "filters": [(what, label, counts[what]) for what, (label, _belongs) in lines.SHOWN.items()],
        "oldest": min((line.task.since for line in found.open), default=None),
        "open_tasks": len(found.open),
        "version": lines.version_of(found),
    }


def _paged(shown: tuple[Line, ...], request: HttpRequest) -> Page[Line]:
    return Paginator(shown, ON_A_PAGE).get_page(request.GET.get("page"))


def _asked_for(found: Worklist, request: HttpRequest, pages: Page[Line]) -> tuple[Line | None, bool]:
    """The line that is looked at, and whether another was meant that is not there any more."""
    asked = request.GET.get("line", "")
    line = found.line(int(asked)) if asked.isdecimal() else None
    return line or next(iter(pages), None), bool(asked) and line is None


@page(GET=Verb.SEE)
def version(request: HttpRequest) -> HttpResponse:
    """A word that changes with the lines, and how many wait: what an open page keeps asking."""
    word, count = lines.version(clock.now())
    return JsonResponse({"version": word, "tasks": count}, headers={"Cache-Control": "no-store"})


@page(POST=Verb.ACKNOWLEDGE)
def acknowledge(request: HttpRequest, task_id: int) -> HttpResponse:
    """Take a line off, item 9 with a note."""

    def act(me: Staff, task: Task, now: datetime) -> str:
        verbs.acknowledge(actor=me, task=task, note=request.POST.get("note", ""), now=now)
        return _("Done: %(line)s, %(patient)s") % {"line": task, "patient": task.patient}

    return _acted(request, task_id, act)


@page(POST=Verb.ACKNOWLEDGE)
def assign(request: HttpRequest, task_id: int) -> HttpResponse:
    """Give a line to `to`, or to nobody in particular."""

    def act(me: Staff, task: Task, now: datetime) -> str:
        to = request.POST.get("to", "")
        whom = get_object_or_404(Staff, pk=int(to)) if to.isdecimal() else None
        verbs.assign(actor=me, task=task, to=whom, now=now)
        if whom is None:
            return _("Given to nobody in particular: %(line)s, %(patient)s") % {"line": task, "patient": task.patient}
        values = {"name": whom, "line": task, "patient": task.patient}
        return _("Given to %(name)s: %(line)s, %(patient)s") % values

    return _acted(request, task_id, act)


@page(POST=Verb.ACKNOWLEDGE)
def snooze(request: HttpRequest, task_id: int) -> HttpResponse:
    """Put a line off for `days`, one of SNOOZES; 0 takes that back."""

    def act(me: Staff, task: Task, now: datetime) -> str:
        asked = request.POST.get("days", "")
        if asked not in {"0", *map(str, SNOOZES)}:
            raise Invalid.at("days", _("Choose for how long."))
        days = int(asked)
        verbs.snooze(actor=me, task=task, until=now + timedelta(days=days) if days else None, now=now)
        values = {"days": days, "line": task, "patient": task.patient}
        if not days:
            return _("Waits again: %(line)s, %(patient)s") % values
        told = ngettext(
            "Put off for %(days)s day: %(line)s, %(patient)s",
            "Put off for %(days)s days: %(line)s, %(patient)s",
            days,
        )
        return told % values

    return _acted(request, task_id, act)


def _acted(request: HttpRequest, task_id: int, act: Callable[[Staff, Task, datetime], str]) -> HttpResponse:
    """Do something with a line, say what came of it, and go back to the list as it was."""
    task = get_object_or_404(Task.objects.select_related("patient"), pk=task_id)
    try:
        told = act(actor(request), task, clock.now())
    except (Invalid, RoleRefused, Stale) as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, told)
    return redirect(back_of(request) or "worklist")
