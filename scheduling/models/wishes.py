"""What patients have asked the desk for about a visit and nobody has dealt with yet."""

from __future__ import annotations

from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast

from patients.models import Task, TaskKind


def move_asked() -> Exists:
    """Whether the patient waits for another time for this session: for queries of sessions."""
    key = Cast(OuterRef("pk"), CharField())
    return Exists(Task.objects.filter(kind=TaskKind.MOVE_ASKED, patient=OuterRef("patient"), key=key, done_at=None))
