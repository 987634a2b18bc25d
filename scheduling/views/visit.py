"""The page of one visit: what comes next on top, one form for each step, and the record beside it.

An address for each act, so that everything works without scripts: GET shows its form in the page, POST carries it out.
A step that somebody has taken meanwhile is answered with a sentence and the visit as it stands (409).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from clinic import clock, signin
from clinic.errors import DomainError, Invalid, RulesBroken, Stale
from clinic.findings import Finding, Level, by_severity
from clinic.forms import add_error
from clinic.http import actor, page, sites_of
from clinic.models import Staff
from clinic.permissions import Verb, allowed
from patients import scoring, worklist
from patients.models import Task, TaskKind
from scheduling import board, judging, missing
from scheduling.booking import Signature
from scheduling.forms import SignForm
from scheduling.judging import Verdict
from scheduling.models import UNDER_WAY, Session
from scheduling.protocols import visit_safety, vitals
from scheduling.protocols.vitals import RAISED, Stage, is_above
from scheduling.views import visit_acts
from scheduling.views.signing import NotSigned, sign
from scheduling.views.visit_acts import ACTS, Act
from scheduling.views.visit_page import Look
from scheduling.visit_forms import SecondForm, VisitForm
from scheduling.visits import charting, charts, treating


@page(GET=Verb.SEE)
def visit(request: HttpRequest, session_id: int) -> HttpResponse:
    """The visit as it stands, with the step that is most likely next."""
    return Asked(request, session_id).render()


@sensitive_post_parameters()
@page(GET=Verb.RUN_VISIT, POST=Verb.RUN_VISIT)
def act(request: HttpRequest, session_id: int, name: str) -> HttpResponse:
    """One step of a visit, or something that is written down beside the steps."""
    if name not in ACTS or ACTS[name].verb is not Verb.RUN_VISIT:
        raise Http404
    return _answer(Asked(request, session_id, name))


@page(GET=Verb.REVIEW, POST=Verb.REVIEW)
def review(request: HttpRequest, session_id: int) -> HttpResponse:
    """A clinician looks at what is new or changed."""
    return _answer(Asked(request, session_id, "review"))


@page(GET=Verb.REVIEW, POST=Verb.REVIEW)
def seen(request: HttpRequest, session_id: int) -> HttpResponse:
    """A clinician acknowledges an answer to item 9; one that was not sent has no score and waits on the worklist."""
    asked = Asked(request, session_id, "seen")
    if request.method == "GET" and (line := asked.unsent()):
        return redirect(line)
    return _answer(asked)


@page(POST=Verb.RUN_VISIT)
def said(request: HttpRequest, session_id: int) -> HttpResponse:
    """What the rules say to what has been typed so far; writes nothing."""
    asked = Asked(request, session_id, "vitals")
    asked.form.is_valid()
    asked.weigh_vitals()
    return render(request, "visits/said.html", asked.context())


@page(POST=Verb.RUN_VISIT)
def void(request: HttpRequest, session_id: int, round_id: int) -> HttpResponse:
    """Take back a round that was typed by mistake."""
    asked = Asked(request, session_id)
    found = visit_acts.round_of(asked, round_id)
    if found is None:
        raise Http404
    try:
        charting.void_round(actor=asked.staff, round_=found, now=asked.now)
    except DomainError as error:
        return Asked(request, session_id).render(refusal=error.message, status=error.status)
    messages.success(request, _("The round is taken back; it stays in the record, crossed out."))
    return redirect("visit", session_id)


def _answer(asked: Asked) -> HttpResponse:
    if asked.request.method != "POST":
        if asked.name in visit_acts.TAPS or not asked.in_turn:
            return redirect("visit", asked.session.pk)
        asked.weigh()
        return asked.render()
    return asked.commit()


class Incomplete(DomainError):
    """Ends an act before it begins: the form itself says what is missing."""


class Asked:
    """A request about a visit: what is asked for, the forms, and what is answered. `name` is the act; without one the
    page chooses the likely next."""

    def __init__(self, request: HttpRequest, session_id: int, name: str = "") -> None:
        related = ("course__patient", "course__site", "course__protocol", "site", "chair", "prescriber")
        counted = Session.objects.select_related(*related).with_count()
        self.request, self.now, self.staff = request, clock.now(), actor(request)
        self.session: Session = get_object_or_404(counted, pk=session_id)
        self.chart = charts.read(self.session, now=self.now)
        waits = self.chart.stage in (Stage.AWAITED, Stage.BEFORE) and self.session.is_live
        self.look = Look(self.chart, self.staff, self.now, missing.score_for(self.session) if waits else None)
        self.runs = allowed(self.staff, Verb.RUN_VISIT) and self.session.site in sites_of(request)
        self.name = name or (self.look.default if self.runs else "")
        self.posted = request.method == "POST" and bool(name)
        self.findings: tuple[Finding, ...] = ()
        self.asks: dict[str, str] = {}
        self.raised = ""

    @property
    def act(self) -> Act | None:
        return ACTS.get(self.name)

    @property
    def in_turn(self) -> bool:
        """The act belongs to where the visit stands."""
        return self.act is not None and self.look.stage in self.act.stages and not self._given_up

    @property
    def _given_up(self) -> bool:
        return self.look.given_up and self.name not in ("undo", "addendum")

    @cached_property
    def form(self) -> VisitForm:
        kind = ACTS[self.name].form
        return kind(self.request.POST if self.posted else None, chart=self.chart, actor=self.staff, now=self.now)

    @cached_property
    def second(self) -> SecondForm:
        """Where another person signs; nobody has to, as long as something stands in the way."""
        data = self.request.POST if self.posted and not self.blocked else None
        must = ACTS[self.name].second == "must"
        return SecondForm(data, site=self.session.site, actor=self.staff, required=must, prefix="second")

    @property
    def blocked(self) -> bool:
        """Something was found that nobody can pass over."""
        return any(found.level is Level.BLOCK for found in self.findings)

    @property
    def needed(self) -> list[str]:
        """The rules that a prescriber can pass over."""
        signs = self.act is not None and self.act.signs
        return [found.rule for found in self.findings if found.level is Level.OVERRIDE] if signs else []

    @cached_property
    def sign(self) -> SignForm:
        """Where a prescriber passes over rules."""
        data = self.request.POST if self.posted else None
        return SignForm(data, site=self.session.site, actor=self.staff, prefix="sign")

    def second_person(self) -> Staff:
        """Who has signed beside the actor; raises NotSigned without a name or with a wrong password."""
        for name in ("second", "password"):
            if not self.second[name].value():
                self.second.fields[name].required = True
        if not self.second.is_valid():
            raise NotSigned(_("The second person has not signed yet."))
        person: Staff = self.second.cleaned_data["second"]
        if not signin.signs(self.request, person, self.second.cleaned_data["password"]):
            self.second.add_error("password", _("This is not that person’s password, or it was wrong too often."))
            raise NotSigned(_("The second person has not signed yet."))
        return person

    def signature(self) -> Signature | None:
        """What a prescriber has signed on the page."""
        return sign(self.request, self.sign)

    # What is said before anything is done

    def weigh(self) -> None:
        """Find what speaks against the step that is shown, at the time that is typed."""
        typed = getattr(self.form, "cleaned_data", {}) if self.posted else {}
        at = typed.get("at") or self.now
        if self.name == "dose" and self.chart.record is not None:
            self.findings = treating.weigh_start(self.session, confirmed=True, now=at)
        elif self.name == "discharge":
            escort = typed.get("escort_name", self.chart.facts.escort)
            rounds = [round_ for round_ in self.chart.facts.rounds if round_.taken_at <= at]
            facts = replace(self.chart.facts, rounds=rounds, escort=escort)
            self.findings = by_severity(visit_safety.at_discharge(facts, now=at))
        elif self.name == "vitals" and self.posted:
            self.weigh_vitals()

    def weigh_vitals(self) -> None:
        """What the rules say to the values that were typed, and which of them are asked about."""
        measured = self.form.measured  # type: ignore[attr-defined]  # only the form of vitals is weighed
        typed = vitals.Vitals(taken_at=self.now, **measured)
        impossible = {doubt.name for doubt in vitals.impossible(typed)}
        before = charts.as_vitals(self.look.last) if self.look.last else None
        confirmed = visit_acts.confirmed_of(self, measured)
        self.findings = visit_acts.weighed(self, measured)
        pressure = typed.pressure
        if pressure and is_above(pressure, RAISED) and not any(found.rule.startswith("bp-") for found in self.findings):
            self.raised = f"{pressure[0]}/{pressure[1]}"
        self.asks = {
            doubt.name: _(doubt.text) % dict(doubt.values)
            for doubt in vitals.implausible(typed, before)
            if doubt.name not in confirmed | impossible
        }

    def commit(self) -> HttpResponse:
        """Carry the act out, and lead to the visit; what is refused stands in the page that asked."""
        form = self.form
        try:
            self._require_complete()
            said = ACTS[self.name].run(self)
        except Stale as error:
            return Asked(self.request, self.session.pk).render(refusal=error.message, status=409)
        except RulesBroken as error:
            self.findings = error.findings
            form.add_error(None, error.message)
        except charting.Implausible as error:
            self.weigh_vitals()
            self.asks = {name: " ".join(sentences) for name, sentences in error.fields.items()}
        except visit_acts.Said as error:
            self.weigh_vitals()
            form.add_error(None, error.message)
        except Incomplete:
            self.weigh()
        except DomainError as error:
            self.weigh()
            self._place(error)
        else:
            messages.success(self.request, said)
            return redirect("visit", self.session.pk)
        if self.name in visit_acts.TAPS:  # no page of its own to say it in
            refusal = " ".join(str(sentence) for sentences in form.errors.values() for sentence in sentences)
            return Asked(self.request, self.session.pk).render(refusal=refusal, status=422)
        return self.render(status=422)

    def _require_complete(self) -> None:
        """Raise Incomplete for forms that lack something, all of it at once; Stale when it is not even this step's
        turn. What nobody can pass over is said before anybody is fetched to sign: RulesBroken."""
        valid = self.form.is_valid()
        if not valid and not self.in_turn:
            raise Stale(_("This step is not to be taken any more."))
        if self.in_turn and ACTS[self.name].signs:
            self.weigh()
            if not self.blocked:
                valid = self._signed() and valid
            elif valid:
                judging.require_passable(Verdict(self.findings), None)
        if not valid:
            raise Incomplete(_("Something is missing."))

    def _signed(self) -> bool:
        """The second person has signed, and a prescriber what has to be passed over; the forms say what is missing."""
        overridden = not self.needed or self.sign.is_valid()
        return self.second.is_valid() and overridden

    def _place(self, error: DomainError) -> None:
        """Show a refusal at its field; those about the second person stand in a form of their own."""
        about = {"confirmed_by", "seen_by", "waste_witness"}
        if isinstance(error, Invalid) and about & set(error.fields):
            self.second.is_valid()
            for name in about & set(error.fields):
                self.second.add_error("second", " ".join(error.fields[name]))
            return
        add_error(self.form, error)

    # What is shown

    def context(self) -> dict[str, Any]:
        """What the templates show."""
        act = self.act if self.in_turn else None
        course = self.session.course
        return {
            "section": "board",
            "site": self.session.site,
            "session": self.session,
            "course": course,
            "patient": course.patient,
            "chart": self.chart,
            "record": self.chart.record,
            "look": self.look,
            "now": self.now,
            "runs": self.runs,
            "reviews": self.runs and allowed(self.staff, Verb.REVIEW),
            "act": act,
            "act_name": self.name if act else "",
            "act_template": f"visits/{TEMPLATES.get(self.name, self.name)}.html" if act else "",
            "form": self.form if act else None,
            "forms": self._forms() if act else [],
            "second": self.second if act and act.second else None,
            "sign": self.sign if act and act.signs else None,
            "findings": self.findings,
            "alarms": [f"{found.rule}={found.observed}" for found in self.findings],
            "asks": self._asks() if act else [],
            "raised": self.raised,
            "blocked": self.blocked,
            "needed": self.needed if act else [],
            "undo_form": VisitForm(chart=self.chart, actor=self.staff, now=self.now),
            "live_version": self._version(),
            "calls": self._calls(),
            "sitting": self._sitting(),
        }

    def _forms(self) -> list[Form]:
        """Every form of the act, in the order of the page."""
        act = ACTS[self.name]
        signs = [self.sign] if self.needed and not self.blocked else []
        return [*signs, self.form, *([self.second] if act.second else [])]

    def _sitting(self) -> Session | None:
        """Who is still in the chair of this visit."""
        if self.look.stage is Stage.OVER or not self.look.today:
            return None
        here = Session.objects.filter(chair=self.session.chair_id, state__in=UNDER_WAY).exclude(pk=self.session.pk)
        same_day = here.filter(local_date=self.session.local_date)
        return same_day.select_related("patient").order_by("checked_in_at").first()

    def _calls(self) -> QuerySet[Task]:
        """The calls of the prescriber in this visit that nobody has acknowledged, the first one on top."""
        of_visit = Task.objects.filter(kind=TaskKind.ALERT, patient=self.session.patient_id)
        return of_visit.filter(key__startswith=f"{self.session.pk}:", done_at=None).order_by("since", "pk")

    def _asks(self) -> list[tuple[str, str, str]]:
        """What is asked about: the field's label, the sentence, and the value that would be meant."""
        measured = getattr(self.form, "measured", {}) if self.asks else {}
        return [(str(self.form[name].label), text, f"{name}={measured.get(name)}") for name, text in self.asks.items()]

    def _version(self) -> int:
        found = board.site_day(actor=self.staff, site=self.session.site_id, day=self.session.local_date, now=self.now)
        return found.version if found else 0

    def render(self, *, refusal: str = "", status: int = 200) -> HttpResponse:
        """The page; only what follows the day for a script that asks."""
        if not refusal and status == 200:
            self.weigh()
        part = self.request.htmx and self.request.method == "GET"  # type: ignore[attr-defined]  # set by HtmxMiddleware
        template = "visits/live.html" if part else "visits/visit.html"
        context = self.context() | {"refusal": refusal, "unseen": self._unseen()}
        return render(self.request, template, context, status=status)

    def _unseen(self) -> str:
        """Where an answer to item 9 is acknowledged that waits for it, while the patient is here."""
        waits = self.chart.facts.item_9_unseen and self.look.stage not in (Stage.AWAITED, Stage.OVER)
        return (self.unsent() or reverse("visit-seen", args=[self.session.pk])) if waits else ""

    def unsent(self) -> str:
        """The line on the worklist of an answer to item 9 that was not sent, where no score waits for a clinician."""
        line = worklist.unseen_before_sending().filter(patient=self.session.patient_id).first()
        if line is None or scoring.unseen_item_9(self.session.patient_id) is not None:
            return ""
        return reverse("worklist") + f"?line={line.pk}"


#: Acts that share a template with another.
TEMPLATES = {
    "not-dosed": "exit",
    "leave-early": "exit",
    "transfer": "exit",
    "seen": "review",
    "amend": "check-in",
    "chair": "hand-over",
}
