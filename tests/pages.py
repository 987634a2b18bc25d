"""Pages in tests: clients that are signed in, and what a page says, read as a browser reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client

from clinic.models import Staff
from tests.factories import PASSWORD

VOID = {"br", "col", "hr", "img", "input", "link", "meta"}


def signed_in(staff: Staff) -> Client:
    """A browser in which somebody is signed in."""
    client = Client()
    answer = client.post("/sign-in/", {"username": staff.username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it says, its spaces joined."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            yield child if isinstance(child, str) else f" {child.text} "

    def all(self, selector: str) -> list[Element]:
        """The elements below it that match `tag`, `.class`, `tag.class` or `[name=value]`, in their order."""
        return [element for element in self.below() if element.matches(selector)]

    def below(self) -> Iterator[Element]:
        """Everything below it, in the order of the page."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.below()

    def matches(self, selector: str) -> bool:
        if selector.startswith("["):
            name, _, value = selector.strip("[]").partition("=")
            return self.attributes.get(name) == value
        tag, _, wanted = selector.partition(".")
        return tag in ("", self.tag) and (not wanted or wanted in self.attributes.get("class", "").split())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        if tag != "template" and (tag != "dialog" or "open" in element.attributes):  # the others are not shown
            self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def page(response: Any) -> Element:
    """The page, which has to close its elements in order."""
    parser = _Parser()
    parser.feed(response.content.decode())
    assert [element.tag for element in parser.open] == ["root"]
    return parser.root


def says(response: Any, selector: str) -> list[str]:
    """What the elements that match say."""
    return [element.text for element in page(response).all(selector)]


def form_data(response: Any, number: int = 0, form: str = "") -> dict[str, list[str]]:
    """What a browser would send from a form of `main` without a button: its fields as they stand.

    `form` is the form's id; without one it is the form with this number.
    """
    (main,) = page(response).all("main")
    forms = main.all(f"[id={form}]") if form else main.all("form")
    data: dict[str, list[str]] = {}
    for element in forms[number].all(""):
        name, kind = element.attributes.get("name"), element.attributes.get("type", "")
        if not name or "disabled" in element.attributes:
            continue
        if element.tag == "input" and (kind not in ("checkbox", "radio") or "checked" in element.attributes):
            data.setdefault(name, []).append(element.attributes.get("value", "on" if kind == "checkbox" else ""))
        elif element.tag == "select":
            options = element.all("option")
            chosen = [option for option in options if "selected" in option.attributes] or options[:1]
            data.setdefault(name, []).extend(option.attributes["value"] for option in chosen)
        elif element.tag == "textarea":
            data.setdefault(name, []).append(element.text)
    return data
