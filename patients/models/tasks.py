"""What waits for somebody to do about a patient."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models.people import Patient


class TaskKind(models.TextChoices):
    NO_ADDRESS = "no-address", _("No mail address")
    FAILED_MAIL = "failed-mail", _("Mail not delivered")
    BAD_ADDRESS = "bad-address", _("Mail address is wrong")
    MAIL_STOPPED = "mail-stopped", _("Mails stopped")
    CALL_ASKED = "call-asked", _("Patient asks for a call")
    MOVE_ASKED = "move-asked", _("Patient asks for another time")
    OVERRIDE_ASKED = "override-asked", _("Override asked for")
    NEEDS_TIME = "needs-time", _("Needs a new time")
    NO_DATES = "no-dates", _("Course without dates")
    ITEM_9 = "item-9", _("Item 9 above 0")
    ALERT = "alert", _("Prescriber called")
    WORSE = "worse", _("Worse")
    RELAPSE = "relapse", _("Relapse in maintenance")
    NO_BENEFIT = "no-benefit", _("Little or no benefit")
    PHASE_END = "phase-end", _("End of the initial phase")
    REVIEW = "review", _("History to be reviewed")
    SCORE_OVERDUE = "score-overdue", _("Score overdue")
    MONTH_EMPTY = "month-empty", _("Month without a session")
    REACH = "reach", _("Minimum out of reach")
    OPEN_RECORD = "open-record", _("Unfinished record")
    OPEN_FORM = "open-form", _("Monitoring form open")


class Task(models.Model):
    """A line on a worklist. At most one open line per kind, patient and key, so that verbs can ask again.

    `assigned_to` is who deals with it, nobody in particular without; a snoozed line is shown again from
    `snoozed_until` on. Item 9 is never snoozed.
    """

    kind = models.CharField(max_length=20, choices=TaskKind)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="tasks")
    course = models.ForeignKey("scheduling.Course", on_delete=models.CASCADE, null=True, related_name="tasks")
    key = models.CharField(max_length=80, blank=True, default="")
    details = models.JSONField(default=dict)
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="tasks")
    snoozed_until = models.DateTimeField(null=True)
    since = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(name="task_kind", condition=Q(kind__in=TaskKind.values)),
            models.CheckConstraint(
                name="task_item_9_not_snoozed", condition=Q(snoozed_until=None) | ~Q(kind=TaskKind.ITEM_9)
            ),
            models.UniqueConstraint(
                fields=["kind", "patient", "key"], condition=Q(done_at=None), name="task_open_once"
            ),
        ]
        indexes = [models.Index(fields=["since"], condition=Q(done_at=None), name="task_open")]

    def __str__(self) -> str:
        return self.get_kind_display()
