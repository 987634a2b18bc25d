"""A visit as the day board draws it. A day of forty chairs has more than a hundred: their markup is put together here,
not by a template each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Block:
    """A visit. `parts` are its phases, each with what is written in it; `edge` the colour of what is wrong with it."""

    pk: int
    place: SafeString
    looks: SafeString
    url: str
    name: str
    planned: SafeString
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A phase, to scale, with what is written in it: the name, when the dose is given beside the icon of giving, and
    lines of their own."""

    looks: SafeString
    name: str
    dose: str
    icon: SafeString
    lines: tuple[SafeString, ...]


_BLOCK = '<li class="visit {} {}"><a href="{}" id="visit-{}" title="{} {}"><span class="hidden">{}</span>{}</a></li>'
_PART = '<span class="part {}">{}{}{}</span>'
_NAME = '<b class="name">{}</b>'
_DOSE = '<span class="dose"><span class="hidden">{}</span> {}{}</span>'
_STATE = '<span class="state">{}<span>{} <b>{}</b></span></span>'
_ALERT = '<span class="alert {}">{}<span>{}</span></span>'
_FACT = '<span class="{}"><span class="ellipsis">{} <b>{}</b></span></span>'
_BY = '<span class="by"><span class="ellipsis">{}</span> · <span class="nth">{}</span></span>'
_NOTHING = SafeString("")


def draw_visit(block: Block) -> SafeString:
    """A visit in its chair's list: a link to it, its phases to scale, and what is said of it."""
    return format_html(
        _BLOCK,
        block.looks,
        block.place,
        block.url,
        SafeString(block.pk),
        block.planned,
        block.name,
        block.planned,
        _joined(_part(part) for part in block.parts),
    )


def draw_state(icon: SafeString, word: str, clock: SafeString | str) -> SafeString:
    """The state of a visit, and the clock that runs in it."""
    return format_html(_STATE, icon, word, clock)


def draw_alert(tone: str, icon: SafeString, text: SafeString | str) -> SafeString:
    """Something that has to be noticed, in its colour."""
    return format_html(_ALERT, tone, icon, text)


def draw_fact(looks: str, label: str, value: SafeString | str) -> SafeString:
    """A line of text, what counts in bold."""
    return format_html(_FACT, looks, label, value)


def draw_by(prescriber: str, nth: str) -> SafeString:
    """Who treats, and which visit it is."""
    return format_html(_BY, prescriber, nth)


def _part(part: Part) -> SafeString:
    return format_html(
        _PART,
        part.looks,
        format_html(_NAME, part.name) if part.name else _NOTHING,
        format_html(_DOSE, _("Dose"), part.icon, part.dose) if part.dose else _NOTHING,
        _joined(part.lines),
    )


def _joined(lines: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((line,) for line in lines))
