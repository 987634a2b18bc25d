"""What is still missing of a visit to come: the patient's word, somebody to take them home, the questionnaire.

The mails ask for it, the patient's page and the board show it; all of them read it here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Max, OuterRef, Subquery
from django.db.models.functions import Coalesce

from patients.measures import GAD7, PHQ9
from patients.models import Score
from scheduling.lapses import BASELINE
from scheduling.models import Session, SessionState

#: What a patient answers alone, in this order. Only the first is ever missed.
FORMS = (PHQ9.code, GAD7.code)

#: In these states a patient may still be asked before coming, and before the dose.
COMING = frozenset({SessionState.BOOKED, SessionState.CONFIRMED})
BEFORE_DOSE = COMING | {SessionState.CHECKED_IN}


class Missing(StrEnum):
    """What a patient has not told yet."""

    ANSWER = "answer"
    ESCORT = "escort"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class _Standing:
    """One visit as far as this module judges it: when the dose before it began or is planned, None for the first of
    its course; who takes the patient home; when each of the forms that were asked about was answered last."""

    session: int
    state: str
    starts_at: datetime
    ends_at: datetime
    last_dose_at: datetime | None
    escort: bool
    answered: Mapping[str, datetime | None]

    @property
    def answered_for_it(self) -> bool:
        """The first of FORMS was taken for this visit."""
        return self._counts(self.answered[FORMS[0]])

    def missing(self, now: datetime) -> Iterator[Missing]:
        if self.ends_at <= now or self.state not in BEFORE_DOSE:
            return
        if self.state == SessionState.BOOKED:
            yield Missing.ANSWER
        if not self.escort:
            yield Missing.ESCORT
        if FORMS[0] in self.forms(now):
            yield Missing.FORM

    def forms(self, now: datetime) -> tuple[str, ...]:
        """Those that are due now. One belongs to the visit when it was taken since the dose before; before a first
        dose it may be as old as a baseline may."""
        since = self.starts_at - BASELINE
        opens = max(since, self.last_dose_at or since)
        if self.state not in BEFORE_DOSE or not opens <= now < self.ends_at:
            return ()
        return tuple(form for form, taken in self.answered.items() if not self._counts(taken))

    def _counts(self, taken: datetime | None) -> bool:
        if taken is None:
            return False
        return taken >= self.starts_at - BASELINE if self.last_dose_at is None else taken > self.last_dose_at


def of(sessions: Collection[Session], *, now: datetime) -> Mapping[int, frozenset[Missing]]:
    """What is missing of each visit, by its id; nothing of one that is over, given up, or only held. One query."""
    read = _standings([session.pk for session in sessions if session.state in BEFORE_DOSE], FORMS[:1])
    found = {standing.session: frozenset(standing.missing(now)) for standing in read}
    return {session.pk: found.get(session.pk, frozenset()) for session in sessions}


def forms_due(session: Session, *, now: datetime) -> tuple[str, ...]:
    """The questionnaires that the patient may answer for this visit now, in order: from a week before it, and since
    the dose before it, until the dose begins. One query."""
    return next((standing.forms(now) for standing in _standings([session.pk])), ())


def score_for(session: Session) -> Score | None:
    """The PHQ-9 that was taken for a visit, since the dose before or as the baseline; None without one. Two queries."""
    if not any(standing.answered_for_it for standing in _standings([session.pk], FORMS[:1])):
        return None
    taken = Score.objects.filter(patient=session.patient_id, instrument=FORMS[0], voided_at=None)
    return taken.order_by("-taken_at", "-pk").first()


def _standings(sessions: Collection[int], forms: Sequence[str] = FORMS) -> Iterator[_Standing]:
    before = (
        Session.objects.live()
        .filter(course=OuterRef("course"), during__startswith__lt=OuterRef("during__startswith"))
        .order_by("-during__startswith")
    )
    dose = Coalesce("dose_started_at", "dose_starts_at")
    scores = Score.objects.filter(patient=OuterRef("patient"), voided_at=None).values("patient")
    rows = Session.objects.filter(pk__in=sessions).annotate(
        last_dose_at=Subquery(before.values(at=dose)[:1]),
        **{form: Subquery(scores.filter(instrument=form).annotate(at=Max("taken_at")).values("at")) for form in forms},
    )
    columns = ("pk", "state", "during", "last_dose_at", "reply__escort_name", "record__escort_name", *forms)
    for pk, state, during, last_dose_at, told, written, *taken in rows.values_list(*columns):
        yield _Standing(
            session=pk,
            state=state,
            starts_at=during.lower,
            ends_at=during.upper,
            last_dose_at=last_dose_at,
            escort=bool(told or written),
            answered=dict(zip(forms, taken, strict=True)),
        )
