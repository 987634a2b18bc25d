"""How the patients of the demonstration feel, as questionnaires; what the scores bring onto the worklist comes by the
verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from patients import measures
from patients.measures import GAD7, PHQ9, Instrument
from patients.models import Patient, Score
from scheduling import lapses, reviewing
from scheduling.models import DOSED, Course, CourseState

#: PHQ-9 before the first session and before each one after it; whoever has more sessions keeps the last.
RESPONDING = (21, 18, 16, 13, 11, 9, 8, 6, 5)
#: By the place of the patient: a story of their own.
STORIES: Mapping[int, Sequence[int]] = {
    0: (21, 20, 18, 18, 16, 15, 14),  # a part of a response after six, and one more was given
    8: (22, 17, 14, 10, 7, 6),
    18: (15,),
    19: (20, 20, 19, 18),  # little benefit after three
}
#: Nothing was answered since the baseline.
SILENT = frozenset({1})
#: What was answered since, on phones: by whom, with how many points, how long ago. A relapse is seen twice.
ANSWERED = (
    (8, 10, timedelta(days=17)),
    (8, 11, timedelta(days=9)),
    (8, 13, timedelta(hours=3)),
    (18, 20, timedelta(hours=2)),  # worse
    (19, 18, timedelta(hours=5)),  # little benefit
)
#: And who has thoughts of being better off dead.
ITEM_9, ITEM_9_AGO, ITEM_9_ANSWERS = 15, timedelta(minutes=23), [3, 3, 3, 2, 2, 2, 1, 1, 2]


def answers(instrument: Instrument, points: int) -> list[int]:
    """Answers that make so many points; of PHQ-9 the last one stays 0 as long as the others are enough."""
    asked = len(instrument.items) - (instrument is PHQ9)
    given = [points // asked + (place < points % asked) for place in range(asked)]
    return [*given, 0] if instrument is PHQ9 else given


def write(patients: Sequence[Patient], now: datetime) -> None:
    """The scores of every course as rows, then what is new by the verbs, then what they and the clock bring onto the
    worklist. `patients` are in the order of the stories."""
    places = {patient.pk: place for place, patient in enumerate(patients)}
    courses = Course.objects.exclude(state__in=(CourseState.HELD, CourseState.CANCELLED)).prefetch_related("sessions")
    scores = []
    for course in courses.select_related("patient").order_by("pk"):
        place = places[course.patient_id]
        starts = sorted(session.starts_at for session in course.sessions.all() if session.state in DOSED)
        coming = [session.starts_at for session in course.sessions.all() if session.starts_at > now]
        story = STORIES.get(place, RESPONDING)
        first = min(starts or coming, default=now)
        times = [min(first - timedelta(hours=20), now - timedelta(hours=3))]
        if place not in SILENT:
            times += [start - timedelta(hours=2) for start in starts[1:]]
            times += [start + timedelta(days=4) for start in starts[-1:] if start < now - timedelta(days=5)]
        for number, taken_at in enumerate(times):
            points = story[min(number, len(story) - 1)]
            scores.append(_score(course.patient, PHQ9, points, taken_at))
            if number % 2 == 0:
                scores.append(_score(course.patient, GAD7, points * 2 // 3, taken_at))
    Score.objects.bulk_create(scores)
    for course in courses.filter(state=CourseState.ACTIVE):
        reviewing.after_score(course.patient, now=now - timedelta(hours=4))
    told = [(place, answers(PHQ9, points), ago) for place, points, ago in ANSWERED]
    for place, items, ago in (*told, (ITEM_9, ITEM_9_ANSWERS, ITEM_9_AGO)):
        taken_at = now - ago
        reviewing.record_score(
            actor=None, patient=patients[place], instrument=PHQ9.code, items=items, taken_at=taken_at, now=taken_at
        )
    lapses.review(now=now)


def _score(patient: Patient, instrument: Instrument, points: int, taken_at: datetime) -> Score:
    items = answers(instrument, points)
    return Score(
        patient=patient,
        instrument=instrument.code,
        items=items,
        total=measures.total(instrument, items),
        item_9=measures.item_9(instrument, items),
        taken_at=taken_at,
        at=taken_at,
    )
