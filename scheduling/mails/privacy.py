"""What a mail to a patient must never say (protocol.md, part 5), looked for wherever a mail can say it. Pure.

Anybody may read over a shoulder: a partner on a lock screen, a colleague in a shared calendar, a company's mail
filter. So nothing in a mail tells that its reader is treated, for what, or how far. The list is held over every
template when the application starts (`scheduling/checks.py`) and over every mail before it is sent
(`scheduling/mails/outbox.py`): headers, texts, calendar entries, names of files, links.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message

#: Never, also as a part of a longer word or of an address on the web: no name of a person or a place contains them.
#: Written without accents, as texts are compared.
STEMS = (
    "ketamin",
    "ketalar",
    "ketanest",
    "spravato",
    "infusion",
    "treatment",
    "tratamient",
    "depress",
    "depresi",
    "psychiatr",
    "psiquiatr",
    "psycholog",
    "psicolog",
    "psychother",
    "psicoter",
    r"mental[\W_]*health",
    r"salud[\W_]*mental",
    "diagnos",
)

_ORDINALS = (
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|last|\d+(?:st|nd|rd|th)"
    r"|primera|segunda|tercera|cuarta|quinta|sexta|septima|octava|ultima|\d+[aª]"
)

#: Never as words; inside a longer word they may be a name: Dosette, Fasel, Scorel.
WORDS = (
    "phases?",
    "fases?",
    "maintenance",
    "mantenimiento",
    "dos(?:e|es|ed|ing|age|ages|is)",
    "dosificacion(?:es)?",
    r"\d+\W?(?:mg|mcg)",
    r"mg\W?kg",
    "milligrams?",
    "miligramos?",
    "scor(?:e|es|ed|ing)",
    "puntuacion(?:es)?",
    "puntajes?",
    r"phq(?:\W?\d+)?",
    r"gad\W?7",
    "madrs",
    r"qids(?:\W?sr\W?\d*)?",
    r"moaa\W?s",
    r"f3[23]\.\d",
    r"birth[\W_]*da(?:te|y)s?",
    r"dates?[\W_]+of[\W_]+birth",
    "dob",
    r"fechas?[\W_]+de[\W_]+nacimiento",
    "cumpleanos",
    r"record[\W_]*(?:numbers?|num|nr|id)",
    "mrn",
    r"historia[\W_]+clinica",
    r"numero[\W_]+de[\W_]+(?:historia|expediente|registro)",
    # session n, session n of m, the nth session, n sessions; n of m alone
    r"(?:session|sesion)[\W_]*(?:(?:n|n\W?o|nr|num|number|numero)[\W_]+)?\d+",
    rf"(?:{_ORDINALS})[\W_]+(?:session|sesion)",
    r"\d+[\W_]+(?:sessions|sesiones)",
    r"(?:visit|appointment|date|visita|cita|fecha)[\W_]*\d{1,2}\W*/\W*\d{1,2}",
    r"\d{1,2}[\W_]+(?:of|out[\W_]+of|de)[\W_]+(?:the[\W_]+|las?[\W_]+|los[\W_]+)?\d{1,2}",
)

#: Only in capitals: the Rems is a river.
CAPITALS = ("REMS",)


def _words(patterns: Iterable[str]) -> re.Pattern[str]:
    """The patterns where no letter and no digit touches them; an underscore, as in a link, parts words."""
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])")


_STEMS = re.compile("|".join(STEMS))
_WORDS = _words(WORDS)
_CAPITALS = _words(CAPITALS)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_TAGS = re.compile(r"<[^>]*>")
_FOLDS = re.compile(r"\r?\n[ \t]")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that a mail must not say: where it stands and the words themselves."""

    where: str
    words: str


def find(text: str) -> tuple[str, ...]:
    """What of the list stands in a text, in the text's order as it was compared: without accents, in small letters.

    Entities of HTML and the escapes of links are read, characters that are not seen are left out.
    """
    plain = _unescape(text)
    if not plain.isascii():
        plain = _INVISIBLE.sub("", unicodedata.normalize("NFKD", plain))
        plain = "".join(character for character in plain if not unicodedata.combining(character))
    small = plain.lower()
    found = [(match.start(), match.group()) for pattern in (_STEMS, _WORDS) for match in pattern.finditer(small)]
    found += [(match.start(), match.group()) for match in _CAPITALS.finditer(plain)]
    return tuple(dict.fromkeys(" ".join(words.split()) for _, words in sorted(found)))


def find_values(text: str, values: Iterable[str]) -> tuple[str, ...]:
    """Which of a patient's own values (record number, birth date) stand in a text; letters and digits part them."""
    small = text.lower()
    there = [value for value in values if value and value.lower() in small]
    return tuple(value for value in there if _words([re.escape(value.lower())]).search(small))


def examine(message: EmailMessage, *, values: Iterable[str] = (), recipient: str = "") -> tuple[Hit, ...]:
    """Everything in a mail that it must not say: in its headers, file names, texts, HTML and calendar entries.

    `values` are the patient's own that may not stand there either; hits on them do not repeat them. The recipient's
    address is passed over, since only the patient chose it.
    """
    values = tuple(values)
    hits: list[Hit] = []
    for where, text in _texts(message):
        rest = text.replace(recipient, "") if recipient else text
        hits += [Hit(where, words) for words in find(rest)]
        hits += [Hit(where, "the record number or the birth date") for _ in find_values(rest, values)]
    return tuple(dict.fromkeys(hits))


def _texts(message: EmailMessage) -> Iterator[tuple[str, str]]:
    """Every text in a mail with the name of its place; what is encoded or folded for the way is read back."""
    for part in message.walk():
        for name, value in part.items():
            yield name, str(value)
        if part.is_multipart():
            continue
        if filename := part.get_filename():
            yield "file name", filename
        content = _content(part)
        kind = part.get_content_type()
        if kind == "text/html":
            # Once as it is written, for links, hidden texts and comments, and once as it is read: k<b>et</b>amine.
            yield kind, content
            content = _TAGS.sub("", content)
        elif kind == "text/calendar":
            content = _FOLDS.sub("", content)
        yield kind, content


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)  # noqa: S101 a part that is no multipart decodes to bytes
    return payload.decode(part.get_content_charset() or "utf-8", "replace")


def _unescape(text: str) -> str:
    """Entities as characters, and the percent signs of links as what they stand for."""
    text = html.unescape(text)
    return re.sub(
        "(?:%[0-9A-Fa-f]{2})+",
        lambda escaped: bytes.fromhex(escaped.group().replace("%", "")).decode("utf-8", "replace"),
        text,
    )
