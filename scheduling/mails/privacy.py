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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from functools import lru_cache
from itertools import chain

from scheduling.mails.mime import Message

#: Never, also as a part of a longer word or of an address on the web: no name of a person or a place contains them.
#: Written without accents, as texts are compared. Each stands beside a few letters without which it cannot be there.
STEMS: Mapping[str, tuple[str, ...]] = {
    "keta": ("ketamin", "ketalar", "ketanest"),
    "spravato": ("spravato",),
    "infusion": ("infusion",),
    "treatment": ("treatment",),
    "tratamient": ("tratamient",),
    "depres": ("depress", "depresi"),
    "psych": ("psychiatr", "psycholog", "psychother"),
    "psiq": ("psiquiatr",),
    "psic": ("psicolog", "psicoter"),
    "mental": (r"mental[\W_]*health", r"salud[\W_]*mental"),
    "diagnos": ("diagnos",),
}

_ORDINALS = (
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|last|\d+(?:st|nd|rd|th)"
    r"|primera|segunda|tercera|cuarta|quinta|sexta|septima|octava|ultima|\d+[aª]"
)
_ARTICLE = r"[\W_]+(?:the[\W_]+|las?[\W_]+|los[\W_]+)?"
_NUMBERED = r"[\W_]*(?:(?:n|n\W?o|nr|num|number|numero)[\W_]+)?\d+"

#: Never as words; inside a longer word they may be a name: Dosette, Fasel, Scorel.
WORDS: Mapping[str, tuple[str, ...]] = {
    "phase": ("phases?",),
    "fase": ("fases?",),
    "maintenance": ("maintenance",),
    "mantenimiento": ("mantenimiento",),
    "dos": ("dos(?:e|es|ed|ing|age|ages|is)", "dosificacion(?:es)?"),
    "mg": (r"\d+\W?mg", r"mg\W?kg"),
    "mcg": (r"\d+\W?mcg",),
    "milligram": ("milligrams?",),
    "miligram": ("miligramos?",),
    "scor": ("scor(?:e|es|ed|ing)",),
    "puntuacion": ("puntuacion(?:es)?",),
    "puntaje": ("puntajes?",),
    "phq": (r"phq(?:\W?\d+)?",),
    "gad": (r"gad\W?7",),
    "madrs": ("madrs",),
    "qids": (r"qids(?:\W?sr\W?\d*)?",),
    "moaa": (r"moaa\W?s",),
    "f32": (r"f32\.\d",),
    "f33": (r"f33\.\d",),
    "birth": (r"birth[\W_]*da(?:te|y)s?", r"dates?[\W_]+of[\W_]+birth"),
    "dob": ("dob",),
    "nacimiento": (r"fechas?[\W_]+de[\W_]+nacimiento",),
    "cumpleanos": ("cumpleanos",),
    "record": (r"record[\W_]*(?:numbers?|num|nr|id)",),
    "mrn": ("mrn",),
    "historia": (r"historia[\W_]+clinica", r"numero[\W_]+de[\W_]+historia"),
    "numero": (r"numero[\W_]+de[\W_]+(?:expediente|registro)",),
    # session n, session n of m, the nth session, n sessions
    "session": (rf"session{_NUMBERED}", rf"(?:{_ORDINALS})[\W_]+session", r"\d+[\W_]+sessions"),
    "sesion": (rf"sesion{_NUMBERED}", rf"(?:{_ORDINALS})[\W_]+sesion", r"\d+[\W_]+sesiones"),
}

#: Words, too: n of m, which contains no letters of its own. Beside each stands how it ends.
NUMBERS: Mapping[str, tuple[str, ...]] = {
    r"/\W*\d{1,2}(?![^\W_])": (r"(?:visit|appointment|date|visita|cita|fecha)[\W_]*\d{1,2}\W*/\W*\d{1,2}",),
    rf"of{_ARTICLE}\d{{1,2}}(?![^\W_])": (rf"\d{{1,2}}[\W_]+(?:out[\W_]+)?of{_ARTICLE}\d{{1,2}}",),
    rf"de{_ARTICLE}\d{{1,2}}(?![^\W_])": (rf"\d{{1,2}}[\W_]+de{_ARTICLE}\d{{1,2}}",),
}

#: Only in capitals: the Rems is a river.
CAPITALS = ("REMS",)


def _words(patterns: Iterable[str]) -> re.Pattern[str]:
    """The patterns where no letter and no digit touches them; an underscore, as in a link, parts words."""
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])")


_STEMS = re.compile("|".join(chain(*STEMS.values())))
_WORDS = _words(chain(*WORDS.values(), *NUMBERS.values()))
_CAPITALS = _words(CAPITALS)

#: What to look for in a text of which almost certainly nothing is found: letters are found in it a hundred times faster
#: than patterns, and only what they are part of is looked for then.
_BY_LETTERS = [(letters, re.compile("|".join(patterns))) for letters, patterns in STEMS.items()]
_BY_LETTERS += [(letters, _words(patterns)) for letters, patterns in WORDS.items()]
_BY_ENDS = [(re.compile(end), _words(patterns)) for end, patterns in NUMBERS.items()]

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")
_TAGS = re.compile(r"<style>[^<]*</style>|<[^>]*>")
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
    plain = _plain(text)
    small = plain.lower()
    found = [(match.start(), match.group()) for pattern in (_STEMS, _WORDS) for match in pattern.finditer(small)]
    found += [(match.start(), match.group()) for match in _CAPITALS.finditer(plain)]
    return tuple(dict.fromkeys(" ".join(words.split()) for _, words in sorted(found)))


def clean(text: str) -> bool:
    """Whether `find` finds nothing, in a fraction of its time where that is so."""
    plain = _plain(text)
    if any(capitals in plain for capitals in CAPITALS) and _CAPITALS.search(plain):
        return False
    small = plain.lower()
    for letters, pattern in _BY_LETTERS:
        if letters in small and pattern.search(small):
            return False
    return not any(end.search(small) and pattern.search(small) for end, pattern in _BY_ENDS)


def find_values(text: str, values: Iterable[str]) -> tuple[str, ...]:
    """Which of a patient's own values (record number, birth date) stand in a text; letters and digits part them."""
    small = text.lower()
    there = [value for value in values if value and value.lower() in small]
    return tuple(value for value in there if _words([re.escape(value.lower())]).search(small))


def examine(message: Message | EmailMessage, *, values: Iterable[str] = (), recipient: str = "") -> tuple[Hit, ...]:
    """Everything in a mail that it must not say: in its headers, file names, texts, HTML and calendar entries.

    `values` are the patient's own that may not stand there either; hits on them do not repeat them. The recipient's
    address is passed over, since only the patient chose it.
    """
    values = tuple(values)
    texts = list(_as_read(message.texts() if isinstance(message, Message) else _texts(message)))
    for address in {recipient, message.recipient if isinstance(message, Message) else ""} - {""}:
        texts = [(where, text.replace(address, "")) for where, text in texts]
    # Ends of lines keep words apart, so what stands in one of the texts stands in all of them together.
    whole = "\n".join(text for _, text in texts)
    if clean(whole) and not find_values(whole, values):
        return ()
    hits: list[Hit] = []
    for where, text in texts:
        hits += [Hit(where, words) for words in find(text)]
        hits += [Hit(where, "the record number or the birth date") for _ in find_values(text, values)]
    return tuple(dict.fromkeys(hits))


def _as_read(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for where, text in texts:
        if where == "text/html":
            # Once as it is written, for links, hidden texts and comments, and once as it is read: k<b>et</b>amine.
            yield where, text
            yield where, _TAGS.sub("", text)
        elif where == "text/calendar":
            yield where, _FOLDS.sub("", text)
        else:
            yield where, text


def _texts(message: EmailMessage) -> Iterator[tuple[str, str]]:
    """Every text in a mail that was received, with the name of its place; what is encoded for the way is read back."""
    for part in message.walk():
        for name, value in part.items():
            yield name, str(value)
        if part.is_multipart():
            continue
        if filename := part.get_filename():
            yield "file name", filename
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)  # noqa: S101 a part that is no multipart decodes to bytes
        yield part.get_content_type(), payload.decode(part.get_content_charset() or "utf-8", "replace")


def _plain(text: str) -> str:
    """A text as it is compared: entities as characters, the percent signs of links as what they stand for, no accents,
    nothing that is not seen."""
    if "&" in text:
        text = html.unescape(text)
    if "%" in text:
        text = _ESCAPES.sub(_unescaped, text)
    return text if text.isascii() else _FOREIGN.sub(lambda found: _ascii(found.group()), text)


def _unescaped(escapes: re.Match[str]) -> str:
    return bytes.fromhex(escapes.group().replace("%", "")).decode("utf-8", "replace")


@lru_cache(maxsize=4096)
def _ascii(foreign: str) -> str:
    """Characters beyond ASCII without their accents. ASCII itself stays as it is, and its neighbours do not change what
    becomes of them."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKD", foreign))
    return "".join(character for character in visible if not unicodedata.combining(character))
