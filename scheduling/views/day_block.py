"""What stands in the chairs as the day board draws it. A day of forty chairs has more than a hundred visits: their
markup is put together here, not by a template each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from clinic.phrases import gettext as _


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


@dataclass(frozen=True, slots=True)
class Lane:
    """A chair: what it does now, and its day in order of time. `who` and `then` are for a narrow screen."""

    pk: int
    name: str
    edge: str
    icon: SafeString | str
    now: str
    clock: SafeString | str
    who: str
    then: str
    items: tuple[SafeString, ...]


_BLOCK = '<li class="visit {} {}"><a href="{}" id="visit-{}" title="{} {}"><span class="hidden">{}</span>{}</a></li>'
_PART = '<span class="part {}">{}{}{}</span>'
_NAME = '<b class="name">{}</b>'
_DOSE = '<span class="dose"><span class="hidden">{}</span> {}{}</span>'
_STATE = '<span class="state">{}<span>{} <b>{}</b></span></span>'
_ALERT = '<span class="alert {}">{}<span>{}</span></span>'
_FACT = '<span class="{}"><span class="ellipsis">{} <b>{}</b></span></span>'
_BY = '<span class="by"><span class="ellipsis">{}</span> · <span class="nth">{}</span></span>'
_STRETCH = '<li class="{} {}"{}>{}<span>{}{}</span></li>'
_CHAIR = """<section class="chair{}" aria-labelledby="chair-{}">
<header><h2 class="ellipsis" id="chair-{}" title="{}">{}</h2>{}
<p class="who"><b class="ellipsis">{}</b><span>{}</span></p></header>
<ol class="lane h{}">{}</ol>
</section>
"""
_DOES = '<p class="does" title="{}{}">{}<span class="ellipsis">{}</span> <b>{}</b></p>'
_EMPTY = '<li class="hidden">{}</li>'
_NOTHING = SafeString("")

_MARKUP = re.compile("[&<>\"']").search


def fill(form: str, *values: object) -> SafeString:
    """`format_html` for values that are there already: it looks for lazy ones in each, and a board has thousands."""
    return SafeString(form.format(*map(_escaped, values)))


def _escaped(value: object) -> str:
    if isinstance(value, SafeString):
        return value
    text = str(value)
    return escape(text) if _MARKUP(text) else text


def draw_visit(block: Block) -> SafeString:
    """A visit in its chair's list: a link to it, its phases to scale, and what is said of it."""
    return fill(
        _BLOCK,
        block.looks,
        block.place,
        block.url,
        SafeString(block.pk),
        block.planned,
        block.name,
        block.planned,
        SafeString("".join([_part(part) for part in block.parts])),
    )


def draw_state(icon: SafeString, word: str, clock: SafeString | str) -> SafeString:
    """The state of a visit, and the clock that runs in it."""
    return fill(_STATE, icon, word, clock)


def draw_alert(tone: str, icon: SafeString, text: SafeString | str) -> SafeString:
    """Something that has to be noticed, in its colour."""
    return fill(_ALERT, tone, icon, text)


def draw_fact(looks: str, label: str, value: SafeString | str) -> SafeString:
    """A line of text, what counts in bold."""
    return fill(_FACT, looks, label, value)


def draw_by(prescriber: str, nth: str) -> SafeString:
    """Who treats, and which visit it is."""
    return fill(_BY, prescriber, nth)


def draw_stretch(kind: str, place: SafeString, text: str, note: str) -> SafeString:
    """A time in which a chair is free, cannot be used (shut), or is used longer than planned (tail), and why."""
    title = fill(' title="{}"', f"{text}. {note}" if note else text) if kind == "free" else _NOTHING
    hidden = fill('<span class="hidden">{} </span>', note) if kind == "tail" else _NOTHING
    small = fill(" <small>{}</small>", note) if note and kind == "shut" else _NOTHING
    return fill(_STRETCH, kind, place, title, hidden, text, small)


def draw_chair(lane: Lane, rows: int) -> SafeString:
    """A chair's header, and its day over so many rows."""
    return fill(
        _CHAIR,
        f" {lane.edge}" if lane.edge else "",
        SafeString(lane.pk),
        SafeString(lane.pk),
        lane.name,
        lane.name,
        _does(lane) if lane.now else _NOTHING,
        lane.who,
        lane.then,
        SafeString(rows),
        SafeString("".join(lane.items)) if lane.items else fill(_EMPTY, _("Nothing is booked in this chair.")),
    )


def _does(lane: Lane) -> SafeString:
    clock = SafeString(f" {strip_tags(lane.clock)}") if lane.clock else _NOTHING  # figures, safe as they were
    return fill(_DOES, lane.now, clock, lane.icon, lane.now, lane.clock)


def _part(part: Part) -> SafeString:
    return fill(
        _PART,
        part.looks,
        fill(_NAME, part.name) if part.name else _NOTHING,
        fill(_DOSE, _("Dose"), part.icon, part.dose) if part.dose else _NOTHING,
        SafeString("".join(part.lines)),
    )
