"""One set of servers for all drills of a test process, a fresh database and fresh processes for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from clinic.local import services
from tests.clinic.local.conftest import processes_of
from tests.drills.works import Ground, Works, at_home


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    ground = Ground(tmp_path_factory.mktemp("drills") / "var")
    try:
        ground.prepare()
        yield ground
    finally:
        for server in ground.servers:
            server.stop()
        assert processes_of(ground.var) == []


@pytest.fixture
def works(ground: Ground, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Works]:
    """Nothing of it runs yet but the servers; models speak to its database."""
    ground.clear()
    works = Works(ground, tmp_path)
    try:
        with django_db_blocker.unblock(), at_home(ground.var):
            yield works
    finally:
        works.stop()
        assert services.left_over(ground.var) == []
