"""Courses, their sessions, and what is sent about them."""

from scheduling.models.courses import (
    DOSED,
    FREED,
    LIVE,
    OPEN,
    RUNNING,
    UNDER_WAY,
    Course,
    CourseEvent,
    CourseState,
    Day,
    Override,
    PhaseChoice,
    ProtocolVersion,
    Request,
    Session,
    SessionState,
)
from scheduling.models.outbox import Mail, MailKind, MailState

__all__ = [
    "DOSED",
    "FREED",
    "LIVE",
    "OPEN",
    "RUNNING",
    "UNDER_WAY",
    "Course",
    "CourseEvent",
    "CourseState",
    "Day",
    "Mail",
    "MailKind",
    "MailState",
    "Override",
    "PhaseChoice",
    "ProtocolVersion",
    "Request",
    "Session",
    "SessionState",
]
