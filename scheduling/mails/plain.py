"""The text of a mail, read from its page: what a mail says is written once, as HTML.

Our own, since those that there are bring more than they save: html2text is under the GPL, inscriptis needs lxml and
requests, markdownify needs Beautiful Soup; and all of them write Markdown, where a mail wants plain lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Begin and end a paragraph of their own.
_BLOCKS = frozenset({"p", "h2", "ul", "li", "address", "body"})
_UNREAD = frozenset({"style", "script"})
_ITEM, _INDENT = "  - ", "    "


def read(page: str) -> tuple[str, str]:
    """The page's title in one line, and its text: a blank line between paragraphs, a line for each item of a list,
    the address behind the words of a link. White space is what it is in HTML: any of it is one space."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    reader.end_block()
    return _line(reader.title), "".join(reader.written)


@dataclass(eq=False)
class _Reader(HTMLParser):
    title: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    _block: list[str] = field(default_factory=list)
    _in: list[str] = field(default_factory=list)
    _href: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._block.append("\n")
        elif tag in _BLOCKS:
            self.end_block()
            self._in.append(tag)
        elif tag in _UNREAD or tag == "title":
            self._in.append(tag)
        elif tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._href:
            self._block.append(f": {self._href}")
        elif tag in _BLOCKS:
            self.end_block()
        if self._in and self._in[-1] == tag:
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if "title" in self._in:
            self.title.append(data)
        elif _UNREAD.isdisjoint(self._in):
            # Line ends of the source are spaces; those that are left are the <br>.
            self._block.append(data.replace("\n", " "))

    def end_block(self) -> None:
        """Write down what has been read since the last paragraph, unless it is nothing."""
        lines = [_line([line]) for line in "".join(self._block).split("\n")]
        self._block.clear()
        if not any(lines):
            return
        item = "li" in self._in
        first, rest = (_ITEM, _INDENT) if item else ("", "")
        if self.written and not (item and self.written[-1].startswith(_ITEM)):
            self.written.append("\n")
        self.written.append(first + f"\n{rest}".join(lines) + "\n")


def _line(parts: list[str]) -> str:
    return " ".join("".join(parts).split())
