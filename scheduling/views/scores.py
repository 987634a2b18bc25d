"""A questionnaire is written down, and what follows from it is said at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from clinic import clock
from clinic.errors import DomainError, Invalid
from clinic.forms import add_error
from clinic.http import actor, back_of, page, site_of
from clinic.models import Shift, Site, Staff
from clinic.permissions import Verb
from patients import measures
from patients.forms import ScoreForm
from patients.measures import ANSWERS, INSTRUMENTS, PHQ9
from patients.models import Patient, Score
from scheduling import reviewing, wording
from scheduling.models import Course
from scheduling.response import progress_of

#: So many earlier scores stand beside the one that is written down.
EARLIER = 4


@dataclass(frozen=True, slots=True)
class Answered:
    """One item of a score as the page shows it."""

    number: int
    text: str
    value: int
    words: str

    @property
    def dots(self) -> list[bool]:
        """Three marks, as many of them filled as the answer is worth."""
        return [self.value > place for place in range(3)]


@sensitive_post_parameters()
@page(GET=Verb.SCORE, POST=Verb.SCORE)
def new(request: HttpRequest, patient_id: int) -> HttpResponse:
    """Write a score down: PHQ-9 unless `?instrument=` names another."""
    patient, now = get_object_or_404(Patient, pk=patient_id), clock.now()
    used = INSTRUMENTS.get(request.GET.get("instrument", ""), PHQ9)
    zone = site_of(request).zone
    local = now.astimezone(zone)
    initial = {"request_id": uuid4(), "day": local.date(), "clock": local.time().replace(second=0, microsecond=0)}
    form = ScoreForm(request.POST or None, instrument=used, zone=zone, initial=initial)
    if form.is_valid():
        try:
            score, _again = reviewing.record_score(
                actor=actor(request), patient=patient, instrument=used.code, now=now, **form.cleaned_data
            )
        except DomainError as error:
            add_error(form, error)
        else:
            back = back_of(request)
            return redirect(reverse("score", args=[score.pk]) + (f"?back={back}" if back else ""))
    known = Score.objects.filter(patient=patient, instrument=used.code, voided_at=None)
    context = {
        "section": "patients",
        "patient": patient,
        "used": used,
        "instruments": INSTRUMENTS.values(),
        "answers": ANSWERS,
        "form": form,
        "open_items": [number for number, asked in enumerate(form.asked, start=1) if asked.errors],
        "zone": zone,
        "bands": [(band.lowest, _(band.name)) for band in used.bands],
        "earlier": [(score, band_of(score)) for score in known.order_by("-taken_at", "-pk")[:EARLIER]],
        "back": back_of(request),
    }
    return render(request, "patients/score_new.html", context, status=422 if form.errors else 200)


@page(GET=Verb.SEE)
def score(request: HttpRequest, score_id: int) -> HttpResponse:
    """One score: its answers, what it means, and what an item 9 above 0 asks for."""
    return _page(request, score_id)


def _page(request: HttpRequest, score_id: int, *, lacks: str = "") -> HttpResponse:
    """The page of a score; `lacks` is what an acknowledgement lacked."""
    found = get_object_or_404(Score.objects.select_related("patient", "by", "seen_by", "voided_by"), pk=score_id)
    site, now = site_of(request), clock.now()
    context = {**_shown(found, site, now), "back": back_of(request), "lacks": lacks}
    return render(request, "patients/score.html", context, status=422 if lacks else 200)


def _shown(found: Score, site: Site, now: datetime) -> dict[str, Any]:
    """What the page of a score shows; what a course makes of it while it runs."""
    used = INSTRUMENTS[found.instrument]
    course = Course.objects.running().filter(patient=found.patient_id).select_related("site", "protocol").first()
    progress = progress_of(course) if course else None
    series = progress.series[used.code] if progress else None
    latest = series is not None and series.now == found
    return {
        "section": "patients",
        "patient": found.patient,
        "score": found,
        "used": used,
        "band": band_of(found),
        "zone": site.zone,
        "items": _answers(used, found.items or ()),
        "urgent": bool(found.item_9 and found.seen_at is None and found.voided_at is None),
        "answer": _(ANSWERS[found.item_9].text) if found.item_9 else "",
        "on_shift": prescribers_on_shift(site, now) if found.item_9 else [],
        "course": course,
        "series": series if latest else None,
        "advice": [(wording.rule(one.code), one) for one in progress.advice if one.code != "item-9"]
        if progress and latest
        else [],
    }


def _answers(used: measures.Instrument, values: Any) -> list[Answered]:
    return [
        Answered(number, _(item.text), value, _(ANSWERS[value].text))
        for number, (item, value) in enumerate(zip(used.items, values, strict=False), start=1)
    ]


def band_of(found: Score) -> str:
    """How severe a score is, in the reader's language."""
    return _(measures.band(INSTRUMENTS[found.instrument], found.total))


def prescribers_on_shift(site: Site, now: datetime) -> list[Staff]:
    """Who can be called now, by name. One query."""
    present = Shift.objects.filter(site=site, during__contains=now).select_related("staff")
    return sorted({shift.staff for shift in present}, key=str)


@page(POST=Verb.REVIEW)
def see(request: HttpRequest, score_id: int) -> HttpResponse:
    """A clinician acknowledges item 9 and says what is done about it."""
    found = get_object_or_404(Score, pk=score_id)
    try:
        reviewing.see_score(
            actor=actor(request),
            score=found,
            note=request.POST.get("note", "")[:2000].replace("\0", ""),
            now=clock.now(),
        )
    except Invalid as error:
        return _page(request, score_id, lacks=error.message)
    except DomainError as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, _("Acknowledged. A dose and a discharge are possible again."))
    return redirect(back_of(request) or reverse("score", args=[score_id]))


@page(POST=Verb.SCORE)
def void(request: HttpRequest, score_id: int) -> HttpResponse:
    """Take a score back that was a mistake."""
    found = get_object_or_404(Score, pk=score_id)
    try:
        reviewing.void_score(actor=actor(request), score=found, now=clock.now())
    except DomainError as error:
        messages.warning(request, error.message)
        return redirect("score", score_id)
    messages.success(request, _("Taken back: it counts nowhere and stays in the record."))
    return redirect(reverse("score-new", args=[found.patient_id]) + f"?instrument={found.instrument}")
