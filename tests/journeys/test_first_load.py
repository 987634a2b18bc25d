"""What a browser that has never been here loads of a clinic that really runs: little, and files only once."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import ViewportSize, sync_playwright

from tests import browser
from tests.clinic.local.test_run import Clinic, free_port
from tests.journeys.desk import DESKTOP

MOST_BYTES = 300_000
HASHED = re.compile(r"/static/.+\.[0-9a-f]{12}\.\w+$")
NOTHING_TO_GAIN = 300  # bytes that no compression makes fewer


@dataclass
class Answer:
    """One answer as it came through the wire."""

    path: str
    headers: dict[str, str]
    bytes: int = 0

    @property
    def is_well_served(self) -> bool:
        """Whether a browser has to load it but once, and has loaded as little as can be."""
        compressed = self.headers.get("content-encoding") in ("br", "gzip")
        small = self.path.endswith(".woff2") or int(self.headers["content-length"]) < NOTHING_TO_GAIN
        return bool(HASHED.search(self.path)) and "immutable" in self.headers["cache-control"] and (compressed or small)


def load(clinic: Clinic) -> list[Answer]:
    """All that an empty browser, signed in as the desk, loads for the board until nothing more comes."""
    [(name, password)] = [line.split()[2:] for line in clinic.lines if line.startswith("login desk ")]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.executable(), args=list(browser.OPTIONS))
        size = ViewportSize(width=DESKTOP[0], height=DESKTOP[1])
        base = f"http://localhost:{clinic.port}"
        entrance = chromium.new_context(base_url=base, viewport=size)
        page = entrance.new_page()
        page.goto("/sign-in/")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("/")

        fresh = chromium.new_context(base_url=base, viewport=size, storage_state=entrance.storage_state()).new_page()
        answers: dict[str, Answer] = {}

        def answered(event: dict[str, Any]) -> None:
            response = event["response"]
            if response["url"].startswith("data:"):
                return  # the browser's own, such as the picture in a date's field
            headers = {name.lower(): value for name, value in response["headers"].items()}
            answers[event["requestId"]] = Answer(response["url"].removeprefix(base), headers)

        def ended(event: dict[str, Any]) -> None:
            if answer := answers.get(event["requestId"]):
                answer.bytes = int(event["encodedDataLength"])

        wire = fresh.context.new_cdp_session(fresh)
        wire.on("Network.responseReceived", answered)
        wire.on("Network.loadingFinished", ended)
        wire.send("Network.enable")
        fresh.goto("/", wait_until="networkidle")
        chromium.close()
    return list(answers.values())


def test_the_board_comes_as_one_page_and_files_that_are_kept_for_good(var: Path) -> None:
    clinic = Clinic(var, free_port(), CLINIC_ENV="demo")
    try:
        loaded = load(clinic.opened())
    finally:
        if clinic.process.poll() is None:
            clinic.ended(signal.SIGTERM)
    data = [answer for answer in loaded if not answer.path.startswith("/static/")]
    files = [answer for answer in loaded if answer not in data]

    assert [(answer.path, answer.headers["content-encoding"]) for answer in data] == [("/", "gzip")]
    assert [answer.path for answer in files if not answer.is_well_served] == []
    assert min(answer.bytes for answer in loaded) > 0
    assert sum(answer.bytes for answer in loaded) < MOST_BYTES
