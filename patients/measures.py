"""The questionnaires that follow a patient's mood: ranges, bands, what is a response and what remission. Pure.

Ranges, bands and thresholds are those of protocol.md part 4, codes (LOINC) those of part 6. PHQ-9 and GAD-7 may be
shown by everybody; of MADRS and QIDS-SR16 only totals are kept, their items are under copyright.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinic.findings import gettext_noop

#: Under this total before the first dose a change in percent says nothing: rule `no-baseline` (P).
LEAST_BASELINE = 10

#: How many percent better is a response (C).
RESPONSE = 50

#: How many percent better is a part of one: under it a benefit is doubted (P).
PARTIAL = 25

#: The highest MADRS total in remission, unless a clinic sets another (C: 10; some use 12).
MADRS_REMISSION = 10


@dataclass(frozen=True, slots=True)
class Item:
    """A question as the patient reads it, with its code; an English text that is translated where it is shown."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the four answers to every item, worth `value` points."""

    value: int
    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Band:
    """How severe it is from `lowest` points on."""

    lowest: int
    name: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire: totals from 0 to `highest`, in remission up to `remission` points. Without items only its
    total is kept."""

    code: str
    name: str
    highest: int
    remission: int
    bands: tuple[Band, ...]
    items: tuple[Item, ...] = ()
    question: str = ""
    total_code: str = ""


#: What both questionnaires with items ask before the first of them.
_QUESTION = gettext_noop("Over the last 2 weeks, how often have you been bothered by any of the following problems?")

ANSWERS = (
    Answer(0, gettext_noop("Not at all"), "LA6568-5"),
    Answer(1, gettext_noop("Several days"), "LA6569-3"),
    Answer(2, gettext_noop("More than half the days"), "LA6570-1"),
    Answer(3, gettext_noop("Nearly every day"), "LA6571-9"),
)

_MINIMAL = gettext_noop("minimal")
_NONE = gettext_noop("none")
_MILD = gettext_noop("mild")
_MODERATE = gettext_noop("moderate")
_MODERATELY_SEVERE = gettext_noop("moderately severe")
_SEVERE = gettext_noop("severe")
_VERY_SEVERE = gettext_noop("very severe")

PHQ9 = Instrument(
    code="phq9",
    name="PHQ-9",
    highest=27,
    remission=4,
    bands=(Band(0, _MINIMAL), Band(5, _MILD), Band(10, _MODERATE), Band(15, _MODERATELY_SEVERE), Band(20, _SEVERE)),
    items=(
        Item(gettext_noop("Little interest or pleasure in doing things"), "44250-9"),
        Item(gettext_noop("Feeling down, depressed, or hopeless"), "44255-8"),
        Item(gettext_noop("Trouble falling or staying asleep, or sleeping too much"), "44259-0"),
        Item(gettext_noop("Feeling tired or having little energy"), "44254-1"),
        Item(gettext_noop("Poor appetite or overeating"), "44251-7"),
        Item(
            gettext_noop(
                "Feeling bad about yourself — or that you are a failure or have let yourself or your family down"
            ),
            "44258-2",
        ),
        Item(
            gettext_noop("Trouble concentrating on things, such as reading the newspaper or watching television"),
            "44252-5",
        ),
        Item(
            gettext_noop(
                "Moving or speaking so slowly that other people could have noticed? Or the opposite — being so fidgety "
                "or restless that you have been moving around a lot more than usual"
            ),
            "44253-3",
        ),
        Item(gettext_noop("Thoughts that you would be better off dead or of hurting yourself in some way"), "44260-8"),
    ),
    question=_QUESTION,
    total_code="44261-6",
)

GAD7 = Instrument(
    code="gad7",
    name="GAD-7",
    highest=21,
    remission=4,
    bands=(Band(0, _MINIMAL), Band(5, _MILD), Band(10, _MODERATE), Band(15, _SEVERE)),
    items=(
        Item(gettext_noop("Feeling nervous, anxious, or on edge")),
        Item(gettext_noop("Not being able to stop or control worrying")),
        Item(gettext_noop("Worrying too much about different things")),
        Item(gettext_noop("Trouble relaxing")),
        Item(gettext_noop("Being so restless that it is hard to sit still")),
        Item(gettext_noop("Becoming easily annoyed or irritable")),
        Item(gettext_noop("Feeling afraid, as if something awful might happen")),
    ),
    question=_QUESTION,
    total_code="70274-6",
)

MADRS = Instrument(
    code="madrs",
    name="MADRS",
    highest=60,
    remission=MADRS_REMISSION,
    bands=(Band(0, _NONE), Band(7, _MILD), Band(20, _MODERATE), Band(35, _SEVERE)),
)

QIDS = Instrument(
    code="qids",
    name="QIDS-SR16",
    highest=27,
    remission=5,
    bands=(Band(0, _NONE), Band(6, _MILD), Band(11, _MODERATE), Band(16, _SEVERE), Band(21, _VERY_SEVERE)),
)

INSTRUMENTS: Mapping[str, Instrument] = {one.code: one for one in (PHQ9, GAD7, MADRS, QIDS)}


def total(instrument: Instrument, answers: Sequence[int]) -> int:
    """The points of all answers. Raises ValueError unless every item has one of the four answers."""
    if len(answers) != len(instrument.items) or not answers:
        raise ValueError(f"{instrument.name}: {len(instrument.items)} items, not {len(answers)}")
    if not {answer.value for answer in ANSWERS}.issuperset(answers):
        raise ValueError(f"{instrument.name}: answers are 0 to 3")
    return sum(answers)


def item_9(instrument: Instrument, answers: Sequence[int]) -> int | None:
    """The answer of PHQ-9 about thoughts of death or of harming oneself; None where it was not asked."""
    return answers[8] if instrument is PHQ9 and len(answers) == len(PHQ9.items) else None


def band(instrument: Instrument, points: int) -> str:
    """How severe a total is: the name of its band. Raises ValueError for a total that cannot be."""
    if not 0 <= points <= instrument.highest:
        raise ValueError(f"{instrument.name}: totals are 0 to {instrument.highest}")
    return next(band.name for band in reversed(instrument.bands) if band.lowest <= points)


def change(baseline: int, points: int) -> int | None:
    """How many percent better than the baseline, negative when worse; None for a baseline under LEAST_BASELINE
    (`no-baseline`). Cut off, not rounded: 49.9 is not 50."""
    if baseline < LEAST_BASELINE:
        return None
    return int((baseline - points) * 100 / baseline)


def responded(baseline: int, points: int) -> bool:
    """At least half of the baseline is gone; never for a baseline that says nothing."""
    percent = change(baseline, points)
    return percent is not None and percent >= RESPONSE


def remitted(instrument: Instrument, points: int, *, madrs: int = MADRS_REMISSION) -> bool:
    """Hardly any symptoms are left; `madrs` is the highest MADRS total that the clinic calls so."""
    return points <= (madrs if instrument is MADRS else instrument.remission)
