"""A visit as the day board draws it. A day of forty chairs has more than a hundred: their markup is put together here,
not by a template each."""

from __future__ import annotations

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
    """A phase, to scale, with what is written in it; the icon is that of giving."""

    looks: SafeString
    name: str
    dose: str
    icon: SafeString
    body: Body | None


@dataclass(frozen=True, slots=True)
class Body:
    """What is said of a visit: its state, what is wrong, when the patient may leave (`about` while that is not sure),
    who treats, which visit it is."""

    icon: SafeString | str
    word: str
    clock: SafeString | str
    alerts: tuple[Alert, ...]
    about: bool
    home: SafeString | str
    by: str
    nth: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that has to be noticed, in its colour."""

    tone: str
    icon: SafeString | str
    text: str


_BLOCK = '<li class="visit {} {}"><a href="{}" id="visit-{}" title="{} {}"><span class="hidden">{}</span>{}</a></li>'
_PART = '<span class="part {}">{}{}{}</span>'
_NAME = '<b class="name">{}</b>'
_DOSE = '<span class="dose"><span class="hidden">{}</span> {}{}</span>'
_BODY = (
    '<span class="state">{}<span>{} <b>{}</b></span></span>{}{}'
    '<span class="by"><span class="ellipsis">{}</span> · <span class="nth">{}</span></span>'
)
_ALERT = '<span class="alert {}">{}<span>{}</span></span>'
_HOME = '<span class="home">{} <b>{}</b></span>'
_NOTHING = SafeString("")


def draw_visit(block: Block) -> SafeString:
    """A visit in its chair's list: a link to its course, its phases to scale, and what is said of it."""
    return format_html(
        _BLOCK,
        block.looks,
        block.place,
        block.url,
        SafeString(block.pk),
        block.planned,
        block.name,
        block.planned,
        format_html_join("", "{}", ((_part(part),) for part in block.parts)),
    )


def _part(part: Part) -> SafeString:
    return format_html(
        _PART,
        part.looks,
        format_html(_NAME, part.name) if part.name else _NOTHING,
        format_html(_DOSE, _("Dose"), part.icon, part.dose) if part.dose else _NOTHING,
        _body(part.body) if part.body else _NOTHING,
    )


def _body(body: Body) -> SafeString:
    return format_html(
        _BODY,
        body.icon,
        body.word,
        body.clock,
        format_html_join("", _ALERT, ((alert.tone, alert.icon, alert.text) for alert in body.alerts)),
        format_html(_HOME, _("Home from about") if body.about else _("Home from"), body.home)
        if body.home
        else _NOTHING,
        body.by,
        body.nth,
    )
