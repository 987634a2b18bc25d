"""What is said can be read in every language: no text is missing from a catalog, none waits, none loses its values."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from clinic.local import messages

VALUES = re.compile(r"%\(\w+\)[sd]|%[sd%]")


def written(language: str) -> Catalog:
    return read_po(io.BytesIO(messages.catalog_path(language).read_bytes()), locale=language)


def said(catalog: Catalog) -> set[Any]:
    return {(message.context, message.id) for message in catalog if message.id}


def forms(text: Any) -> list[str]:
    """The text, or its singular and plurals."""
    return [text] if isinstance(text, str) else list(text)


def values(text: str) -> set[str]:
    """The places that are filled in when it is said."""
    return set(VALUES.findall(text))


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_a_catalog_has_exactly_the_texts_that_there_are(language: str) -> None:
    assert said(written(language)) == said(messages.template())


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_text_is_translated_for_sure(language: str) -> None:
    unsure = [message.id for message in written(language) if message.id and message.fuzzy]
    assert (messages.waiting(language), unsure) == ([], [])


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_a_translation_names_the_values_of_its_text(language: str) -> None:
    wrong = []
    for message in written(language):
        if not message.id:
            continue
        wanted = [values(text) for text in forms(message.id)]
        wrong += [text for text in forms(message.string) if values(text) not in wanted]
    assert wrong == []


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_the_compiled_catalog_is_the_written_one(language: str) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, written(language))
    texts = [
        {f"{message.context} {message.id}": str(message.string) for message in read_mo(io.BytesIO(file)) if message.id}
        for file in (compiled.getvalue(), messages.catalog_path(language).with_suffix(".mo").read_bytes())
    ]
    assert texts[0] == texts[1]


def test_texts_of_templates_and_modules_are_found() -> None:
    found = {(context, text) for _where, _line, text, context in messages.texts()}
    assert {
        (None, "Skip to the page"),
        (None, "Your role does not allow this."),
        (None, ("Book %(number)s visit", "Book %(number)s visits")),
        ("a date, in Django's format", "l j F Y"),
    } <= found
