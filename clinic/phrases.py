"""gettext for what says the same few things a thousand times, as the day board does: while `remembered` holds, each
text is looked up once and then known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.utils import translation

#: The texts of the language that is remembered, as they were translated.
_known: ContextVar[dict[str, str] | None] = ContextVar("known", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """Remember what `gettext` of this module answers until the end of the block, in which one language is active."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def gettext(text: str) -> str:
    """The text in the language that is active."""
    known = _known.get()
    if known is None:
        return translation.gettext(text)
    if (said := known.get(text)) is None:
        said = known[text] = translation.gettext(text)
    return said
