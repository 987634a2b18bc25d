"""How names are compared: words without case and accents, made by functions in the database, so that an index over
them follows every writer and nothing else has to be kept.

"Vance-Okonkwo, José" is found by the beginning of any of its parts: van, okon, jose. An apostrophe joins and parts:
"O'Brien" is found by obrien, by o'br and by brien. A hundred letters of a word count, for no index takes longer ones.
"""

from __future__ import annotations

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, F, Func, Value

#: The statements that create or replace them, in their order, for a migration's RunSQL. What changes here needs a new
#: migration that runs it and builds the index `patient_names` anew. The bodies are bound when they are created, not
#: when they run: a restored dump, whose search path is empty, finds the functions within functions.
CREATE = r"""
CREATE OR REPLACE FUNCTION name_words(a_name text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
-- Letters that are no base letter with an accent are spelt out; then accents, case and punctuation go.
RETURN array_remove(regexp_split_to_array(lower(regexp_replace(normalize(
    replace(replace(replace(replace(
        translate(a_name, 'øØłŁđĐðÐħĦı''’‘ʼ`´', 'oOlLdDdDhHi'), 'ß', 'ss'), 'æ', 'ae'), 'Æ', 'ae'), 'œ', 'oe'),
    NFKD), '[\u0300-\u036f]', '', 'g')), '[[:space:][:punct:]\\‐-―·]+'), '');

CREATE OR REPLACE FUNCTION name_vector(a_last text, a_first text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100
-- Every word twice, once with the sign of its name before it: what has weights instead is read again at every search.
RETURN (
    SELECT array_to_tsvector(array_agg(sign || left(word, 100)))
    FROM (VALUES (a_last, '<'), (a_first, '>')) AS names (name, own),
         unnest(name_words(name) || name_words(translate(name, '''’‘ʼ`´', '      '))) AS word,
         unnest(ARRAY['', own]) AS sign
);

CREATE OR REPLACE FUNCTION name_query(a_text text, a_sign text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
-- Each word as the beginning of one; NULL, which finds nobody, where the text has none.
RETURN (
    SELECT string_agg('''' || a_sign || left(word, 100) || ''':*', ' & ')::tsquery
    FROM unnest(name_words(a_text)) AS word
);
"""

DROP = """
DROP FUNCTION IF EXISTS name_query(text, text);
DROP FUNCTION IF EXISTS name_vector(text, text);
DROP FUNCTION IF EXISTS name_words(text);
"""


#: What stands before a word to mean one of a family name or of a first name alone.
FAMILY_NAME, FIRST_NAME = "<", ">"


class Named(Func):
    """A condition: every word of `text` begins one of a patient's names, with a sign one of that name alone."""

    template = "%(expressions)s"
    arg_joiner = " @@ "
    output_field = BooleanField()

    def __init__(self, text: str, sign: str = "") -> None:
        super().__init__(vector(), Func(Value(text), Value(sign), function="name_query"))


def vector() -> Func:
    """The words of a patient's names, as the index has them."""
    return Func(F("last_name"), F("first_name"), function="name_vector", output_field=SearchVectorField())
