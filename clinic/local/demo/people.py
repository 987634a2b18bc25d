"""Who works and who is treated in the demonstration. Nobody here exists; addresses and numbers belong to nobody."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta
from typing import NamedTuple


class Worker(NamedTuple):
    """A staff member. `username` and password are for signing in; without a password nobody signs in as them."""

    username: str
    role: str
    title: str
    first_name: str
    last_name: str
    password: str = ""


#: Prescribers come first; one person of each role signs in.
STAFF = (
    Worker("clinician", "clinician", "Dr.", "Amara", "Okonkwo", "clinician-of-the-demo"),
    Worker("lindqvist", "clinician", "Dr.", "Ruben", "Lindqvist"),
    Worker("castellanos", "clinician", "Dr.", "Mei-Ling", "Castellanos-Varga"),
    Worker("nurse", "nurse", "", "Josephine", "Abara", "nurse-of-the-demo"),
    Worker("moreau", "nurse", "", "Étienne", "Moreau"),
    Worker("tanaka", "nurse", "", "Haruka", "Tanaka"),
    Worker("papadopoulou", "nurse", "", "Despina", "Papadopoulou"),
    Worker("desk", "desk", "", "Marguerite", "Delacroix", "desk-of-the-demo"),
    Worker("manager", "manager", "", "Tomasz", "Wiśniewski", "manager-of-the-demo"),
)
PRESCRIBERS = 3

#: The patients of the demonstration's courses come first, in the order of `courses.COURSES`; then those who are
#: ready for a new course, then those of `courses.AROUND`, then everybody else.
NAMES = (
    ("Leila", "Haddad"),
    ("Gareth", "Pendleton"),
    ("Xiùyīng", "Zhāng"),
    ("Oluwaseun", "Adeyemi"),
    ("Maximiliana", "Wolfensteinhausen-Bergerdorff"),
    ("Siobhán", "Ó Súilleabháin"),
    ("Dmitri", "Volkov"),
    ("Ngozi", "Eze"),
    ("Hannah", "Feldman"),
    ("José María de la Concepción", "Gutiérrez-Villanueva"),
    ("Björn", "Ægidius"),
    ("Priya", "Ramanathan"),
    ("Caleb", "Whitehorse"),
    ("Thanh Thảo", "Nguyễn"),
    ("Francesca", "D’Annunzio"),
    ("Amina", "Yusuf"),
    ("Lucas", "Ferreira"),
    ("Ingrid", "Solheim"),
    ("Marcus", "Bellweather"),
    ("Rosa", "Delgado"),
    ("Nur Aisyah", "binti Abdullah"),
    ("Theodore", "Kowalczyk"),
    ("Sakura", "Ishikawa"),
    ("Emeka", "Nwosu"),
    ("Beatrice", "Montgomery-Smythe"),
    ("Rafael", "Quintana"),
    ("Zofia", "Jabłońska"),
    ("Omar", "El-Sayed"),
    ("Keola", "Kahananui"),
    ("Agnieszka", "Lewandowska"),
    ("Desmond", "Achebe"),
    ("Valentina", "Petrova"),
    ("Wei", "Lin"),
    ("Gwendolyn", "Ap Rhys"),
    ("Mateo", "Arriaga"),
    ("Fatoumata", "Diallo"),
    ("Jasper", "van der Meulen"),
    ("Anjali", "Krishnamurthy-Venkataraman"),
    ("Noa", "Ben-David"),
    ("Kwame", "Boateng"),
)
READY = 5

#: Places among the patients: who has no mail address, and who reads Spanish.
WITHOUT_ADDRESS = frozenset({6, 31, 33, 36})
SPANISH = frozenset({9, 19, 25, 34})


class Person(NamedTuple):
    """A patient as the desk registers them."""

    first_name: str
    last_name: str
    birth_date: date
    email: str
    phone: str
    language: str


def patients() -> list[Person]:
    """The forty patients, the same at every start."""
    return [
        Person(
            first,
            last,
            date(1951, 3, 14) + timedelta(days=number * 397 % 19_001),
            "" if number in WITHOUT_ADDRESS else f"{_ascii(first)}.{_ascii(last)}@example.org",
            f"(555) 010-{1200 + number * 83}",
            "es" if number in SPANISH else "en",
        )
        for number, (first, last) in enumerate(NAMES)
    ]


def _ascii(name: str) -> str:
    """A name as mail addresses have it: small letters and hyphens."""
    plain = unicodedata.normalize("NFKD", name.lower().replace("ł", "l").replace("æ", "ae").replace("ø", "o"))
    letters = "".join(letter for letter in plain if letter.isascii() and (letter.isalpha() or letter in " -"))
    return "-".join(letters.replace("-", " ").split())
