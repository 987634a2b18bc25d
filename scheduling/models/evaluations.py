"""Evaluation visits: a prescriber and a room, no dose and no course. Sessions, guard and planner know nothing of them;
what must never happen to them is refused here."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from clinic.models import Site, finite, same
from patients.models import Patient


class EvaluationState(models.TextChoices):
    """Where an evaluation stands."""

    BOOKED = "booked", _("Booked")
    DONE = "done", _("Done")
    NO_SHOW = "no-show", _("Did not come")
    CANCELLED = "cancelled", _("Cancelled")


#: These keep their time.
KEPT = (EvaluationState.BOOKED, EvaluationState.DONE)


class Room(models.Model):
    """Where a prescriber sees patients. An inactive room is not offered any more and keeps its history."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="rooms", verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=40)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="room_name")]

    def __str__(self) -> str:
        return self.name


def _alone(column: str) -> ExclusionConstraint:
    """One evaluation at a time for each room, prescriber, patient."""
    return ExclusionConstraint(
        name=f"evaluation_{column}_free",
        expressions=[(same(column), RangeOperators.OVERLAPS), ("during", RangeOperators.OVERLAPS)],
        condition=Q(state__in=KEPT),
    )


class Evaluation(models.Model):
    """One evaluation of a patient. Only `evaluating.py` writes it; `at` is when it was booked, `ended_at` when it was
    done, cancelled or nobody came, `site` and `local_date` repeat what room and start say."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="evaluations")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="evaluations")
    prescriber = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="evaluations")
    during = DateTimeRangeField()
    local_date = models.DateField()
    state = models.CharField(max_length=10, choices=EvaluationState, default=EvaluationState.BOOKED)
    booked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            _alone("room"),
            _alone("prescriber"),
            _alone("patient"),
            models.CheckConstraint(name="evaluation_finite", condition=finite("during")),
            models.CheckConstraint(
                name="evaluation_in_a_day",
                condition=Q(during__endswith__lt=F("during__startswith") + timedelta(days=1)),
            ),
            models.CheckConstraint(name="evaluation_state", condition=Q(state__in=EvaluationState.values)),
            models.CheckConstraint(
                name="evaluation_ended",
                condition=Q(state=EvaluationState.BOOKED, ended_at=None, ended_by=None)
                | (~Q(state=EvaluationState.BOOKED) & Q(ended_at__isnull=False, ended_by__isnull=False)),
            ),
        ]
        indexes = [models.Index("site", "local_date", name="evaluation_site_date")]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def starts_at(self) -> datetime:
        """When the patient is expected."""
        start: datetime = self.during.lower
        return start

    @property
    def ends_at(self) -> datetime:
        """When room and prescriber are free again."""
        end: datetime = self.during.upper
        return end
