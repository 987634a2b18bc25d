"""What patients have asked the desk for and nobody has dealt with yet: for queries of sessions."""

from __future__ import annotations

from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast

from patients.models import Task, TaskKind


def move_asked() -> Exists:
    """Whether the patient waits for another time for this session."""
    key = Cast(OuterRef("pk"), CharField())
    return Exists(Task.objects.filter(kind=TaskKind.MOVE_ASKED, patient=OuterRef("patient"), key=key, done_at=None))


def call_asked() -> Exists:
    """Whether the patient waits for a call."""
    return Exists(Task.objects.filter(kind=TaskKind.CALL_ASKED, patient=OuterRef("patient"), done_at=None))
