"""Mails as rows: written with the booking in one commit, sent by a loop that claims what is due."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models import Patient
from scheduling.models.courses import Course, Session


class MailKind(models.TextChoices):
    BOOKED = "booked", _("Course booked")
    CHANGED = "changed", _("Dates changed")
    CANCELLED = "cancelled", _("Dates cancelled")
    TWO_DAYS = "two-days", _("Reminder two days before")
    TWO_HOURS = "two-hours", _("Reminder two hours before")


class MailState(models.TextChoices):
    DUE = "due", _("Due")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Mail(models.Model):
    """One mail to one patient. `times_version` is that of the course or session it speaks about: a mail whose
    version no longer stands is not sent.

    `due_at` is when it should go out, `try_at` when it is next tried, `expires_at` when it is no longer worth sending.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="mails")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="mails")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, null=True, related_name="mails")
    kind = models.CharField(max_length=12, choices=MailKind)
    times_version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=MailState, default=MailState.DUE)
    due_at = models.DateTimeField()
    try_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["course", "session", "kind", "times_version"], nulls_distinct=False, name="mail_once"
            ),
            models.CheckConstraint(name="mail_state", condition=Q(state__in=MailState.values)),
            models.CheckConstraint(
                name="mail_sent_at",
                condition=Q(state=MailState.SENT, sent_at__isnull=False) | (~Q(state=MailState.SENT) & Q(sent_at=None)),
            ),
        ]
        indexes = [
            models.Index(fields=["try_at"], condition=Q(state="due"), name="mail_due"),
            models.Index(fields=["due_at", "id"], name="mail_in_order"),  # the list of all mails, page by page
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
