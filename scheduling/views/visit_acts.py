"""What can be done in a visit: one act for each verb, with its form, the stages in which it is offered, and what is
said when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.errors import DomainError, Invalid
from clinic.findings import Finding
from clinic.permissions import Verb
from scheduling import charting_forms, reviewing, visit_forms
from scheduling.models import VitalsRound
from scheduling.protocols import visit_safety
from scheduling.protocols.vitals import Stage, Vitals
from scheduling.visit_forms import VisitForm
from scheduling.visits import charting, handing, treating

if TYPE_CHECKING:
    from scheduling.views.visit import Asked

HERE = (Stage.BEFORE, Stage.GIVING, Stage.MONITORING)
DOSED = (Stage.GIVING, Stage.MONITORING)


class Said(DomainError):
    """What was measured is alarming: it is said before it is saved."""

    code = "said"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(_("Read this, then save."))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do. `run` carries it out with the bound forms and returns the sentence that says so.

    `second`: another person signs in place, "must" or "may"; `signs`: a prescriber can pass over rules.
    """

    title: Any
    form: type[VisitForm]
    stages: tuple[Stage, ...]
    run: Callable[[Asked], str]
    second: str = ""
    signs: bool = False
    verb: Verb = Verb.RUN_VISIT


def _common(asked: Asked) -> dict[str, Any]:
    data = asked.form.cleaned_data
    common = {"actor": asked.staff, "session": asked.session, "request_id": data["request_id"], "now": asked.now}
    return common | ({"at": data["at"]} if "at" in data else {})


def _arrival(form: visit_forms.ArrivalForm) -> dict[str, Any]:
    names = ("weight_kg", "last_food_at", "last_drink_at", "medicines")
    return {name: form.cleaned_data[name] for name in names} | {"escort": form.escort}


def _check_in(asked: Asked) -> str:
    form = asked.form
    assert isinstance(form, visit_forms.CheckInForm)  # noqa: S101  # the act's own form
    treating.check_in(changed=form.changed, **_arrival(form), **_common(asked))
    if any(form.changed.values()):
        return _("Checked in. A clinician has to review what is new before the dose.")
    return _("Checked in.")


def _amend(asked: Asked) -> str:
    form = asked.form
    assert isinstance(form, visit_forms.ArrivalForm)  # noqa: S101  # the act's own form
    charting.amend(**_arrival(form), **_common(asked))
    return _("The record is corrected.")


def _review(asked: Asked) -> str:
    treating.review(note=asked.form.cleaned_data["note"], **_common(asked))
    return _("Reviewed; the dose can be given as far as this is concerned.")


def _seen(asked: Asked) -> str:
    data = asked.form.cleaned_data
    reviewing.see_score(
        actor=asked.staff, score=data["score"], note=data["note"], request_id=data["request_id"], now=asked.now
    )
    return _("Item 9 is acknowledged.")


def _dose(asked: Asked) -> str:
    data = asked.form.cleaned_data
    treating.start(
        drug=data["drug"],
        lot=data["lot"],
        mg=data["mg"],
        mg_per_kg=data.get("mg_per_kg"),
        confirmed_by=asked.second_person(),
        override=asked.signature(),
        **_common(asked),
    )
    return _("The dose has begun.")


def _finish(asked: Asked) -> str:
    data = asked.form.cleaned_data
    treating.finish(
        mg_given=data["mg_given"],
        waste_mg=data["waste_mg"],
        waste_witness=asked.second_person() if data["waste_mg"] is not None else None,
        **_common(asked),
    )
    return _("The dose has ended; the two hours begin.")


def _vitals(asked: Asked) -> str:
    form = asked.form
    assert isinstance(form, charting_forms.VitalsForm)  # noqa: S101  # the act's own form
    data, measured = form.cleaned_data, form.measured
    known = said_before(asked)
    alarming = visit_safety.alerts(weighed(asked, measured))
    if any(f"{found.rule}={found.observed}" not in known for found in alarming):
        raise Said(weighed(asked, measured))
    if alarming and not form.done:
        raise Invalid.at("action", _("Say what was done."))
    charting.record_vitals(
        actor=asked.staff,
        session=asked.session,
        taken_at=data["taken_at"],
        action=form.done,
        confirmed=confirmed_of(asked, measured),
        request_id=data["request_id"],
        now=asked.now,
        **{name: data[name] for name in charting_forms.VitalsForm.MEASURED},
    )
    return _("The round is saved.")


def weighed(asked: Asked, measured: Mapping[str, int]) -> tuple[Finding, ...]:
    """What the rules say to what was measured."""
    return visit_safety.while_here(Vitals(taken_at=asked.now, **measured), asked.look.stage)


def said_before(asked: Asked) -> set[str]:
    """The alarms that the page has shown: rule and what was observed."""
    return set(asked.request.POST.getlist("told"))


def confirmed_of(asked: Asked, measured: Mapping[str, int]) -> frozenset[str]:
    """The fields whose very values somebody has said to be right."""
    meant = charting_forms.values_of(asked.request.POST.getlist("confirmed"))
    return frozenset(name for name, value in meant.items() if str(measured.get(name, "")) == value)


def _event(asked: Asked) -> str:
    charting.adverse_event(actor=asked.staff, session=asked.session, now=asked.now, **asked.form.cleaned_data)
    return _("The adverse event is written down.")


def _call(asked: Asked) -> str:
    data = asked.form.cleaned_data
    last = asked.look.last
    if last is None:
        raise Invalid.at("action", _("Nothing was measured yet: measure first, or write an adverse event."))
    charting.note_action(
        actor=asked.staff, round_=last, action=data["action"], request_id=data["request_id"], now=asked.now
    )
    return _("Written down with the last round.")


def _not_dosed(asked: Asked) -> str:
    treating.not_dosed(reason=asked.form.cleaned_data["reason"], **_common(asked))
    return _("No dose today: the time is free, and the visit can be made up.")


def _leave_early(asked: Asked) -> str:
    treating.leave_early(reason=asked.form.cleaned_data["reason"], **_common(asked))
    return _("Written down: the patient left early.")


def _transfer(asked: Asked) -> str:
    treating.transfer(reason=asked.form.cleaned_data["reason"], **_common(asked))
    return _("Written down: the patient was transferred.")


def _discharge(asked: Asked) -> str:
    form = asked.form
    assert isinstance(form, visit_forms.DischargeForm)  # noqa: S101  # the act's own form
    treating.discharge(
        checklist=form.checked,
        seen_by=asked.second_person(),
        escort=form.escort,
        override=asked.signature(),
        **_common(asked),
    )
    return _("Discharged; the record is closed.")


def _undo(asked: Asked) -> str:
    treating.undo(**_common(asked))
    return _("The last step is undone.")


def _addendum(asked: Asked) -> str:
    charting.addendum(text=asked.form.cleaned_data["text"], **_common(asked))
    return _("Added to the record.")


def _form_sent(asked: Asked) -> str:
    charting.send_form(**_common(asked))
    return _("Written down: the monitoring form is sent.")


def _chair(asked: Asked) -> str:
    form = asked.form
    assert isinstance(form, charting_forms.ChairForm)  # noqa: S101  # the act's own form
    handing.change_chair(chair=form.cleaned_data["chair"], swap=form.swap, **_common(asked))
    return _("The chair is changed.")


def _hand_over(asked: Asked) -> str:
    handing.hand_over(prescriber=asked.form.cleaned_data["prescriber"], **_common(asked))
    return _("Handed over.")


ACTS: Mapping[str, Act] = {
    "check-in": Act(gettext_lazy("Check in"), visit_forms.CheckInForm, (Stage.AWAITED,), _check_in),
    "amend": Act(gettext_lazy("Correct what was written at check-in"), visit_forms.AmendForm, HERE, _amend),
    "chair": Act(gettext_lazy("Change the chair"), charting_forms.ChairForm, HERE, _chair),
    "hand-over": Act(gettext_lazy("Hand over to another prescriber"), charting_forms.HandOverForm, HERE, _hand_over),
    "review": Act(
        gettext_lazy("Review what is new"), charting_forms.NoteForm, (Stage.BEFORE,), _review, verb=Verb.REVIEW
    ),
    "seen": Act(gettext_lazy("Item 9 above 0"), charting_forms.SeenForm, HERE, _seen, verb=Verb.REVIEW),
    "dose": Act(gettext_lazy("Dose"), visit_forms.DoseForm, (Stage.BEFORE,), _dose, second="must", signs=True),
    "finish": Act(gettext_lazy("Dose ended"), visit_forms.FinishForm, (Stage.GIVING,), _finish, second="may"),
    "vitals": Act(gettext_lazy("Vitals"), charting_forms.VitalsForm, HERE, _vitals),
    "event": Act(gettext_lazy("Adverse event"), charting_forms.EventForm, HERE, _event),
    "call": Act(gettext_lazy("Call the prescriber"), charting_forms.CallForm, HERE, _call),
    "not-dosed": Act(gettext_lazy("No dose today"), visit_forms.ReasonForm, (Stage.BEFORE,), _not_dosed),
    "leave-early": Act(gettext_lazy("Leaves early, against advice"), visit_forms.ReasonForm, DOSED, _leave_early),
    "transfer": Act(gettext_lazy("Transfer to emergency care"), visit_forms.ReasonForm, DOSED, _transfer),
    "discharge": Act(
        gettext_lazy("Discharge"), visit_forms.DischargeForm, (Stage.MONITORING,), _discharge, second="must", signs=True
    ),
    "undo": Act(gettext_lazy("Undo the last step"), VisitForm, (*HERE, Stage.OVER), _undo),
    "addendum": Act(gettext_lazy("Addendum"), charting_forms.AddendumForm, (Stage.OVER,), _addendum),
    "form": Act(gettext_lazy("Monitoring form sent"), VisitForm, (Stage.OVER,), _form_sent),
}

#: Acts that are a tap and have no page of their own.
TAPS = ("undo", "form")


def round_of(asked: Asked, round_id: int) -> VitalsRound | None:
    """A round of this very visit."""
    return next((round_ for round_ in asked.chart.rounds if round_.pk == round_id), None)
