"""Every test run has embedded servers of its own, in a folder that goes with it: runs never meet, nothing is left.

The process that pytest was started as starts them; the workers of pytest-xdist find them in the environment, and each
makes a database of its own there.
"""

import os
import shutil
import tempfile

import django
import pytest

from clinic.local import places, services

STARTED = "CLINIC_TEST_SERVERS"

os.environ["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
os.environ["CLINIC_ENV"] = "test"
for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG"):
    os.environ.pop(name, None)
if STARTED not in os.environ:
    os.environ["CLINIC_VAR"] = tempfile.mkdtemp(prefix="clinic-test-")

servers = services.needed(places.var(), durable=False)
django.setup()


def pytest_configure(config: pytest.Config) -> None:
    if STARTED not in os.environ:
        os.environ[STARTED] = str(os.getpid())
        services.start(servers, places.var())


def pytest_unconfigure(config: pytest.Config) -> None:
    if os.environ.get(STARTED) == str(os.getpid()):
        for server in servers:
            server.stop()
        shutil.rmtree(places.var())
