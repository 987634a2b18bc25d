"""Mails as rows: written with the booking in one commit, sent by a loop that claims what is due."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.models import Site
from patients.models import Patient
from scheduling.models.courses import Course, Session
from scheduling.models.evaluations import Evaluation


class MailKind(models.TextChoices):
    BOOKED = "booked", _("Course booked")
    CHANGED = "changed", _("Dates changed")
    CANCELLED = "cancelled", _("Dates cancelled")
    PREPARATION = "preparation", _("Preparation three days before")
    TWO_DAYS = "two-days", _("Reminder two days before")
    SCORE_DUE = "score-due", _("Questionnaire due")
    TWO_HOURS = "two-hours", _("Reminder two hours before")
    MISSED = "missed", _("Missed")
    OFFER = "offer", _("Other times offered")
    CALL_US = "call-us", _("Please call us")


class MailState(models.TextChoices):
    DUE = "due", _("Due")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Mail(models.Model):
    """One mail to one patient about a course, one session of it, or an evaluation. `times_version` is that of what it
    speaks about: a mail whose version no longer stands is not sent. `turn` tells apart what can be said more than once
    for the same times.

    `due_at` is when it should go out, `try_at` when it is next tried, `expires_at` when it is no longer worth sending,
    `settled_at` when it was sent, failed or was withdrawn. `about_at` is the start of the visit or evaluation as it
    was when the mail was made: it does not move with the visit.
    `seed` is random: the mail's link is made of it and the clinic's secret (`scheduling/mails/links.py`), and only the
    link's digest is kept beside it. `opened_at` is when somebody first pressed a button behind that link: that it
    was opened says nothing, scanners open links, too.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="mails")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, null=True, related_name="mails")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, null=True, related_name="mails")
    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, null=True, related_name="mails")
    kind = models.CharField(max_length=12, choices=MailKind)
    times_version = models.PositiveIntegerField()
    turn = models.PositiveSmallIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=10, choices=MailState, default=MailState.DUE)
    due_at = models.DateTimeField()
    try_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    about_at = models.DateTimeField(null=True)
    details = models.JSONField(default=dict)
    seed = models.UUIDField(default=uuid4, db_default=RandomUUID())
    link_hash = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 none is no hash; unique needs NULL
    opened_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["course", "session", "evaluation", "kind", "times_version", "turn"],
                nulls_distinct=False,
                name="mail_once",
            ),
            models.CheckConstraint(
                name="mail_about",
                condition=Q(course__isnull=False, evaluation=None)
                | Q(course=None, session=None, evaluation__isnull=False),
            ),
            models.CheckConstraint(name="mail_kind", condition=Q(kind__in=MailKind.values)),
            models.CheckConstraint(name="mail_state", condition=Q(state__in=MailState.values)),
            models.CheckConstraint(
                name="mail_sent_at",
                condition=Q(state=MailState.SENT, sent_at__isnull=False) | (~Q(state=MailState.SENT) & Q(sent_at=None)),
            ),
            models.CheckConstraint(
                name="mail_settled_at",
                condition=Q(state=MailState.DUE, settled_at=None)
                | (~Q(state=MailState.DUE) & Q(settled_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["try_at", "id"], condition=Q(state="due"), name="mail_due"),  # as the drain claims
            # The list of all mails, page by page; what is rare in it is found without reading the rest.
            models.Index(fields=["due_at", "id"], name="mail_in_order"),
            models.Index(fields=["kind", "due_at", "id"], name="mail_of_kind"),
            models.Index(fields=["due_at", "id"], condition=Q(state="due"), name="mail_waiting"),
            models.Index(fields=["due_at", "id"], condition=Q(state="failed"), name="mail_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def site(self) -> Site:
        """Where what it speaks about takes place; read with course or evaluation."""
        about = self.course or self.evaluation
        assert about is not None  # noqa: S101 the constraint mail_about
        return about.site


class Attempt(models.Model):
    """One try to deliver a mail, written down the moment it is known what came of it, outside of the batch that the
    mail belongs to: when a worker dies in the middle of a batch, what it has sent is known to the next one."""

    mail = models.ForeignKey(Mail, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=MailState)
    answer = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(name="attempt_state", condition=Q(state__in=MailState.values))]
        indexes = [models.Index(fields=["state", "at"], name="attempt_latest")]  # since when no server has answered

    def __str__(self) -> str:
        return f"{self.state} {self.mail_id}"
