"""The link in a mail: it names nobody, cannot be guessed, and what is stored does not open it.

A link's token is made of the mail's random seed and the clinic's secret, so the same mail tried again carries the same
link; the database keeps only its digest. The second part of a token is a signature: what nobody has made is refused
without a question to the database.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from scheduling.models import Mail

#: Letters of a token (hexadecimal): 128 bits that say which, 64 that sign them.
_OPENS, _SIGNS = 32, 16

#: How long the link of a mail opens that tells of no single visit (P).
NEWS_OPENS = timedelta(days=60)


def token(seed: UUID) -> str:
    """What the address of a mail's page holds, made of the mail's seed."""
    opens = salted_hmac("scheduling.mails.links", seed.hex, algorithm="sha256").hexdigest()[:_OPENS]
    return opens + _signature(opens)


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def address(name: str, token: str) -> str:
    """The whole address of a page of the patient: `name` is that of its URL, which takes the token."""
    site: str = settings.SITE_URL
    before, after = _around_token(name)
    return f"{site.rstrip('/')}{before}{token}{after}"


@lru_cache(maxsize=32)
def _around_token(name: str) -> tuple[str, str]:
    """The path of a page before and after its token: Django looks it up anew each time, for every mail twice."""
    before, _, after = reverse(name, args=["token"]).partition("token")
    return before, after


def find(token: str) -> Mail | None:
    """The mail to which a token belongs, with patient, course, evaluation, their sites and the session; None for a
    token that was never made. One query, none for a forged one. Whether the link still stands is not judged here."""
    if not (len(token) == _OPENS + _SIGNS and token.isascii()):
        return None
    if not constant_time_compare(_signature(token[:_OPENS]), token[_OPENS:]):
        return None
    mails = Mail.objects.select_related("patient", "course__site", "course__protocol", "session", "evaluation__site")
    return mails.filter(link_hash=digest(token)).first()


def _signature(opens: str) -> str:
    return salted_hmac("scheduling.mails.links.signature", opens, algorithm="sha256").hexdigest()[:_SIGNS]
