"""A real mail server on a real port, for tests: it keeps what it accepts, refuses and dawdles as it is told."""

from __future__ import annotations

import asyncio
import email.policy
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

logging.getLogger("mail.log").setLevel(logging.WARNING)  # it tells every word of the conversation


class MailServer:
    """`answers` maps an address to what its RCPT is answered instead of 250; `pauses` maps one to the seconds that
    pass before its mail is accepted, `pauses_after` to those that pass before it is said so."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.connections = 0
        self.tried: list[str] = []
        self.answers: dict[str, str] = {}
        self.pauses: dict[str, float] = {}
        self.pauses_after: dict[str, float] = {}
        self.port = free_port()

    async def handle_EHLO(  # noqa: N802 aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tried.append(address)
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        address = envelope.rcpt_tos[0]
        await asyncio.sleep(self.pauses.get(address, 0))
        message = message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        await asyncio.sleep(self.pauses_after.get(address, 0))
        return "250 Accepted"

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Recipient and subject of what was accepted, in order."""
        return [(message["To"], message["Subject"]) for message in self.received]

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        """Answer on the port; before and after, connections are refused."""
        controller = Controller(self, hostname="127.0.0.1", port=self.port)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
