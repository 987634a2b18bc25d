"""How a visit goes on from here: when its steps were taken, and when those that are left can be. Pure.

What was planned never changes by it; the board shows both.
"""

from __future__ import annotations

from datetime import datetime

from scheduling.protocols.types import VisitTimes
from scheduling.protocols.visit_safety import OBSERVED_FOR
from scheduling.protocols.vitals import Stage, Times


def projected(planned: VisitTimes, steps: Times, *, now: datetime, free_from: datetime | None = None) -> VisitTimes:
    """The times of a visit as they were and as they will be at the earliest.

    Steps that are left last as long as planned, observation at least OBSERVED_FOR (rule `two-hours`), and none of them
    is earlier than `now`; whoever has not come yet comes as planned, but not before the chair is free, `free_from`.
    """
    starts_at = planned.starts_at if free_from is None else max(planned.starts_at, free_from)
    dose_starts_at = planned.dose_starts_at + (starts_at - planned.starts_at)
    stage = steps.stage
    if steps.dose_started_at is not None:
        dose_starts_at = steps.dose_started_at
        starts_at = min(starts_at, dose_starts_at)
    elif steps.checked_in_at is not None:
        prepared_at = max(starts_at, steps.checked_in_at) + (planned.dose_starts_at - planned.starts_at)
        dose_starts_at = max(prepared_at, now)
    dose_ends_at = dose_starts_at + (planned.dose_ends_at - planned.dose_starts_at)
    if steps.dose_ended_at is not None:
        dose_ends_at = steps.dose_ended_at
    elif stage is Stage.GIVING:
        dose_ends_at = max(dose_ends_at, now)
    discharge_at = dose_ends_at + OBSERVED_FOR
    if stage is Stage.AWAITED:
        discharge_at = dose_ends_at + (planned.discharge_at - planned.dose_ends_at)
    elif steps.left_at is not None:
        discharge_at = steps.left_at
    elif stage is Stage.MONITORING:
        discharge_at = max(discharge_at, now)
    return VisitTimes(
        starts_at=starts_at,
        dose_starts_at=dose_starts_at,
        dose_ends_at=dose_ends_at,
        discharge_at=discharge_at,
        ends_at=discharge_at + (planned.ends_at - planned.discharge_at),
    )
