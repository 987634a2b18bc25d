"""Dates in addresses."""

from __future__ import annotations

from datetime import date


class DateConverter:
    """`2027-02-01`; a date that does not exist, or that no clinic will ever see, is no address."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        day = date.fromisoformat(value)
        if not self.reaches(day):
            raise ValueError("outside the years that the database takes")
        return day

    @staticmethod
    def reaches(day: date) -> bool:
        """Whether the date has an address."""
        return 1900 <= day.year < 2200

    def to_url(self, value: date) -> str:
        return value.isoformat()
