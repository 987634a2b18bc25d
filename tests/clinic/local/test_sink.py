"""The mail sink keeps every message as a file, and its port from start to start."""

import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

from clinic.local import places, sink
from clinic.local.places import BASE_DIR


def test_a_message_becomes_a_file_with_its_recipients(tmp_path: Path) -> None:
    port = sink.choose_port(tmp_path)
    environ = os.environ | {"CLINIC_VAR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-m", "clinic.local.sink"], cwd=BASE_DIR, env=environ) as process:
        message = EmailMessage()
        message["Subject"] = "Your dates"
        message.set_content("On Monday at ten.")
        for _ in range(200):
            try:
                with smtplib.SMTP("127.0.0.1", port) as client:
                    client.send_message(message, "from@clinic.example", ["to@patient.example", "copy@patient.example"])
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    (stored,) = (tmp_path / "mail").iterdir()
    lines = stored.read_text().splitlines()
    assert (stored.suffix, lines[:3], lines[-1]) == (
        ".eml",
        ["X-Recipient: to@patient.example", "X-Recipient: copy@patient.example", "Subject: Your dates"],
        "On Monday at ten.",
    )


def test_the_port_is_kept_unless_somebody_else_has_it(tmp_path: Path) -> None:
    port = sink.choose_port(tmp_path)
    assert sink.choose_port(tmp_path) == port
    assert places.sink_url(tmp_path) == f"smtp://127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", port)):
        assert sink.choose_port(tmp_path) != port
