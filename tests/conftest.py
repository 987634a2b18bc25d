"""Every test run has embedded servers of its own, in a folder that goes with it: runs never meet, nothing is left.

The process that pytest was started as starts them; the workers of pytest-xdist find them in the environment, and each
makes a database of its own there.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import django
import psutil
import pytest
import time_machine

from clinic.local import places, services

STARTED = "CLINIC_TEST_SERVERS"

os.environ["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
os.environ["CLINIC_ENV"] = "test"
for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG"):
    os.environ.pop(name, None)
if STARTED not in os.environ:
    os.environ["CLINIC_VAR"] = tempfile.mkdtemp(prefix=f"clinic-test-{os.getpid()}-")

servers = services.needed(places.var(), durable=False)
django.setup()


@pytest.fixture
def at_now() -> Iterator[None]:
    """The clock stands at the factories' NOW: for what goes through views, endpoints and tasks."""
    from tests.factories import NOW  # its models need Django set up

    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def counts_of_its_own() -> Iterator[None]:
    """Every test counts for itself how often something was asked for: in many the clock stands still."""
    from django.core.cache import caches  # it needs the settings

    cache = caches["default"]
    prefix, cache.key_prefix = cache.key_prefix, f"test-{uuid4()}"
    yield
    cache.key_prefix = prefix


def end_killed_runs() -> None:
    """End the servers of test runs that were killed before they could do it themselves."""
    for folder in Path(tempfile.gettempdir()).glob("clinic-test-*-*"):
        if folder.stat().st_uid == os.getuid() and not psutil.pid_exists(int(folder.name.split("-")[2])):
            for server in services.needed(folder, {}):
                server.kill()
            shutil.rmtree(folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    if STARTED not in os.environ:
        end_killed_runs()
        os.environ[STARTED] = str(os.getpid())
        services.start(servers, places.var())


def pytest_unconfigure(config: pytest.Config) -> None:
    if os.environ.get(STARTED) == str(os.getpid()):
        for server in servers:
            server.stop()
        shutil.rmtree(places.var())
