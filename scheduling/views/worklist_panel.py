"""What the worklist shows beside its lines: how a patient's PHQ-9 went, and everything about the chosen line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Min, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import permissions
from clinic.models import Role, Staff
from clinic.permissions import Verb
from patients import measures
from patients.measures import ANSWERS, LEAST_BASELINE, PHQ9
from patients.models import Questionnaire, Score, TaskKind
from patients.worklist import CLINICAL, CLOSED_BY_ACT
from scheduling.lines import Line, visit_of
from scheduling.models import DOSED, LIVE, OPEN, Course, PhaseChoice, Session

#: The items of the PHQ-9 in a few words.
ITEMS = (
    gettext_lazy("Little interest"),
    gettext_lazy("Feeling down"),
    gettext_lazy("Sleep"),
    gettext_lazy("Tired"),
    gettext_lazy("Appetite"),
    gettext_lazy("Feeling bad about self"),
    gettext_lazy("Concentration"),
    gettext_lazy("Moving slowly or restless"),
    gettext_lazy("Better off dead, self-harm"),
)

#: What cannot be done while a line waits; who has to act heads it.
BLOCKED: Mapping[str, tuple[object, tuple[object, ...]]] = {
    TaskKind.ITEM_9: (
        gettext_lazy("Until a clinician acknowledges"),
        (
            gettext_lazy("no dose can start and no discharge can be recorded"),
            gettext_lazy("the row stays first on every worklist"),
            gettext_lazy("nothing of it stands in any mail"),
        ),
    ),
    TaskKind.REVIEW: (gettext_lazy("Until a clinician has reviewed it"), (gettext_lazy("no dose can start"),)),
    TaskKind.PHASE_END: (
        gettext_lazy("Until a clinician decides"),
        (gettext_lazy("no maintenance visit can be booked"),),
    ),
    TaskKind.OVERRIDE_ASKED: (
        gettext_lazy("Until a prescriber signs"),
        (gettext_lazy("the times are only held, and are lost when the hold ends"),),
    ),
}

#: How many scores a curve shows, and its size in pixels.
SHOWN, WIDTH, HEIGHT, MARGIN = 8, 92, 34, 4


@dataclass(frozen=True, slots=True)
class Curve:
    """PHQ-9 totals in their order with the half of the baseline, as an SVG draws them."""

    totals: tuple[int, ...]
    half: float | None

    @property
    def points(self) -> str:
        """The line through all totals."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._place, range(len(self.totals))))

    @property
    def last(self) -> tuple[str, str]:
        """Where the latest score stands."""
        x, y = self._place(len(self.totals) - 1)
        return f"{x:.1f}", f"{y:.1f}"

    @property
    def half_at(self) -> str:
        """How far down the half of the baseline is."""
        return f"{_height(self.half):.1f}" if self.half is not None else ""

    @property
    def text(self) -> str:
        """The same in words."""
        totals = ", ".join(map(str, self.totals))
        if self.half is None:
            return _("PHQ-9: %(totals)s") % {"totals": totals}
        return _("PHQ-9: %(totals)s. Half of the baseline: %(half)g") % {"totals": totals, "half": self.half}

    def _place(self, index: int) -> tuple[float, float]:
        steps = len(self.totals) - 1
        inner = WIDTH - 2 * MARGIN
        return MARGIN + (inner * index / steps if steps else inner), _height(self.totals[index])


def _height(points: float) -> float:
    return MARGIN + (HEIGHT - 2 * MARGIN) * (1 - points / PHQ9.highest)


def curves(patients: Collection[int]) -> Mapping[int, Curve]:
    """How the PHQ-9 of these patients went, from the baseline of the running course on. Two queries."""
    began = dict(
        Course.objects.running()
        .filter(patient__in=patients)
        .annotate(began=Min("sessions__dose_started_at"))
        .values_list("patient", "began")
    )
    scores: dict[int, list[tuple[datetime, int]]] = {}
    found = Score.objects.filter(patient__in=patients, instrument=PHQ9.code, voided_at=None).order_by("taken_at", "pk")
    for patient, taken_at, total in found.values_list("patient", "taken_at", "total"):
        scores.setdefault(patient, []).append((taken_at, total))
    return {patient: _curve(known, began.get(patient)) for patient, known in scores.items()}


def _curve(scores: Sequence[tuple[datetime, int]], began: datetime | None) -> Curve:
    """The baseline is the last score before the first dose, before any dose the latest."""
    before = [place for place, (at, _total) in enumerate(scores) if began is None or at <= began]
    start = before[-1] if before and began is not None else 0
    baseline = scores[before[-1]][1] if before else None
    totals = tuple(total for _at, total in scores[start:])
    half = baseline / 2 if baseline is not None and baseline >= LEAST_BASELINE else None
    return Curve(totals[-SHOWN:], half)


@dataclass(frozen=True, slots=True)
class Answered:
    """An item of the PHQ-9 as it was answered: `dots` are filled for each point of three."""

    number: int
    text: object
    value: int

    @property
    def dots(self) -> tuple[tuple[int, bool], ...]:
        """Where each of three dots stands, and whether it is filled."""
        return tuple((12 * place, place < self.value) for place in range(3))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Everything about the line that somebody looks at. `course` carries `given` and `planned` of its phase;
    `asked` is the visit for which another time is wished; `answers`
    are empty where there are none, or where they are not for this reader."""

    line: Line
    course: Course | None
    next: Session | None
    asked: Session | None
    score: Score | None
    unsent: Questionnaire | None
    answers: tuple[Answered, ...]
    blocked: tuple[object, tuple[object, ...]] | None
    may_acknowledge: bool
    may_snooze: bool
    staff: tuple[Staff, ...]

    @property
    def item_9(self) -> str:
        """What item 9 was answered with, in words; nothing where that is not for this reader."""
        if not self.answers:
            return ""
        value = self.line.task.details["highest"] if self.unsent else self.answers[-1].value
        if self.changed_to_0:
            text = _("Item 9: 0, changed from %(value)s (“%(answer)s”)")
            return text % {"value": value, "answer": _(ANSWERS[value].text).lower()}
        return _("Item 9: %(value)s (“%(answer)s”)") % {"value": value, "answer": _(ANSWERS[value].text).lower()}

    @property
    def changed_to_0(self) -> bool:
        """The patient took back what item 9 had been answered with: nothing of it is in the score, if there is one."""
        return self.unsent is not None and not self.line.task.details["value"]

    @property
    def band(self) -> str:
        """How severe the total is."""
        return _(measures.band(PHQ9, self.score.total)) if self.score else ""

    @property
    def next_at(self) -> datetime | None:
        """When the next visit starts, on its site's clocks."""
        return self.next.starts_at.astimezone(self.next.site.zone) if self.next else None

    @property
    def asked_at(self) -> datetime | None:
        """When the visit starts for which another time is wished, on its site's clocks."""
        return self.asked.starts_at.astimezone(self.asked.site.zone) if self.asked else None

    @property
    def is_maintenance(self) -> bool:
        return self.course is not None and self.course.phase == PhaseChoice.MAINTENANCE


def sees_answers(me: Staff) -> bool:
    """Answers to single items are for those who treat."""
    return permissions.allowed(me, Verb.RUN_VISIT)


def chosen(line: Line, me: Staff, now: datetime) -> Chosen:
    """The line with the patient's course, next visit and answers. Up to four queries."""
    task = line.task
    is_open = task.done_at is None
    may = permissions.allowed(me, Verb.REVIEW if task.kind in CLINICAL else Verb.ACKNOWLEDGE)
    sees = sees_answers(me) and task.kind in CLINICAL
    unsent = _unsent(line) if sees else None
    score = unsent.score if unsent else _score(line) if sees else None
    coming = Session.objects.filter(patient=task.patient_id, state__in=OPEN, during__startswith__gt=now)
    return Chosen(
        line=line,
        course=_course(line),
        next=coming.with_site().in_order().first(),
        asked=_asked(line) if task.kind == TaskKind.MOVE_ASKED and is_open else None,
        score=score,
        unsent=unsent,
        answers=_answers(unsent.answers if unsent else score.items if score else None),
        blocked=BLOCKED.get(task.kind) if is_open else None,
        may_acknowledge=is_open and may and task.kind not in CLOSED_BY_ACT,
        may_snooze=is_open and may and task.kind != TaskKind.ITEM_9,
        staff=_able(line) if is_open else (),
    )


def _asked(line: Line) -> Session | None:
    """The visit for which the patient asks for another time, as it stands."""
    return Session.objects.with_site().filter(pk=visit_of(line.task) or 0).first()


def _course(line: Line) -> Course | None:
    """The line's course, otherwise the latest of the patient, with how many of its phase were given and stand."""
    mine = Q(sessions__phase=F("phase"))
    found = Course.objects.select_related("site", "protocol").annotate(
        given=Count("sessions", mine & Q(sessions__state__in=DOSED)),
        planned=Count("sessions", mine & Q(sessions__state__in=LIVE)),
    )
    if line.task.course_id is not None:
        return found.filter(pk=line.task.course_id).first()
    return found.filter(patient=line.task.patient_id).order_by("-pk").first()


def _score(line: Line) -> Score | None:
    """The score that an item 9 line is about, for the others the latest that was answered item by item."""
    scores = Score.objects.filter(patient=line.task.patient_id, instrument=PHQ9.code, items__isnull=False)
    if line.task.kind == TaskKind.ITEM_9 and line.task.key.isdecimal():
        return scores.filter(pk=int(line.task.key)).first()
    return scores.filter(voided_at=None).order_by("-taken_at", "-pk").first()


def _unsent(line: Line) -> Questionnaire | None:
    """The questionnaire whose item 9 has opened the line before it was sent; its score, where item 9 was 0 by then."""
    pk = line.task.details.get("questionnaire") if line.task.kind == TaskKind.ITEM_9 else None
    return Questionnaire.objects.select_related("score").filter(pk=pk).first() if pk is not None else None


def _answers(items: Sequence[int | None] | None) -> tuple[Answered, ...]:
    """The items that were answered."""
    return tuple(
        Answered(number, text, value)
        for number, (text, value) in enumerate(zip(ITEMS, items or (), strict=False), start=1)
        if value is not None
    )


def _able(line: Line) -> tuple[Staff, ...]:
    """Who can be given the line: clinicians what only they can judge."""
    people = Staff.objects.filter(is_active=True, sites__isnull=False).distinct().order_by("last_name", "first_name")
    if line.task.kind in CLINICAL:
        people = people.filter(role=Role.CLINICIAN)
    return tuple(people)
