"""The questionnaires of a visit on the patient's page: which are due, the next question, answers, sending.

A step is a question by its number over all questionnaires, so that no address says which one it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext as _

from clinic.errors import Stale
from patients import answering
from patients.measures import INSTRUMENTS, PHQ9, Instrument, Item
from patients.models import Questionnaire, Score
from scheduling import lapses, missing, placing, reviewing, writes
from scheduling.models import Session
from scheduling.visits import stepping


@dataclass(frozen=True, slots=True)
class Part:
    """One questionnaire of a visit: its `place` among all, from 1, its answers so far, its steps from `first` on.
    `due` while it may be answered, `sent_at` once that is done."""

    instrument: Instrument
    place: int
    first: int
    due: bool
    answers: tuple[int | None, ...]
    sent_at: datetime | None = None

    @property
    def begun(self) -> bool:
        """There is an answer."""
        return any(value is not None for value in self.answers)

    @property
    def item_9(self) -> int:
        """The answer to item 9, 0 without one."""
        return self.answers[answering.ITEM_9 - 1] or 0 if self.instrument is PHQ9 else 0

    @property
    def steps(self) -> range:
        """The numbers of its questions."""
        return range(self.first, self.first + len(self.instrument.items))

    @property
    def next(self) -> int | None:
        """The step of the first question without an answer, None when there is none."""
        return next((step for step, value in zip(self.steps, self.answers, strict=True) if value is None), None)

    def item(self, step: int) -> Item:
        """The question of a step."""
        return self.instrument.items[step - self.first]

    def answer(self, step: int) -> int | None:
        """What was answered at a step."""
        return self.answers[step - self.first]

    def with_answer(self, step: int, value: int) -> Part:
        """The same with another answer at a step."""
        place = step - self.first
        return replace(self, answers=(*self.answers[:place], value, *self.answers[place + 1 :]))


def parts(session: Session, *, now: datetime) -> tuple[Part, ...]:
    """The questionnaires of a visit that are due or were sent for it, in order. Two queries; writes nothing."""
    due = missing.forms_due(session, now=now)
    known = {one.instrument: one for one in Questionnaire.objects.filter(session=session)}
    made = []
    first = 1
    for place, code in enumerate(missing.FORMS, start=1):
        mine = known.get(code)
        if code in due or (mine is not None and mine.sent_at is not None):
            made.append(_part(INSTRUMENTS[code], place, first, code in due, mine))
        first += len(INSTRUMENTS[code].items)
    return tuple(made)


def _part(used: Instrument, place: int, first: int, due: bool, mine: Questionnaire | None) -> Part:
    if mine is None or (due and mine.sent_at is not None):  # one that is due again begins anew
        return Part(used, place, first, due, (None,) * len(used.items))
    return Part(used, place, first, due, tuple(mine.answers), mine.sent_at)


def place_of(step: int) -> tuple[Instrument, int] | None:
    """The questionnaire of a step and the number of the question in it, from 1; None for a step that is none."""
    first = 1
    for code in missing.FORMS:
        used = INSTRUMENTS[code]
        if first <= step < first + len(used.items):
            return used, step - first + 1
        first += len(used.items)
    return None


def answer(*, session: Session, step: int, value: int, now: datetime) -> Questionnaire:
    """Keep the patient's answer to the question of a step.

    Locks the patient; with item 9, which staff sees at once (`item-9`), before it the visit's day. Raises Stale when
    the questionnaire was sent or is not due, and Invalid for no question or no answer.
    """
    used, item = place_of(step) or (PHQ9, 0)

    def work() -> Questionnaire:
        fresh = _locked(session, now, seen=used is PHQ9 and item == answering.ITEM_9)
        if used.code not in missing.forms_due(fresh, now=now):
            raise Stale(_("These answers have been sent already, or are not needed any more."))
        return answering.answer(
            patient=fresh.course.patient,
            session=fresh,
            instrument=used.code,
            item=item,
            value=value,
            anew=True,
            now=now,
        )

    return writes.commit(work)


def send(*, session: Session, instrument: str, now: datetime) -> Score:
    """Send the answers: they become a score of this visit, with all that it brings onto the worklist. Sent is final: a
    second time returns the score and changes nothing.

    Locks the visit's day, the patient, the questionnaire. Raises Stale when it is not due, and Invalid while an answer
    is missing.
    """

    def work() -> Score:
        fresh = _locked(session, now, seen=True)
        found = Questionnaire.objects.select_for_update(of=("self",), no_key=True).select_related("patient", "score")
        mine = found.filter(session=fresh, instrument=instrument).first()
        due = instrument in missing.forms_due(fresh, now=now)
        if mine is not None and mine.score is not None and not due:
            return mine.score
        if mine is None or not due:
            raise Stale(_("These questions are not needed any more. Thank you."))
        mine.session = fresh
        score = answering.hand_in(questionnaire=mine, now=now)
        if instrument == PHQ9.code:
            reviewing.after_score(mine.patient, now=now)
            lapses.review(now=now, course=fresh.course)  # nobody asks for it any more
        placing.record(fresh.course, "answered", by=None, now=now, sessions=[fresh])
        return score

    return writes.commit(work)


def _locked(session: Session, now: datetime, *, seen: bool) -> Session:
    """The visit as it stands, its patient locked; with `seen` its day as well, so that open boards look again."""
    if seen:
        return stepping.locked(session, now)
    writes.lock_patient(session.patient_id)
    return stepping.again(session)
