"""`make pictures`: what README shows, taken of a demonstration of its own at a busy moment that stands still.

Another page is another line in PICTURES. The fictional clinic is made in a temporary folder and goes with it.
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from clinic.local.places import BASE_DIR
from tests import browser
from tests.clinic.local.test_run import Clinic, free_port

FOLDER = BASE_DIR / "docs" / "pictures"
DESKTOP, TABLET, PHONE = (1366, 768), (1024, 768), (390, 844)
MAIL = re.compile(r"/demo/mail/([\w-]+)/")
LINK = re.compile(r"/dates/\w+/")
NOW = datetime(2027, 3, 2, 16, 42, tzinfo=UTC)  # a Tuesday; in New York, where the clinic is then, it is 11:42


@dataclass(frozen=True)
class Picture:
    """One page as somebody of the role sees it. `{patient}`, `{course}` and `{session}`, the visit that runs, in its
    address are those of `who`; `{mail}` is the first mail that the demonstration has sent, `{link}` what its link
    opens."""

    name: str
    path: str
    who: str = ""
    role: Literal["desk", "clinician", "nurse"] = "desk"
    size: tuple[int, int] = DESKTOP
    look: Literal["light", "dark"] = "light"


PICTURES = (
    Picture("board", "/"),
    Picture("board-dark", "/", look="dark"),
    Picture("board-phone", "/", size=PHONE),
    Picture("new-course", "/patients/{patient}/course/new/", "Yusuf"),
    Picture("course", "/courses/{course}/", "Pendleton"),
    Picture("response", "/courses/{course}/", "Haddad", "clinician"),
    Picture("vitals", "/sessions/{session}/visit/", "Adeyemi", "nurse", TABLET),
    Picture("worklist", "/worklist/", role="clinician"),
    Picture("calendar", "/calendar/"),
    Picture("patient", "{link}", size=PHONE),
    Picture("mail", "/demo/mail/{mail}/page/", size=(780, 620)),
    Picture("deliveries", "/mails/"),
)


def stand_still(clock: Path) -> None:
    """Set the clinic's clock to NOW, wherever it has got to meanwhile."""
    clock.write_text(str(NOW.timestamp() - time.time()))


@contextmanager
def running() -> Iterator[tuple[Clinic, Path]]:
    """A demonstration that was just opened, and the file that holds its clock."""
    with tempfile.TemporaryDirectory(prefix="clinic-pictures-") as folder:
        clock = Path(folder) / "clock"
        stand_still(clock)
        clinic = Clinic(Path(folder) / "var", free_port(), CLINIC_ENV="demo", CLINIC_CLOCK_FILE=str(clock))
        try:
            yield clinic.opened(), clock
        finally:
            clinic.ended(signal.SIGTERM)


def sign_in(chromium: Browser, clinic: Clinic, role: str) -> Any:
    """Somebody signs in as people do; returns what a browser keeps of that."""
    [(name, password)] = [line.split()[2:] for line in clinic.lines if line.startswith(f"login {role} ")]
    page = chromium.new_page(base_url=f"http://localhost:{clinic.port}")
    page.goto("/sign-in/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    return page.context.storage_state()


def address(page: Page, picture: Picture) -> str:
    """The picture's address in this clinic."""
    if "{mail}" in picture.path or "{link}" in picture.path:
        mail = first_mail(page)
        return picture.path.format(mail=mail, link=LINK.findall(page.request.get(f"/demo/mail/{mail}/").text())[0])
    if not picture.who:
        return picture.path
    [found] = page.request.get(f"/api/v1/patients/?q={picture.who}").json()["results"]
    course = page.request.get(f"/api/v1/courses/{found['course']}/").json() if found["course"] else {"sessions": []}
    here = [row["id"] for row in course["sessions"] if row["state"] in ("checked-in", "giving", "monitoring", "ready")]
    return picture.path.format(patient=found["id"], course=found["course"], session=next(iter(here), None))


def first_mail(page: Page) -> str:
    """The name of the first mail that arrived, once one has: the worker begins to send when the clinic is open."""
    until = time.monotonic() + 60
    while not (mails := MAIL.findall(page.request.get("/demo/mail/").text())):
        if time.monotonic() > until:
            raise RuntimeError("No mail arrives.")
        time.sleep(1)
    return str(mails[-1])


def take(page: Page, picture: Picture) -> int:
    """Write the picture; returns its size in bytes. A page that answers with an error is none."""
    page.clock.set_fixed_time(NOW)
    answer = page.goto(address(page, picture), wait_until="networkidle")
    if answer is None or not answer.ok:
        raise RuntimeError(f"{page.url} does not answer well.")
    page.evaluate("document.fonts.ready")
    return len(page.screenshot(path=FOLDER / f"{picture.name}.png", animations="disabled"))


def main(names: list[str]) -> int:
    """Take all pictures, or those that are named."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running() as (clinic, clock), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.executable(), args=list(browser.OPTIONS))
        signed_in = {role: sign_in(chromium, clinic, role) for role in {picture.role for picture in PICTURES}}
        for picture in PICTURES:
            if names and picture.name not in names:
                continue
            stand_still(clock)
            page = chromium.new_page(
                base_url=f"http://localhost:{clinic.port}",
                storage_state=signed_in[picture.role],
                viewport={"width": picture.size[0], "height": picture.size[1]},
                color_scheme=picture.look,
                reduced_motion="reduce",
                locale="en-US",
                timezone_id="America/New_York",
            )
            sys.stdout.write(f"{picture.name}.png {take(page, picture) // 1000} kB\n")
            page.close()
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
