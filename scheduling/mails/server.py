"""The connection of one batch to the mail server."""

from __future__ import annotations

import contextlib
import smtplib
from types import TracebackType
from typing import TYPE_CHECKING, Self

from django.core.mail.backends.smtp import EmailBackend

from scheduling.mails.letters import Outcome
from scheduling.mails.mime import Message
from scheduling.models import MailState

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: So many times longer than over all else, a minute, a server may think before it says that it has taken a mail: who
#: leaves earlier sends it again. RFC 5321 (4.5.3.2.6) asks for ten, in which nobody else's mail would go out either.
LONGER = 6


class _SMTP(smtplib.SMTP):
    def data(self, msg: ReadableBuffer | str) -> tuple[int, bytes]:
        """As the library's, but patient."""
        assert self.sock is not None  # noqa: S101 a mail was begun on it
        self.sock.settimeout(LONGER * self.timeout)
        reply = super().data(msg)
        self.sock.settimeout(self.timeout)
        return reply


class _SMTPS(_SMTP, smtplib.SMTP_SSL):
    pass


class _Backend(EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SMTPS if self.use_ssl else _SMTP


class Server:
    """The connection of one batch: opened by the first mail that needs it, opened again when it was lost; once it
    cannot be opened, the rest of the batch is not tried."""

    def __init__(self) -> None:
        self.backend = _Backend()
        self.down = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> smtplib.SMTP:
        """The connection, greeted. Raises what the network and smtplib raise."""
        self.backend.open()
        connection = self.backend.connection
        assert connection is not None  # noqa: S101 open() makes one or raises
        connection.ehlo_or_helo_if_needed()
        return connection

    def close(self) -> None:
        """Take leave, if the server still listens."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.backend.close()

    def send(self, message: Message) -> Outcome:
        """Hand one mail to the server; what it refuses for good has failed, all else stays due."""
        try:
            connection = self.open()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            self.down = f"The mail server cannot be reached ({type(error).__name__})."
            return Outcome(MailState.DUE, self.down, tried=True)
        recipient = message.recipient
        code: int
        answer: bytes | str
        try:
            connection.sendmail(message.sender, [recipient], message.as_bytes())
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = error.recipients[recipient]
        except smtplib.SMTPResponseException as error:
            code, answer = error.smtp_code, error.smtp_error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Outcome(MailState.DUE, f"The mail server broke off ({type(error).__name__}).", tried=True)
        else:
            return Outcome(MailState.SENT, tried=True)
        if code == 421:  # the server takes leave with it
            self.close()
        said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        text = "".join(character if character.isprintable() else " " for character in said)  # no NUL fits in a column
        return Outcome(MailState.FAILED if code >= 500 else MailState.DUE, f"{code} {text}", tried=True)
