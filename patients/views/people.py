"""Patients: find one, register one, change what is known of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic import clock
from clinic.errors import DomainError
from clinic.forms import add_error
from clinic.http import actor, page, site_of
from clinic.permissions import Verb
from patients import contact, registering
from patients.forms import CONSENTS, Filter, PatientForm, SearchForm
from patients.models import ContactLevel, Patient
from patients.registering import PossibleDuplicate
from patients.screening import DEFAULT_DRUG
from patients.search import names_somebody, parts, says_enough, search
from scheduling import queries, standing, writes
from scheduling.mails import outbox
from scheduling.models import OPEN, Course

PAGE_SIZE = 25

#: So many are shown below the search, of numbers that begin alike found among so many.
FOUND, AMONG = 8, 500

#: An older search is forgotten (P): who comes to the page after it wants the list.
REMEMBERED = timedelta(minutes=10)

#: The fields of a registration that say what was asked, for a click that comes twice.
_ASKED = ("last_name", "first_name", "birth_date", "language", "email", "phone", "referred_by", "not_duplicate")


@page(GET=Verb.SEE, POST=Verb.SEE)
def patients(request: HttpRequest) -> HttpResponse:
    """Find patients. What was asked is kept in the session, not in the address, for names do not belong into logs."""
    if request.method == "POST":
        return _search(request)
    now = clock.now()
    query, shown = _remembered(request, now), Filter.of(request.GET.get("show", ""))
    rows = Paginator(_of(search(query), shown), PAGE_SIZE).get_page(request.GET.get("page"))
    told = standing.to_tell(rows, now=now) if shown == Filter.NO_MAIL else {}
    context = {
        "section": "patients",
        "query": query,
        "names_somebody": names_somebody(query),
        "page": rows,
        "filters": Filter.choices,
        "shown": shown,
        "rows": _beside(rows, standing.standings(rows, now=now), told),
        "today": _today(request, now),
    }
    return render(request, "patients/list.html", context)


def _remembered(request: HttpRequest, now: datetime) -> str:
    """What was searched for lately; empty for nothing."""
    text, at = request.session.get("patients", ""), request.session.get("patients_at", 0)
    return text if now.timestamp() - at < REMEMBERED.total_seconds() else ""


def _of(found: QuerySet[Patient], shown: Filter) -> QuerySet[Patient]:
    """Those of the found whom the filter shows."""
    running = Exists(Course.objects.running().filter(patient=OuterRef("pk")))
    match shown:
        case Filter.RUNNING:
            return found.filter(running)
        case Filter.FREE:
            return found.filter(~running)
        case Filter.NO_MAIL:
            return found.filter(email="")
    return found


def _search(request: HttpRequest) -> HttpResponse:
    """Keep what is looked for, and lead to whom it means: to the patient where it can be one only."""
    form = SearchForm(request.POST)
    query = request.session["patients"] = form.cleaned_data["q"].strip() if form.is_valid() else ""
    request.session["patients_at"] = clock.now().timestamp()
    for sentence in form.errors.get("q", ()):
        messages.error(request, str(sentence))
    found = list(search(query, among=2)[:2]) if query else []
    return redirect("patient", found[0].pk) if len(found) == 1 else redirect("patients")


@page(POST=Verb.SEE)
def find(request: HttpRequest) -> HttpResponse:
    """Who is meant so far, while somebody types: the fragment below the search. Nothing is counted."""
    form = SearchForm(request.POST)
    text = form.cleaned_data["q"].strip() if form.is_valid() else ""
    if not says_enough(text):
        return HttpResponse()
    now = clock.now()
    found = list(search(text, among=AMONG)[: FOUND + 1])
    context = {
        "text": text,
        "names_somebody": names_somebody(text),
        "rows": _beside(found[:FOUND], standing.standings(found[:FOUND], now=now)),
        "more": len(found) > FOUND,
        "today": _today(request, now),
    }
    return render(request, "patients/found.html", context)


def _beside(found: Iterable[Patient], *known: Mapping[int, Any]) -> list[tuple[Any, ...]]:
    """Each patient with what is known by the patient's id, None where nothing is."""
    return [(patient, *(values.get(patient.pk) for values in known)) for patient in found]


def _today(request: HttpRequest, now: datetime) -> date:
    """The date where they work; who works nowhere is shown the date of UTC."""
    try:
        return now.astimezone(site_of(request).zone).date()
    except PermissionDenied:
        return now.astimezone(UTC).date()


@page(GET=Verb.SEE)
def patient(request: HttpRequest, patient_id: int) -> HttpResponse:
    """One patient: the next visits and the act that comes next, what waits, courses, mails."""
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
    mails, withdrawn = queries.in_turn(shown.mails)
    context = {
        "section": "patients",
        "patient": found,
        "page": shown,
        "drug": shown.running.protocol.protocol.drug if shown.running else DEFAULT_DRUG,
        "next": coming[0] if coming else None,
        "later": coming[1:],
        "movable": bool(coming) and coming[0].state in OPEN,
        "mails": mails,
        "withdrawn": withdrawn,
        "contact": contact.read(found),
        "may_be_detailed": contact.may_be_detailed(found),
        "words": contact.words_of(found),
        "request_id": uuid4(),
        "today": _today(request, now),
        "now": now,
    }
    return render(request, "patients/patient.html", context)


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def new(request: HttpRequest) -> HttpResponse:
    """Register a patient; somebody alike is asked about first. A search that found nobody fills the fields."""
    if "q" in request.POST:
        request.session["register"] = request.POST["q"][:200]
        return redirect("patient-new")
    known = parts(request.session.pop("register", "")) if request.method == "GET" else {}
    form = PatientForm(request.POST or None, initial={"request_id": uuid4(), **known})
    candidates: tuple[Patient, ...] = ()
    if form.is_valid():
        try:
            return _registered(request, form)
        except PossibleDuplicate as error:
            candidates = error.candidates
        except DomainError as error:
            add_error(form, error)
    if not form.is_bound:
        _focus(form, "last_name")
    now = clock.now()
    context = {"form": form, "candidates": candidates, "title": _("New patient"), "action": _("Register patient")}
    context |= {"rows": _beside(candidates, standing.standings(candidates, now=now)), "today": _today(request, now)}
    return _form(request, context | {"back": reverse("patients")}, bound=form.is_bound)


def _registered(request: HttpRequest, form: PatientForm) -> HttpResponse:
    """Register whom the form describes, once however often it is sent, and lead to the patient."""
    given, staff, now = {name: form.cleaned_data[name] for name in _ASKED}, actor(request), clock.now()
    given |= _said(form)
    patient, repeated = writes.carry_out_once(
        "register",
        form.cleaned_data["request_id"],
        {"actor": staff.pk, **given},
        lambda: registering.register(actor=staff, now=now, **given),
        lambda pk: Patient.objects.get(pk=pk),
        now=now,
    )
    if repeated:
        messages.info(request, _("%(patient)s was registered already by this form, once.") % {"patient": patient})
    else:
        messages.success(request, _("%(patient)s is registered.") % {"patient": patient})
    return redirect("patient", patient.pk)


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def edit(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Change what is known of a patient. With `?add=email` the page begins at the address."""
    patient = get_object_or_404(Patient, pk=patient_id)
    title = str(patient)  # the form changes the object while it looks at what was typed
    form = PatientForm(request.POST or None, instance=patient)
    if form.is_valid():
        try:
            fields = {name: form.cleaned_data[name] for name in form.changed_data if name in registering.CHANGEABLE}
            writes.commit(lambda: _change(request, patient, fields | _said(form)))
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("The changes are saved."))
            return redirect("patient", patient.pk)
    if not form.is_bound and request.GET.get("add") == "email":
        _focus(form, "email")
    context = {"form": form, "title": title, "action": _("Save changes")}
    return _form(request, context | {"back": reverse("patient", args=[patient.pk])}, bound=form.is_bound)


def _change(request: HttpRequest, patient: Patient, fields: Mapping[str, Any]) -> None:
    now = clock.now()
    changed = registering.change(actor=actor(request), patient=patient, now=now, **fields)
    outbox.catch_up(patient=changed, now=now)


def _said(form: PatientForm) -> dict[str, ContactLevel | None]:
    """What the patient has said about being reached, as the verbs take it."""
    return {name: form.said(channel) for channel, name in CONSENTS.items()}


def _focus(form: PatientForm, name: str) -> None:
    form.fields[name].widget.attrs["autofocus"] = True


def _form(request: HttpRequest, context: dict[str, object], *, bound: bool) -> HttpResponse:
    context["section"] = "patients"
    return render(request, "patients/form.html", context, status=422 if bound else 200)
