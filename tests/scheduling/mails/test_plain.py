"""The text that is read from a mail's page."""

import pytest

from scheduling.mails import plain


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>One\n  two</p>\n<p>three</p>", "One two\n\nthree\n"),
        ("<p>One<br>two</p>", "One\ntwo\n"),
        (
            "<p>These:</p><ul><li>one</li><li>two<br>more</li></ul><p>End</p>",
            "These:\n\n  - one\n  - two\n    more\n\nEnd\n",
        ),
        ('<p><a href="https://a.example/?b=1&amp;c=2">Open</a> it</p>', "Open: https://a.example/?b=1&c=2 it\n"),
        ("<p>&lt;b&gt; &amp; &eacute;</p>", "<b> & é\n"),
        ("<style>p { color: red; }</style><p> </p><p>seen</p><!-- not seen -->", "seen\n"),
        ("<main>loose <strong>words</strong></main>", "loose words\n"),
        ("", ""),
    ],
)
def test_a_page_is_read_as_plain_lines(page: str, text: str) -> None:
    assert plain.read(f"<title>A\n title</title><body>{page}</body>") == ("A title", text)
