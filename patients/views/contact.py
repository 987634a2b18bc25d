"""What the desk is told about reaching a patient, and the mail that asks one to call."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from clinic import clock
from clinic.errors import DomainError
from clinic.http import actor, page
from clinic.permissions import Verb
from patients import contact
from patients.forms import CallForm, ConsentForm
from patients.models import Patient
from scheduling import writes
from scheduling.mails import outbox


@page(POST=Verb.BOOK)
def consents(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Write down what a patient says about mails or calls."""
    patient, staff, now = get_object_or_404(Patient, pk=patient_id), actor(request), clock.now()
    form = ConsentForm(request.POST)

    def work() -> None:
        contact.told(actor=staff, patient=patient, now=now, **form.cleaned_data)
        outbox.catch_up(patient=patient, now=now)

    if not form.is_valid():
        messages.error(request, _("Choose what the patient has said."))
        return redirect("patient", patient.pk)
    return _carried_out(request, patient, lambda: writes.commit(work), _("What the patient has said is saved."))


@page(POST=Verb.BOOK)
def address(request: HttpRequest, patient_id: int) -> HttpResponse:
    """The patient was asked: the address is right."""
    patient, staff, now = get_object_or_404(Patient, pk=patient_id), actor(request), clock.now()

    def work() -> None:
        outbox.catch_up(patient=contact.trust(actor=staff, patient=patient, now=now), now=now)

    return _carried_out(request, patient, lambda: writes.commit(work), _("Mails go to this address again."))


@page(POST=Verb.BOOK)
def call_us(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Ask the patient by mail to call, once for each time the page was opened."""
    patient, staff = get_object_or_404(Patient, pk=patient_id), actor(request)
    form = CallForm(request.POST)
    request_id = form.cleaned_data["request_id"] if form.is_valid() else None

    def act() -> object:
        return outbox.call_us(actor=staff, patient=patient, request_id=request_id, now=clock.now())

    return _carried_out(request, patient, act, _("The patient is asked by mail to call."))


def _carried_out(request: HttpRequest, patient: Patient, act: Callable[[], object], done: str) -> HttpResponse:
    """Act, say what came of it, and lead back to the patient."""
    try:
        act()
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, done)
    return redirect("patient", patient.pk)
