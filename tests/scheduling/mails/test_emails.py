"""What mails say, word by word."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from pytest_django import Settings

from scheduling import checks
from scheduling.mails import emails, privacy
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.emails import Letter, Preparation
from scheduling.models import MailKind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 28, 15, tzinfo=UTC)
HOST = Host(
    name="Larkfield & House",
    address="18 Alder Row, Fairhaven",
    phone="(555) 010-0400",
    mail="visits@larkfield.example",
    zone=ZoneInfo("America/New_York"),
)


def visit(days: int, sequence: int = 1) -> Visit:
    start = SATURDAY + timedelta(days=days)
    return Visit(f"visit-{days}", sequence, start, start + timedelta(minutes=190))


def letter(kind: MailKind, **more: Any) -> Letter:
    blank = Letter(kind=kind, key="9f", recipient="ingrid@example.org", first_name="Ingrid", language="en", host=HOST)
    return replace(blank, **more)


def sent(letter: Letter) -> EmailMessage:
    """The mail as its reader's program has it: written to bytes, and read."""
    message = message_from_bytes(emails.compose(letter, now=NOW).as_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def page_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def calendars_of(message: EmailMessage) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """File name, method, and UID with SEQUENCE of each entry."""
    found = []
    for part in message.iter_attachments():
        calendar = Calendar.from_ical(part.get_content())
        assert isinstance(calendar, Calendar)
        assert part.get_content_type() == "text/calendar"
        assert part.get_param("method") == str(calendar["METHOD"])
        entries = [(str(entry["UID"]), int(str(entry["SEQUENCE"]))) for entry in calendar.walk("VEVENT")]
        found.append((part.get_filename() or "", str(calendar["METHOD"]), entries))
    return found


PLACE = "Larkfield & House, 18 Alder Row, Fairhaven\n"
FOOT = """
If a date does not suit you, please call (555) 010-0400.

Larkfield & House
"""


def test_a_booked_course_is_told_with_all_its_dates() -> None:
    message = sent(letter(MailKind.BOOKED, visits=(visit(0), visit(3), visit(7))))

    assert message["Subject"] == "Your dates with us"
    assert text_of(message) == (
        "Hello Ingrid,\n"
        "\n"
        "these are the dates that we agreed on:\n"
        "\n"
        "  - Saturday 28 November 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "  - Tuesday 1 December 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "  - Saturday 5 December 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "\n" + PLACE + FOOT
    )
    assert calendars_of(message) == [
        ("2026-11-28.ics", "REQUEST", [("visit-0", 1)]),
        ("2026-12-01.ics", "REQUEST", [("visit-3", 1)]),
        ("2026-12-05.ics", "REQUEST", [("visit-7", 1)]),
    ]


def test_a_change_is_told_as_old_and_new_and_with_all_dates_that_stand() -> None:
    moved, added = visit(4, sequence=2), visit(10)
    message = sent(
        letter(
            MailKind.CHANGED,
            visits=(visit(0), moved, added),
            moved=((SATURDAY + timedelta(days=3), moved),),
            added=(added,),
            cancelled=(visit(7, sequence=2),),
        )
    )

    assert message["Subject"] == "Your dates have changed"
    assert text_of(message) == (
        "Hello Ingrid,\n"
        "\n"
        "your dates have changed:\n"
        "\n"
        "  - No longer: Tuesday 1 December 2026, 10:00 Eastern Time\n"
        "    Now: Wednesday 2 December 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "  - New: Tuesday 8 December 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "  - Cancelled: Saturday 5 December 2026, 10:00 Eastern Time\n"
        "\n"
        "These are all your dates now:\n"
        "\n"
        "  - Saturday 28 November 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "  - Wednesday 2 December 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "  - Tuesday 8 December 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "\n" + PLACE + FOOT
    )
    assert re.findall("<s>(.*?)</s>", page_of(message)) == [
        "Tuesday 1 December 2026, 10:00 Eastern Time",
        "Saturday 5 December 2026, 10:00 Eastern Time",
    ]
    assert calendars_of(message) == [
        ("2026-12-02.ics", "REQUEST", [("visit-4", 2)]),
        ("2026-12-08.ics", "REQUEST", [("visit-10", 1)]),
        ("2026-12-05-cancelled.ics", "CANCEL", [("visit-7", 2)]),
    ]


def test_a_cancelled_date_is_told_with_those_that_stand() -> None:
    message = sent(letter(MailKind.CANCELLED, visits=(visit(3),), cancelled=(visit(0, sequence=2),)))

    assert message["Subject"] == "A date with us is cancelled"
    assert text_of(message) == (
        "Hello Ingrid,\n"
        "\n"
        "we do not expect you on this date any more:\n"
        "\n"
        "  - Cancelled: Saturday 28 November 2026, 10:00 Eastern Time\n"
        "\n"
        "These are all your dates now:\n"
        "\n"
        "  - Tuesday 1 December 2026\n"
        "    10:00 Eastern Time, about 3 h 10 min\n"
        "    " + PLACE + FOOT
    )
    assert calendars_of(message) == [("2026-11-28-cancelled.ics", "CANCEL", [("visit-0", 2)])]


def test_a_cancelled_course_is_told_in_one_mail() -> None:
    message = sent(letter(MailKind.CANCELLED, cancelled=(visit(0, sequence=2), visit(3, sequence=2))))

    assert message["Subject"] == "Dates with us are cancelled"
    assert text_of(message) == (
        "Hello Ingrid,\n"
        "\n"
        "we do not expect you on these dates any more:\n"
        "\n"
        "  - Cancelled: Saturday 28 November 2026, 10:00 Eastern Time\n"
        "  - Cancelled: Tuesday 1 December 2026, 10:00 Eastern Time\n" + FOOT
    )
    assert calendars_of(message) == [
        ("2026-11-28-cancelled.ics", "CANCEL", [("visit-0", 2)]),
        ("2026-12-01-cancelled.ics", "CANCEL", [("visit-3", 2)]),
    ]


PAGE = "https://larkfield.example/dates/4f2a/"
LINKED = {
    "host": replace(HOST, open=tuple((weekday, time(8), time(18)) for weekday in range(6))),
    "link": PAGE,
    "until": SATURDAY + timedelta(minutes=190),
    "stop": f"{PAGE}stop/",
    "agreed_on": date(2026, 10, 28),
}
LINKED_FOOT = """
You can also call (555) 010-0400, Monday to Saturday, 08:00 to 18:00.

Larkfield & House

You get this because you agreed on 28 October 2026 to mails about your dates. \
Stop these mails: https://larkfield.example/dates/4f2a/stop/
"""
OPENS = """
This opens a page; nothing is answered until you tap there. It works for this date only, until Sat 28 Nov 13:10.
"""
CARD = (
    """Hello Ingrid,

we expect you on

  - Saturday 28 November 2026
    10:00 Eastern Time, about 3 h 10 min
    """
    + PLACE
)


@pytest.mark.parametrize("kind", [MailKind.TWO_DAYS, MailKind.TWO_HOURS])
def test_a_reminder_tells_the_one_date_and_where_to_answer(kind: MailKind) -> None:
    message = sent(letter(kind, visits=(visit(0),), missing=frozenset({"answer", "escort"}), **LINKED))

    assert message["Subject"] == "Reminder: Saturday 28 November 2026, 10:00"
    assert text_of(message) == (
        CARD + "\n"
        "Please look at what to prepare, and tell us whether you are coming.\n"
        "\n"
        f"Prepare and answer: {PAGE}\n" + OPENS + LINKED_FOOT
    )
    assert calendars_of(message) == [("2026-11-28.ics", "REQUEST", [("visit-0", 1)])]


def test_who_has_answered_hears_what_is_missing_without_a_word_of_what_it_is() -> None:
    missing = frozenset({"escort", "form"})
    message = sent(letter(MailKind.TWO_DAYS, visits=(visit(0),), missing=missing, **LINKED))
    assert text_of(message) == (
        CARD + "\n"
        "Thank you for your answer. A few details are still missing: please add them on your page.\n"
        "\n"
        f"Prepare and answer: {PAGE}\n" + OPENS + LINKED_FOOT
    )


PREPARATION = Preparation(food_until=SATURDAY - timedelta(hours=6), drink_until=SATURDAY - timedelta(hours=2))


def test_a_detailed_mail_says_what_to_prepare() -> None:
    missing = frozenset({"answer", "escort"})
    told = letter(MailKind.PREPARATION, visits=(visit(0),), missing=missing, preparation=PREPARATION, **LINKED)
    assert text_of(sent(replace(told, level="detailed"))) == (
        CARD + "\n"
        "To prepare\n"
        "\n"
        "  - Nothing to eat from 04:00\n"
        "  - Clear liquids until 08:00\n"
        "  - Somebody takes you home\n"
        "  - No driving until the next day, after sleep\n"
        "  - Ask us about your medicines, such as those for blood pressure, sleep or pain\n"
        "\n"
        "A few things are best prepared in good time. Please look at them, and tell us whether you are coming. "
        "Please tell us on your page who takes you home.\n"
        "\n"
        f"Prepare and answer: {PAGE}\n" + OPENS + LINKED_FOOT
    )


@pytest.mark.parametrize("level", ["", "neutral"])
def test_only_who_has_agreed_to_details_is_told_what_to_prepare(level: str) -> None:
    missing = frozenset({"answer", "escort"})
    told = letter(MailKind.PREPARATION, visits=(visit(0),), missing=missing, preparation=PREPARATION, **LINKED)
    assert text_of(sent(replace(told, level=level))) == (
        CARD + "\n"
        "A few things are best prepared in good time. Please look at them, and tell us whether you are coming.\n"
        "\n"
        f"Prepare and answer: {PAGE}\n" + OPENS + LINKED_FOOT
    )


def test_what_to_prepare_on_the_evening_before_is_told_with_its_day() -> None:
    early = Preparation(food_until=SATURDAY - timedelta(hours=12), drink_until=SATURDAY - timedelta(hours=2))
    text = text_of(sent(letter(MailKind.TWO_DAYS, visits=(visit(0),), level="detailed", preparation=early)))
    assert re.findall("  - (Nothing.*)\n  - (Clear.*)\n", text) == [
        ("Nothing to eat from Fri 27 Nov 22:00", "Clear liquids until 08:00")
    ]


def test_a_form_that_is_due_is_asked_for_in_plain_words() -> None:
    message = sent(letter(MailKind.SCORE_DUE, visits=(visit(0),), missing=frozenset({"form"}), **LINKED))
    assert message["Subject"] == "Before you come: Saturday 28 November 2026, 10:00"
    assert text_of(message) == (
        CARD + "\n"
        "Please fill in a short form before you come. It takes a few minutes, and helps us to prepare.\n"
        "\n"
        f"Fill in the form: {PAGE}\n" + OPENS + LINKED_FOOT
    )


def test_who_was_missed_is_asked_kindly_for_another_time() -> None:
    message = sent(letter(MailKind.MISSED, visits=(visit(0),)))
    assert message["Subject"] == "We missed you on Saturday 28 November 2026"
    assert text_of(message) == (
        CARD.replace("expect", "expected") + "\n"
        "We hope that you are well. Let us find another time.\n"
        "\n"
        "Please call (555) 010-0400.\n"
        "\n"
        "Larkfield & House\n"
    )
    assert calendars_of(message) == []


def test_an_offer_tells_the_other_times_and_that_the_date_stands() -> None:
    offers = tuple(SATURDAY + timedelta(days=1, hours=hours) for hours in (0, 2))
    message = sent(letter(MailKind.OFFER, visits=(visit(0),), offers=offers, **LINKED))
    assert message["Subject"] == "Other times for Saturday 28 November 2026, 10:00"
    assert text_of(message) == (
        CARD + "\n"
        "If another time suits you better, these are free:\n"
        "\n"
        "  - Sunday 29 November 2026, 10:00 Eastern Time\n"
        "  - Sunday 29 November 2026, 12:00 Eastern Time\n"
        "\n"
        "They are not kept for you: whoever comes first has them. Without an answer your date stays as it is.\n"
        "\n"
        "You can choose one of them on your page.\n"
        "\n"
        f"Choose a time: {PAGE}\n\nThis opens a page; nothing is answered until you tap there.\n" + LINKED_FOOT
    )
    assert calendars_of(message) == []


def test_please_call_us_says_where_and_when() -> None:
    message = sent(letter(MailKind.CALL_US, host=LINKED["host"]))
    assert message["Subject"] == "Please call us"
    assert text_of(message) == (
        "Hello Ingrid,\n"
        "\n"
        "we would like to speak with you about your dates.\n"
        "\n"
        "Please call (555) 010-0400, Monday to Saturday, 08:00 to 18:00.\n"
        "\n"
        "Larkfield & House\n"
    )


def test_the_desks_hours_are_told_by_spans_of_days() -> None:
    spans = [(0, 8, 18), (1, 8, 18), (2, 8, 12), (2, 13, 17), (4, 8, 18), (5, 9, 12)]
    opened = tuple((weekday, time(opens), time(closes)) for weekday, opens, closes in spans)
    text = text_of(sent(letter(MailKind.CALL_US, host=replace(HOST, open=opened))))
    assert re.findall("Please call .*?, (.*)", text) == [
        (
            "Monday to Tuesday, 08:00 to 18:00; Wednesday, 08:00 to 12:00, 13:00 to 17:00; "
            "Friday, 08:00 to 18:00; Saturday, 09:00 to 12:00."
        )
    ]


def test_mail_programs_can_stop_the_mails_by_themselves() -> None:
    message = sent(letter(MailKind.TWO_DAYS, visits=(visit(0),), **LINKED))
    assert (message["List-Unsubscribe"], message["List-Unsubscribe-Post"]) == (
        "<https://larkfield.example/dates/4f2a/stop/>",
        "List-Unsubscribe=One-Click",
    )


def test_a_mail_without_links_has_neither_button_nor_a_way_to_stop_it() -> None:
    message = sent(letter(MailKind.TWO_DAYS, visits=(visit(0),)))
    assert text_of(message) == CARD + FOOT
    assert (message["List-Unsubscribe"], "<a" in page_of(message)) == (None, False)


def test_the_first_mail_asks_to_prepare_and_answer_for_no_other_may_come_before_the_visit() -> None:
    message = sent(letter(MailKind.BOOKED, visits=(visit(0),), **LINKED))
    said = text_of(message).partition(PLACE)[2]

    assert "Please look at what to prepare, and tell us whether you are coming." in said
    assert f"Prepare and answer: {PAGE}" in said


def test_a_mail_without_anything_missing_opens_the_page_for_its_dates() -> None:
    message = sent(letter(MailKind.CHANGED, added=(visit(3),), visits=(visit(0), visit(3)), **LINKED))
    assert text_of(message).partition(PLACE)[2] == (
        "\n"
        "Your page shows everything about your dates.\n"
        "\n"
        f"Open your page: {PAGE}\n"
        "\n"
        "This opens a page; nothing is answered until you tap there. It works until Sat 28 Nov 13:10.\n" + LINKED_FOOT
    )


def test_an_address_beyond_ascii_may_say_what_it_likes_too() -> None:
    mail = emails.compose(letter(MailKind.TWO_DAYS, recipient="ketamine@bücher.example", visits=(visit(0),)), now=NOW)
    assert privacy.examine(mail, recipient="ketamine@bücher.example") == ()


def test_the_headers_say_who_writes_and_that_a_machine_does() -> None:
    message = sent(letter(MailKind.BOOKED, visits=(visit(0),)))
    names = ("From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Language")
    assert {name: str(message[name]) for name in names} == {
        "From": "Larkfield & House <visits@larkfield.example>",
        "To": "ingrid@example.org",
        "Date": "Fri, 20 Nov 2026 12:00:00 +0000",
        "Message-ID": "<9f@larkfield.example>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "en",
    }


def test_both_times_that_the_clocks_show_in_autumn_are_told_apart() -> None:
    first, second = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))
    messages = [
        sent(letter(MailKind.TWO_DAYS, visits=(Visit("fold", 1, at, at + timedelta(minutes=40)),)))
        for at in (first, second)
    ]
    assert [message["Subject"] for message in messages] == [
        "Reminder: Sunday 1 November 2026, 01:30 (EDT, UTC−4)",
        "Reminder: Sunday 1 November 2026, 01:30 (EST, UTC−5)",
    ]


def test_a_name_is_text_whatever_it_holds() -> None:
    message = sent(letter(MailKind.BOOKED, first_name="<b>Ann</b>\r\n {{ x }} & Žofie", visits=(visit(0),)))
    assert text_of(message).splitlines()[0] == "Hello <b>Ann</b> {{ x }} & Žofie,"
    assert "<p>Hello &lt;b&gt;Ann&lt;/b&gt; {{ x }} &amp; Žofie,</p>" in page_of(message)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40) | st.sampled_from(
    [
        "{0} {name} %(x)s 100%",
        "<b>Ann</b> & co;",
        "Ann\r\nBcc: all@example.org",
        "{{ x }}{% x %}",
        "\U0001f600 Žofie",
        "~",
    ]
)
DAYS = st.integers(0, 60)


@settings(deadline=None)
@given(
    kind=st.sampled_from(MailKind),
    language=st.sampled_from(["en", "es"]),
    first_name=NAMES,
    house=st.builds(replace, st.just(HOST), address=NAMES, phone=NAMES),
    days=st.lists(DAYS, min_size=1, max_size=4),
    others=st.lists(DAYS, max_size=2),
    missing=st.frozensets(st.sampled_from(["answer", "escort", "form"])),
    level=st.sampled_from(["neutral", "detailed"]),
    linked=st.booleans(),
)
def test_a_frame_with_its_values_is_what_the_template_says_of_them(
    kind: MailKind,
    language: str,
    first_name: str,
    house: Host,
    days: list[int],
    others: list[int],
    missing: frozenset[str],
    level: str,
    linked: bool,
) -> None:
    full = letter(
        kind,
        language=language,
        first_name=first_name,
        visits=tuple(visit(day) for day in days),
        moved=tuple((SATURDAY, visit(day, 2)) for day in others),
        added=tuple(visit(day) for day in others),
        cancelled=tuple(visit(day, 3) for day in days[1:]),
        offers=tuple(visit(day).starts_at for day in others),
        missing=missing,
        level=level,
        preparation=PREPARATION,
        **(LINKED if linked else {}) | {"host": house},
    )
    message = emails.compose(full, now=NOW)
    shape, values = emails.taken_apart(full)
    assert (dict(message.headers)["Subject"], message.text, message.page) == emails.render(shape, iter(values))
    read = sent(full)
    assert (text_of(read), page_of(read).replace("\r\n", "\n")) == (message.text, message.page)
    names = ("Subject", "From", "To", "List-Unsubscribe")
    assert {name: str(read[name]) for name in names if read[name]} == {
        name: value for name, value in message.headers if name in names
    }


def test_a_house_without_phone_and_address_is_named_alone() -> None:
    host = replace(HOST, address="", phone="")
    message = sent(letter(MailKind.TWO_HOURS, host=host, visits=(visit(0),)))
    assert text_of(message).partition("min\n")[2] == "    Larkfield & House\n\nLarkfield & House\n"


def test_addresses_beyond_ascii_reach_their_server() -> None:
    message = sent(letter(MailKind.BOOKED, recipient="ann@bücher.example", visits=(visit(0),)))
    assert message["To"] == "ann@xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["jürgen@example.org", "ann@-..example", "ann", "ann@x\r\nBcc: all@example.org"])
def test_an_address_to_which_no_mail_can_go_is_refused(address: str) -> None:
    with pytest.raises(emails.BadAddress):
        emails.compose(letter(MailKind.BOOKED, recipient=address), now=NOW)


def test_a_header_takes_no_second_line() -> None:
    with pytest.raises(ValueError, match="invalid"):
        emails.compose(letter(MailKind.BOOKED, host=replace(HOST, name="House\r\nBcc: all@example.org")), now=NOW)


def test_every_mail_is_seven_bit_on_the_way() -> None:
    mail = emails.compose(letter(MailKind.BOOKED, first_name="Žofie", visits=(visit(0),)), now=NOW)
    assert mail.as_bytes().isascii()


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ({"name": "Ketamine House"}, {"ketamin"}),
        ({"address": "Depression Clinic, Fairhaven"}, {"depress"}),
        ({"mail": "visits@infusions.example"}, {"infusion"}),
    ],
)
def test_what_the_clinic_has_set_up_is_held_to_the_list(host: dict[str, str], found: set[str]) -> None:
    mail = emails.compose(letter(MailKind.BOOKED, host=replace(HOST, **host), visits=(visit(0),)), now=NOW)  # type: ignore[arg-type]  # strings only
    assert {hit.words for hit in privacy.examine(mail)} == found


def test_every_template_and_every_sample_is_neutral() -> None:
    assert checks.mails_are_neutral() == []


def test_a_sender_that_gives_it_away_stops_the_start(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "House <visits@ketamine.example>"
    assert {(error.id, "From" in error.msg) for error in checks.mails_are_neutral()} >= {("scheduling.E001", True)}


def test_a_template_that_gives_it_away_stops_the_start(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings.BASE_DIR = tmp_path_factory.mktemp("base")
    folder = settings.BASE_DIR / "templates" / "emails"
    folder.mkdir(parents=True)
    (folder / "booked.html").write_text("Hello {{ first_name }}, your {{ phase }} begins.")
    assert [error.msg for error in checks.mails_are_neutral()] == [
        "A mail to patients says 'phase' (templates/emails/booked.html)."
    ]


def test_a_mail_speaks_the_patients_language() -> None:
    message = sent(letter(MailKind.BOOKED, language="es", visits=(visit(0), visit(3))))

    assert (message["Subject"], message["Content-Language"]) == ("Sus fechas con nosotros", "es")
    assert text_of(message) == (
        "Hola, Ingrid:\n"
        "\n"
        "estas son las fechas que hemos acordado:\n"
        "\n"
        "  - sábado 28 de noviembre de 2026\n"
        "    10:00, hora oriental, duración aproximada: 3 h 10 min\n"
        "  - martes 1 de diciembre de 2026\n"
        "    10:00, hora oriental, duración aproximada: 3 h 10 min\n"
        "\n"
        "Larkfield & House, 18 Alder Row, Fairhaven\n"
        "\n"
        "Si alguna fecha no le conviene, llame al (555) 010-0400.\n"
        "\n"
        "Larkfield & House\n"
    )
    assert '<html lang="es">' in page_of(message)


@pytest.mark.parametrize("kind", MailKind)
def test_no_word_of_a_mail_is_left_untranslated(kind: MailKind) -> None:
    moved = visit(4, sequence=2)
    full = letter(
        kind,
        visits=(visit(0), moved),
        moved=((SATURDAY, moved),),
        added=(visit(0),),
        cancelled=(visit(7), visit(8)),
        offers=(SATURDAY,),
        level="detailed",
        preparation=PREPARATION,
        missing=frozenset({"answer", "escort"}),
        **LINKED,
    )
    english, spanish = (
        set(re.findall(r"[^\W\d]{2,}", f"{message['Subject']}\n{text_of(message).removesuffix(HOST.name)}"))
        for message in (sent(full), sent(replace(full, language="es")))
    )
    links = {"https", "larkfield", "example", "dates", "4f2a", "stop"}
    same = {"No", "Nov", "min"}  # they are said alike
    assert english & spanish <= links | same | {"Ingrid", "Larkfield", "House", "Alder", "Row", "Fairhaven"}
