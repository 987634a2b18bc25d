"""The screening page: a clinician fills it in within minutes, and sees what the rules say while it is filled in."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic import clock, permissions
from clinic.errors import DomainError, RequestReused, Stale
from clinic.http import actor, back_of, go, page, site_of
from clinic.models import Site
from clinic.permissions import Verb
from patients import screening as verbs
from patients.answers import Answers
from patients.eligibility import failed_trials, judge, resistant
from patients.models import Patient, Screening, ScreeningDecision
from patients.screening_forms import ScreeningForms, with_rows
from scheduling import writes
from scheduling.models import Course

#: The drugs that the page can be judged for; the first unless a course under way has another.
DRUGS = ("ketamine", "esketamine")


@page(GET=Verb.SEE, POST=Verb.SCREEN)
def screening(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Look at a screening, or save it as a new version. With `?version=2` an earlier one, as it was."""
    desk = _Page(request, patient_id)
    if request.method != "POST":
        return desk.render()
    act = request.POST.get("act", "save")
    if act != "save":
        desk.read(with_rows(request.POST, act))
        return desk.render()
    desk.read(request.POST)
    if not desk.valid:
        return desk.render(status=422)
    try:
        saved = desk.save()
    except DomainError as error:
        desk.refused(error)
        return desk.render(status=409 if error.status == 409 else 422)
    text = _("Version %(version)s of the screening is saved: %(decision)s.")
    messages.success(request, text % {"version": saved.version, "decision": saved.get_decision_display()})
    back = back_of(request)
    return go(request, back) if back else go(request, "patient", patient_id)


@page(POST=Verb.SCREEN)
def findings(request: HttpRequest, patient_id: int) -> HttpResponse:
    """What the rules say to what is filled in so far: a part of the page. Writes nothing."""
    desk = _Page(request, patient_id)
    desk.read(request.POST)
    return render(request, "patients/screening_findings.html", desk.judged())


class _Page:
    """One request to the page."""

    def __init__(self, request: HttpRequest, patient_id: int) -> None:
        self.request = request
        self.now = clock.now()
        self.patient = get_object_or_404(Patient, pk=patient_id)
        found = Screening.objects.filter(patient=self.patient).select_related("by").order_by("-version")
        self.versions: list[Screening] = list(found)
        asked = request.GET.get("version", "")
        wanted = [one for one in self.versions if str(one.version) == asked]
        self.shown = wanted[0] if wanted else next(iter(self.versions), None)
        self.error: DomainError | None = None
        self.request_id = uuid4()
        self.valid = True
        self.forms = self._forms(None)

    def _forms(self, data: Any) -> ScreeningForms:
        answers = verbs.answers_of(self.shown) or Answers()
        decision = self.shown.decision if self.shown else ""
        return ScreeningForms(data, answers=answers, decision=decision, today=self.today)

    @property
    def latest(self) -> Screening | None:
        """The version that counts."""
        return next(iter(self.versions), None)

    @property
    def site(self) -> Site | None:
        """Where they work, None for nowhere."""
        try:
            return site_of(self.request)
        except PermissionDenied:
            return None

    @property
    def today(self) -> date:
        """The date where they work."""
        return self.now.astimezone(self.site.zone).date() if self.site else verbs.last_today(self.now)

    @property
    def may_write(self) -> bool:
        """Whether the page takes answers: from those who screen, into the version that counts."""
        return permissions.allowed(actor(self.request), Verb.SCREEN) and self.shown == self.latest

    @property
    def may_decide(self) -> bool:
        """Whether the decision is theirs."""
        return permissions.allowed(actor(self.request), Verb.DECIDE)

    @property
    def drug(self) -> str:
        """For which drug the answers are judged."""
        asked = self.request.POST.get("drug") or self.request.GET.get("drug", "")
        if asked in DRUGS:
            return asked
        running = Course.objects.running().filter(patient=self.patient).select_related("protocol").first()
        return running.protocol.protocol.drug if running else DRUGS[0]

    def read(self, data: Any) -> None:
        """Take over what was typed."""
        self.forms = self._forms(data)
        self.valid = self.forms.is_valid()

    def save(self) -> Screening:
        """Save what was typed as a new version, once however often it is sent."""
        staff, told = actor(self.request), self.forms.told()
        # Whoever may not decide saves answers, and answers that change wait for a decision.
        decision = self.forms.decision if self.may_decide else ""
        based_on = self.request.POST.get("based_on", "")
        seen = int(based_on) if based_on.isdecimal() and len(based_on) < 9 else 0
        saved, _again = writes.carry_out_once(
            "screen",
            _uuid(self.request.POST.get("request_id", "")),
            {"actor": staff.pk, "patient": self.patient.pk, "answers": told, "decision": decision, "based_on": seen},
            lambda: verbs.screen(
                actor=staff, patient=self.patient, answers=told, decision=decision, based_on=seen, now=self.now
            ),
            lambda pk: Screening.objects.get(pk=pk),
            now=self.now,
        )
        return saved

    def refused(self, error: DomainError) -> None:
        """Keep what was typed and say why it was not saved."""
        self.error = error
        if isinstance(error, RequestReused):
            self.error = Stale(_("This page has saved already. Look at what is there before you save again."))

    def judged(self) -> dict[str, Any]:
        """What the rules say to the page as it stands."""
        bound = self.forms.main.is_bound
        answers = self.forms.told() if bound else (verbs.answers_of(self.shown) or Answers())
        decision = self.forms.decision if bound else (self.shown.decision if self.shown else "")
        if bound and not self.may_decide:
            decision = ""
        site = self.site
        return {
            "patient": self.patient,
            "findings": judge(
                answers,
                decision,
                drug=self.drug,
                today=self.today,
                certified=site is not None and site.rems_certified,
            ),
            "resistant": resistant(answers),
            "evidence": failed_trials(answers),
            "drug": self.drug,
        }

    def render(self, status: int = 200) -> HttpResponse:
        """The page as it stands."""
        context = {
            "section": "patients",
            "forms": self.forms,
            "errors": self.forms.errors if self.forms.main.is_bound and self.request.POST.get("act") == "save" else [],
            "error": self.error,
            "versions": self.versions,
            "shown": self.shown,
            "latest": self.latest,
            "may_write": self.may_write,
            "may_decide": self.may_decide,
            "decisions": ScreeningDecision.choices,
            "reopens": self.latest is not None and self.latest.decision != "" and not self.may_decide,
            "request_id": self.request_id,
            "back": back_of(self.request),
            "leave": back_of(self.request) or reverse("patient", args=[self.patient.pk]),
            "now": self.now,
            "zone": self.site.zone if self.site else None,
        }
        return render(self.request, "patients/screening.html", context | self.judged(), status=status)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
