"""The list of protocol.md, part 5: what it finds, and what only looks like it."""

import html
import re
import unicodedata
from collections.abc import Mapping
from email.message import EmailMessage
from itertools import chain

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scheduling.mails import privacy
from scheduling.mails.mime import Attachment, Message
from scheduling.mails.privacy import Hit


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Your ketamine visit", ("ketamin",)),
        ("ESKETAMINE", ("ketamin",)),
        ("esketamina nasal", ("ketamin",)),
        ("Spravato(R)", ("spravato",)),
        ("https://ketaminecenter.example/", ("ketamin",)),
        ("ket\u00adamine", ("ketamin",)),
        ("ket\u200bamine", ("ketamin",)),
        ("ket&shy;amine", ("ketamin",)),
        ("&#107;etamine", ("ketamin",)),
        ("/k%65tamine/", ("ketamin",)),
        ("ｋｅｔａｍｉｎｅ", ("ketamin",)),
        ("your next infusion", ("infusion",)),
        ("sus infusiones, su infusión", ("infusion",)),
        ("Treatment plan", ("treatment",)),
        ("su tratamiento", ("tratamient",)),
        ("antidepressant", ("depress",)),
        ("la depresión", ("depresi",)),
        ("Psychiatry, psychiatrist", ("psychiatr",)),
        ("clínica psiquiátrica", ("psiquiatr",)),
        ("Mental Health", ("mental health",)),
        ("mental\nhealth", ("mental health",)),
        ("mentalhealth.example", ("mentalhealth",)),
        ("mental-health", ("mental-health",)),
        ("salud mental", ("salud mental",)),
        ("Your diagnosis", ("diagnos",)),
        ("diagnóstico", ("diagnos",)),
        ("session 3 of 6", ("session 3",)),
        ("Session #4", ("session #4",)),
        ("session_2", ("session_2",)),
        ("sesión n.º 3", ("sesion n.o 3",)),
        ("your third session", ("third session",)),
        ("su tercera sesión", ("tercera sesion",)),
        ("6 sessions left", ("6 sessions",)),
        ("visit 3/6", ("visit 3/6",)),
        ("appointment 3 of 6", ("3 of 6",)),
        ("cita 3 de 6", ("3 de 6",)),
        ("3 out of 6", ("3 out of 6",)),
        ("the maintenance phase", ("maintenance", "phase")),
        ("fase de mantenimiento", ("fase", "mantenimiento")),
        ("?phase=initial", ("phase",)),
        ("The dose: 56 mg", ("dose", "56 mg")),
        ("0.5 mg/kg", ("5 mg",)),
        ("in mg/kg", ("mg/kg",)),
        ("40mg", ("40mg",)),
        ("dosis", ("dosis",)),
        ("Your score", ("score",)),
        ("la puntuación", ("puntuacion",)),
        ("PHQ-9", ("phq-9",)),
        ("phq9", ("phq9",)),
        ("GAD-7", ("gad-7",)),
        ("MADRS, QIDS-SR16", ("madrs", "qids-sr16")),
        ("F32.1", ("f32.1",)),
        ("REMS form", ("REMS",)),
        ("Date of birth", ("date of birth",)),
        ("birthdate", ("birthdate",)),
        ("DOB 5/17/1980", ("dob",)),
        ("fecha de nacimiento", ("fecha de nacimiento",)),
        ("Record number 17", ("record number",)),
        ("MRN", ("mrn",)),
        ("número de historia", ("numero de historia",)),
    ],
)
def test_what_a_mail_must_not_say_is_found(text: str, found: tuple[str, ...]) -> None:
    assert privacy.find(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Hello Dosette, Fasel, Gad, Gadot, Scorel, Dosia, Faseeh and Phaser,",
        "Saturday 28 November 2026, 10:00 Eastern Time, about 3 h 10 min",
        "sábado 28 de noviembre de 2026, 10:00 hora oriental, unas 3 h 10 min",
        "Sessions House, 12/14 High Street, Suite 2 of the Rems Building",
        "the 3rd of June, el 3 de junio de 2026",
        "F32, second floor, Mongolia Road",
        "(555) 0120-400",
        "20261101T013000Z",
        "DTSTART;TZID=America/New_York:20261128T100000",
        "Content-Transfer-Encoding: 7bit",
    ],
)
def test_names_dates_and_addresses_are_left_alone(text: str) -> None:
    assert privacy.find(text) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("R0012345", ("R0012345",)),
        ("/patients/r0012345/", ("R0012345",)),
        ("born 1980-05-17", ("1980-05-17",)),
        ("R00123456 and XR0012345", ()),
        ("11980-05-17", ()),
    ],
)
def test_a_patients_own_values_are_found_as_wholes(text: str, found: tuple[str, ...]) -> None:
    assert privacy.find_values(text, ("R0012345", "1980-05-17", "")) == found


TABLES: Mapping[str, tuple[str, ...]] = {**privacy.STEMS, **privacy.WORDS, **privacy.NUMBERS}
PATTERNS = [*chain(*TABLES.values()), *privacy.CAPITALS]

FRAGMENTS = (
    "ket amin ketamine dos dosette s phase fase mental health salud of out de las the 3 6 12 / visit cita date session "
    "third tercera sesión sessions sesiones mg kg mcg F32.1 REMS rems record recordatorio number birth day numero "
    "historia clinica <b> </b> &shy; &#107; %6b \u00ad \u200b ｋ é _ - . \n \r\n 10:00 2026 house"
)

#: Parts of forbidden words, forbidden words, and what may stand between and around them.
PIECES = (
    st.sampled_from(PATTERNS).flatmap(st.from_regex)
    | st.sampled_from(PATTERNS).flatmap(lambda pattern: st.from_regex(pattern, fullmatch=True))
    | st.sampled_from(FRAGMENTS.split(" "))
    | st.text(max_size=4)
)
TEXTS = st.lists(PIECES, max_size=8).flatmap(
    lambda pieces: st.sampled_from(["", " ", "_", "\n"]).map(lambda s: s.join(pieces))
)


def found_the_plain_way(text: str) -> list[str]:
    """The list as it is written, over a text that is normalised as a whole."""
    plain = html.unescape(text)
    plain = re.sub(
        "(?:%[0-9A-Fa-f]{2})+",
        lambda escapes: bytes.fromhex(escapes.group().replace("%", "")).decode("utf-8", "replace"),
        plain,
    )
    invisible = "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
    plain = re.sub(invisible, "", unicodedata.normalize("NFKD", plain))
    plain = "".join(character for character in plain if not unicodedata.combining(character))

    def words(patterns: str) -> str:
        return rf"(?<![^\W_])(?:{patterns})(?![^\W_])"

    stems = re.findall("|".join(chain(*privacy.STEMS.values())), plain.lower())
    wholes = re.findall(words("|".join(chain(*privacy.WORDS.values(), *privacy.NUMBERS.values()))), plain.lower())
    return [*stems, *wholes, *re.findall(words("|".join(privacy.CAPITALS)), plain)]


@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("3 out of the 6")
@example("ket\u0301amine")
def test_the_quick_look_finds_something_wherever_the_whole_list_does(text: str) -> None:
    found = found_the_plain_way(text)
    assert (privacy.clean(text), sorted(privacy.find(text))) == (
        not found,
        sorted({" ".join(words.split()) for words in found}),
    )


@pytest.mark.parametrize(
    ("letters", "pattern"), [(letters, pattern) for letters, patterns in TABLES.items() for pattern in patterns]
)
@settings(max_examples=10, deadline=None)
@given(st.data())
def test_no_pattern_matches_without_the_letters_beside_it(letters: str, pattern: str, data: st.DataObject) -> None:
    assert re.search(letters, data.draw(st.from_regex(pattern, fullmatch=True)))


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=4), st.lists(st.sampled_from(["R0012345", "1980-05-17", "17 May 1980"]), max_size=2))
def test_a_mail_is_examined_as_each_of_its_texts_is(texts: list[str], values: list[str]) -> None:
    said = [*texts, *values]
    message = Message(
        "key", "house@example.org", "ann@example.org", (), "", "", tuple(Attachment("", "", text) for text in said)
    )
    unfolded = [re.sub(r"\r?\n[ \t]", "", text) for text in said]
    expected = {words for text in unfolded for words in found_the_plain_way(text)}
    expected = {" ".join(words.split()) for words in expected}
    if any(privacy.find_values(text, values) for text in unfolded):
        expected.add("the record number or the birth date")
    assert {hit.words for hit in privacy.examine(message, values=values)} == expected


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    headers = {"Subject": "Your dates", "From": "House <house@example.org>", "To": "ann@example.org"} | headers
    for name, value in headers.items():
        message[name] = value
    message.set_content("Hello Ann,\n")
    message.add_alternative("<p>Hello Ann,</p>", subtype="html")
    return message


def test_a_neutral_mail_has_no_hit() -> None:
    assert privacy.examine(mail()) == ()


@pytest.mark.parametrize(
    ("headers", "hits"),
    [
        ({"Subject": "Your infusion"}, (Hit("Subject", "infusion"),)),
        ({"Subject": "Su depresión"}, (Hit("Subject", "depresi"),)),
        ({"From": "Ketamine House <house@example.org>"}, (Hit("From", "ketamin"),)),
        ({"From": "House <hello@mental-health.example>"}, (Hit("From", "mental-health"),)),
        ({"Message-ID": "<phase.3@example.org>"}, (Hit("Message-ID", "phase"),)),
        ({"List-Unsubscribe": "<https://example.org/?dose=56>"}, (Hit("List-Unsubscribe", "dose"),)),
    ],
)
def test_headers_are_held_to_the_list(headers: dict[str, str], hits: tuple[Hit, ...]) -> None:
    assert privacy.examine(mail(**headers)) == hits


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<p>k<b>et</b>amine</p>", "ketamin"),
        ("<p>keta<style>b { color: red; }</style>mine</p>", "ketamin"),
        ('<a href="https://example.org/psychiatry/">here</a>', "psychiatr"),
        ('<div style="display:none">Dose due</div>', "dose"),
        ("<!-- phase -->", "phase"),
        ('<img alt="infusion" src="x.png">', "infusion"),
    ],
)
def test_html_is_held_to_the_list_as_written_and_as_read(page: str, words: str) -> None:
    message = EmailMessage()
    message.set_content(page, subtype="html")
    assert privacy.examine(message) == (Hit("text/html", words),)


def test_attachments_are_held_to_the_list_decoded_and_unfolded() -> None:
    message = mail()
    entry = b"BEGIN:VCALENDAR\r\nSUMMARY:At the house for keta\r\n mine\r\nEND:VCALENDAR\r\n"
    message.add_attachment(entry, maintype="text", subtype="calendar", filename="session-3.ics")
    assert privacy.examine(message) == (
        Hit("Content-Disposition", "session-3"),
        Hit("file name", "session-3"),
        Hit("text/calendar", "ketamin"),
    )


def test_a_hit_on_the_patients_own_values_does_not_repeat_them() -> None:
    message = mail(Subject="About R0012345")
    assert privacy.examine(message, values=("R0012345", "17 May 1980")) == (
        Hit("Subject", "the record number or the birth date"),
    )


def test_the_recipients_own_address_may_say_what_it_likes() -> None:
    message = mail(To="ketamine.works@example.org")
    assert privacy.examine(message, recipient="ketamine.works@example.org") == ()
    assert privacy.examine(message) == (Hit("To", "ketamin"),)
