"""Courses, their sessions, and what is sent about them."""

from scheduling.models.courses import Course, CourseEvent, Day, Override, ProtocolVersion, Request, Session
from scheduling.models.evaluations import KEPT, Evaluation, EvaluationState, Room
from scheduling.models.outbox import Attempt, Mail, MailKind, MailState
from scheduling.models.replies import Offer, OfferState, Reply
from scheduling.models.states import (
    DOSED,
    FREED,
    LIVE,
    MONITORED,
    OPEN,
    RUNNING,
    UNDER_WAY,
    CourseState,
    PhaseChoice,
    SessionState,
)
from scheduling.models.visits import Addendum, AdverseEvent, Dissociation, VisitRecord, VitalsRound

__all__ = [
    "DOSED",
    "FREED",
    "KEPT",
    "LIVE",
    "MONITORED",
    "OPEN",
    "RUNNING",
    "UNDER_WAY",
    "Addendum",
    "AdverseEvent",
    "Attempt",
    "Course",
    "CourseEvent",
    "CourseState",
    "Day",
    "Dissociation",
    "Evaluation",
    "EvaluationState",
    "Mail",
    "MailKind",
    "MailState",
    "Offer",
    "OfferState",
    "Override",
    "PhaseChoice",
    "ProtocolVersion",
    "Reply",
    "Request",
    "Room",
    "Session",
    "SessionState",
    "VisitRecord",
    "VitalsRound",
]
