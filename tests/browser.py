"""The Chromium of the journeys. `python -m tests.browser` sees to it that there is one, and that it starts."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")


def executable() -> str | None:
    """The system's browser, else the one that Playwright has installed; CHROMIUM names another."""
    if chosen := os.environ.get("CHROMIUM"):
        return chosen
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> bool:
    """Debian's package where we may install it, otherwise Playwright's build, which needs no rights."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        commands = [["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "--no-install-recommends", "chromium"]]
        if all(
            subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode
            == 0
            for command in commands
        ):
            return True
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def complaint(browser: str) -> str | None:
    """Why it does not show a page, in one sentence; None when it does."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        try:
            shown = subprocess.run(
                [browser, *OPTIONS, f"--user-data-dir={profile}", "--dump-dom", "data:text/html,<p>ready"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{browser} does not start: {error}"
    if "<p>ready" in shown.stdout:
        return None
    if missing := re.findall(r"(\S+\.so[\d.]*): cannot open shared object", shown.stderr):
        return f"{browser} lacks {', '.join(missing)}; `playwright install-deps --dry-run chromium` names the packages."
    words = shown.stderr.strip().splitlines() or ["it said nothing"]
    return f"{browser} shows no page: {words[-1]}"


def main() -> int:
    """0 when there is a browser that shows pages; 1 after a sentence that says what is in the way."""
    browser = executable()
    if browser is None:
        print("Installing Chromium for the journeys ...", flush=True)
        browser = executable() if install() else None
    if browser is None:
        print("There is no Chromium, and none could be installed; the journeys need one.", file=sys.stderr)
        return 1
    if problem := complaint(browser):
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
