"""Mails as bytes, read back by the standard library."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.mails import mime
from scheduling.mails.mime import Attachment, Message

PLAIN = Message("key", "house@example.org", "ann@example.org", (("Subject", "Dates"),), "Hello\n", "<p>Hello</p>\n")


def read(message: Message) -> EmailMessage:
    found = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert found.defects == []
    return found


def lines_of(message: Message) -> list[bytes]:
    return message.as_bytes().split(b"\r\n")


@settings(deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r"))
        | st.sampled_from([".\n", "From me\n", "--=_key\n", " \n", "=\n"]),
        min_size=3,
        max_size=3,
    )
)
def test_every_text_arrives_as_it_was_written(texts: list[str]) -> None:
    # A text ends with an end of line, as all that templates make.
    text, page, calendar = (f"\n{text}\n" for text in texts)
    found = read(replace(PLAIN, text=text, page=page, attachments=(Attachment("a.ics", "REQUEST", calendar),)))
    (attached,) = found.iter_attachments()
    parts = [found.get_body(("plain",)), found.get_body(("html",)), attached]
    assert [str(part.get_content()).replace("\r\n", "\n") for part in parts if part] == [text, page, calendar]
    assert (attached.get_filename(), attached.get_param("method")) == ("a.ics", "REQUEST")


def test_what_goes_out_is_seven_bit_and_in_short_lines() -> None:
    long = replace(
        PLAIN, headers=(("Subject", "Žofie " * 40),), text="é" * 500 + "\n", page="<p>" + "x" * 900 + "</p>\n"
    )
    assert long.as_bytes().isascii()
    assert max(map(len, lines_of(long))) <= 78


@pytest.mark.parametrize(
    "value",
    ["Dates", "Sus fechas: sábado", "A long subject of many words " * 6, "Žofie, " * 30],
)
def test_a_subject_arrives_as_it_was_written(value: str) -> None:
    assert read(replace(PLAIN, headers=(("Subject", value.strip()),)))["Subject"] == value.strip()


def test_addresses_are_never_folded_or_hidden() -> None:
    link = f"<https://house.example/dates/{'4f' * 60}/stop/>"
    address = f"{'a' * 64}@{'b' * 60}.example"
    found = lines_of(replace(PLAIN, headers=(("To", address), ("List-Unsubscribe", link))))
    assert found[:2] == [f"To: {address}".encode(), f"List-Unsubscribe: {link}".encode()]


@pytest.mark.parametrize("value", ["one\ntwo", "one\r\nBcc: all@example.org"])
def test_no_header_takes_a_second_line(value: str) -> None:
    with pytest.raises(ValueError, match="end of line"):
        replace(PLAIN, headers=(("Subject", value),)).as_bytes()


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann.O-Neil+dates@mail.example.org", "Ann.O-Neil+dates@mail.example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_told_as_servers_know_it(address: str, known: str) -> None:
    assert mime.recipient(address) == known


@pytest.mark.parametrize(
    "address", ["", "ann", "ann@", "ann@-..example", "jürgen@example.org", "a@b.example\r\nBcc: c@d.e", "a b@c.de"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(mime.BadAddress):
        mime.recipient(address)
