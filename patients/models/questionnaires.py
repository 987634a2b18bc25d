"""A questionnaire that a patient is answering alone: every answer is kept as it is given."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from patients.models.people import Patient
from patients.models.scores import Instrument, Score


class Questionnaire(models.Model):
    """The answers so far, one place for each item, empty where none was given yet; `score` once they are sent.

    One for each session and instrument, so a second tap or a second window goes on with the same answers.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="questionnaires")
    session = models.ForeignKey("scheduling.Session", on_delete=models.PROTECT, related_name="questionnaires")
    instrument = models.CharField(max_length=5, choices=Instrument)
    answers = ArrayField(models.PositiveSmallIntegerField(null=True))
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    score = models.OneToOneField(Score, on_delete=models.PROTECT, null=True, related_name="questionnaire")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "instrument"], name="questionnaire_once"),
            models.CheckConstraint(
                name="questionnaire_instrument", condition=Q(instrument__in=[Instrument.PHQ9, Instrument.GAD7])
            ),
            models.CheckConstraint(
                name="questionnaire_sent",
                condition=Q(sent_at=None, score=None) | Q(sent_at__isnull=False, score__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.pk}"
