"""`make bench`: measure what the project promises, each figure beside a reference of the same run.

`python -m tests.benchmarks [NAME ...]` runs all benchmarks or those named, on embedded servers of their own, and
writes `bench/NAME.json` into CLINIC_VAR (`var/`). Every module here that has a NAME and a `run()` is a benchmark.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIELDS = ("name", "value", "unit", "reference", "aim", "holds", "runs", "how")


def benchmarks() -> dict[str, Callable[[], dict[str, Any]]]:
    """Every benchmark by its name."""
    package = importlib.import_module("tests.benchmarks")
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            loaded = importlib.import_module(f"tests.benchmarks.{module.name}")
            found[loaded.NAME] = loaded.run
    return found


def main(names: list[str]) -> int:
    from clinic.local import assets, places, services

    results = places.var() / "bench"
    results.mkdir(parents=True, exist_ok=True)
    os.environ["CLINIC_VAR"] = tempfile.mkdtemp(prefix="clinic-bench-")
    os.environ["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
    servers = services.needed(places.var())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    services.start(servers, places.var())
    try:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command(*assets.COLLECT, verbosity=0)
        known = benchmarks()
        if unknown := set(names) - set(known):
            sys.stderr.write(f"No benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(known)}.\n")
            return 2
        failed = [name for name in names or known if not _run(name, known[name], results)]
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(places.var())
    return 1 if failed else 0


def _run(name: str, run: Callable[[], dict[str, Any]], results: Path) -> bool:
    measured = {"name": name, **run()}
    (results / f"{name}.json").write_text(json.dumps({field: measured[field] for field in FIELDS}, indent=2) + "\n")
    holds = "holds" if measured["holds"] else "MISSES ITS AIM"
    sys.stdout.write(
        f"{name:16} {measured['value']:10.3f} {measured['unit']:8} aim {measured['aim']:<8} "
        f"reference {measured['reference']}  {holds}\n"
    )
    sys.stdout.flush()
    return bool(measured["holds"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
