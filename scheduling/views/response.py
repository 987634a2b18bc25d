"""The course page of a clinician: how the patient responds, what the software suggests, and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic import clock
from clinic.errors import DomainError, RulesBroken
from clinic.findings import Finding
from clinic.forms import add_error
from clinic.http import actor, page
from clinic.models import Staff
from clinic.permissions import Kind, Verb, allowed, kind_of
from patients import measures
from patients.measures import INSTRUMENTS, Instrument
from patients.models import Score
from scheduling import clinical, deciding, history
from scheduling.booking import Change, Signature
from scheduling.clinical import Clinical
from scheduling.models import OPEN, UNDER_WAY, Course, CourseState, Request, Session
from scheduling.protocols.response import Advice
from scheduling.protocols.types import Phase
from scheduling.response import Series
from scheduling.views import score_chart, visit_rows
from scheduling.views.decision import DecisionForm, Option, does, done, options, suggested, to_come, to_sign
from scheduling.views.score_chart import NARROW, WIDE, Chart, Point, Size, Stop
from scheduling.views.steps import Standing

#: Whose page this is; the others read a course as the desk does.
CLINICAL = frozenset({Kind.CLINICIAN, Kind.PRESCRIBER, Kind.NURSE})

#: Sessions to come that the chart has room for; in maintenance they are far apart.
AHEAD = {Phase.INITIAL: 3, Phase.TAPER: 3, Phase.MAINTENANCE: 1}

#: Lines of the history that are shown; the other page has all.
TOLD = 6

#: Events by which somebody has decided how a course goes on.
DECIDED = frozenset({"decided", "paused", "stopped", "completed"})

#: Colours of advice by its code; what offers something is green.
TONES = {"item-9": "red", "worse": "red", "relapse": "amber", "stop-advised": "amber", "early-review": "amber"}


def wanted(request: HttpRequest) -> bool:
    """Whether a course is asked for as a clinician reads it: by the address, otherwise by the role."""
    view = request.GET.get("view")
    return view == "response" or (view != "desk" and kind_of(actor(request)) in CLINICAL)


def course(request: HttpRequest, course_id: int) -> HttpResponse | None:
    """How a patient responds; None for a course that is not booked yet, unless its address says so: nothing is to be
    decided on it, and what it waits for stands on the desk's page."""
    shown = _read(course_id)
    if shown.course.state == CourseState.HELD and request.GET.get("view") != "response":
        return None
    return _page(request, shown)


@page(GET=Verb.DECIDE, POST=Verb.DECIDE)
def decide(request: HttpRequest, course_id: int) -> HttpResponse:
    """Look at what a decision would do, or record it; asked for without one, it leads to the page where it is taken."""
    if request.method != "POST":
        return redirect(f"{reverse('course', args=[course_id])}?view=response#decision")
    if request.POST.get("act") == "look":
        return _look(request, course_id)
    found = get_object_or_404(Course.objects.with_history(), pk=course_id)
    form = DecisionForm(request.POST, course=found)
    if not form.is_valid():
        return _page(request, _read(course_id), form=form, status=422)
    if refusal := _meanwhile(found, form):
        return _page(request, _read(course_id), form=form, refusal=refusal, status=409)
    staff, now = actor(request), clock.now()
    signature = None
    if form.cleaned_data["sign"]:
        signature = Signature(staff, frozenset(request.POST.getlist("rule")), form.cleaned_data["reason"])
    try:
        change = deciding.decide(
            actor=staff,
            course=found,
            override=signature,
            request_id=form.cleaned_data["request_id"],
            now=now,
            **form.asked,
        )
    except RulesBroken as error:
        effect, said = _effect(staff, found, form), error.message
        if to_sign(error.findings) and signature is None:
            said = ""
            form.add_error("sign", _("Tick that the rule is passed over, or decide something else."))
        return _page(request, _read(course_id), form=form, effect=effect, refusal=said, status=error.status)
    except DomainError as error:
        add_error(form, error)
        return _page(request, _read(course_id), form=form, status=409 if error.status == 409 else 422)
    messages.success(request, done(change, zone=found.site.zone, mails=bool(found.patient.email)))
    return redirect(f"{reverse('course', args=[change.course.pk])}?view=response")


def _meanwhile(found: Course, form: DecisionForm) -> str:
    """What somebody else has decided since the page was made; empty when nobody has, and for a second press."""
    decided = _decisions_of(history.entries(found))
    if len(decided) == (form.cleaned_data["seen"] or 0):
        return ""
    if Request.objects.filter(pk=form.cleaned_data["request_id"]).exists():
        return ""
    said = decided[0].text if decided else ""
    return _("Somebody has decided on this course meanwhile: %(what)s What you chose is still here.") % {"what": said}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a decision would do: sentences, what has to be signed for it, or why it cannot be taken."""

    does: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    refused: str = ""

    @property
    def to_sign(self) -> list[Finding]:
        """What has to be passed over."""
        return to_sign(self.findings)


def _look(request: HttpRequest, course_id: int) -> HttpResponse:
    """The part of the page that says what the chosen decision would do; the whole page where nobody runs scripts."""
    found = get_object_or_404(Course.objects.select_related("site", "protocol", "patient"), pk=course_id)
    form = DecisionForm(request.POST, course=found, looks=True)
    effect = _effect(actor(request), found, form)
    if not request.htmx:  # type: ignore[attr-defined]  # set by HtmxMiddleware
        return _page(request, _read(course_id), form=form, effect=effect)
    return render(request, "courses/response_effect.html", {"effect": effect, "form": form})


def _effect(staff: Staff, found: Course, form: DecisionForm) -> Effect:
    """Try the decision and take it back; once more with the signature where only that is missing."""
    if not form.is_valid():
        return Effect(refused=" ".join(str(error) for errors in form.errors.values() for error in errors))
    asked = form.asked | {"reason": form.cleaned_data["reason"] or "?"}
    findings: tuple[Finding, ...] = ()
    signature = None
    for _attempt in range(2):
        try:
            change: Change = deciding.decide(
                actor=staff, course=found, override=signature, dry_run=True, now=clock.now(), **asked
            )
        except RulesBroken as error:
            findings = error.findings
            rules = frozenset(one.rule for one in to_sign(findings))
            if not rules or signature is not None:
                return Effect(findings=findings, refused=error.message)
            signature = Signature(staff, rules, asked["reason"])
        except DomainError as error:
            return Effect(refused=error.message)
        else:
            told = does(change, zone=found.site.zone, mails=bool(found.patient.email))
            return Effect(tuple(told), findings)
    return Effect(findings=findings)


# The page


@dataclass(frozen=True)
class Shown:
    """A course as the page shows it, at a moment."""

    read: Clinical
    now: datetime
    score: str
    decides: bool
    told: tuple[history.Entry, ...] = field(default=())

    @property
    def course(self) -> Course:
        return self.read.course

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.course.site.zone).date()

    @cached_property
    def standing(self) -> Standing:
        """How far the course is, as the desk's page says it."""
        return Standing(
            course=self.course,
            findings=self.read.findings,
            told=self.told,
            now=self.now,
            books=False,
            marks_no_show=False,
        )

    # Scores

    @cached_property
    def series(self) -> Series:
        """The scores of the instrument that is looked at."""
        return self.read.progress.series[self.score]

    @cached_property
    def tabs(self) -> list[Instrument]:
        return list(INSTRUMENTS.values())

    @property
    def baseline_total(self) -> int | None:
        """The baseline where a percentage of it says something (rule `no-baseline`)."""
        start = self.series.baseline
        return start.total if start and start.total >= measures.LEAST_BASELINE else None

    @property
    def worse_by(self) -> int:
        """How many percent worse than the baseline it is now, 0 when it is not."""
        return max(0, -(self.series.percent or 0))

    @cached_property
    def charts(self) -> list[Chart]:
        """The score line for a desk and for a phone; none without a score."""
        return [self._chart(size) for size in (WIDE, NARROW)] if self.series.scores else []

    def _chart(self, size: Size) -> Chart:
        given = [
            Stop(visit.given_at, clinical.number(visit.session), given=True)
            for visit in self.read.progress.visits
            if visit.given_at is not None
        ]
        ahead = [
            Stop(one.starts_at, clinical.number(one), given=False)
            for one in self.coming[: AHEAD[Phase(self.course.phase)]]
            if one.dose_started_at is None
        ]
        return score_chart.draw(
            instrument=self.series.instrument,
            points=[Point(score.taken_at, score.total) for score in self.series.scores],
            stops=[*given, *ahead],
            baseline=self.baseline_total,
            remission=self.series.instrument.remission,
            zone=self.course.site.zone,
            size=size,
        )

    @cached_property
    def table(self) -> list[tuple[Score, str, int | None, int]]:
        """Every score with its band, its change against the baseline in percent, and after how many doses it was."""
        start = self.baseline_total
        doses = [visit.given_at for visit in self.read.progress.visits if visit.given_at is not None]
        return [
            (
                score,
                _(measures.band(self.series.instrument, score.total)),
                measures.change(start, score.total) if start is not None else None,
                sum(at < score.taken_at for at in doses),
            )
            for score in self.series.scores
        ]

    @property
    def item_9(self) -> Score | None:
        """The latest PHQ-9 in which item 9 was answered."""
        scores = self.read.progress.series[measures.PHQ9.code].scores
        return next((score for score in reversed(scores) if score.item_9 is not None), None)

    # Visits

    @cached_property
    def visits(self) -> list[visit_rows.Row]:
        return visit_rows.rows(self.read.progress.visits)

    @property
    def latest_visits(self) -> list[visit_rows.Row]:
        return self.visits[: visit_rows.SHOWN]

    @property
    def earlier_visits(self) -> list[visit_rows.Row]:
        return self.visits[visit_rows.SHOWN :]

    @cached_property
    def coming(self) -> list[Session]:
        """The visit for which the patient is here, or late, before those to come."""
        today = [
            one
            for one in self.course.sessions.all()
            if one.local_date == self.today and one.state in (*OPEN, *UNDER_WAY) and one not in self.standing.coming
        ]
        return [*today, *self.standing.coming]

    @property
    def weight(self) -> Any:
        """The patient's latest weight in kg, None when nobody was weighed."""
        records = [visit.record for visit in reversed(self.read.progress.visits) if visit.record]
        return next((record.weight_kg for record in records if record.weight_kg is not None), None)

    # Advice and decision

    @property
    def advice(self) -> list[tuple[Advice, str]]:
        """What is suggested, each with its colour."""
        return [(one, TONES.get(one.code, "grey" if one.code == "no-baseline" else "green")) for one in self._advice]

    @property
    def _advice(self) -> tuple[Advice, ...]:
        return self.read.progress.advice

    @cached_property
    def options(self) -> list[Option]:
        """What can be decided now, by whoever may."""
        if not self.decides:
            return []
        sessions = list(self.course.sessions.all())
        choices = deciding.choices(self.course, sessions, now=self.now)
        return options(self.course, choices, self._advice, to_come(sessions))

    @property
    def usual(self) -> list[Option]:
        return [option for option in self.options if not option.rare]

    @property
    def rare(self) -> list[Option]:
        return [option for option in self.options if option.rare]

    @property
    def decided(self) -> history.Entry | None:
        """The last decision."""
        return _decision_of(self.told)

    @property
    def decisions(self) -> int:
        """How many decisions the page knows of: a later one makes it stale."""
        return len(_decisions_of(self.told))

    @property
    def lately(self) -> tuple[history.Entry, ...]:
        return self.told[:TOLD]


def _decisions_of(told: tuple[history.Entry, ...]) -> list[history.Entry]:
    return [entry for entry in told if entry.kind in DECIDED]


def _decision_of(told: tuple[history.Entry, ...]) -> history.Entry | None:
    return next(iter(_decisions_of(told)), None)


def _read(course_id: int) -> Clinical:
    try:
        return clinical.course_page(course_id)
    except Course.DoesNotExist as error:
        raise Http404 from error


def _page(
    request: HttpRequest,
    read: Clinical,
    *,
    form: DecisionForm | None = None,
    effect: Effect | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    score = request.GET.get("score", "")
    shown = Shown(
        read=read,
        now=clock.now(),
        score=score if score in INSTRUMENTS else measures.PHQ9.code,
        decides=allowed(actor(request), Verb.DECIDE),
        told=history.entries(read.course),
    )
    form = form or DecisionForm(course=read.course, initial=_first(shown))
    context: Mapping[str, Any] = {
        "section": "patients",
        "course": read.course,
        "patient": read.course.patient,
        "site": read.course.site,
        "page": shown,
        "form": form,
        "chosen": form["decision"].value(),
        "effect": effect,
        "refusal": refusal or (" ".join(map(str, form.non_field_errors())) if form.is_bound else ""),
        "request_id": uuid4(),
        "now": shown.now,
    }
    return render(request, "courses/response.html", dict(context), status=status)


def _first(shown: Shown) -> dict[str, Any]:
    """What is chosen before anybody chooses: the decision that is advised, as it is advised."""
    recommended = next((option.decision for option in shown.options if option.recommended), "")
    asks = suggested(shown.course, shown.read.progress.advice)
    return {"decision": recommended, "seen": shown.decisions, "request_id": uuid4(), **asks}
