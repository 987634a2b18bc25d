"""A text that is said a thousand times is translated once."""

from django.utils import translation

from clinic.phrases import gettext, remembered


def test_texts_are_those_of_the_active_language() -> None:
    said = {}
    for language in ("en", "es"):
        with translation.override(language):
            said[language] = gettext("Spanish")
            with remembered():
                assert (gettext("Spanish"), gettext("Spanish")) == (said[language], said[language])

    assert said == {"en": "Spanish", "es": "Español"}


def test_what_was_remembered_is_forgotten_with_the_end_of_the_block() -> None:
    with translation.override("en"), remembered():
        gettext("Spanish")

    with translation.override("es"):
        assert gettext("Spanish") == "Español"


def test_what_is_remembered_inside_belongs_to_the_inner_block() -> None:
    with translation.override("en"), remembered():
        outer = gettext("Spanish")
        with translation.override("es"), remembered():
            inner = gettext("Spanish")

    assert (outer, inner) == ("Spanish", "Español")
