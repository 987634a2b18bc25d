"""What a course's PHQ-9 scores advise: the rules of protocol.md part 4. Pure; a clinician decides.

All thresholds are our own choice (P) where `patients.measures` names no other source. A score speaks for the sessions
in which drug was given before it was taken: PHQ-9 is answered before the dose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from clinic.findings import gettext_noop
from patients import measures
from patients.measures import PARTIAL, PHQ9, RESPONSE
from scheduling.protocols.types import Phase, Protocol

#: After how many sessions the benefit is reviewed for the first time.
EARLY_REVIEW = 3

#: So many points more than before are `worse`, than the best are a part of `relapse`.
WORSE_BY = 5

#: A relapse is seen twice, so many days apart, at so many points or more.
RELAPSE_DAYS = (5, 15)
RELAPSE_FROM = 10

#: The codes that advise something, the most urgent first.
CODES = (
    "item-9",
    "worse",
    "relapse",
    "stop-advised",
    "early-review",
    "extend",
    "offer-maintenance",
    "go-on",
    "no-baseline",
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A PHQ-9: when it was taken, its points, its item 9 where it was answered item by item."""

    at: datetime
    total: int
    item_9: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A session in which drug was given: when the dose began, and in which phase."""

    at: datetime
    phase: Phase = Phase.INITIAL


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a message id with %(name)s places and what stands in them, translated where it is shown."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The English text."""
        return self.text % dict(self.values)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a rule advises, and why. `decisions` are those of part 4 that would follow it, the first is the best."""

    code: str
    reasons: tuple[Reason, ...]
    decisions: tuple[str, ...] = ()


def baseline(scores: Sequence[Scored], first_dose_at: datetime | None) -> Scored | None:
    """The last score before the first dose; before any dose the latest, None when there is none."""
    before = [score for score in scores if first_dose_at is None or score.at <= first_dose_at]
    return max(before, key=lambda score: score.at, default=None)


def best(scores: Sequence[Scored]) -> Scored | None:
    """The lowest score, of equal ones the first."""
    return min(scores, key=lambda score: (score.total, score.at), default=None)


def advise(
    *, protocol: Protocol, phase: Phase, scores: Sequence[Scored], given: Sequence[Given], zone: tzinfo
) -> tuple[Advice, ...]:
    """Everything that speaks now, the most urgent first; nothing without a score.

    `scores` are the PHQ-9 of the course, from the baseline on, `given` its sessions in which drug was given, both in
    any order; `phase` is the one the course is in, `zone` the site's, in which days are counted.
    """
    scores = sorted(scores, key=lambda score: score.at)
    given = sorted(given, key=lambda dose: dose.at)
    if not scores:
        return ()
    found = [
        *_item_9(scores[-1]),
        *worse(scores),
        *(_relapse(scores, given, zone) if phase == Phase.MAINTENANCE else ()),
        *_benefit(protocol, phase, scores, given),
    ]
    return tuple(sorted(found, key=lambda advice: CODES.index(advice.code)))


def _item_9(latest: Scored) -> Iterator[Advice]:
    """`item-9`: any answer above 0."""
    if latest.item_9:
        text = gettext_noop("Item 9 is %(value)s (%(answer)s): a clinician acknowledges it before the next dose.")
        values = {"value": latest.item_9, "answer": measures.ANSWERS[latest.item_9].text}
        yield Advice("item-9", (Reason(text, values),))


def worse(scores: Sequence[Scored]) -> Iterator[Advice]:
    """`worse`: the latest against the score before, WORSE_BY points more or a higher item 9. Needs no course."""
    if len(scores) < 2:
        return
    before, latest = sorted(scores, key=lambda score: score.at)[-2:]
    reasons = []
    if latest.total - before.total >= WORSE_BY:
        text = gettext_noop("PHQ-9 %(before)s to %(now)s, %(points)s points more.")
        values = {"before": before.total, "now": latest.total, "points": latest.total - before.total}
        reasons.append(Reason(text, values))
    if before.item_9 is not None and latest.item_9 is not None and latest.item_9 > before.item_9:
        text = gettext_noop("Item 9 %(before)s to %(now)s.")
        reasons.append(Reason(text, {"before": before.item_9, "now": latest.item_9}))
    if reasons:
        yield Advice("worse", (*reasons, Reason(gettext_noop("Review the patient the same day."))))


def _relapse(scores: Sequence[Scored], given: Sequence[Given], zone: tzinfo) -> Iterator[Advice]:
    """`relapse`: the latest score and one RELAPSE_DAYS before it, both in maintenance, are high and well above the
    best before them."""
    began = max((dose.at for dose in given if dose.phase != Phase.MAINTENANCE), default=None)

    def high(index: int) -> bool:
        lowest = best(scores[:index])
        score = scores[index]
        return (
            lowest is not None
            and (began is None or score.at > began)
            and score.total >= RELAPSE_FROM
            and score.total - lowest.total >= WORSE_BY
        )

    latest = len(scores) - 1
    today = scores[latest].at.astimezone(zone).date()
    shortest, longest = RELAPSE_DAYS
    for index in reversed(range(latest)):
        days = (today - scores[index].at.astimezone(zone).date()).days
        if shortest <= days <= longest and high(index) and high(latest):
            lowest = best(scores[:index])
            text = gettext_noop("PHQ-9 %(first)s, then %(second)s, %(days)s days apart; the best was %(best)s.")
            values = {
                "first": scores[index].total,
                "second": scores[latest].total,
                "days": days,
                "best": lowest.total if lowest else None,
            }
            choices = Reason(gettext_noop("Two sessions a month, a new initial phase, or stop."))
            yield Advice("relapse", (Reason(text, values), choices), ("maintenance", "new-initial", "stop"))
            return


def _benefit(protocol: Protocol, phase: Phase, scores: Sequence[Scored], given: Sequence[Given]) -> Iterator[Advice]:
    """How much better, after how many sessions: `early-review`, `offer-maintenance`, `go-on`, `extend`,
    `stop-advised`; `no-baseline` when no percentage can be said."""
    first = given[0].at if given else None
    start, latest = baseline(scores, first), scores[-1]
    percent = measures.change(start.total, latest.total) if start else None
    if start is None:
        yield Advice("no-baseline", (Reason(gettext_noop("There is no PHQ-9 from before the first dose.")),))
    elif percent is None:
        text = gettext_noop("The baseline of %(total)s is under %(least)s: a percentage would say nothing.")
        yield Advice("no-baseline", (Reason(text, {"total": start.total, "least": measures.LEAST_BASELINE}),))
    after = sum(dose.phase != Phase.MAINTENANCE and dose.at < latest.at for dose in given)
    if phase == Phase.MAINTENANCE or not after or start is None:
        return
    least, plan = protocol.initial_min, protocol.initial_plan
    reasons = tuple(_standing(start, latest, percent, after, scores))
    better = measures.responded(start.total, latest.total) or measures.remitted(PHQ9, latest.total)
    if better:
        if after >= least:
            yield Advice("offer-maintenance", reasons, ("maintenance",))
    elif percent is None:
        return
    elif percent >= PARTIAL:
        if after < plan:
            more = Reason(gettext_noop("A part of a response: go on to session %(plan)s."), {"plan": plan})
            yield Advice("go-on", (*reasons, more), ("go-on",))
        else:
            more = Reason(gettext_noop("One or two more sessions by override, or a trial of maintenance."))
            yield Advice("extend", (*reasons, more), ("extend", "maintenance"))
    elif after >= plan:
        yield Advice("stop-advised", (*reasons, _too_little()), ("stop",))
    elif after >= EARLY_REVIEW:
        yield Advice("early-review", (*reasons, _too_little()), ("go-on", "stop"))


def _too_little() -> Reason:
    return Reason(gettext_noop("Under %(partial)s%% better: review the benefit."), {"partial": PARTIAL})


def _standing(
    start: Scored, latest: Scored, percent: int | None, after: int, scores: Sequence[Scored]
) -> Iterator[Reason]:
    """Where the patient stands, in up to three sentences."""
    values = {"before": start.total, "now": latest.total, "after": after, "response": RESPONSE}
    if percent is None:
        yield Reason(gettext_noop("PHQ-9 %(before)s to %(now)s after session %(after)s."), values)
    elif percent >= RESPONSE:
        text = gettext_noop(
            "PHQ-9 %(before)s to %(now)s, %(percent)s%% better after session %(after)s: response (%(response)s%%)."
        )
        yield Reason(text, {**values, "percent": percent})
    elif percent >= 0:
        text = gettext_noop("PHQ-9 %(before)s to %(now)s, %(percent)s%% better after session %(after)s.")
        yield Reason(text, {**values, "percent": percent})
    else:
        text = gettext_noop("PHQ-9 %(before)s to %(now)s, %(percent)s%% worse after session %(after)s.")
        yield Reason(text, {**values, "percent": -percent})
    if measures.remitted(PHQ9, latest.total):
        yield Reason(gettext_noop("In remission (under %(under)s)."), {"under": PHQ9.remission + 1})
    elif percent is not None and percent >= RESPONSE:
        yield Reason(gettext_noop("Not in remission (under %(under)s)."), {"under": PHQ9.remission + 1})
    if len(scores) > 2 and scores[-2].total > latest.total:
        yield Reason(gettext_noop("Still falling: it was %(before)s the time before."), {"before": scores[-2].total})
