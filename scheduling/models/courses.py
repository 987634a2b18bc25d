"""The course is the bookable unit. What must never happen to its sessions is refused here, by the database,
whoever writes: see `guard.py` for what constraints alone cannot count."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import Count, F, Func, OuterRef, Prefetch, Q, Subquery
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from clinic.models import Chair, Site, finite, same
from patients.models import Patient
from scheduling.models.states import FREED, LIVE, MONITORED, OPEN, RUNNING, CourseState, PhaseChoice, SessionState
from scheduling.models.wishes import move_asked
from scheduling.protocols import library
from scheduling.protocols.types import Protocol


def _steps() -> Q:
    """Which steps have been taken in which state: check-in, the dose's start and end, leaving."""
    steps = ("checked_in_at", "dose_started_at", "dose_ended_at", "left_at")
    allowed = Q()
    for states, taken in (
        ((*OPEN, SessionState.CANCELLED, SessionState.NO_SHOW, SessionState.EXPIRED), 0),
        ((SessionState.CHECKED_IN,), 1),
        ((SessionState.GIVING,), 2),
        ((SessionState.MONITORING, SessionState.READY), 3),
        ((SessionState.DISCHARGED, SessionState.LEFT_EARLY, SessionState.TRANSFERRED), 4),
    ):
        allowed |= Q(state__in=states, **{f"{step}__isnull": number >= taken for number, step in enumerate(steps)})
    return allowed | Q(
        state=SessionState.NOT_DOSED, checked_in_at__isnull=False, dose_started_at=None, left_at__isnull=False
    )


def _in_chair() -> Func:
    """When a visit takes the time of its chair: all of it, or what was to come when it changed to that chair."""
    since = Coalesce("chair_since", Func("during", function="lower", output_field=models.DateTimeField()))
    until = Func("during", function="upper", output_field=models.DateTimeField())
    return Func(since, until, function="tstzrange", output_field=DateTimeRangeField())


class Day(models.Model):
    """One local date of a site. Writers lock it, and its version tells every screen that something changed."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    date = models.DateField()
    version = models.BigIntegerField(default=1, db_default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "date"], name="day_once")]

    def __str__(self) -> str:
        return f"{self.date} v{self.version}"


class ProtocolVersion(models.Model):
    """A protocol as it stood when it was saved. Never changed: a change is a new version, so the version a course
    points to is the course's own copy."""

    code = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    data = models.JSONField()
    retired = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("protocol version")
        verbose_name_plural = _("protocol versions")
        constraints = [models.UniqueConstraint(fields=["code", "version"], name="protocol_version_once")]
        triggers = [
            pgtrigger.Protect(name="protocol_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="protocol_unchanged",
                operation=pgtrigger.UpdateOf(  # type: ignore[no-untyped-call]  # pgtrigger leaves it untyped
                    "code", "version", "name", "data", "created_at"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def protocol(self) -> Protocol:
        """The protocol as a value that rules and planning understand."""
        return library.from_data(self.data)


class CourseQuerySet(models.QuerySet["Course"]):
    """Reads of courses that several screens share."""

    def running(self) -> CourseQuerySet:
        """Those under way: held, active or paused."""
        return self.filter(state__in=RUNNING)

    def with_history(self) -> CourseQuerySet:
        """With patient, site and protocol, and in three queries more all sessions, overrides and events."""
        return self.select_related("patient", "site", "protocol").prefetch_related(
            Prefetch("sessions", Session.objects.with_site().in_order().annotate(move_asked=move_asked())),
            Prefetch("overrides", Override.objects.select_related("by").order_by("at", "pk")),
            Prefetch("events", CourseEvent.objects.select_related("by").order_by("at", "pk")),
        )


class Course(models.Model):
    """A patient's way through a protocol. `phase` is the one it is in; maintenance needs a clinician's decision.

    `dose_mg_per_kg` and `dose_mg` are what a clinician has decided, nothing while the protocol's default holds.
    `times_version` is raised with every change of the course's times: it tells mails about them apart.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="courses")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="courses")
    protocol = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="courses")
    state = models.CharField(max_length=10, choices=CourseState)
    phase = models.CharField(max_length=12, choices=PhaseChoice, default=PhaseChoice.INITIAL)
    interval_days = models.PositiveSmallIntegerField(null=True)
    dose_mg_per_kg = models.DecimalField(max_digits=5, decimal_places=3, null=True)
    dose_mg = models.DecimalField(max_digits=6, decimal_places=1, null=True)
    paused_until = models.DateField(null=True)
    held_until = models.DateTimeField(null=True)
    times_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = CourseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient"], condition=Q(state__in=RUNNING), name="course_one_running"),
            models.CheckConstraint(name="course_state", condition=Q(state__in=CourseState.values)),
            models.CheckConstraint(name="course_phase", condition=Q(phase__in=PhaseChoice.values)),
            models.CheckConstraint(
                name="course_held_until",
                condition=Q(state=CourseState.HELD, held_until__isnull=False)
                | (~Q(state=CourseState.HELD) & Q(held_until=None)),
            ),
            models.CheckConstraint(
                name="course_paused_until", condition=Q(paused_until=None) | Q(state=CourseState.PAUSED)
            ),
            models.CheckConstraint(
                name="course_ended_at",
                condition=Q(state__in=RUNNING, ended_at=None) | (~Q(state__in=RUNNING) & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [models.Index(fields=["held_until"], condition=Q(state="held"), name="course_holds")]

    def __str__(self) -> str:
        return f"{self.pk}"


class SessionQuerySet(models.QuerySet["Session"]):
    """Reads of sessions that several screens share."""

    def live(self) -> SessionQuerySet:
        """Those that keep their planned time."""
        return self.filter(state__in=LIVE)

    def with_site(self) -> SessionQuerySet:
        """With the site, whose clocks show their times, and the people and places a screen names."""
        return self.select_related("site", "chair", "prescriber")

    def in_order(self) -> SessionQuerySet:
        """By planned start."""
        return self.order_by("during__startswith", "pk")

    def with_count(self) -> SessionQuerySet:
        """Each with `of`: how many sessions stand in the same phase of its course, None where none does."""
        same = Session.objects.filter(course=OuterRef("course"), phase=OuterRef("phase")).live()
        return self.annotate(of=Subquery(same.values("phase").annotate(of=Count("pk")).values("of")))


class Session(models.Model):
    """One visit of a course: planned times, from arrival to the chair being free again.

    `patient`, `site` and `local_date` repeat what course, chair and start say, so that constraints can use them;
    the guard refuses rows in which they differ. Only `placing.py` writes the planned times. `expected_at` is what a
    patient who comes late has said on the phone; it changes nothing that is planned. `checked_in_at` to `left_at` are
    when the steps were in truth, `stepped_at` when the last of them was written down: it can be undone for a while.
    `chair_since` and `prescriber_since` are set when these changed during the visit: from then on it takes their time.
    """

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="sessions")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="sessions")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="sessions")
    chair = models.ForeignKey(Chair, on_delete=models.PROTECT, related_name="sessions")
    prescriber = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sessions")
    number = models.PositiveSmallIntegerField()
    phase = models.CharField(max_length=12, choices=PhaseChoice)
    state = models.CharField(max_length=12, choices=SessionState)
    during = DateTimeRangeField()
    local_date = models.DateField()
    dose_starts_at = models.DateTimeField()
    dose_ends_at = models.DateTimeField()
    discharge_at = models.DateTimeField()
    times_version = models.PositiveIntegerField(default=1)
    needs_replan = models.BooleanField(default=False, db_default=False)
    confirmed_at = models.DateTimeField(null=True)
    freed_at = models.DateTimeField(null=True)
    expected_at = models.DateTimeField(null=True)
    checked_in_at = models.DateTimeField(null=True)
    dose_started_at = models.DateTimeField(null=True)
    dose_ended_at = models.DateTimeField(null=True)
    left_at = models.DateTimeField(null=True)
    stepped_at = models.DateTimeField(null=True)
    chair_since = models.DateTimeField(null=True)
    prescriber_since = models.DateTimeField(null=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="session_chair_free",
                expressions=[(same("chair"), RangeOperators.OVERLAPS), (_in_chair(), RangeOperators.OVERLAPS)],
                condition=Q(state__in=LIVE),
            ),
            ExclusionConstraint(
                name="session_patient_free",
                expressions=[(same("patient"), RangeOperators.OVERLAPS), ("during", RangeOperators.OVERLAPS)],
                condition=Q(state__in=LIVE),
            ),
            models.UniqueConstraint(
                fields=["patient", "local_date"], condition=Q(state__in=LIVE), name="session_one_a_day"
            ),
            models.CheckConstraint(name="session_finite", condition=finite("during")),
            models.CheckConstraint(
                name="session_phases_in_order",
                condition=Q(
                    during__startswith__lte=F("dose_starts_at"),
                    dose_starts_at__lt=F("dose_ends_at"),
                    dose_ends_at__lt=F("discharge_at"),
                    during__endswith__gte=F("discharge_at"),
                ),
            ),
            models.CheckConstraint(
                name="session_phases_in_a_day",
                condition=Q(during__endswith__lt=F("during__startswith") + timedelta(days=1)),
            ),
            models.CheckConstraint(name="session_state", condition=Q(state__in=SessionState.values)),
            models.CheckConstraint(name="session_phase", condition=Q(phase__in=PhaseChoice.values)),
            models.CheckConstraint(
                name="session_freed_at",
                condition=Q(state__in=FREED, freed_at__isnull=False) | (Q(state__in=LIVE) & Q(freed_at=None)),
            ),
            models.CheckConstraint(
                name="session_confirmed_at",
                condition=~Q(state=SessionState.CONFIRMED) | Q(confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="session_expected_at",
                condition=Q(expected_at=None) | Q(during__startswith__lt=F("expected_at")),
            ),
            models.CheckConstraint(name="session_steps", condition=_steps()),
            models.CheckConstraint(
                name="session_chair_since",
                condition=Q(chair_since=None)
                | Q(chair_since__gte=F("during__startswith"), chair_since__lte=F("during__endswith")),
            ),
            models.CheckConstraint(
                name="session_prescriber_since",
                condition=Q(prescriber_since=None)
                | Q(prescriber_since__gte=F("dose_starts_at"), prescriber_since__lte=F("discharge_at")),
            ),
            models.CheckConstraint(
                name="session_steps_in_order",
                condition=(Q(dose_started_at=None) | Q(checked_in_at__lte=F("dose_started_at")))
                & (Q(dose_ended_at=None) | Q(dose_started_at__lte=F("dose_ended_at")))
                & (Q(left_at=None) | Q(checked_in_at__lte=F("left_at")))
                & (Q(left_at=None) | Q(dose_ended_at=None) | Q(dose_ended_at__lte=F("left_at"))),
            ),
            models.CheckConstraint(
                name="session_two_hours",
                condition=~Q(state=SessionState.DISCHARGED) | Q(left_at__gte=F("dose_ended_at") + MONITORED),
            ),
        ]
        indexes = [
            models.Index("site", models.Func("during", function="lower"), name="session_site_start"),
            models.Index("prescriber", "dose_starts_at", name="session_prescriber_dose"),
            models.Index("site", "local_date", name="session_site_date"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="session_touches_days",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF TG_OP = 'UPDATE' THEN
                        IF NOT session_changed(OLD, NEW) THEN RETURN NEW; END IF;
                        PERFORM touch_range(OLD.site_id, OLD.during);
                        PERFORM touch_range(NEW.site_id, NEW.during);
                        RETURN NEW;
                    ELSIF TG_OP = 'INSERT' THEN
                        PERFORM touch_range(NEW.site_id, NEW.during);
                        RETURN NEW;
                    END IF;
                    PERFORM touch_range(OLD.site_id, OLD.during);
                    RETURN OLD;
                """,
            ),
            pgtrigger.Trigger(
                name="session_fits",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update,
                timing=pgtrigger.Immediate,
                func="""
                    IF TG_OP = 'INSERT' THEN
                        PERFORM check_session(NEW.id);
                    ELSIF session_changed(OLD, NEW) AND NOT (NEW.needs_replan AND NOT OLD.needs_replan
                          AND NOT session_moved(OLD, NEW)) THEN
                        PERFORM check_session(NEW.id);
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def starts_at(self) -> datetime:
        """When the patient is expected."""
        start: datetime = self.during.lower
        return start

    @property
    def ends_at(self) -> datetime:
        """When the chair is free again, turn-over included."""
        end: datetime = self.during.upper
        return end

    @property
    def is_live(self) -> bool:
        """It keeps its planned time."""
        return self.state in LIVE


class Override(models.Model):
    """A rule passed over by a prescriber, with the reason. Never changed, never deleted."""

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="overrides")
    rule = models.CharField(max_length=40)
    observed = models.CharField(max_length=200, blank=True)
    limit = models.CharField(max_length=200, blank=True)
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="override_reason", condition=~Q(reason=""))]
        triggers = [pgtrigger.Protect(name="override_unchanged", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.rule


class CourseEvent(models.Model):
    """What happened to a course, when and by whom: one row for each commit that touched it."""

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=20)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    details = models.JSONField(default=dict)

    class Meta:
        triggers = [pgtrigger.Protect(name="event_unchanged", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.kind


class Request(models.Model):
    """A request that succeeded, so that a double click or a repeated call gets the same result.

    `body` is a digest of what was asked; `result` names what came of it. Holds no patient data.
    """

    id = models.UUIDField(primary_key=True)
    verb = models.CharField(max_length=40)
    body = models.CharField(max_length=64)
    result: models.JSONField[Any, Any] = models.JSONField(default=dict)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.verb} {self.pk}"
