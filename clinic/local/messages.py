"""The translations: `python -m clinic.local.messages` brings the catalogs up to date with the texts, and compiles them.

Babel does it in place of GNU gettext, which a machine with nothing but Python lacks. New texts come into the catalogs
empty, texts that nobody says any more leave them; a test holds that none is missing and none is empty.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from clinic.local.places import BASE_DIR

LANGUAGES = ("es",)
SOURCES = ("clinic", "patients", "scheduling")
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}

#: Lines of Babel's header that would change with every run, or say nothing.
UNSAID = re.compile(
    rb'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Report-Msgid-Bugs-To|Last-Translator|Language-Team): .*\n',
    re.MULTILINE,
)

Text = tuple[str, int, Any, str | None]


def texts() -> Iterator[Text]:
    """Every text that can be translated: file, line, the text (or singular and plural), its context."""
    for folder in SOURCES:
        for path in sorted((BASE_DIR / folder).rglob("*.py")):
            yield from _found(path, path.read_text())
    for path in sorted((BASE_DIR / "templates").rglob("*")):
        if path.suffix in (".html", ".txt"):
            # What stands around the texts becomes a row of X, indented as it was: no Python that could be read.
            source = templatize(path.read_text(), origin=str(path))
            yield from _found(path, "\n".join(line.strip() for line in source.splitlines()))


def _found(path: Path, source: str) -> Iterator[Text]:
    where = path.relative_to(BASE_DIR).as_posix()
    calls: Iterable[Any] = extract_python(io.BytesIO(source.encode()), KEYWORDS, [], {})
    for line, word, message, _comments in calls:
        parts = message if isinstance(message, tuple) else (message,)
        context = parts[0] if "pgettext" in word else None
        said = parts[1 if context else 0 :]
        if not said[0]:
            continue  # a text that is put together: what it is made of is marked elsewhere
        yield where, line, tuple(said[:2]) if word.startswith("n") else said[0], context


def catalog_path(language: str) -> Path:
    """Where the translations to a language stand."""
    return BASE_DIR / "locale" / language / "LC_MESSAGES" / "django.po"


def template() -> Catalog:
    """All texts, not translated, with the files that say them."""
    catalog = Catalog(fuzzy=False)
    for where, _line, message, context in texts():
        catalog.add(message, context=context, locations=[(where, 0)])
    return catalog


def update(language: str) -> None:
    """Write a language's catalog: its translations of the texts that there are, in their order; and compile it."""
    path = catalog_path(language)
    old = read_po(io.BytesIO(path.read_bytes()), locale=language)
    fresh = Catalog(locale=language, project="clinic", fuzzy=False, header_comment=old.header_comment)
    fresh.mime_headers = old.mime_headers
    for message in template():
        if message.id:
            known = old.get(_key(message.id), context=message.context)
            fresh.add(
                message.id,
                known.string if known else None,
                locations=message.locations,
                flags=message.flags,
                context=message.context,
            )
    for target, write in ((path, _write_text), (path.with_suffix(".mo"), write_mo)):
        buffer = io.BytesIO()
        write(buffer, fresh)
        target.write_bytes(buffer.getvalue())


def waiting(language: str) -> list[Any]:
    """The texts that have no translation yet, or only a part of one."""
    catalog = read_po(io.BytesIO(catalog_path(language).read_bytes()), locale=language)
    return [message.id for message in catalog if message.id and not all(_forms(message.string))]


def _forms(string: Any) -> tuple[str, ...]:
    return tuple(string) if isinstance(string, (tuple, list)) else (string,)


def _key(message: Any) -> str:
    return str(message[0] if isinstance(message, (tuple, list)) else message)


def _write_text(buffer: io.BytesIO, catalog: Catalog) -> None:
    written = io.BytesIO()
    write_po(written, catalog, width=110, include_lineno=False, sort_output=False)
    buffer.write(UNSAID.sub(b"", written.getvalue()))


def main() -> int:
    """Update all languages; says how many texts wait for a translation."""
    for language in LANGUAGES:
        update(language)
        print(f"{language}: {len(waiting(language))} texts wait for a translation.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
