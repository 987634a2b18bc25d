"""How a patient may be reached: what was agreed, by whom, when and to which words."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models.people import ContactLevel, Patient


class Channel(models.TextChoices):
    """A way to reach somebody."""

    EMAIL = "email", _("Mail")
    PHONE = "phone", _("Phone")


class ConsentSource(models.TextChoices):
    """Where something was agreed to or taken back."""

    DESK = "desk", _("At the desk")
    PAGE = "page", _("On the patient's page")
    UNSUBSCRIBE = "unsubscribe", _("Unsubscribed by mail program")
    COMPLAINT = "complaint", _("Reported as unwanted")


class Consent(models.Model):
    """What a patient has agreed to on one channel, or has taken back. Never changed: the latest of a channel counts,
    and `Patient.mail_level` repeats the latest on mail.

    `wording` is the text as it was read then, `address` the address or number that it was about. `by` is who wrote it
    down, nobody for the patient alone.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="consents")
    channel = models.CharField(max_length=5, choices=Channel)
    level = models.CharField(max_length=8, choices=ContactLevel)
    wording = models.TextField()
    language = models.CharField(max_length=2, choices=settings.LANGUAGES)
    address = models.CharField(max_length=254, blank=True, default="")
    source = models.CharField(max_length=11, choices=ConsentSource)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(name="consent_channel", condition=Q(channel__in=Channel.values)),
            models.CheckConstraint(
                name="consent_level",
                condition=Q(level__in=[ContactLevel.NEUTRAL, ContactLevel.DETAILED, ContactLevel.STOPPED]),
            ),
            models.CheckConstraint(name="consent_source", condition=Q(source__in=ConsentSource.values)),
        ]
        indexes = [models.Index(fields=["patient", "channel", "at"], name="consent_latest")]
        triggers = [pgtrigger.Protect(name="consent_unchanged", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.channel} {self.level}"
