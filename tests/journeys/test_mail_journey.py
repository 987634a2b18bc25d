"""A mail's way with all the real processes: booked by the interface, carried by beat, broker and worker, through a
tree that is killed and a mail server that is down."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from icalendar import Calendar

from clinic.local import services
from tests.api import screening_body
from tests.clinic.local.test_run import Clinic
from tests.mail_server import MailServer, free_port


class Desk:
    """The front desk at the interface of a running clinic."""

    def __init__(self, clinic: Clinic) -> None:
        self.base = f"http://127.0.0.1:{clinic.port}/api/v1/"
        self.token = ""
        self.clinician = self.sign_in(clinic, "clinician")
        self.token = self.sign_in(clinic, "desk")

    def sign_in(self, clinic: Clinic, role: str) -> str:
        """The token of somebody of the demonstration."""
        (login,) = [line.split() for line in clinic.lines if line.startswith(f"login {role} ")]
        token: str = self.ask("token/", {"username": login[2], "password": login[3]})["token"]
        return token

    def ask(self, path: str, body: dict[str, Any] | None = None, *, method: str | None = None, token: str = "") -> Any:
        """POST with a body, GET without; anything but success is an error."""
        token = token or self.token
        request = urllib.request.Request(  # noqa: S310 our own address
            self.base + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {}),
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 our own address
            return json.load(response)

    def book(self, address: str) -> Any:
        """A course for a new patient with this address, as it was proposed."""
        patient = self.ask(
            "patients/",
            {
                "first_name": "Ingrid",
                "last_name": address.partition("@")[0],
                "birth_date": "1980-05-17",
                "email": address,
                "not_duplicate": True,
                "request_id": str(uuid4()),
            },
        )
        self.ask(f"patients/{patient['id']}/screening/", screening_body(), method="PUT", token=self.clinician)
        wanted = {"patient": patient["id"], "protocol": "iv-ketamine-standard"}
        plan = self.ask("courses/propose/", wanted)["plans"][0]
        sessions = [{name: row[name] for name in ("starts_at", "chair", "prescriber")} for row in plan["sessions"]]
        return self.ask("courses/", {**wanted, "sessions": sessions, "request_id": str(uuid4())})

    def booked_mail(self, course: Any) -> Any:
        """The mail with all dates of a course, as the interface shows it."""
        (mail,) = [row for row in self.ask(f"reminders/?course={course['id']}")["results"] if row["kind"] == "booked"]
        return mail


def wait(condition: Callable[[], bool], seconds: float = 60) -> float:
    """Wait until it holds; returns how long that took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds
        time.sleep(0.1)
    return time.monotonic() - begin


@contextmanager
def open_clinic(var: Path, port: int, **environ: str) -> Iterator[Clinic]:
    clinic = Clinic(var, port, **environ)
    try:
        yield clinic.opened()
    finally:
        if clinic.process.poll() is None:
            clinic.ended(signal.SIGTERM)


def kill_all(clinic: Clinic, var: Path) -> None:
    """SIGKILL to every process of the clinic, servers included, in no order."""
    servers = [process for server in (services.Postgres(var), services.Redis(var)) for process in server.processes()]
    for process in [psutil.Process(clinic.process.pid), *services.left_over(var), *servers]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    clinic.ended()


def in_sink(var: Path, address: str) -> list[EmailMessage]:
    messages = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (var / "mail").glob("*.eml")]
    return [message for message in messages if isinstance(message, EmailMessage) and message["To"] == address]


def arrived(server: MailServer, address: str) -> list[EmailMessage]:
    """What the mail server has accepted for an address; the demonstration's own mails go out beside ours."""
    return [message for message in server.received if message["To"] == address]


def starts_of(message: EmailMessage) -> list[str]:
    """When the entries of a mail's calendars start, as the interface writes times."""
    calendars = [Calendar.from_ical(part.get_content()) for part in message.iter_attachments()]
    entries = [entry for calendar in calendars for entry in calendar.walk("VEVENT")]
    return [entry.decoded("DTSTART").isoformat() for entry in entries]


def test_mail_arrives_through_kills_and_outages_once(var: Path) -> None:
    port = free_port()
    server = MailServer()
    by_our_server = {"EMAIL_URL": f"smtp://127.0.0.1:{server.port}"}

    with open_clinic(var, port) as clinic:
        course = Desk(clinic).book("first@example.org")
        assert wait(lambda: bool(in_sink(var, "first@example.org"))) < 30
        (message,) = in_sink(var, "first@example.org")
        assert starts_of(message) == [session["starts_at"] for session in course["sessions"]]

    # Between claim and acceptance, everything is killed at once.
    server.pauses["second@example.org"] = 600
    with server.running(), open_clinic(var, port, **by_our_server) as clinic:
        second = Desk(clinic).book("second@example.org")
        wait(lambda: "second@example.org" in server.tried)
        kill_all(clinic, var)
    server.pauses.clear()
    assert arrived(server, "second@example.org") == []

    # It comes back while the mail server is down; then that comes back, too.
    with open_clinic(var, port, **by_our_server) as clinic:
        desk = Desk(clinic)
        late = {"second@example.org": second, "third@example.org": desk.book("third@example.org")}
        for course in late.values():
            wait(lambda course=course: desk.booked_mail(course)["attempts"] > 0)  # type: ignore[misc]  # a default binds each course
        assert {desk.booked_mail(course)["state"] for course in late.values()} == {"due"}
        with server.running():
            took = wait(lambda: all(arrived(server, address) for address in late), 120)
            wait(lambda: {desk.booked_mail(course)["state"] for course in late.values()} == {"sent"})
            time.sleep(12)  # two more drains: nothing comes twice
        assert took < 120
    for address, course in late.items():
        (message,) = arrived(server, address)
        assert starts_of(message) == [session["starts_at"] for session in course["sessions"]]
    assert len(in_sink(var, "first@example.org")) == 1
