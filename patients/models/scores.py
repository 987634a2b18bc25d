"""How a patient feels, as figures."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from patients.models.people import Patient


class Instrument(models.TextChoices):
    """The questionnaires of protocol.md, part 4."""

    PHQ9 = "phq9", _("PHQ-9")
    GAD7 = "gad7", _("GAD-7")
    MADRS = "madrs", _("MADRS")
    QIDS = "qids", _("QIDS-SR16")


#: The highest total and, where the items are asked one by one, how many there are (protocol.md, part 4: C).
RANGES = {Instrument.PHQ9: (27, 9), Instrument.GAD7: (21, 7), Instrument.MADRS: (60, 0), Instrument.QIDS: (27, 0)}


def _in_range() -> Q:
    """Each instrument's total within its range."""
    allowed = Q()
    for instrument, (highest, _items) in RANGES.items():
        allowed |= Q(instrument=instrument, total__lte=highest)
    return allowed


class Score(models.Model):
    """A questionnaire that was answered. `by` is who wrote it down, nobody for a patient who answered alone.

    `item_9` repeats the PHQ-9's ninth answer, so that constraints and reads can use it; above 0 it waits until a
    clinician has seen it (`seen_at`, rule `score-seen`). A mistake is voided, never changed.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="scores")
    instrument = models.CharField(max_length=5, choices=Instrument)
    items = ArrayField(models.PositiveSmallIntegerField(), null=True)
    total = models.PositiveSmallIntegerField()
    item_9 = models.PositiveSmallIntegerField(null=True)
    taken_at = models.DateTimeField()
    session = models.ForeignKey("scheduling.Session", on_delete=models.PROTECT, null=True, related_name="scores")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    seen_note = models.TextField(blank=True, default="")
    voided_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(name="score_instrument", condition=Q(instrument__in=Instrument.values)),
            models.CheckConstraint(name="score_total", condition=_in_range()),
            models.CheckConstraint(
                name="score_item_9",
                condition=Q(item_9=None) | (Q(instrument=Instrument.PHQ9, item_9__lte=3) & Q(item_9__lte=F("total"))),
            ),
            models.CheckConstraint(
                name="score_seen",
                condition=Q(seen_at=None, seen_by=None) | Q(seen_at__isnull=False, seen_by__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["patient", "taken_at"], name="score_patient_taken")]
        triggers = [
            pgtrigger.Protect(name="score_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="score_unchanged",
                operation=pgtrigger.UpdateOf(  # type: ignore[no-untyped-call]  # pgtrigger leaves it untyped
                    "patient_id", "instrument", "items", "total", "item_9", "taken_at", "by_id", "at"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.pk}"
