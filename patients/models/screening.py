"""Whether somebody may be treated: what was asked, answered and decided."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models.people import Patient


class ScreeningDecision(models.TextChoices):
    """What a prescriber has decided; open while nothing is."""

    OPEN = "", _("Open")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    DEFERRED = "deferred", _("Deferred")


class Screening(models.Model):
    """A patient's answers as they were saved once, with the decision on them. Never changed: what is saved again is a
    new version, and the latest counts. `answers` is read by `eligibility.from_data`."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="screenings")
    version = models.PositiveIntegerField()
    answers = models.JSONField()
    decision = models.CharField(max_length=10, choices=ScreeningDecision, blank=True, default=ScreeningDecision.OPEN)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient", "version"], name="screening_version_once"),
            models.CheckConstraint(name="screening_decision", condition=Q(decision__in=ScreeningDecision.values)),
        ]
        triggers = [pgtrigger.Protect(name="screening_unchanged", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.pk} v{self.version}"
