"""What a screening asks, and the antidepressants to choose from. Pure: imports no Django."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import Any, Self


class DrugClass(StrEnum):
    """The classes of antidepressants that the source document tells apart (D)."""

    SSRI = "SSRI"
    SNRI = "SNRI"
    ATYPICAL = "atypical"
    TRICYCLIC = "tricyclic"
    OTHER = "other"


class Outcome(StrEnum):
    """What came of a trial. One that was not tolerated says nothing about whether the drug would have worked."""

    FAILED = "failed"
    NOT_TOLERATED = "not-tolerated"
    HELPED = "helped"


class TherapyKind(StrEnum):
    """How somebody was in therapy (D)."""

    ONE_TO_ONE = "one-to-one"
    GROUP = "group"


class StrokeKind(StrEnum):
    """Of a clot or of a bleed: the second is a contraindication."""

    ISCHEMIC = "ischemic"
    BLEED = "bleed"


class Severity(StrEnum):
    """How severe the depression is, as a clinician judges it."""

    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


class Decision(StrEnum):
    """What a screening came to; nothing while it is open."""

    OPEN = ""
    ACCEPTED = "accepted"
    DECLINED = "declined"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class Antidepressant:
    """A drug by its generic name, the brand it is known by (empty: none), and its class."""

    name: str
    brand: str
    drug_class: DrugClass


#: The antidepressants to choose from; the brands that the source document names are among them.
ANTIDEPRESSANTS = tuple(
    Antidepressant(name, brand, drug_class)
    for drug_class, drugs in {
        DrugClass.SSRI: {
            "citalopram": "Celexa",
            "escitalopram": "Lexapro",
            "fluoxetine": "Prozac",
            "fluvoxamine": "Luvox",
            "paroxetine": "Paxil",
            "sertraline": "Zoloft",
        },
        DrugClass.SNRI: {
            "desvenlafaxine": "Pristiq",
            "duloxetine": "Cymbalta",
            "levomilnacipran": "Fetzima",
            "venlafaxine": "Effexor",
        },
        DrugClass.ATYPICAL: {
            "bupropion": "Wellbutrin",
            "mirtazapine": "Remeron",
            "nefazodone": "",
            "trazodone": "Desyrel",
            "vilazodone": "Viibryd",
            "vortioxetine": "Trintellix",
        },
        DrugClass.TRICYCLIC: {
            "amitriptyline": "Elavil",
            "amoxapine": "",
            "clomipramine": "Anafranil",
            "desipramine": "Norpramin",
            "doxepin": "Sinequan",
            "imipramine": "Tofranil",
            "nortriptyline": "Pamelor",
            "protriptyline": "Vivactil",
            "trimipramine": "Surmontil",
        },
        DrugClass.OTHER: {
            "isocarboxazid": "Marplan",
            "phenelzine": "Nardil",
            "selegiline": "Emsam",
            "tranylcypromine": "Parnate",
        },
    }.items()
    for name, brand in drugs.items()
)

_BY_NAME = {name.casefold(): known for known in ANTIDEPRESSANTS for name in (known.name, known.brand) if name}


def antidepressant(text: str) -> Antidepressant | None:
    """The drug that a generic name or a brand means, None for one that is not on the list."""
    return _BY_NAME.get(text.strip().casefold())


def names_of_antidepressants() -> Set[str]:
    """Every generic name and brand on the list, in small letters."""
    return _BY_NAME.keys()


@dataclass(frozen=True, slots=True)
class Trial:
    """An antidepressant that was tried; `weeks` at that dose, `adequate` when dose and length were enough to judge."""

    drug: str
    drug_class: DrugClass
    dose: str
    weeks: int
    adequate: bool
    outcome: Outcome

    @property
    def failed(self) -> bool:
        """Whether it is evidence of resistance: given well enough, and it did not help."""
        return self.adequate and self.outcome is Outcome.FAILED


@dataclass(frozen=True, slots=True)
class Therapy:
    """A therapy that the patient was or is in."""

    kind: TherapyKind
    note: str = ""


@dataclass(frozen=True, slots=True)
class SignOff:
    """What somebody who treats the patient said about ketamine, and when."""

    name: str = ""
    on: date | None = None
    note: str = ""

    def heard(self, today: date) -> bool:
        """Whether all of it is there; nobody was heard in the future."""
        return bool(self.name.strip() and self.note.strip() and self.on is not None and self.on <= today)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a screening asks. None is a question that nobody has answered yet; dates are when it was signed."""

    trials: tuple[Trial, ...] = ()
    therapies: tuple[Therapy, ...] = ()
    doctor: SignOff = field(default_factory=SignOff)
    therapist: SignOff = field(default_factory=SignOff)
    psychologist: SignOff = field(default_factory=SignOff)
    treatment_consent: date | None = None
    off_label_consent: date | None = None
    rems_enrolled: date | None = None
    pressure: bool | None = None
    liver: bool | None = None
    stroke: bool | None = None
    stroke_kind: StrokeKind | None = None
    heart: bool | None = None
    vessels: bool | None = None
    bleed: bool | None = None
    aneurysm: bool | None = None
    malformation: bool | None = None
    drug_allergy: bool | None = None
    pregnancy: bool | None = None
    psychosis: bool | None = None
    substance_use: bool | None = None
    severity: Severity | None = None
    allergies: str = ""
    medicines: tuple[str, ...] = ()

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The answers as `to_data` wrote them; what is absent is not answered. Raises ValueError for unknown words."""
        known = {name: read(data[name]) for name, read in _READ.items() if data.get(name) is not None}
        plain = {name: data[name] for name in _PLAIN if data.get(name) is not None}
        return cls(**known, **plain)

    def to_data(self) -> dict[str, Any]:
        """As JSON can hold them: dates as ISO text, words as text."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def _sign_off(data: Mapping[str, Any]) -> SignOff:
    on = data.get("on")
    return SignOff(data.get("name", ""), date.fromisoformat(on) if on else None, data.get("note", ""))


def _trial(data: Mapping[str, Any]) -> Trial:
    return Trial(
        drug=data["drug"],
        drug_class=DrugClass(data["drug_class"]),
        dose=data["dose"],
        weeks=data["weeks"],
        adequate=data["adequate"],
        outcome=Outcome(data["outcome"]),
    )


_READ: Mapping[str, Any] = {
    "trials": lambda rows: tuple(map(_trial, rows)),
    "therapies": lambda rows: tuple(Therapy(TherapyKind(row["kind"]), row.get("note", "")) for row in rows),
    "doctor": _sign_off,
    "therapist": _sign_off,
    "psychologist": _sign_off,
    "treatment_consent": date.fromisoformat,
    "off_label_consent": date.fromisoformat,
    "rems_enrolled": date.fromisoformat,
    "stroke_kind": StrokeKind,
    "severity": Severity,
    "medicines": tuple,
}
_PLAIN = [known.name for known in fields(Answers) if known.name not in _READ]
