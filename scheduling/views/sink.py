"""What arrived in the demonstration's mail sink, as its readers would see it."""

from __future__ import annotations

import base64
import email.policy
import hashlib
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin

from clinic.http import page
from clinic.permissions import Verb

#: So many of the latest mails are listed.
SHOWN = 100

_STYLES = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@page(GET=Verb.SEE)
@never_cache
def mailbox(request: HttpRequest) -> HttpResponse:
    """The latest mails, the newest first."""
    mails = [_line(path) for path in sorted(_folder().glob("*.eml"), reverse=True)[:SHOWN]]
    return render(request, "demo/sink.html", {"section": "mail", "mails": mails})


@page(GET=Verb.SEE)
@never_cache
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail: its headers, its text, its page in a frame, what is attached."""
    message = _message(name)
    text = message.get_body(("plain",))
    context = {
        "section": "mail",
        "name": name,
        "subject": message["Subject"],
        "headers": [(header, str(value)) for header, value in message.items()],
        "text": _content(text) if text else "",
        "has_page": message.get_body(("html",)) is not None,
        "attachments": list(_attachments(message)),
    }
    return render(request, "demo/mail.html", context)


@page(GET=Verb.SEE)
@never_cache
@xframe_options_sameorigin
def mail_page(request: HttpRequest, name: str) -> HttpResponse:
    """The mail's HTML alone, for the frame: it may load nothing, run nothing, and use only the styles it brings."""
    part = _message(name).get_body(("html",))
    if part is None:
        raise Http404
    content = _content(part)
    digests = [hashlib.sha256(style.encode()).digest() for style in _STYLES.findall(content)]
    styles = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests] or ["'none'"]
    response = HttpResponse(content)
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {' '.join(styles)}; frame-ancestors 'self'; sandbox"
    )
    return response


def _folder() -> Path:
    if settings.MAIL_SINK is None:
        raise Http404
    return Path(settings.MAIL_SINK)


def _message(name: str) -> EmailMessage:
    path = _folder() / f"{name}.eml"
    if not path.is_file():
        raise Http404
    return _parse(path)


def _parse(path: Path) -> EmailMessage:
    message = message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 what the default policy makes
    return message


def _line(path: Path) -> dict[str, Any]:
    message = _parse(path)
    date = message["Date"]
    return {
        "name": path.stem,
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "at": date.datetime if date else None,
        "attachments": any(True for _ in message.iter_attachments()),
    }


def _attachments(message: EmailMessage) -> Iterator[dict[str, str]]:
    for part in message.iter_attachments():
        yield {"name": part.get_filename() or "", "kind": part["Content-Type"], "content": _content(part)}


def _content(part: Any) -> str:
    """A part's text with the line ends that a browser, too, makes of them."""
    payload: bytes = part.get_payload(decode=True) or b""
    return payload.decode(part.get_content_charset() or "utf-8", "replace").replace("\r\n", "\n")
