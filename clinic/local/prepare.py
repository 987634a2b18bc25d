"""Makes `.venv` with the pinned packages and fetches the JavaScript libraries: what every target of the Makefile needs.

It runs under the machine's own Python, so it imports the standard library alone. A stamp says for which requirements
the environment was made, and is written last: a set-up that was killed is done again.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VENV = BASE_DIR / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "requirements.stamp"
REQUIREMENTS = BASE_DIR / "requirements-dev.txt"  # it includes requirements.txt
VERSIONS = ((3, 11), (3, 12))


def works(*command: object) -> bool:
    """Whether the command can be run and succeeds."""
    try:
        return subprocess.run(list(map(str, command)), capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_venv() -> bool:
    """A fresh environment where there is none that works, of a Python that we know."""
    known = f"import sys; sys.exit(sys.version_info[:2] not in {VERSIONS})"
    if works(PYTHON, "-c", known) and works(PYTHON, "-m", "pip", "--version"):
        return True
    print("Making .venv ...", flush=True)
    if works(sys.executable, "-m", "venv", "--clear", VENV):
        return True
    print(
        f"{sys.executable} cannot make a virtual environment; on Debian install python3-venv.",
        file=sys.stderr,
    )
    return False


def install() -> bool:
    """The pinned packages, when they are not what the stamp says."""
    files = (REQUIREMENTS, BASE_DIR / "requirements.txt")
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    if STAMP.exists() and STAMP.read_text() == state:
        return True
    print("Installing requirements-dev.txt, a few minutes the first time ...", flush=True)
    options = ["-qq", "--disable-pip-version-check", "--no-input"]
    command = [str(PYTHON), "-m", "pip", "install", *options, "--requirement", str(REQUIREMENTS)]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        print("pip could not install requirements-dev.txt; its own words are above.", file=sys.stderr)
        return False
    STAMP.write_text(state)
    return True


def main() -> int:
    """0 when all is there; 1 after a sentence that says what is in the way."""
    if sys.version_info[:2] not in VERSIONS:
        print(f"Python 3.11 or 3.12 is needed, and this is {sys.version.split()[0]}: make PYTHON=...", file=sys.stderr)
        return 1
    with (BASE_DIR / "requirements.txt").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # another set-up of this checkout comes first
        if not make_venv() or not install():
            return 1
        return subprocess.run([str(PYTHON), "-m", "clinic.local.assets"], cwd=BASE_DIR, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
