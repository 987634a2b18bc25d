"""What patients type into the fields of their page. Pure."""

from __future__ import annotations


def line(text: str) -> str:
    """One line of it, with spaces for what no screen shows: the database takes no NUL, and staff reads no tricks."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
