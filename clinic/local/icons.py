"""The icons of the pages as one SVG file, made from Tabler's outline set. Pure: the assets step reads and writes."""

from collections.abc import Iterable, Mapping
from typing import Any

#: Every icon that a template or a view names; `tests/clinic/test_icons.py` holds the two together.
NAMES = (
    "adjustments",
    "alert-circle",
    "alert-triangle",
    "ambulance",
    "arrow-back-up",
    "arrows-exchange",
    "arrows-vertical",
    "ban",
    "bulb",
    "calendar",
    "calendar-off",
    "calendar-plus",
    "calendar-x",
    "car-off",
    "check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "circle",
    "circle-check",
    "circle-dashed",
    "clipboard-off",
    "clipboard-text",
    "clock-exclamation",
    "door-enter",
    "door-exit",
    "dots",
    "droplet",
    "droplet-off",
    "edit",
    "eye",
    "file-alert",
    "file-text",
    "flag",
    "flag-check",
    "heart-rate-monitor",
    "help-circle",
    "hourglass",
    "info-circle",
    "key",
    "keyboard",
    "layout-board",
    "list-check",
    "lock",
    "logout",
    "mail",
    "mail-check",
    "mail-off",
    "mail-x",
    "map-pin",
    "minus",
    "phone",
    "pill",
    "plug-connected-x",
    "plus",
    "printer",
    "refresh",
    "run",
    "search",
    "signature",
    "spray",
    "stethoscope",
    "star",
    "tools-kitchen-2",
    "trash",
    "trending-up",
    "user-check",
    "user-off",
    "user-plus",
    "user-question",
    "users",
    "x",
)


def sprite(collection: Mapping[str, Any], names: Iterable[str] = NAMES) -> str:
    """One SVG document with a symbol for each name; raises KeyError for a name that the collection lacks.

    `collection` is the parsed `icons.json` of @iconify-json/tabler: bodies by name, all on a grid of 24.
    """
    bodies = collection["icons"]
    symbols = "\n".join(f'<symbol id="{name}" viewBox="0 0 24 24">{bodies[name]["body"]}</symbol>' for name in names)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'
