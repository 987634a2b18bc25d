"""Mails to patients: what became of all of them, and for one visit or course why the patient got them, or did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from clinic import clock
from clinic.http import page, site_of
from clinic.permissions import Verb
from patients.forms import SearchForm
from patients.models import Patient
from patients.search import search
from scheduling import deliveries, timelines, wording
from scheduling.deliveries import MANY, Asked, Mark
from scheduling.models import Course, Mail, MailKind, MailState, Session
from scheduling.protocols.windows import day_bounds
from scheduling.templatetags.deliveries import story_of
from scheduling.timelines import Timeline

#: So many patients are offered where a name means several.
MEANT = 8

#: The word of the filter that is no state.
LATE = "late"


class Narrowing(forms.Form):
    """What stands in the page's address; what cannot be read there narrows nothing."""

    state = forms.ChoiceField(choices=[*MailState.choices, (LATE, "")], required=False)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=[("", gettext_lazy("All kinds")), *MailKind.choices], required=False
    )
    patient = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    since = forms.DateField(
        label=gettext_lazy("Due from"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = forms.DateField(
        label=gettext_lazy("Due until"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One mail as the list shows it: when it went out or should (as `says`), what it speaks about, where its story is
    told; `late` when it should have gone out."""

    mail: Mail
    at: datetime
    says: str
    about: str
    url: str
    late: bool


@never_cache
@page(GET=Verb.SEE, POST=Verb.SEE)
def mails(request: HttpRequest) -> HttpResponse:
    """The mails to patients, narrowed by the address; a POST of `q` looks for the patient whose mails are meant."""
    now, zone = clock.now(), site_of(request).zone
    meant = _meant(request) if request.method == "POST" else ()
    if len(meant) == 1:
        return redirect(f"{reverse('mails')}?{_query(request, patient=str(meant[0].pk), after='', before='')}")
    form = Narrowing(request.GET)
    form.is_valid()
    asked = _asked(form.cleaned_data, zone)
    after, before = (Mark.read(request.GET.get(name, "")) for name in ("after", "before"))
    found = deliveries.page(asked, now=now, after=after, before=before)
    patient = Patient.objects.filter(pk=asked.patient).first() if asked.patient else None
    health = deliveries.health(now=now)
    context = {
        "section": "mails",
        "form": form,
        "asked": asked,
        "rows": [_row(mail, now) for mail in found.mails],
        "pages": found,
        "health": health,
        "filters": _filters(asked, deliveries.counts(asked, now=now)),
        "patient": patient,
        "meant": meant,
        "now": now,
    }
    return render(request, "mails/list.html", context)


def _meant(request: HttpRequest) -> tuple[Patient, ...]:
    """Whom a search means; says so when it means nobody."""
    form = SearchForm(request.POST)
    text = form.cleaned_data["q"].strip() if form.is_valid() else ""
    found = tuple(search(text, among=MEANT)[:MEANT]) if text else ()
    if not found:
        messages.warning(request, _("Nobody is found by “%(text)s”.") % {"text": text})
    return found


def _query(request: HttpRequest, **changes: str) -> str:
    """The query string with some of its words changed, the empty ones left out."""
    query = request.GET.copy()
    for name, value in changes.items():
        query[name] = value
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return query.urlencode()


def _asked(given: Mapping[str, Any], zone: tzinfo) -> Asked:
    state, since, until = given.get("state"), given.get("since"), given.get("until")
    return Asked(
        state=MailState(state) if state and state != LATE else None,
        kind=MailKind(given["kind"]) if given.get("kind") else None,
        patient=given.get("patient"),
        since=_bound(since, zone, 0),
        until=_bound(until, zone, 1),
        late=state == LATE,
    )


def _bound(day: date | None, zone: tzinfo, end: int) -> datetime | None:
    """The beginning or the end of a date, None for one that no clinic will ever see."""
    return day_bounds(day, zone)[end] if day and 1900 <= day.year < 2200 else None


def _filters(asked: Asked, counts: Mapping[MailState | None, int]) -> list[tuple[str, object, str, bool]]:
    """The states to choose from: the word of the address, its name, how many are listed, whether it is chosen."""
    chosen = LATE if asked.late else asked.state or ""
    shown = {state: f"{MANY - 1}+" if count == MANY else str(count) for state, count in counts.items()}
    states = (MailState.DUE, MailState.FAILED, MailState.SENT, MailState.WITHDRAWN)
    return [
        ("", _("All"), "", not chosen),
        (LATE, _("Late now"), shown[None], chosen == LATE),
        *((state.value, state.label, shown[state], chosen == state) for state in states),
    ]


def _row(mail: Mail, now: datetime) -> Row:
    zone, at = mail.site.zone, mail.settled_at or mail.due_at
    return Row(
        mail=mail,
        at=at,
        says=wording.short(at, zone),
        about=_about(mail),
        url=story_of(mail),
        late=mail.state == MailState.DUE and mail.due_at <= now - deliveries.LATE,
    )


def _about(mail: Mail) -> str:
    """The visit that a mail speaks about, at the time that it had then, in the time of its site."""
    if mail.about_at is not None:
        return wording.short(mail.about_at, mail.site.zone)
    if mail.session_id is not None:
        return _("an earlier time")
    return "" if mail.kind == MailKind.CALL_US else _("all dates")


@never_cache
@page(GET=Verb.SEE)
def session(request: HttpRequest, session_id: int) -> HttpResponse:
    """Why the patient of a visit got the mails about it, or did not."""
    try:
        return _told(request, timelines.of_session(session_id, now=clock.now()))
    except Session.DoesNotExist as error:
        raise Http404 from error


@never_cache
@page(GET=Verb.SEE)
def course(request: HttpRequest, course_id: int) -> HttpResponse:
    """The same for everything that was mailed over a course."""
    try:
        return _told(request, timelines.of_course(course_id, now=clock.now()))
    except Course.DoesNotExist as error:
        raise Http404 from error


def _told(request: HttpRequest, told: Timeline) -> HttpResponse:
    context = {
        "section": "mails",
        "told": told,
        "patient": told.course.patient,
        "course": told.course,
        "session": told.session,
        "site": told.course.site,
    }
    return render(request, "mails/timeline.html", context)
