"""Where the embedded servers keep their things. Pure paths: the settings import this, and nothing is made here."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# A Unix socket's address holds 107 bytes; the longest of ours is "/.s.PGSQL.5432.lock" below this folder.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")


def var(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of everything that a running clinic stores: CLINIC_VAR, otherwise `var/` beside the code."""
    return (BASE_DIR / environ.get("CLINIC_VAR", "var")).resolve()


def sockets(var: Path) -> Path:
    """The folder of the sockets of PostgreSQL and Redis: in `var`, or below /tmp where that path would be too long."""
    folder = var / "sockets"
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
        return folder
    digest = hashlib.sha256(os.fsencode(var)).hexdigest()[:16]
    return Path(f"/tmp/clinic-{os.getuid()}-{digest}")  # noqa: S108 the shortest path there is; services checks its owner


def redis_socket(var: Path) -> Path:
    """The embedded Redis."""
    return sockets(var) / "redis.sock"


def database(var: Path) -> dict[str, object]:
    """The embedded PostgreSQL, as Django's settings name it; its socket is its only door."""
    return {"ENGINE": "django.db.backends.postgresql", "NAME": "clinic", "USER": "clinic", "HOST": str(sockets(var))}


def redis_url(var: Path) -> str:
    """The embedded Redis, for REDIS_URL."""
    return f"unix://{redis_socket(var)}?db=0"


def sink_port_file(var: Path) -> Path:
    """Holds the port on which this clinic's mail sink listens; the supervisor chooses it."""
    return var / "sink.port"


def sink_url(var: Path) -> str:
    """The mail sink, for EMAIL_URL; port 1025 until the supervisor has chosen one."""
    try:
        port = int(sink_port_file(var).read_text())
    except (FileNotFoundError, ValueError):
        port = 1025
    return f"smtp://127.0.0.1:{port}"
