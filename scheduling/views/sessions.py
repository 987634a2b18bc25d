"""One visit of a course: move it, cancel it, write down that the patient is coming."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from clinic import clock
from clinic.errors import DomainError, RulesBroken
from clinic.findings import Finding, Level
from clinic.forms import add_error
from clinic.http import actor, page
from clinic.permissions import Verb
from scheduling import booking, cancelling, confirming, drafts, moving
from scheduling.booking import Offer, SlotTaken
from scheduling.drafts import Names, Shown
from scheduling.forms import DayForm, EditForm, ReasonForm, SignForm
from scheduling.models import Session
from scheduling.protocols.types import Place
from scheduling.views.signing import request_id_of, sign


class Move:
    """The page on which a visit gets another time: choose one, look at what the rules say, move."""

    def __init__(self, request: HttpRequest, session: Session, now: datetime) -> None:
        self.request, self.session, self.now = request, session, now
        self.site = session.course.site
        act = "take" if "take" in request.POST else request.POST.get("act", "")
        here = Place(session.starts_at, session.chair_id, session.prescriber_id)
        self.edit = EditForm(
            request.POST if act == "look" else None, initial=EditForm.values(here, self.site), site=self.site
        )
        self.sign = SignForm(
            request.POST if act == "move" else None, site=self.site, actor=actor(request), prefix="sign"
        )
        self.place = self._chosen(act)
        self.commits = act == "move" and self.place is not None
        self.findings: tuple[Finding, ...] = ()
        self.offers: Sequence[Offer] = ()
        self.refusal = ""
        self.status = 422 if self.edit.is_bound and not self.edit.is_valid() else 200

    def _chosen(self, act: str) -> Place | None:
        if act == "look":
            return self.edit.place if self.edit.is_valid() else None
        try:
            name = {"take": "take", "move": "place"}.get(act)
            return drafts.decode(self.request.POST[name]) if name else None
        except (KeyError, ValueError) as error:
            raise SuspiciousOperation("a time that the page did not offer") from error

    def refused(self, error: DomainError) -> None:
        """Keep what was chosen and say why it cannot be, or who has to sign it."""
        self.status = 409 if error.status == 409 else 422
        if isinstance(error, RulesBroken):
            self.findings = error.findings
            if all(finding.level != Level.BLOCK for finding in error.findings) and not self.commits:
                self.status = 200  # nothing was tried yet
                return
        if isinstance(error, SlotTaken):
            self.offers, self.place = error.plans, None
            self.refusal = _("The time that was chosen is taken. These are the next possible ones.")
        else:
            self.refusal = error.message

    def render(self) -> HttpResponse:
        """The page as it stands."""
        names, shape = Names.of(self.site), self.session.course.protocol.protocol.visit
        here = Place(self.session.starts_at, self.session.chair_id, self.session.prescriber_id)
        levels = {finding.level for finding in self.findings}
        context = {
            "section": "patients",
            "session": self.session,
            "course": self.session.course,
            "patient": self.session.course.patient,
            "site": self.site,
            "was": names.show(here, shape),
            "chosen": names.show(self.place, shape) if self.place else None,
            "offered": [] if self.place else self._offered(names),
            "earliest": self._earliest(),
            "edit": self.edit,
            "sign": self.sign,
            "findings": self.findings,
            "blocked": Level.BLOCK in levels,
            "needed": sorted({finding.rule for finding in self.findings if finding.level == Level.OVERRIDE}),
            "refusal": self.refusal,
            "request_id": request_id_of(self.request) or uuid4(),
        }
        return render(self.request, "courses/move.html", context, status=self.status)

    def _earliest(self) -> date:
        asked = DayForm(self.request.GET)
        today = self.now.astimezone(self.site.zone).date()
        return asked.cleaned_data["date"] if asked.is_valid() else max(today, self.session.local_date)

    def _offered(self, names: Names) -> list[Shown]:
        """Every place that the plans name, each once, in order of time."""
        course = self.session.course
        try:
            offers = (
                self.offers
                or booking.propose(
                    actor=actor(self.request),
                    site=self.site,
                    patient=course.patient,
                    protocol=course.protocol,
                    course=course,
                    count=1,
                    earliest=self._earliest(),
                    moving=[self.session],
                    now=self.now,
                ).offers
            )
        except DomainError as error:
            self.refusal = self.refusal or error.message
            return []
        rows = [row for offer in offers for row in offer.sessions]
        places = {place for row in rows for place in (row.place, *row.alternatives)}
        shape = course.protocol.protocol.visit
        return [names.show(place, shape) for place in sorted(places, key=lambda place: place.starts_at)]


@sensitive_post_parameters()
@page(GET=Verb.BOOK, POST=Verb.BOOK)
def move(request: HttpRequest, session_id: int) -> HttpResponse:
    """Give a visit another time: first a look without writing, then the move."""
    asked = Move(request, _session(session_id), clock.now())
    if asked.place is None:
        return asked.render()
    try:
        change = moving.move_session(
            actor=actor(request),
            session=asked.session,
            place=asked.place,
            override=sign(request, asked.sign),
            dry_run=not asked.commits,
            request_id=request_id_of(request) if asked.commits else None,
            now=asked.now,
        )
    except DomainError as error:
        asked.refused(error)
        return asked.render()
    if not asked.commits:
        asked.findings = change.findings
        return asked.render()
    messages.success(request, _("The visit is moved."))
    return redirect("course", change.course.pk)


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def cancel(request: HttpRequest, session_id: int) -> HttpResponse:
    """Cancel one visit, for a reason."""
    session = _session(session_id)
    form = ReasonForm(request.POST or None, initial={"request_id": uuid4()})
    if form.is_valid():
        try:
            cancelling.cancel_session(actor=actor(request), session=session, now=clock.now(), **form.cleaned_data)
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("The visit is cancelled; its time is free."))
            return redirect("course", session.course_id)
    context = {
        "section": "patients",
        "session": session,
        "course": session.course,
        "patient": session.course.patient,
        "site": session.course.site,
        "form": form,
    }
    return render(request, "courses/cancel_session.html", context, status=422 if form.is_bound else 200)


@page(POST=Verb.BOOK)
def confirm(request: HttpRequest, session_id: int) -> HttpResponse:
    """The patient has said yes."""
    session = _session(session_id)
    try:
        confirming.confirm_session(actor=actor(request), session=session, now=clock.now())
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Confirmed: the patient is coming."))
    return redirect("course", session.course_id)


def _session(session_id: int) -> Session:
    found = Session.objects.select_related("course__patient", "course__site", "course__protocol", "chair", "prescriber")
    return get_object_or_404(found, pk=session_id)
