"""Find a patient by what people say: a name, a birth date, both, a phone number or a record number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower, Reverse
from django.db.models.lookups import StartsWith

from patients.models import Patient
from patients.names import FAMILY_NAME, FIRST_NAME, Named
from patients.registering import digits

#: Nobody's name, date and number are longer; what is longer finds nobody.
LONGEST = 200

#: Fewer letters and digits say too little to search while somebody types.
FEWEST = 3

_DATE = re.compile(
    r"""(?<!\w)(?:
        \d{4}-\d{1,2}-\d{1,2} | \d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})
        | \d{1,2}\.?\s+(?:de\s+)?[^\W\d]{3,10}\.?,?\s+(?:de\s+)?\d{4} | [^\W\d]{3,10}\.?\s+\d{1,2},?\s+\d{4}
    )(?!\w)""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+(]?\d[\d\s()./+-]*")
_MONTHS = (
    ("jan", "ene"), ("feb",), ("mar",), ("apr", "abr"), ("may",), ("jun",),
    ("jul",), ("aug", "ago"), ("sep", "set"), ("oct",), ("nov",), ("dec", "dic"),
)  # fmt: skip
_MOST_WORDS = 8


def search(text: str, *, among: int | None = None) -> QuerySet[Patient]:
    """The patients that the text means, by family name; for an empty text all of them, the newest first.

    Names are found by the beginning of any of their parts, accents and case aside, in any order; before a comma stands
    the family name. A birth date in the usual spellings (1980-05-17, 5/17/1980, 17.05.80, 17 May 1980, May 17, 1980),
    also beside a name; a phone number by its first or last digits; a record number by its beginning. Each way uses an
    index. With `among`, numbers are looked for no further than so many: their beginning can be everybody's.
    """
    text = _joined(text)
    return _meant(text, among).order_by(*_by_name(text))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _meant(text: str, among: int | None) -> QuerySet[Patient]:
    """The patients of `search`, in no order. One condition a query: two that are joined by OR are both worked out again
    for every row that an index has found, and the words of a name are dear."""
    everybody = Patient.objects.all()
    if not text:
        return everybody
    if len(text) > LONGEST or "\x00" in text:
        return everybody.none()
    if found := _DATE.search(text):
        born = everybody.filter(birth_date__in=birth_dates(found.group()))
        rest = _beside(text, found)
        return born.filter(_named(rest)) if rest else born
    if not any(map(str.isdecimal, text)):
        return everybody.filter(_named(text))
    ways = [_named(text), Q(record_number__startswith=text.upper())]
    if _NUMBER.fullmatch(text) and len(number := digits(text)) >= FEWEST:
        ways += [Q(phone_digits__startswith=number), Q(StartsWith(Reverse("phone_digits"), Value(number[::-1])))]
        ways += [Q(birth_date__in=birth_dates(text))]
    one, *others = (everybody.filter(way).values("pk")[:among] for way in ways)
    return everybody.filter(pk__in=one.union(*others))


def says_enough(text: str) -> bool:
    """Whether it is worth searching while somebody types."""
    return sum(map(str.isalnum, text)) >= FEWEST


def names_somebody(text: str) -> bool:
    """Whether somebody could be registered by it: there are names in it, and neither a number nor a mail address."""
    known = parts(text)
    name = known.get("last_name", "") + known.get("first_name", "")
    return any(map(str.isalpha, name)) and "@" not in name and not any(map(str.isdecimal, name))


def parts(text: str) -> dict[str, str]:
    """What somebody searched for, as the fields of a new patient: names, birth date and phone, where it holds them.

    Before a comma stands the family name; without one it is the last word. A date that can mean two stays out.
    """
    text = _joined(text)
    known = {}
    if found := _DATE.search(text):
        text, dates = _beside(text, found), birth_dates(found.group())
        if len(dates) == 1:
            known["birth_date"] = dates[0].isoformat()
    if _NUMBER.fullmatch(text):
        return known | {"phone": text}
    last, comma, first = (part.strip() for part in text.partition(","))
    if not comma:
        first, _, last = text.rpartition(" ")
    return known | {name: _capital(value) for name, value in (("last_name", last), ("first_name", first)) if value}


def _capital(name: str) -> str:
    """What was typed without a capital gets those of a name; what has one stays as it is."""
    return name.title() if name.islower() else name


def _beside(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}".strip(" ,;")


def _by_name(text: str) -> list[Any]:
    """First whose family name begins like this, then by family name; without a text the newest first."""
    if not text:
        return ["-pk"]
    return [StartsWith(Lower("last_name"), Lower(Value(text))).desc(), Lower("last_name"), Lower("first_name"), "pk"]


def birth_dates(text: str) -> list[date]:
    """The dates that a spelling can mean; of 4/5/1980 both, of 5/17/80 both centuries. A month may be written in
    English or Spanish."""
    words = re.findall(r"[^\W\d]+", text.lower())
    match [int(number) for number in re.findall(r"\d+", text)]:
        case [day, year] if words:
            tries = [(year, _month(words), day)]
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


def _month(words: list[str]) -> int:
    """Its number, 0 for a word that is none."""
    word = next((word for word in words if word != "de"), "")
    return next((place for place, names in enumerate(_MONTHS, start=1) if word.startswith(names)), 0)


def _dates(year: int, month: int, day: int) -> Iterator[date]:
    for full in (1900 + year, 2000 + year) if year < 100 else (year,):
        with suppress(ValueError, OverflowError):
            yield date(full, month, day)


def _named(text: str) -> Q:
    """Every word begins a name; those before a comma begin a family name, those after it a first name."""
    last, comma, first = text.partition(",")
    if comma:
        return (Q(Named(last, FAMILY_NAME)) if last.strip() else Q()) & (
            Q(Named(first, FIRST_NAME)) if first.strip() else Q()
        )
    return Q(Named(" ".join(text.split()[:_MOST_WORDS])))
