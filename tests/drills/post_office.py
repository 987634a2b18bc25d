"""A mail server in a process of its own, which writes down all that happens at its door and behaves as it is ordered.

`python -m tests.drills.post_office FOLDER PORT` runs it. `orders.json` is read again at every mail; `log.jsonl` gets a
line for each connection that opens, takes its leave or closes, and for each mail that is accepted or refused. A mail
counts as accepted from the moment at which its line is written, which is before the client is told.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path
from typing import IO

from aiosmtpd.smtp import SMTP, Envelope, Session

from clinic.local.places import BASE_DIR
from tests.mail_server import free_port


@dataclass(frozen=True)
class Orders:
    """`before` and `after` are the seconds that pass before a mail is accepted and before that is said; `refuses`
    maps an address, or "*" for all, to what its RCPT is answered; `hangs_up_on` are addresses whose first mail is
    accepted and the connection closed instead of an answer."""

    before: float = 0.0
    after: float = 0.0
    refuses: Mapping[str, str] = field(default_factory=dict)
    hangs_up_on: Sequence[str] = ()


@dataclass(frozen=True)
class Accepted:
    """A mail that the server has taken."""

    connection: int
    to: str
    message_id: str
    text: str

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_string(self.text, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class PostOffice:
    """The server as a test sees it: started, stopped, ordered about, and asked for what it has seen."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.order(Orders())
        self.log = folder / "log.jsonl"
        self.log.touch()
        self.read_to = 0
        self.accepted: list[Accepted] = []
        self.refused: Counter[str] = Counter()
        self.connections: dict[int, str] = {}

    def order(self, orders: Orders) -> None:
        """From the next mail on."""
        fresh = self.folder / "orders.new"
        fresh.write_text(json.dumps(asdict(orders)))
        fresh.replace(self.folder / "orders.json")

    def open(self) -> None:
        """Listen; returns at once, mails that come earlier find the door closed."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.post_office", str(self.folder), str(self.port)], cwd=BASE_DIR
        )

    def close(self) -> None:
        """End in the midst of whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.look()
            self.connections |= dict.fromkeys(self.in_conversation, "closed")

    def look(self) -> PostOffice:
        """Take in what has happened since the last look."""
        with self.log.open("rb") as log:
            log.seek(self.read_to)
            news = log.read()
        whole = news[: news.rfind(b"\n") + 1]
        self.read_to += len(whole)
        for line in whole.splitlines():
            what, connection, *rest = json.loads(line)
            if what == "accepted":
                self.accepted.append(Accepted(connection, *rest))
            elif what == "refused":
                self.refused.update(rest)
            elif what != "closed" or self.connections[connection] != "left":
                self.connections[connection] = what
        return self

    @property
    def in_conversation(self) -> set[int]:
        """The connections that are open."""
        return {number for number, state in self.connections.items() if state == "opened"}

    @property
    def arrived(self) -> Counter[str]:
        """How often mail was accepted for each address."""
        return Counter(mail.to for mail in self.look().accepted)

    @property
    def repeated(self) -> list[Accepted]:
        """The mails that were accepted and came again later, as their Message-ID tells."""
        last = {mail.message_id: mail for mail in self.look().accepted}
        return [mail for mail in self.accepted if mail is not last[mail.message_id]]

    @property
    def last_words(self) -> list[Accepted]:
        """The last mail of each conversation: the only ones of which the client may not have written down that they
        were accepted, for it did so with each before it began the next."""
        return list({mail.connection: mail for mail in self.look().accepted}.values())

    @property
    def cut_short(self) -> list[Accepted]:
        """Of those the ones after which the connection broke off without a leave."""
        return [mail for mail in self.last_words if self.connections[mail.connection] == "closed"]


class Conversation(SMTP):
    """One connection, which tells the log of its beginning and its end."""

    def __init__(self, clerk: Clerk) -> None:
        super().__init__(clerk, hostname="localhost")
        self.clerk = clerk
        self.number = next(clerk.numbers)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.clerk.write("opened", self.number)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.clerk.write("closed", self.number)


class Clerk:
    """Follows the orders."""

    def __init__(self, folder: Path, log: IO[str]) -> None:
        self.folder = folder
        self.log = log
        self.numbers = itertools.count(sum(1 for _ in (folder / "log.jsonl").open()))
        self.hung_up_on: set[str] = set()

    @property
    def orders(self) -> Orders:
        return Orders(**json.loads((self.folder / "orders.json").read_text()))

    def write(self, what: str, connection: int, *rest: str) -> None:
        """A line of the log, in the file when this returns."""
        self.log.write(json.dumps([what, connection, *rest]) + "\n")
        self.log.flush()

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: Conversation, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refuses = self.orders.refuses
        if answer := refuses.get(address) or refuses.get("*"):
            self.write("refused", server.number, address)
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Conversation, session: Session, envelope: Envelope) -> str:  # noqa: N802 likewise
        orders = self.orders
        await asyncio.sleep(orders.before)
        (address,) = envelope.rcpt_tos
        text = (envelope.original_content or b"").decode("latin-1")
        message_id = message_from_string(text, policy=policy.default)["Message-ID"]
        self.write("accepted", server.number, address, message_id, text)
        if address in orders.hangs_up_on and address not in self.hung_up_on:
            self.hung_up_on.add(address)
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        await asyncio.sleep(orders.after)
        return "250 Accepted"

    async def handle_QUIT(self, server: Conversation, session: Session, envelope: Envelope) -> str:  # noqa: N802 likewise
        self.write("left", server.number)
        return "221 Bye"


async def serve(folder: Path, port: int) -> None:
    """Take in mail until somebody ends the process."""
    with (folder / "log.jsonl").open("a") as log:
        clerk = Clerk(folder, log)
        server = await asyncio.get_running_loop().create_server(lambda: Conversation(clerk), "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
