"""What journeys share: a fresh browser, signing in, and what has to hold on every page in every state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.factories import PASSWORD

DESKTOP, PHONE, NARROW = (1366, 768), (390, 844), (360, 740)
SIZES = {"desktop": DESKTOP, "phone": PHONE}
AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
ABORTED = "net::ERR_ABORTED"
LOOKS: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def open_page(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int] = DESKTOP, **options: Any
) -> tuple[Page, list[str]]:
    """A fresh browser, and the list into which goes whatever it complains about."""
    context: BrowserContext = chromium.new_context(
        base_url=live_server.url, viewport={"width": size[0], "height": size[1]}, **options
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if complains(message.text) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "requestfailed",  # what is asked for while somebody goes to another page is given up
        lambda request: complaints.append(f"{request.url}: {request.failure}") if request.failure != ABORTED else None,
    )
    page.on(
        "response", lambda answer: complaints.append(f"{answer.url}: {answer.status}") if answer.status >= 400 else None
    )
    return page, complaints


def complains(text: str) -> bool:
    """Whether the console's line is one; that a focus was already where it belongs, is none."""
    return not text.startswith("Autofocus processing was blocked")


def sign_in(page: Page, user: str = "desk", to: str = "/") -> None:
    """Sign in as one of the clinic's people, and come to a page."""
    page.goto(to)
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.wait_for_load_state()  # keys that are pressed before the scripts are there do nothing


def fits(page: Page) -> None:
    """Nothing has to be scrolled sideways."""
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, page.url


def paper(page: Page) -> list[tuple[float, float]]:
    """Width and height of each sheet on which the page is printed, in points."""
    printed = page.pdf(prefer_css_page_size=True)
    boxes = [box.split()[2:] for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", printed)]
    assert len(boxes) == len(re.findall(rb"/Type /Page\b", printed))
    return [(float(width), float(height)) for width, height in boxes]


def faults(page: Page) -> dict[str, list[tuple[str, list[str]]]]:
    """What axe finds on the page as it is, in light and in dark; {} when everybody can use it.

    The page has to be opened with `bypass_csp=True`, for the checker is a script of our own.
    """
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for look in LOOKS:
        page.emulate_media(color_scheme=look, reduced_motion="reduce")  # a colour on its way is none
        if not page.evaluate("'axe' in window"):
            page.add_script_tag(path=AXE)
        result = page.evaluate("rules => axe.run({runOnly: rules})", list(RULES))
        if result["violations"]:
            found[look] = [
                (violation["id"], [node["html"][:200] for node in violation["nodes"]])
                for violation in result["violations"]
            ]
    page.emulate_media(color_scheme="light")
    page.evaluate("new Promise(requestAnimationFrame)")  # it is light before colours may take their time again
    page.emulate_media(reduced_motion="no-preference")
    return found
