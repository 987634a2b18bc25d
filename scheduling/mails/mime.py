"""A mail as the bytes that go to the server (RFC 5322, RFC 2045), written by hand.

The standard library's EmailMessage folds every header and walks every part anew, several times the cost of all the rest
of a mail; here what repeats is folded once, and the parts are joined. Tests read every mail back with the standard
library.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import format_datetime
from functools import cached_property, lru_cache

from django.utils.encoding import punycode

#: An address that needs no quotes and no other alphabet, as nearly all are.
_PLAIN = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]*[a-z0-9])+", re.IGNORECASE
)


class BadAddress(ValueError):
    """The recipient's address is none to which mail can go."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A calendar that goes with a mail, its method as RFC 5546 names it."""

    filename: str
    method: str
    text: str


@dataclass(frozen=True)
class Message:
    """One mail, complete: `sender` and `recipient` are the addresses on the envelope, `headers` are in order."""

    key: str
    sender: str
    recipient: str
    headers: tuple[tuple[str, str], ...]
    text: str
    page: str
    attachments: tuple[Attachment, ...] = ()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Everything that the mail says, each with the name of its place, as its reader has it."""
        yield from self.headers
        yield "text/plain", self.text
        yield "text/html", self.page
        for attachment in self.attachments:
            yield "file name", attachment.filename
            yield "text/calendar", attachment.text

    def as_bytes(self) -> bytes:
        """The mail as it is sent."""
        return self.data

    @cached_property
    def data(self) -> bytes:
        """The mail as it is sent: 7 bit, lines of at most 76 characters but for headers that cannot be folded. Raises
        ValueError for what no header can hold."""
        # No line of quoted-printable holds "=_", so no part can be mistaken for the end of itself.
        whole, either = f"=_{self.key}", f"=_{self.key}.a"
        parts = [_header(name, value) for name, value in self.headers]
        parts += [
            f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{whole}"\r\n\r\n--{whole}\r\n',
            f'Content-Type: multipart/alternative; boundary="{either}"\r\n\r\n--{either}\r\n',
            _part("text/plain", self.text),
            f"\r\n--{either}\r\n",
            _part("text/html", self.page),
            f"\r\n--{either}--\r\n",
        ]
        for file in self.attachments:
            kind, disposition = f"text/calendar; method={file.method}", f'attachment; filename="{file.filename}"'
            parts += [f"\r\n--{whole}\r\n", _part(kind, file.text, disposition)]
        parts.append(f"\r\n--{whole}--\r\n")
        return "".join(parts).encode("ascii")


def recipient(address: str) -> str:
    """An address as mail servers know it. Raises BadAddress when it is none."""
    if _PLAIN.fullmatch(address):
        return address
    try:
        return Address(addr_spec=ascii_address(address)).addr_spec
    except (ValueError, IndexError, MessageError) as error:  # an index, for one that ends too early
        raise BadAddress from error


def ascii_address(address: str) -> str:
    """The address with its domain as mail servers know it."""
    user, _, domain = address.rpartition("@")
    return f"{user}@{punycode(domain)}"


@lru_cache(maxsize=64)
def date(now: datetime) -> str:
    """An instant as a header says it."""
    return format_datetime(now.astimezone(UTC))


def _part(kind: str, text: str, disposition: str = "") -> str:
    """A part with its headers, in quoted-printable: what is ASCII stays readable, and no line is too long."""
    body = text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    head = f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n'
    if disposition:
        head += f"Content-Disposition: {disposition}\r\n"
    return f"{head}\r\n{b2a_qp(body).decode('ascii')}"


def _header(name: str, value: str) -> str:
    """A header and its end of line. What is short and ASCII stands as it is, all else is folded by the standard
    library."""
    if "\n" in value or "\r" in value:
        raise ValueError(f"The header {name} holds an end of line.")
    # What has no space cannot be folded, and the standard library would hide a long address in an encoded word.
    if value.isascii() and value.isprintable() and (len(name) + len(value) < 76 or " " not in value):
        return f"{name}: {value}\r\n"
    return _folded(name, value)


@lru_cache(maxsize=512)
def _folded(name: str, value: str) -> str:
    folded: str = SMTP.fold(name, SMTP.header_factory(name, value))
    return folded
