"""A mail server that delivers nowhere: each message becomes a file in `var/mail`, for a page of the demo and tests.

`python -m clinic.local.sink` runs it, as the Procfile does.
"""

import os
import signal
import socket
import time
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from clinic.local import places


class Store:
    """Keeps each message, with its recipients, as one file; names sort by arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        """Accept a message once it is a whole file."""
        name = f"{time.time_ns()}-{os.getpid()}"
        recipients = "".join(f"X-Recipient: {address}\r\n" for address in envelope.rcpt_tos)
        half = self.folder / f"{name}.part"
        half.write_bytes(recipients.encode() + (envelope.original_content or b""))
        half.rename(self.folder / f"{name}.eml")
        return "250 Message accepted for delivery"


def choose_port(var: Path) -> int:
    """The port of this clinic's sink: the one it had, while that is free, otherwise another; it is written down."""
    file = places.sink_port_file(var)
    known = int(file.read_text()) if file.exists() else 0
    for port in (known, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen = int(probe.getsockname()[1])
            break
    fresh = file.with_suffix(".new")
    fresh.write_text(str(chosen))
    fresh.replace(file)
    return chosen


def main() -> None:
    """Take in mail until SIGTERM or SIGINT."""
    var = places.var()
    file = places.sink_port_file(var)
    port = int(file.read_text()) if file.exists() else choose_port(var)
    farewell = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, farewell)
    controller = Controller(Store(var / "mail"), hostname="127.0.0.1", port=port)
    controller.start()
    signal.sigwait(farewell)
    controller.stop()


if __name__ == "__main__":
    main()
