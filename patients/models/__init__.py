"""Who is treated, what is known of them, and what waits for somebody to do about them."""

from patients.models.contact import Channel, Consent, ConsentSource
from patients.models.people import AddressFault, ContactLevel, Patient
from patients.models.questionnaires import Questionnaire
from patients.models.scores import RANGES, Instrument, Score
from patients.models.screening import Screening, ScreeningDecision
from patients.models.tasks import Task, TaskKind

__all__ = [
    "RANGES",
    "AddressFault",
    "Channel",
    "Consent",
    "ConsentSource",
    "ContactLevel",
    "Instrument",
    "Patient",
    "Questionnaire",
    "Score",
    "Screening",
    "ScreeningDecision",
    "Task",
    "TaskKind",
]
