"""What patients answer from the page behind a mail's link, and what the desk offers them there."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from scheduling.models.courses import Session


class Reply(models.Model):
    """What a patient has told about a visit to come: who takes them home. That they come stands on the session, that
    they ask for a call or another time is a line on the worklist."""

    session = models.OneToOneField(Session, on_delete=models.PROTECT, primary_key=True, related_name="reply")
    escort_name = models.CharField(max_length=100, blank=True, default="")
    escort_phone = models.CharField(max_length=40, blank=True, default="")
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.pk}"


class OfferState(models.TextChoices):
    """What has become of an offered time."""

    OPEN = "open", _("Open")
    TAKEN = "taken", _("Taken")
    LAPSED = "lapsed", _("Lapsed")


class Offer(models.Model):
    """Another time that the desk has offered for a visit. It is not kept free: whoever comes first has it. `turn` is
    that of the mail that tells of it; `times_version` the session's, whose next move makes the offer void."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="offers")
    times_version = models.PositiveIntegerField()
    turn = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=6, choices=OfferState, default=OfferState.OPEN)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="offer_state", condition=Q(state__in=OfferState.values)),
            models.CheckConstraint(
                name="offer_closed",
                condition=Q(state=OfferState.OPEN, closed_at=None)
                | (~Q(state=OfferState.OPEN) & Q(closed_at__isnull=False)),
            ),
            models.UniqueConstraint(fields=["session", "times_version", "starts_at"], name="offer_once"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.pk}"
