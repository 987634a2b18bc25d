"""Find a patient by what people say: a name, a birth date, both, a phone number or a record number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Lower, Reverse
from django.db.models.lookups import StartsWith

from patients.models import Patient
from patients.registering import digits

#: Nobody's name, date and number are longer; what is longer finds nobody.
LONGEST = 200

#: Fewer digits are in every phone number.
FEWEST_DIGITS = 3

_DATE = re.compile(
    r"""\b(?:
        \d{4}-\d{1,2}-\d{1,2} | \d{1,2}[/.-]\d{1,2}[/.-]\d{4}
        | \d{1,2}\.?\s+[^\W\d]{3,9}\.?,?\s+\d{4} | [^\W\d]{3,9}\.?\s+\d{1,2},?\s+\d{4}
    )(?!\w)""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+(]?\d[\d\s()./+-]*")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MOST_WORDS = 6


def search(text: str) -> QuerySet[Patient]:
    """The patients that the text means, by family name; for an empty text all of them, the newest first.

    Names are found by their beginning, in either order; a birth date in the usual spellings (1980-05-17, 5/17/1980,
    17.05.1980, 17 May 1980, May 17, 1980), also beside a name; a phone number by its first or last digits; a record
    number by its beginning. Each way uses an index.
    """
    text = " ".join(text.split())
    if not text:
        return Patient.objects.order_by("-pk")
    patients = Patient.objects.order_by(Lower("last_name"), Lower("first_name"), "pk")
    if len(text) > LONGEST or "\x00" in text:
        return patients.none()
    if found := _DATE.search(text):
        rest = f"{text[: found.start()]} {text[found.end() :]}".strip(" ,;")
        born = Q(birth_date__in=birth_dates(found.group()))
        return patients.filter(born & _named(rest) if rest else born)
    ways = Q(record_number__startswith=text.upper())
    if _NUMBER.fullmatch(text) and len(number := digits(text)) >= FEWEST_DIGITS:
        ways |= Q(phone_digits__startswith=number) | Q(StartsWith(Reverse("phone_digits"), Value(number[::-1])))
        ways |= Q(birth_date__in=birth_dates(text))
    return patients.filter(ways | _named(text))


def birth_dates(text: str) -> list[date]:
    """The dates that a spelling can mean; of 4/5/1980 both. A month may be written in English."""
    words = re.findall(r"[^\W\d]+", text.lower())
    match [int(number) for number in re.findall(r"\d+", text)]:
        case [day, year] if words:
            month = next((place for place, name in enumerate(_MONTHS, start=1) if words[0].startswith(name)), 0)
            tries = [(year, month, day)]
        case [_]:
            tries = _compact(text)
        case [year, month, day] if year > 31:
            tries = [(year, month, day)]
        case [day, month, year] if "." in text:
            tries = [(year, month, day)]
        case [one, other, year]:
            tries = [(year, one, other), (year, other, one)]
        case _:
            tries = []
    return sorted({found for year, month, day in tries for found in _dates(year, month, day)})


def _compact(text: str) -> list[tuple[int, int, int]]:
    """Eight digits: 19800517 or 05171980."""
    if not re.fullmatch(r"\d{8}", text):
        return []
    return [
        (int(text[:4]), int(text[4:6]), int(text[6:])),
        (int(text[4:]), int(text[:2]), int(text[2:4])),
        (int(text[4:]), int(text[2:4]), int(text[:2])),
    ]


def _dates(year: int, month: int, day: int) -> Iterator[date]:
    with suppress(ValueError, OverflowError):
        yield date(year, month, day)


def _named(text: str) -> Q:
    """Last and first name begin with the words, split at any place and in either order; before a comma is the last."""
    last, comma, first = text.partition(",")
    if comma:
        return _begins("last_name", last.strip()) & _begins("first_name", first.strip())
    words = text.split(" ")[:_MOST_WORDS]
    ways = Q()
    for place in range(len(words)):
        one, other = " ".join(words[:place]), " ".join(words[place:])
        ways |= _begins("last_name", one) & _begins("first_name", other)
        ways |= _begins("last_name", other) & _begins("first_name", one)
    return ways


def _begins(field: str, text: str) -> Q:
    return Q(StartsWith(Lower(F(field)), Lower(Value(text)))) if text else Q()
