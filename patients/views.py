"""Patients: find one, register one, change what is known of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic import clock
from clinic.errors import DomainError
from clinic.forms import add_error
from clinic.http import actor, page
from clinic.permissions import Verb
from patients import registering
from patients.forms import PatientForm, SearchForm
from patients.models import Patient
from patients.registering import PossibleDuplicate
from patients.search import search
from scheduling import queries, reminders, writes

PAGE_SIZE = 25


@page(GET=Verb.SEE, POST=Verb.SEE)
def patients(request: HttpRequest) -> HttpResponse:
    """Find patients. What was asked is kept in the session, not in the address, for names do not belong into logs."""
    if request.method == "POST":
        form = SearchForm(request.POST)
        request.session["patients"] = form.cleaned_data["q"].strip() if form.is_valid() else ""
        for sentence in form.errors.get("q", ()):
            messages.error(request, str(sentence))
        return redirect("patients")
    query = request.session.get("patients", "")
    found = search(query) if query else Patient.objects.order_by("-created_at", "-pk")
    shown = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "patients/list.html", {"section": "patients", "query": query, "page": shown})


@page(GET=Verb.SEE)
def patient(request: HttpRequest, patient_id: int) -> HttpResponse:
    """One patient: what is known, courses, the next visits, what waits, mails."""
    found = get_object_or_404(Patient, pk=patient_id)
    now = clock.now()
    shown = queries.patient_page(found)
    coming = [
        session
        for course in shown.courses
        for session in course.sessions.all()
        if session.is_live and session.ends_at > now
    ]
    coming.sort(key=lambda session: session.starts_at)
    context = {"section": "patients", "patient": found, "page": shown, "coming": coming, "now": now}
    return render(request, "patients/patient.html", context)


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def new(request: HttpRequest) -> HttpResponse:
    """Register a patient; somebody alike is asked about first."""
    form = PatientForm(request.POST or None)
    candidates: tuple[Patient, ...] = ()
    if form.is_valid():
        try:
            patient = registering.register(actor=actor(request), now=clock.now(), **form.cleaned_data)
        except PossibleDuplicate as error:
            candidates = error.candidates
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("%(patient)s is registered.") % {"patient": patient})
            return redirect("patient", patient.pk)
    context = {"form": form, "candidates": candidates, "title": _("New patient"), "action": _("Register patient")}
    return _form(request, context | {"back": reverse("patients")}, bound=form.is_bound)


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def edit(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Change what is known of a patient."""
    patient = get_object_or_404(Patient, pk=patient_id)
    title = str(patient)  # the form changes the object while it looks at what was typed
    form = PatientForm(request.POST or None, instance=patient)
    if form.is_valid():
        try:
            fields = {name: form.cleaned_data[name] for name in form.changed_data if name != "not_duplicate"}
            writes.commit(lambda: _change(request, patient, fields))
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("The changes are saved."))
            return redirect("patient", patient.pk)
    context = {"form": form, "title": title, "action": _("Save changes")}
    return _form(request, context | {"back": reverse("patient", args=[patient.pk])}, bound=form.is_bound)


def _change(request: HttpRequest, patient: Patient, fields: Mapping[str, Any]) -> None:
    now = clock.now()
    changed = registering.change(actor=actor(request), patient=patient, now=now, **fields)
    reminders.catch_up(patient=changed, now=now)


def _form(request: HttpRequest, context: dict[str, object], *, bound: bool) -> HttpResponse:
    context["section"] = "patients"
    return render(request, "patients/form.html", context, status=422 if bound else 200)
