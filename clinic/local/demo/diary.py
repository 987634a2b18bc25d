"""Which chair and prescriber are free for a visit of the demonstration: first fit, in memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from clinic.local.demo.house import SHIFTS, House
from scheduling.protocols.types import Place, VisitShape, VisitTimes

#: When visits of other days begin, unless that is full.
CLOCKS = (time(8), time(11, 30), time(9), time(13), time(8, 30), time(14, 30), time(10), time(12, 10))


class Diary:
    """What is booked already. The database judges it again; this only finds places that it will take."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.visits: tuple[tuple[Place, VisitTimes], ...] = ()

    def on(self, day: date, shape: VisitShape, usual: int = 0) -> Place:
        """A place on the date, at the usual clock time or else at the next one that is free. Books it."""
        for number in range(len(CLOCKS)):
            clock = CLOCKS[(usual + number) % len(CLOCKS)]
            if place := self._find(self.house.at(day, clock), shape):
                return place
        raise LookupError(f"no place on {day}")

    def at(self, starts_at: datetime, shape: VisitShape) -> Place:
        """A place at that moment. Books it."""
        place = self._find(starts_at.astimezone(UTC), shape)
        if place is None:
            raise LookupError(f"no place at {starts_at}")
        return place

    def leave(self, place: Place) -> None:
        """The visit does not take place: its chair and prescriber are free again."""
        self.visits = tuple(visit for visit in self.visits if visit[0] != place)

    def _find(self, starts_at: datetime, shape: VisitShape) -> Place | None:
        times = shape.at(starts_at)
        near = [
            visit for visit in self.visits if visit[1].starts_at < times.ends_at and times.starts_at < visit[1].ends_at
        ]
        taken = {place.chair for place, _ in near}
        chair = next((chair.pk for chair in self.house.chairs if chair.pk not in taken), None)
        prescriber = self._prescriber(times, near)
        if chair is None or prescriber is None:
            return None
        place = Place(times.starts_at, chair, prescriber)
        self.visits += ((place, times),)
        return place

    def _prescriber(self, times: VisitTimes, near: list[tuple[Place, VisitTimes]]) -> int | None:
        """Who is there throughout and has the fewest patients, never more at once than the shift allows."""
        day = times.starts_at.astimezone(self.house.zone).date()
        loads = []
        for member, (begins, ends, limit) in zip(self.house.prescribers, SHIFTS, strict=True):
            # Everybody who overlaps counts, also those who do not overlap each other: simple, and on the safe side.
            load = sum(place.prescriber == member.pk for place, _ in near)
            present = self.house.at(day, begins) <= times.dose_starts_at and times.discharge_at <= self.house.at(
                day, ends
            )
            if present and load < limit:
                loads.append((load, member.pk))
        return min(loads)[1] if loads else None


def grid(now: datetime, zone_of: House) -> datetime:
    """The present moment on the grid of ten minutes, by the clock on the wall of the site."""
    local = now.astimezone(zone_of.zone)
    return now - timedelta(minutes=local.minute % 10, seconds=local.second, microseconds=local.microsecond)
