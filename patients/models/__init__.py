"""Who is treated, what is known of them, and what waits for somebody to do about them."""

from patients.models.people import Patient
from patients.models.scores import RANGES, Instrument, Score
from patients.models.screening import Screening, ScreeningDecision
from patients.models.tasks import Task, TaskKind

__all__ = [
    "RANGES",
    "Instrument",
    "Patient",
    "Score",
    "Screening",
    "ScreeningDecision",
    "Task",
    "TaskKind",
]
