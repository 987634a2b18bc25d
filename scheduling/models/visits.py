"""The record of a visit: what is written down beside the steps that its session goes through.

The times of the steps stand on the session, where check constraints hold them together with its state. What is
measured, given and seen stands here. Nothing of it is deleted; what was written by mistake is voided.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from scheduling.models.courses import Session


class Dissociation(models.IntegerChoices):
    """How far away the patient is."""

    NONE = 0, _("None")
    MILD = 1, _("Mild")
    MODERATE = 2, _("Moderate")
    SEVERE = 3, _("Severe")


class VisitRecord(models.Model):
    """What is known of one visit, from check-in to discharge; made at check-in.

    `changed` holds the answers to "anything new or changed" by pressure, liver, stroke and heart: any yes makes a
    review before the dose (rule `new-history`). Weight in kg, doses in mg and mg/kg of body weight.
    """

    session = models.OneToOneField(Session, on_delete=models.PROTECT, primary_key=True, related_name="record")
    changed = models.JSONField()
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    review_note = models.TextField(blank=True, default="")
    weight_kg = models.DecimalField(max_digits=5, decimal_places=1, null=True)
    last_food_at = models.DateTimeField(null=True)
    last_drink_at = models.DateTimeField(null=True)
    medicines = models.JSONField(default=list)
    escort_name = models.CharField(max_length=100, blank=True, default="")
    escort_phone = models.CharField(max_length=40, blank=True, default="")
    checked_in_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    drug = models.CharField(max_length=60, blank=True, default="")
    lot = models.CharField(max_length=60, blank=True, default="")
    mg_per_kg = models.DecimalField(max_digits=5, decimal_places=3, null=True)
    mg = models.DecimalField(max_digits=6, decimal_places=1, null=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    mg_given = models.DecimalField(max_digits=6, decimal_places=1, null=True)
    waste_mg = models.DecimalField(max_digits=6, decimal_places=1, null=True)
    waste_witness = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    checklist = models.JSONField(default=dict)
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    exit_reason = models.TextField(blank=True, default="")
    form_sent_at = models.DateTimeField(null=True)
    form_sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="record_weight", condition=Q(weight_kg=None) | Q(weight_kg__gte=20, weight_kg__lte=400)
            ),
            models.CheckConstraint(name="record_dose", condition=Q(mg=None) | Q(mg__gt=0, drug__gt="")),
            models.CheckConstraint(
                name="record_second_person", condition=Q(confirmed_by=None) | ~Q(confirmed_by=F("started_by"))
            ),
            models.CheckConstraint(
                name="record_waste_seen", condition=Q(waste_mg=None) | Q(waste_witness__isnull=False)
            ),
            models.CheckConstraint(name="record_two_names", condition=Q(seen_by=None) | ~Q(seen_by=F("signed_by"))),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class VitalsRound(models.Model):
    """One round of measurements: pressures in mmHg, rates per minute, SpO2 in percent, sedation by MOAA/S (5 awake).

    The limits of the constraint are what no living patient has, nor any device shows (P).
    """

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="rounds")
    taken_at = models.DateTimeField()
    systolic = models.PositiveSmallIntegerField()
    diastolic = models.PositiveSmallIntegerField()
    heart_rate = models.PositiveSmallIntegerField()
    spo2 = models.PositiveSmallIntegerField()
    respiratory_rate = models.PositiveSmallIntegerField(null=True)
    sedation = models.PositiveSmallIntegerField()
    dissociation = models.PositiveSmallIntegerField(choices=Dissociation)
    confirmed = models.JSONField(default=list)
    action = models.TextField(blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="round_possible",
                condition=Q(
                    systolic__gte=40,
                    systolic__lte=300,
                    diastolic__gte=20,
                    diastolic__lt=F("systolic"),
                    heart_rate__gte=20,
                    heart_rate__lte=300,
                    spo2__gte=40,
                    spo2__lte=100,
                    sedation__lte=5,
                    dissociation__lte=3,
                )
                & (Q(respiratory_rate=None) | Q(respiratory_rate__gte=2, respiratory_rate__lte=80)),
            ),
            models.UniqueConstraint(
                fields=["session", "taken_at"], condition=Q(voided_at=None), name="round_once_a_moment"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class AdverseEvent(models.Model):
    """Something untoward in a visit. Severity from 1, mild, to 5, death (CTCAE)."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="adverse_events")
    type = models.CharField(max_length=60)
    onset = models.DateTimeField()
    severity = models.PositiveSmallIntegerField()
    serious = models.BooleanField(default=False)
    action = models.TextField(blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="adverse_event_severity", condition=Q(severity__gte=1, severity__lte=5)),
            models.CheckConstraint(name="adverse_event_type", condition=~Q(type="")),
        ]
        triggers = [pgtrigger.Protect(name="adverse_event_unchanged", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.pk}"


class Addendum(models.Model):
    """What was added to a record after it was closed: signed, dated, never changed."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="addenda")
    text = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="addendum_text", condition=~Q(text=""))]
        triggers = [pgtrigger.Protect(name="addendum_unchanged", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.pk}"
