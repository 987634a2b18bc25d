"""A clinician's decision as it is taken on the course page: what can be chosen, why, and what it will do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.findings import Finding, Level
from scheduling import outcomes
from scheduling.booking import Change
from scheduling.deciding import Cause, Choice, Decision
from scheduling.forms import DayField
from scheduling.models import OPEN, Course, CourseState, Session
from scheduling.outcomes import LONGEST_INTERVAL, MOST_MORE
from scheduling.protocols.progress import default_interval
from scheduling.protocols.response import Advice
from scheduling.views.visit_rows import plain

#: So many decisions are shown whole.
WHOLE = 6

#: Of more, those fold under "More" that are not advised.
RARE = frozenset({Decision.CHANGE_DOSE, Decision.NEW_INITIAL, Decision.CLOSE_EARLY})

#: What decisions are mostly taken for.
WHY = [
    ("response", gettext_lazy("Response")),
    ("remission", gettext_lazy("Remission")),
    ("little", gettext_lazy("Little benefit")),
    ("effects", gettext_lazy("Side effects")),
    ("wish", gettext_lazy("Patient’s wish")),
    ("other", gettext_lazy("Other")),
]

#: What the button says beside "Record:".
ACTS: Mapping[str, Any] = {
    Decision.GO_ON: gettext_lazy("Record: go on"),
    Decision.EXTEND: gettext_lazy("Record: extend"),
    Decision.CHANGE_DOSE: gettext_lazy("Record: change the dose"),
    Decision.MAINTENANCE: gettext_lazy("Record: start maintenance"),
    Decision.NEW_INITIAL: gettext_lazy("Record: new initial phase"),
    Decision.PAUSE: gettext_lazy("Record: pause"),
    Decision.CLOSE_EARLY: gettext_lazy("Record: close the course"),
    Decision.STOP: gettext_lazy("Record: stop"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """A decision on the page. `note` says in a few words what it means here, `act` what the button says."""

    choice: Choice
    key: str
    note: str
    act: str
    recommended: bool
    rare: bool

    @property
    def decision(self) -> str:
        """Its code."""
        return str(self.choice.decision)


def options(
    course: Course, choices: Sequence[Choice], advice: Iterable[Advice], coming: Sequence[Session]
) -> list[Option]:
    """What can be decided: what is advised first, then the usual, then what folds; keys by this order."""
    advised = list(dict.fromkeys(code for one in advice for code in one.decisions))

    def rare(choice: Choice) -> bool:
        return len(choices) > WHOLE and choice.decision in RARE and choice.decision not in advised

    def place(choice: Choice) -> tuple[int, bool]:
        return advised.index(choice.decision) if choice.decision in advised else len(advised), rare(choice)

    return [
        Option(
            choice=choice,
            key=str(number),
            note=_note(choice, course, coming),
            act=_act(choice, course),
            recommended=bool(advised) and choice.decision == advised[0],
            rare=rare(choice),
        )
        for number, choice in enumerate(sorted(choices, key=place), start=1)
    ]


def _act(choice: Choice, course: Course) -> str:
    if choice.decision == Decision.GO_ON and course.state == CourseState.PAUSED:
        return _("Record: resume")
    if choice.decision == Decision.MAINTENANCE and course.phase == "maintenance":
        return _("Record: change the interval")
    return str(ACTS[choice.decision])


def _note(choice: Choice, course: Course, coming: Sequence[Session]) -> str:
    count = len(coming)
    goes = ngettext("%(count)s date goes", "%(count)s dates go", count) % {"count": count} if count else ""
    stays = ngettext("%(count)s date stays", "%(count)s dates stay", count) % {"count": count} if count else ""
    match choice.decision:
        case Decision.GO_ON:
            return stays or _("what the plan owes is booked")
        case Decision.EXTEND:
            return _("needs an override")
        case Decision.CHANGE_DOSE:
            return _("for the doses to come; now %(dose)s") % {"dose": dose_of(course)}
        case Decision.NEW_INITIAL:
            return _("a new course of the same protocol")
        case Decision.PAUSE:
            return "; ".join(filter(None, [_("keeps the course"), goes]))
        case Decision.CLOSE_EARLY:
            return "; ".join(filter(None, [_("treatment completed"), goes]))
        case Decision.STOP:
            return "; ".join(filter(None, [_("ends the course"), goes]))
    return ""


def dose_of(course: Course) -> str:
    """The dose that holds: what was decided, otherwise the protocol's."""
    if course.dose_mg_per_kg is not None:
        return _("%(dose)s mg/kg") % {"dose": plain(course.dose_mg_per_kg)}
    if course.dose_mg is not None:
        return _("%(mg)s mg") % {"mg": plain(course.dose_mg)}
    return course.protocol.protocol.dose


def suggested(course: Course, advice: Iterable[Advice]) -> dict[str, Any]:
    """What the form asks beside the decision, as it is advised: after a relapse two visits a month, the shortest
    interval that plans of the protocol aim at, in days (protocol.md, part 4)."""
    if all(one.code != "relapse" for one in advice):
        return {}
    return {"interval_days": course.protocol.protocol.maintenance_intervals[0]}


class DecisionForm(forms.Form):
    """A decision with what it asks beside its reason. `seen` is the last decision that the page knew of."""

    decision = forms.CharField(max_length=20, error_messages={"required": gettext_lazy("Choose a decision.")})
    interval_days = forms.IntegerField(
        label=gettext_lazy("Days between visits"), min_value=1, max_value=LONGEST_INTERVAL, required=False
    )
    sessions = forms.TypedChoiceField(
        label=gettext_lazy("Visits more"),
        choices=[(number, str(number)) for number in range(1, MOST_MORE + 1)],
        coerce=int,
        empty_value=None,
        required=False,
    )
    dose = forms.DecimalField(label=gettext_lazy("New dose"), max_digits=6, decimal_places=3, required=False)
    until = DayField(label=gettext_lazy("Until, if it is known"), required=False)
    cause = forms.ChoiceField(
        label=gettext_lazy("Cause"), choices=[("", gettext_lazy("No special cause")), *Cause.choices], required=False
    )
    why = forms.ChoiceField(label=gettext_lazy("Reason"), choices=WHY, widget=forms.RadioSelect, required=False)
    words = forms.CharField(
        label=gettext_lazy("In words"),
        max_length=500,
        required=False,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "placeholder": gettext_lazy("Add a sentence, if you wish")}
        ),
    )
    sign = forms.BooleanField(required=False)
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    request_id = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, course: Course, looks: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = course.protocol.protocol
        self.looks = looks
        self.initial.setdefault("interval_days", course.interval_days or default_interval(rules))
        self.initial.setdefault("sessions", 1)
        if rules.route == "nasal":
            doses = [(plain(dose), _("%(mg)s mg") % {"mg": plain(dose)}) for dose in outcomes.NASAL_DOSES]
            self.fields["dose"].widget = forms.Select(choices=doses)
        else:
            least, most = outcomes.IV_DOSES
            self.fields["dose"].widget.attrs |= {"step": "0.05", "min": plain(least), "max": plain(most)}
        self.unit = "mg" if rules.route == "nasal" else "mg/kg"

    def clean(self) -> dict[str, Any]:
        """The reason: a usual one, a sentence, or both. To look at what a decision would do, none is needed."""
        data = super().clean() or {}
        for name in ASKED:
            if name not in self.asks:
                self.errors.pop(name, None)
        usual, words = data.get("why", ""), data.get("words", "").strip()
        if not self.looks and "why" not in self.errors and usual in ("", "other") and not words:
            field, text = ("words", _("Say in a few words why.")) if usual else ("why", _("Choose a reason."))
            self.add_error(field, ValidationError(text))
        said = "" if usual in ("", "other") else str(dict(WHY)[usual])
        data["reason"] = ": ".join(filter(None, [said, words]))
        return data

    @property
    def asks(self) -> tuple[str, ...]:
        """The fields that belong to the decision that was chosen."""
        return outcomes.FIELDS.get(self["decision"].value() or "", ())

    @property
    def asked(self) -> dict[str, Any]:
        """What the verb is told; the form has to be valid."""
        data = self.cleaned_data
        told = {name: data[name] for name in self.asks if data.get(name) not in (None, "")}
        return {"decision": data["decision"], "reason": data["reason"], **told}


#: What decisions ask beside their reason.
ASKED = ("interval_days", "sessions", "dose", "until", "cause")


# What it will do, or has done


def does(change: Change, *, zone: tzinfo, mails: bool) -> list[str]:
    """What a decision frees, books and tells, before it is recorded. `mails`: the patient has an address."""
    said = []
    if change.freed:
        said.append(_("Frees %(dates)s.") % {"dates": _dates(change.freed, zone)})
    if change.placed:
        said.append(_("Books %(dates)s.") % {"dates": _dates(change.placed, zone)})
    if change.missing:
        text = ngettext(
            "%(count)s date finds no place: it goes on the desk’s list.",
            "%(count)s dates find no place: they go on the desk’s list.",
            change.missing,
        )
        said.append(text % {"count": change.missing})
    if change.freed or change.placed:
        said.append(_("One mail to the patient.") if mails else _("No mail address: the desk calls."))
    return said or [_("No date changes, nothing is mailed.")]


def done(change: Change, *, zone: tzinfo, mails: bool) -> str:
    """The same once it is recorded, in one line."""
    said = [_("Recorded.")]
    if change.freed:
        said.append(_("Freed: %(dates)s.") % {"dates": _dates(change.freed, zone)})
    if change.placed:
        said.append(_("Booked: %(dates)s.") % {"dates": _dates(change.placed, zone)})
    if change.missing:
        text = ngettext(
            "%(count)s date found no place and is on the desk’s list.",
            "%(count)s dates found no place and are on the desk’s list.",
            change.missing,
        )
        said.append(text % {"count": change.missing})
    if change.freed or change.placed:
        said.append(_("One mail goes to the patient.") if mails else _("No mail address: the desk calls the patient."))
    return " ".join(said)


def _dates(sessions: Sequence[Session], zone: tzinfo) -> str:
    """Up to three dates, of more their number with the first and the last."""
    days = [date_format(one.starts_at.astimezone(zone), "D j M") for one in sorted(sessions, key=_start)]
    if len(days) <= 3:
        return ", ".join(days)
    return _("%(count)s dates, %(first)s to %(last)s") % {"count": len(days), "first": days[0], "last": days[-1]}


def _start(session: Session) -> Any:
    return session.starts_at


def to_come(sessions: Iterable[Session]) -> list[Session]:
    """The visits to which nobody has come yet."""
    return [session for session in sessions if session.state in OPEN]


def to_sign(findings: Iterable[Finding]) -> list[Finding]:
    """What a prescriber can pass over; nothing when something blocks."""
    found = list(findings)
    if any(one.level == Level.BLOCK for one in found):
        return []
    return [one for one in found if one.level == Level.OVERRIDE]
