"""What is to be done or expected, as the day board draws it: a list of forty chairs has more than a hundred lines.
Their markup is put together here, as that of the visits is (`day_block.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from django.utils.safestring import SafeString

from clinic.phrases import gettext as _
from scheduling.views.day_block import fill
from scheduling.views.day_scale import draw_icon
from scheduling.views.day_words import address


@dataclass(frozen=True, slots=True)
class Item:
    """Something to do or to expect. `tone` is red, amber or green where it has to be noticed, otherwise empty; `said`
    is what those hear who do not see it, without clocks; `act` is the step to take, for those who may, and where."""

    pk: int
    what: str
    at: datetime
    time: SafeString
    chair: str
    tone: str
    icon: SafeString
    title: str
    said: str
    name: str
    url: str
    notes: tuple[str, ...]
    phone: str = ""
    confirm: str = ""
    act: tuple[str, str] | None = None
    late: bool = False
    expected: bool = False


_ITEM = """<li class="item{}" id="item-{}-{}"{}>
  <div class="when"><time>{}</time><small>{}</small></div>
  <div class="what"><p class="title">{}<span>{}</span></p>
    <a class="plain ellipsis" href="{}" title="{}">{}</a>
    {}{}{}</div>
</li>"""
_SAID = ' data-said="{}: {}, {}"'
_NOTE = '<p class="note{}">{}</p>'
_LATE = (
    '<p class="acts no-print">{}<a class="button small" href="{}?back={}">{}</a>'
    '<a class="button small" href="{}?back={}">{}</a></p>'
)
_PHONE = '<a class="button small" href="tel:{}">{}{}</a>'
_ACT = '<a class="button small act no-print" href="{}" aria-label="{} {}">{}</a>'
_CONFIRM = '<button class="button small no-print" form="confirm" formaction="{}" aria-label="{} {}">{}</button>'
_NOTHING = SafeString("")


def draw_item(item: Item, *, back: str) -> SafeString:
    """A line of the list, with what can be done about it; forms lead `back` to the page."""
    return fill(
        _ITEM,
        SafeString(f" {item.tone}" if item.tone else " expected" if item.expected else ""),
        SafeString(item.pk),
        SafeString(item.what),
        fill(_SAID, item.said, item.name, item.chair) if item.tone else _NOTHING,
        item.time,
        item.chair,
        item.icon,
        item.title,
        item.url,
        item.name,
        item.name,
        _notes(item.notes),
        _late(item, back) if item.tone and item.late else _NOTHING,
        _act(item),
    )


def _notes(notes: tuple[str, ...]) -> SafeString:
    beside = " beside" if len(notes) == 1 else ""
    return SafeString("".join([fill(_NOTE, beside, note) for note in notes]))


def _late(item: Item, back: str) -> SafeString:
    """Ring whoever is late, and write down what they say."""
    phone = fill(_PHONE, item.phone.replace(" ", ""), draw_icon("phone"), item.phone) if item.phone else _NOTHING
    expect, no_show = (address(name, item.pk) for name in ("session-expect", "session-no-show"))
    back = quote(back)
    return fill(_LATE, phone, expect, back, _("Comes later"), no_show, back, _("Not coming"))


def _act(item: Item) -> SafeString:
    if item.act:
        label, url = item.act
        return fill(_ACT, url, label, item.name, label)
    if item.confirm:
        label = _("Confirm")
        return fill(_CONFIRM, item.confirm, label, item.name, label)
    return _NOTHING
