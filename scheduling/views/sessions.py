"""One visit of a course: move it, cancel it, write down that the patient is coming, comes later or did not come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import uuid4

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters

from clinic import clock
from clinic.errors import DomainError, Stale
from clinic.forms import add_error
from clinic.http import actor, back_of, go, page
from clinic.permissions import Verb
from scheduling import cancelling, confirming, history, judging, openings, wording
from scheduling.forms import ExpectForm, GiveUpForm, NoShowForm
from scheduling.models import FREED, OPEN, UNDER_WAY, Course, Session
from scheduling.views.move import Move
from scheduling.views.steps import can_be_no_show
from scheduling.visits import absence


@sensitive_post_parameters()
@page(GET=Verb.BOOK, POST=Verb.BOOK)
def move(request: HttpRequest, session_id: int) -> HttpResponse:
    """Give a visit another time: first a look without writing, then the move."""
    asked = Move(request, session := _session(session_id), clock.now())
    if not asked.commits:
        if _over(session, asked.now):
            return _gone(request, session)
        asked.look()
        return asked.render()
    try:
        change = asked.commit()
    except Stale as error:
        return _gone(request, _session(session_id), error.message)
    except DomainError as error:
        asked.refused(error)
        return asked.render()
    messages.success(request, _moved(change.sessions))
    return go(request, asked.back) if asked.back else go(request, "course", change.course.pk)


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def cancel(request: HttpRequest, session_id: int) -> HttpResponse:
    """Cancel one visit, for a reason, after saying what follows."""
    session, now = _session(session_id), clock.now()
    if request.method != "POST" and _over(session, now):
        return _gone(request, session)
    form = GiveUpForm(request.POST or None, initial={"request_id": uuid4()})
    said = _("The visit is cancelled; its time is free.")
    done = _done(request, cancelling.cancel_session, session, form, said, now=now)
    return done or _form(request, "courses/cancel_session.html", session, form)


@page(POST=Verb.BOOK)
def confirm(request: HttpRequest, session_id: int) -> HttpResponse:
    """The patient has said yes."""
    session = _session(session_id)
    try:
        confirming.confirm_session(actor=actor(request), session=session, now=clock.now())
    except DomainError as error:
        messages.error(request, " ".join([error.message, _meanwhile(session)]).strip())
    else:
        messages.success(request, _("Confirmed: the patient is coming."))
    back = back_of(request)
    return go(request, back) if back else go(request, "course", session.course_id)


@page(GET=Verb.NO_SHOW, POST=Verb.NO_SHOW)
def no_show(request: HttpRequest, session_id: int) -> HttpResponse:
    """Nobody came: say what happens, ask what is known, write it down."""
    session, now = _session(session_id), clock.now()
    if request.method != "POST" and not can_be_no_show(session, now):
        return _gone(request, session)
    form = NoShowForm(request.POST or None, initial={"request_id": uuid4()})
    said = _("Written down: nobody came. The time is free.")
    done = _done(request, absence.no_show, session, form, said, now=now)
    return done or _form(request, "courses/no_show.html", session, form)


@page(GET=Verb.NO_SHOW, POST=Verb.NO_SHOW)
def expect(request: HttpRequest, session_id: int) -> HttpResponse:
    """The patient rang and comes later; nothing that is planned changes."""
    session, now = _session(session_id), clock.now()
    if request.method != "POST" and (_over(session, now) or session.state not in absence.AWAITED):
        return _gone(request, session)
    zone = session.course.site.zone
    known = session.expected_at.astimezone(zone).time() if session.expected_at else None
    form = ExpectForm(request.POST or None, initial={"request_id": uuid4(), "at": known}, session=session, zone=zone)
    if done := _done(request, absence.expect, session, form, _("Written down; the board shows it."), now=now):
        return done
    facts = openings.read(session.course.site, [session.local_date])[session.local_date]
    latest = absence.latest_starts(facts, [session])[session.pk]
    return _form(request, "courses/expect.html", session, form, latest=latest if latest and latest > now else None)


def _done(
    request: HttpRequest, verb: Callable[..., object], session: Session, form: Form, said: str, *, now: datetime
) -> HttpResponse | None:
    """What the form asks, by the verb, and then the page that asked or the course; None where the form is to be
    shown."""
    if not form.is_valid():
        return None
    try:
        verb(actor=actor(request), session=session, now=now, **form.cleaned_data)
    except Stale as error:
        return _gone(request, _session(session.pk), error.message)
    except DomainError as error:
        add_error(form, error)
        return None
    messages.success(request, said)
    return redirect(back_of(request) or reverse("course", args=[session.course_id]))


def _form(request: HttpRequest, template: str, session: Session, form: Form, **more: object) -> HttpResponse:
    """A small page about one visit, with what the course breaks without it."""
    course = session.course
    context = {
        "section": "patients",
        "session": session,
        "course": course,
        "patient": course.patient,
        "site": course.site,
        "form": form,
        "follows": judging.weigh_leaving(course, {session.pk}),
        "back": back_of(request),
    }
    return render(request, template, context | more, status=422 if form.is_bound else 200)


def _gone(request: HttpRequest, session: Session, refusal: str = "") -> HttpResponse:
    """This cannot be done to the visit any more: what happened to it, and the way back. 409 for an act that came too
    late."""
    course, now = Course.objects.with_history().get(pk=session.course_id), clock.now()
    context = {
        "section": "patients",
        "session": session,
        "course": course,
        "patient": course.patient,
        "site": course.site,
        "title": _why_not(session, now),
        "entry": history.about(history.entries(course), session.pk),
        "refusal": refusal,
        "no_show": can_be_no_show(session, now),
    }
    template = "courses/gone_part.html" if request.htmx else "courses/gone.html"  # type: ignore[attr-defined]  # set by HtmxMiddleware
    return render(request, template, context, status=409 if refusal else 200)


def _why_not(session: Session, now: datetime) -> str:
    """What a visit is that cannot be changed like this."""
    if session.state in FREED:
        return _("This visit was given up.")
    if session.state not in OPEN:
        return _("This visit has begun.") if session.state in UNDER_WAY else _("This visit is over.")
    if session.starts_at > now:
        return _("This visit is still to come.")
    return _("The time of this visit is past.")


def _meanwhile(session: Session) -> str:
    """What happened last to a visit, for somebody whose page is older."""
    course = Course.objects.with_history().get(pk=session.course_id)
    entry = history.about(history.entries(course), session.pk)
    if entry is None or entry.by is None:
        return entry.text if entry else ""
    at = wording.clock(entry.at, course.site.zone)
    return _("%(what)s (%(who)s, %(when)s)") % {"what": entry.text, "who": entry.by, "when": at}


def _moved(sessions: Sequence[Session]) -> str:
    """What the page says after a move."""
    text = ngettext("Moved to %(dates)s.", "%(count)s visits are moved: %(dates)s.", len(sessions))
    dates = ", ".join(wording.short(session.starts_at, session.site.zone) for session in sessions)
    return text % {"count": len(sessions), "dates": dates}


def _over(session: Session, now: datetime) -> bool:
    """It has begun, ended or been freed, or its time is past."""
    return session.state not in OPEN or session.ends_at <= now


def _session(session_id: int) -> Session:
    found = Session.objects.select_related("course__patient", "course__site", "course__protocol", "chair", "prescriber")
    return get_object_or_404(found, pk=session_id)
