"""The states of courses and sessions, and which of them belong together."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from scheduling.protocols.types import Phase


class PhaseChoice(models.TextChoices):
    """The phases of a protocol, with the words that people read."""

    INITIAL = Phase.INITIAL.value, _("Initial phase")
    TAPER = Phase.TAPER.value, _("Taper")
    MAINTENANCE = Phase.MAINTENANCE.value, _("Maintenance")


class CourseState(models.TextChoices):
    """Whether a course is held, under way, or how it has ended."""

    HELD = "held", _("Held")
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    COMPLETED = "completed", _("Completed")
    STOPPED = "stopped", _("Stopped")
    CANCELLED = "cancelled", _("Cancelled")


#: States of a course that is under way: a patient has at most one such course (rule `one-course`).
RUNNING = (CourseState.HELD, CourseState.ACTIVE, CourseState.PAUSED)


class SessionState(models.TextChoices):
    """The steps of a visit and the ways out of it (protocol.md, part 3)."""

    HELD = "held", _("Held")
    BOOKED = "booked", _("Booked")
    CONFIRMED = "confirmed", _("Confirmed")
    CHECKED_IN = "checked-in", _("Checked in")
    GIVING = "giving", _("Giving")
    MONITORING = "monitoring", _("Monitoring")
    READY = "ready", _("Ready")
    DISCHARGED = "discharged", _("Discharged")
    CANCELLED = "cancelled", _("Cancelled")
    NO_SHOW = "no-show", _("No-show")
    NOT_DOSED = "not-dosed", _("Not dosed")
    LEFT_EARLY = "left-early", _("Left early")
    TRANSFERRED = "transferred", _("Transferred")
    EXPIRED = "expired", _("Hold expired")


#: States that free the planned range; every other state keeps it (protocol.md, part 3).
FREED = (SessionState.CANCELLED, SessionState.NO_SHOW, SessionState.NOT_DOSED, SessionState.EXPIRED)
LIVE = tuple(state for state in SessionState if state not in FREED)
#: Before the patient has arrived: what can still be moved and cancelled.
OPEN = (SessionState.HELD, SessionState.BOOKED, SessionState.CONFIRMED)
#: The patient is in the chair.
UNDER_WAY = (SessionState.CHECKED_IN, SessionState.GIVING, SessionState.MONITORING, SessionState.READY)
#: Drug was given.
DOSED = (
    SessionState.GIVING,
    SessionState.MONITORING,
    SessionState.READY,
    SessionState.DISCHARGED,
    SessionState.LEFT_EARLY,
    SessionState.TRANSFERRED,
)


#: The shortest time between the end of a dose and going home (rule `two-hours`, D).
MONITORED = timedelta(minutes=120)
