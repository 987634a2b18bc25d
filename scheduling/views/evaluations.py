"""Evaluations: find a time, book it, tell the patient; and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import clock
from clinic.errors import DomainError, RulesBroken
from clinic.forms import add_error
from clinic.http import actor, page, site_of, translate_finding
from clinic.models import Site, Staff
from clinic.permissions import Verb
from patients.models import Patient
from scheduling import evaluating, wording
from scheduling.evaluating import Start, evaluations
from scheduling.forms import ReasonForm
from scheduling.models import Evaluation, EvaluationState, Room

#: So many open days are offered.
DAYS = 10

#: Sites that begin every 10 minutes are offered half hours, or nobody would find a time among so many (P).
COARSE = 30


class EvaluationForm(forms.Form):
    """One of the offered times: when, in which room, with whom."""

    start = forms.RegexField(
        r"\A\d{1,10}-\d{1,18}-\d{1,18}\Z",
        label=gettext_lazy("Time"),
        error_messages={
            "required": gettext_lazy("Choose a time."),
            "invalid": gettext_lazy("Choose one of the times below."),
        },
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, site: Site, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site = site

    def clean_start(self) -> tuple[datetime, Room, Staff]:
        """What the text of a button names."""
        epoch, room, prescriber = map(int, self.cleaned_data["start"].split("-"))
        place = Room.objects.filter(pk=room, site=self.site).select_related("site").first()
        doctor = Staff.objects.filter(pk=prescriber).first()
        if place is None or doctor is None:
            raise forms.ValidationError(_("Choose one of the times below."))
        return datetime.fromtimestamp(epoch, UTC), place, doctor


@dataclass(frozen=True, slots=True)
class Choice:
    """A time as its button says it."""

    value: str
    clock: str
    who: str


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def new(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Book an evaluation: the free times of the next open days, of one prescriber or of all."""
    patient, site, now = get_object_or_404(Patient, pk=patient_id), site_of(request), clock.now()
    form = EvaluationForm(request.POST or None, site=site, initial={"request_id": uuid4()})
    asked = request.POST.get("prescriber") or request.GET.get("prescriber")
    wanted = str(request.session.get("evaluation_prescriber", "") if asked is None else asked)
    if form.is_valid():
        starts_at, room, prescriber = form.cleaned_data["start"]
        try:
            booked, _again = evaluating.book_evaluation(
                actor=actor(request),
                patient=patient,
                room=room,
                prescriber=prescriber,
                starts_at=starts_at,
                request_id=form.cleaned_data["request_id"],
                now=now,
            )
        except RulesBroken as refusal:
            for finding in refusal.findings:
                form.add_error("start", translate_finding(finding))
        except DomainError as refusal:
            add_error(form, refusal)
        else:
            request.session["evaluation_prescriber"] = wanted
            messages.success(request, _("The evaluation is booked."))
            return redirect("evaluation", booked.pk)
    free = evaluating.free_starts(site=site, days=DAYS, now=now)
    working = Staff.objects.filter(sites=site, is_prescriber=True, is_active=True).order_by("last_name", "pk")
    context = {
        "section": "patients",
        "patient": patient,
        "site": site,
        "form": form,
        "chosen": request.POST.get("start", ""),
        "days": _offered(free, site, wanted),
        "prescribers": [(str(one.pk), one.short_name) for one in working],
        "wanted": wanted,
        "already": evaluations().filter(patient=patient, state=EvaluationState.BOOKED, during__endswith__gt=now),
        "no_room": not Room.objects.filter(site=site, active=True).exists(),
    }
    return render(request, "evaluations/new.html", context, status=422 if form.errors else 200)


def _offered(free: dict[date, tuple[Start, ...]], site: Site, wanted: str) -> list[tuple[date, list[Choice]]]:
    """The buttons of each day; those of one prescriber when one is wanted."""
    days = []
    for day, starts in free.items():
        choices = []
        for start in starts:
            local = start.starts_at.astimezone(site.zone)
            doctors = [doctor for doctor in start.prescribers if wanted in ("", str(doctor.pk))]
            if doctors and (site.start_step > 10 or local.minute % COARSE == 0):
                value = f"{int(start.starts_at.timestamp())}-{start.rooms[0].pk}-{doctors[0].pk}"
                choices.append(Choice(value, wording.clock(local, site.zone), doctors[0].short_name))
        days.append((day, choices))
    return days


@page(GET=Verb.SEE)
def evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """One evaluation: what to tell the patient, to read out or print, and what can become of it."""
    found = _found(evaluation_id)
    return _shown(request, found, ReasonForm(initial={"request_id": uuid4()}))


@page(POST=Verb.BOOK)
def cancel(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Give the time up, for a reason."""
    found, form = _found(evaluation_id), ReasonForm(request.POST)
    if form.is_valid():
        try:
            evaluating.cancel_evaluation(actor=actor(request), evaluation=found, now=clock.now(), **form.cleaned_data)
        except DomainError as refusal:
            add_error(form, refusal)
        else:
            messages.success(request, _("The evaluation is cancelled; its time is free. Tell the patient."))
            return redirect("patient", found.patient_id)
    return _shown(request, found, form, status=422)


@page(POST=Verb.RUN_VISIT)
def done(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """The evaluation has taken place."""
    return _end(request, evaluation_id, evaluating.finish_evaluation, _("Written down: the evaluation is done."))


@page(POST=Verb.NO_SHOW)
def no_show(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Nobody came."""
    return _end(request, evaluation_id, evaluating.evaluation_no_show, _("Written down: nobody came."))


def _end(request: HttpRequest, evaluation_id: int, verb: Callable[..., Any], said: str) -> HttpResponse:
    found = _found(evaluation_id)
    try:
        verb(actor=actor(request), evaluation=found, now=clock.now())
    except DomainError as refusal:
        messages.warning(request, refusal.message)
    else:
        messages.success(request, said)
    return redirect("patient", found.patient_id)


def _found(evaluation_id: int) -> Evaluation:
    return get_object_or_404(evaluations(), pk=evaluation_id)


def _shown(request: HttpRequest, found: Evaluation, form: ReasonForm, status: int = 200) -> HttpResponse:
    now = clock.now()
    context = {
        "section": "patients",
        "patient": found.patient,
        "evaluation": found,
        "form": form,
        "begun": found.starts_at <= now,
        "length": evaluating.LENGTH,
    }
    return render(request, "evaluations/evaluation.html", context, status=status)
