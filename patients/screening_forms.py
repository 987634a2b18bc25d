"""The screening as a form: questions, sign-offs and papers in one, trials and therapies in rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from clinic.forms import DateField
from patients.answers import (
    ANTIDEPRESSANTS,
    Answers,
    DrugClass,
    Outcome,
    Severity,
    SignOff,
    StrokeKind,
    Therapy,
    TherapyKind,
    Trial,
    antidepressant,
)
from patients.eligibility import QUESTIONS, SIGN_OFFS
from patients.models import ScreeningDecision

#: Rows that are shown at least, and the most that a form takes.
TRIALS, THERAPIES, MOST_ROWS = 3, 1, 40

#: The choice of a drug that is not on the list.
UNLISTED = "other"

CLASSES = [
    (DrugClass.SSRI, "SSRI"),
    (DrugClass.SNRI, "SNRI"),
    (DrugClass.ATYPICAL, _("atypical")),
    (DrugClass.TRICYCLIC, _("tricyclic")),
    (DrugClass.OTHER, _("other class")),
]
OUTCOMES = [
    ("", "–"),
    (Outcome.FAILED.value, _("did not help")),
    (Outcome.NOT_TOLERATED.value, _("not tolerated")),
    (Outcome.HELPED.value, _("helped")),
]
ADEQUATE = [("", "–"), ("yes", _("adequate")), ("no", _("not adequate"))]
THERAPY_KINDS = [("", "–"), (TherapyKind.ONE_TO_ONE.value, _("One-to-one")), (TherapyKind.GROUP.value, _("Group"))]
YES_NO = [("yes", _("Yes")), ("no", _("No"))]
STROKE_KINDS = [(StrokeKind.ISCHEMIC.value, _("Clot")), (StrokeKind.BLEED.value, _("Bleed"))]
SEVERITIES = [
    (Severity.MILD.value, _("Mild")),
    (Severity.MODERATE.value, _("Moderate")),
    (Severity.SEVERE.value, _("Severe")),
]
_SPOKEN = {"yes": True, "no": False}
_WRITTEN = {True: "yes", False: "no", None: ""}


def _drugs() -> list[tuple[Any, Any]]:
    """The list by class, each drug with its brand and its class beside it."""
    groups: list[tuple[Any, Any]] = [("", "–")]
    for drug_class, label in CLASSES:
        listed = [known for known in ANTIDEPRESSANTS if known.drug_class == drug_class]
        groups.append((label, [(known.name, _named(known.name, known.brand, label)) for known in listed]))
    groups.append((UNLISTED, _("Another drug…")))
    return groups


def _named(name: str, brand: str, label: Any) -> str:
    return f"{name} ({brand}), {label}" if brand else f"{name}, {label}"


def _text(label: Any, length: int, **attrs: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attrs})
    return forms.CharField(label=label, required=False, max_length=length, widget=widget)


class TrialForm(forms.Form):
    """One antidepressant. A row with nothing in it is no row."""

    drug = forms.ChoiceField(label=_("Antidepressant"), choices=_drugs, required=False)
    unlisted = _text(_("Its name"), 100)
    drug_class = forms.ChoiceField(label=_("Class"), choices=[("", "–"), *CLASSES], required=False)
    dose = _text(_("Dose"), 100, placeholder=_("150 mg"))
    weeks = forms.IntegerField(label=_("Weeks"), required=False, min_value=0, max_value=2000)
    adequate = forms.ChoiceField(label=_("Dose and length"), choices=ADEQUATE, required=False)
    outcome = forms.ChoiceField(label=_("Outcome"), choices=OUTCOMES, required=False)

    use_required_attribute = False

    def clean(self) -> dict[str, Any]:
        """What a row that was begun lacks is asked for at its field."""
        data: dict[str, Any] = super().clean() or {}
        if not any(value not in ("", None) for value in data.values()) and not self.errors:
            return data
        needed = {
            "drug": _("Choose the drug."),
            "weeks": _("How many weeks?"),
            "adequate": _("Say whether dose and length were adequate."),
            "outcome": _("Say what came of it."),
        }
        if data.get("drug") == UNLISTED:
            needed |= {"unlisted": _("Type the name of the drug."), "drug_class": _("Choose the class.")}
        for name, sentence in needed.items():
            if name not in self.errors and data.get(name) in ("", None):
                self.add_error(name, sentence)
        return data

    @property
    def trial(self) -> Trial | None:
        """What the row says, None for an empty one and for one that lacks something."""
        data = self.cleaned_data
        if self.errors or not data.get("drug"):
            return None
        known = antidepressant(data["drug"])
        return Trial(
            drug=known.name if known else data["unlisted"],
            drug_class=known.drug_class if known else DrugClass(data["drug_class"]),
            dose=data["dose"],
            weeks=data["weeks"],
            adequate=data["adequate"] == "yes",
            outcome=Outcome(data["outcome"]),
        )

    @classmethod
    def initial_of(cls, trial: Trial) -> dict[str, Any]:
        """The row's fields for what was recorded."""
        known = antidepressant(trial.drug)
        listed = known is not None and known.drug_class == trial.drug_class
        return {
            "drug": known.name if known and listed else UNLISTED,
            "unlisted": "" if listed else trial.drug,
            "drug_class": "" if listed else trial.drug_class.value,
            "dose": trial.dose,
            "weeks": trial.weeks,
            "adequate": _WRITTEN[trial.adequate],
            "outcome": trial.outcome.value,
        }


class TherapyForm(forms.Form):
    """One therapy."""

    kind = forms.ChoiceField(label=_("Therapy"), choices=THERAPY_KINDS, required=False)
    note = _text(_("Since when, how often, with whom"), 500)

    use_required_attribute = False

    def clean(self) -> dict[str, Any]:
        """A note alone is not enough."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("note") and not data.get("kind"):
            self.add_error("kind", _("Choose one-to-one or group."))
        return data

    @property
    def therapy(self) -> Therapy | None:
        """What the row says, None for an empty one."""
        data = self.cleaned_data
        return Therapy(TherapyKind(data["kind"]), data.get("note", "")) if data.get("kind") else None


class AnswersForm(forms.Form):
    """Everything that stands in no row, and the decision."""

    treatment_consent = DateField(label=_("Consent to the treatment"), required=False)
    off_label_consent = DateField(label=_("Consent to ketamine off-label"), required=False)
    rems_enrolled = DateField(label=_("Enrolled in the esketamine REMS"), required=False)
    stroke_kind = forms.ChoiceField(
        label=_("The stroke was"), choices=STROKE_KINDS, required=False, widget=forms.RadioSelect
    )
    severity = forms.ChoiceField(
        label=_("Severity of the depression"), choices=SEVERITIES, required=False, widget=forms.RadioSelect
    )
    allergies = forms.CharField(
        label=_("Allergies"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )
    medicines = forms.CharField(
        label=_("Current medicines, one on each line"),
        required=False,
        max_length=8000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    decision = forms.ChoiceField(
        label=_("Decision"), choices=ScreeningDecision.choices, required=False, widget=forms.RadioSelect
    )

    use_required_attribute = False

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        for item, question in QUESTIONS.items():
            self.fields[item] = forms.ChoiceField(
                label=_(question.asks), choices=YES_NO, required=False, widget=forms.RadioSelect
            )
        for role in SIGN_OFFS:
            self.fields[f"{role}_name"] = _text(_("Name"), 200)
            self.fields[f"{role}_on"] = DateField(label=_("Heard on"), required=False)
            self.fields[f"{role}_note"] = _text(_("What they said"), 2000)

    def clean(self) -> dict[str, Any]:
        """Nobody has signed in the future."""
        data: dict[str, Any] = super().clean() or {}
        for name, value in list(data.items()):
            if isinstance(value, date) and value > self.today:
                self.add_error(name, _("This date is in the future."))
        return data

    @property
    def questions(self) -> list[forms.BoundField]:
        """The history, in its order."""
        return [self[item] for item in QUESTIONS]

    @property
    def sign_offs(self) -> list[tuple[str, forms.BoundField, forms.BoundField, forms.BoundField]]:
        """Role, name, date and note of everybody who has to be heard."""
        return [(role, self[f"{role}_name"], self[f"{role}_on"], self[f"{role}_note"]) for role in SIGN_OFFS]

    def told(self) -> dict[str, Any]:
        """What it says, as fields of Answers; what cannot be meant is left out. After `is_valid`."""
        data = self.cleaned_data
        kind, severity = data.get("stroke_kind"), data.get("severity")
        return {
            **{item: _SPOKEN.get(data.get(item, "")) for item in QUESTIONS},
            **{
                role: SignOff(data.get(f"{role}_name", ""), data.get(f"{role}_on"), data.get(f"{role}_note", ""))
                for role in SIGN_OFFS
            },
            **{name: data.get(name) for name in ("treatment_consent", "off_label_consent", "rems_enrolled")},
            "stroke_kind": StrokeKind(kind) if kind and data.get("stroke") == "yes" else None,
            "severity": Severity(severity) if severity else None,
            "allergies": data.get("allergies", ""),
            "medicines": tuple(line.strip() for line in data.get("medicines", "").splitlines() if line.strip()),
        }

    @classmethod
    def initial_of(cls, answers: Answers, decision: str) -> dict[str, Any]:
        """The fields for what was recorded."""
        signed: dict[str, Any] = {}
        for role in SIGN_OFFS:
            word = getattr(answers, role)
            signed |= {f"{role}_name": word.name, f"{role}_on": word.on, f"{role}_note": word.note}
        return {
            **{item: _WRITTEN[getattr(answers, item)] for item in QUESTIONS},
            **signed,
            **{name: getattr(answers, name) for name in ("treatment_consent", "off_label_consent", "rems_enrolled")},
            "stroke_kind": answers.stroke_kind.value if answers.stroke_kind else "",
            "severity": answers.severity.value if answers.severity else "",
            "allergies": answers.allergies,
            "medicines": "\n".join(answers.medicines),
            "decision": decision,
        }


class ScreeningForms:
    """The whole screening: `main`, and the rows of `trials` and `therapies`; bound when there is `data`."""

    def __init__(self, data: QueryDict | None, *, answers: Answers, decision: str, today: date) -> None:
        trials = [TrialForm.initial_of(trial) for trial in answers.trials]
        therapies = [{"kind": therapy.kind.value, "note": therapy.note} for therapy in answers.therapies]
        self.main = AnswersForm(data, initial=AnswersForm.initial_of(answers, decision), today=today)
        self.trials = _rows(TrialForm, max(TRIALS - len(trials), 1))(data, initial=trials, prefix="trials")
        self.therapies = _rows(TherapyForm, max(THERAPIES - len(therapies), 0))(
            data, initial=therapies, prefix="therapies"
        )

    def is_valid(self) -> bool:
        """Whether all of it can be saved; every part is looked at."""
        return all([self.main.is_valid(), self.trials.is_valid(), self.therapies.is_valid()])

    @property
    def decision(self) -> str:
        """The decision that is chosen. After `is_valid`."""
        return str(self.main.cleaned_data.get("decision", ""))

    def told(self) -> Answers:
        """What is said so far, whatever cannot be meant left out. After `is_valid`."""
        return Answers(
            trials=tuple(found for row in self._valid(self.trials) if (found := row.trial) is not None),
            therapies=tuple(found for row in self._valid(self.therapies) if (found := row.therapy) is not None),
            **self.main.told(),
        )

    @property
    def errors(self) -> list[tuple[str, str, str]]:
        """What cannot be meant: the field's id, its label, the sentence."""
        parts: Iterable[forms.Form] = [self.main, *self.trials.forms, *self.therapies.forms]
        return [
            (str(form[name].id_for_label or form[name].auto_id), str(form[name].label), str(sentence))
            for form in parts
            for name, sentences in form.errors.items()
            for sentence in sentences
        ]

    @staticmethod
    def _valid(rows: Any) -> list[Any]:
        return [row for row in rows.forms if hasattr(row, "cleaned_data")]


def _rows(form: type[forms.Form], extra: int) -> Any:
    return forms.formset_factory(form, extra=extra, max_num=MOST_ROWS, absolute_max=MOST_ROWS)


def with_rows(data: QueryDict, act: str) -> QueryDict:
    """What was sent, with a row more (`add:trials`) or without one (`drop:trials:2`)."""
    verb, prefix, place = (*act.split(":"), "", "")[:3]
    names = {"trials": list(TrialForm.base_fields), "therapies": list(TherapyForm.base_fields)}.get(prefix, [])
    total = data.get(f"{prefix}-TOTAL_FORMS", "")
    changed = data.copy()
    if not total.isdecimal() or len(total) > 3 or not names:
        return changed
    rows: list[Mapping[str, str]] = [
        {name: data.get(f"{prefix}-{number}-{name}", "") for name in names} for number in range(int(total))
    ]
    if verb == "drop":
        rows = [row for number, row in enumerate(rows) if str(number) != place]
    if verb == "add" or not rows:
        rows.append(dict.fromkeys(names, ""))
    rows = rows[:MOST_ROWS]
    for number, row in enumerate(rows):
        for name, value in row.items():
            changed[f"{prefix}-{number}-{name}"] = value
    changed[f"{prefix}-TOTAL_FORMS"] = str(len(rows))
    changed[f"{prefix}-INITIAL_FORMS"] = "0"
    return changed
