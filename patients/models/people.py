"""Who is treated."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Reverse
from django.utils.translation import gettext_lazy as _

from patients import names


class ContactLevel(models.TextChoices):
    """How much a patient has agreed to be told on a channel (protocol.md, part 5)."""

    UNASKED = "", _("Not asked")
    NEUTRAL = "neutral", _("Neutral")
    DETAILED = "detailed", _("Detailed")
    STOPPED = "stopped", _("Stopped")


class AddressFault(models.TextChoices):
    """Why no mail goes to an address any more."""

    NONE = "", _("None")
    BOUNCED = "bounced", _("Bounced")
    NOT_MINE = "not-mine", _("Belongs to somebody else")


class Patient(models.Model):
    """A person in treatment. Belongs to the organisation, not to a site.

    `phone_digits` is what a search by phone compares; the verbs that write `phone` write it too. `mail_level` is what
    the latest consent on mail says. A changed address is neither verified nor faulty until something is known of it;
    `email_since` is when it was entered, none for one that was known before that was written down.
    """

    record_number = models.CharField(_("record number"), max_length=20, unique=True)
    first_name = models.CharField(_("first name"), max_length=100)
    last_name = models.CharField(_("last name"), max_length=100)
    birth_date = models.DateField(_("birth date"))
    email = models.EmailField(_("mail address"), blank=True, default="")
    phone = models.CharField(_("phone"), max_length=40, blank=True, default="")
    phone_digits = models.CharField(max_length=40, blank=True, default="", editable=False)
    referred_by = models.CharField(_("referring doctor"), max_length=120, blank=True, default="", db_default="")
    language = models.CharField(_("language"), max_length=2, choices=settings.LANGUAGES, default="en")
    created_at = models.DateTimeField(_("registered"))
    mail_level = models.CharField(
        max_length=8, choices=ContactLevel, blank=True, default=ContactLevel.UNASKED, db_default=""
    )
    email_since = models.DateTimeField(null=True)
    email_verified_at = models.DateTimeField(null=True)
    email_fault = models.CharField(
        max_length=8, choices=AddressFault, blank=True, default=AddressFault.NONE, db_default=""
    )
    email_fault_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        indexes = [
            models.Index(OpClass(Lower("last_name"), name="text_pattern_ops"), name="patient_last_name"),
            GinIndex(names.vector(), name="patient_names", fastupdate=False),
            models.Index(OpClass("phone_digits", name="text_pattern_ops"), name="patient_phone"),
            models.Index(OpClass(Reverse("phone_digits"), name="text_pattern_ops"), name="patient_phone_end"),
            models.Index(fields=["birth_date"], name="patient_birth_date"),
            # A bounce names an address, nothing else.
            models.Index(Lower("email"), name="patient_email", condition=~Q(email="")),
        ]
        constraints = [
            models.CheckConstraint(name="patient_mail_level", condition=Q(mail_level__in=ContactLevel.values)),
            models.CheckConstraint(
                name="patient_email_fault",
                condition=Q(email_fault="", email_fault_at=None)
                | Q(email_fault__in=["bounced", "not-mine"], email_fault_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.last_name}, {self.first_name}"
