"""A clinic's machinery - PostgreSQL, Redis, workers, beats, as `make run` starts and watches over them - which a drill
kills, stops and starts at will, and a clock that all of it shares."""

from __future__ import annotations

import fcntl
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import redis
from django.db import connections

from clinic.celery import app
from clinic.local import places, services
from clinic.local.run import Child, Supervisor, procfile
from tests.drills.post_office import PostOffice

PATIENCE = 300
#: The migrated database without a row, of which each drill gets a copy.
BLANK = "blank"


class Ground:
    """The servers, in a folder of their own, and a migrated database to begin with."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.postgres = services.Postgres(var)
        self.redis = services.Redis(var)
        self.servers: list[services.Server] = [self.postgres, self.redis]

    def prepare(self) -> None:
        """Start them and make the database."""
        services.start(self.servers, self.var)
        # A command that finds no other user of the servers would stop them when it is done.
        with services.lock(self.var / "users.lock", fcntl.LOCK_SH):
            Supervisor(self.var).manage("migrate", "--no-input", "--skip-checks")
        self.sql(f"ALTER DATABASE clinic RENAME TO {BLANK}")

    def sql(self, statement: str) -> None:
        """One statement of ours outside of any transaction."""
        with self.postgres.connect() as connection:
            connection.execute(statement.encode())

    def clear(self) -> None:
        """Servers that run and know nothing."""
        self.redis.kill()
        services.start(self.servers, self.var)
        self.sql("DROP DATABASE IF EXISTS clinic WITH (FORCE)")
        self.sql(f"CREATE DATABASE clinic TEMPLATE {BLANK}")


class Works:
    """The processes of one drill. Only what it starts runs; what dies by itself is started again while it waits."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.var = ground.var
        self.postgres, self.redis = ground.postgres, ground.redis
        self.post = PostOffice(folder / "post")
        self.clock = folder / "clock"
        self.supervisor = Supervisor(self.var)
        self.supervisor.servers = ground.servers
        self.environ = self.supervisor.environ | {
            "EMAIL_URL": f"smtp://127.0.0.1:{self.post.port}",
            "CLINIC_CLOCK_FILE": str(self.clock),
        }

    def it_is(self, at: datetime) -> None:
        """All processes agree that it is this moment; from now on time goes on as ever."""
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(str((at - datetime.now(UTC)).total_seconds()))
        fresh.replace(self.clock)

    def now(self) -> datetime:
        """What the clinic's clock shows."""
        return datetime.now(UTC) + timedelta(seconds=float(self.clock.read_text()))

    def start(self, *names: str) -> None:
        """Start `worker`, `beat`, or more of a kind: `worker-2`. PostgreSQL knows their connections by these names."""
        for name in names:
            command = procfile(with_sink=False)[name.partition("-")[0]]
            if name.startswith("worker"):
                command += ["--hostname", f"{name}@%h"]
            self.supervisor.children.append(Child(name, command, self.var, self.environ | {"PGAPPNAME": name}))

    def child(self, name: str) -> Child:
        """One of the processes that were started."""
        (child,) = [child for child in self.supervisor.children if child.name == name]
        return child

    def kill(self, name: str) -> None:
        """SIGKILL to the whole process tree; returns when all of it is gone."""
        leader = psutil.Process(self.child(name).process.pid)
        tree = [leader, *leader.children(recursive=True)]
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.child(name).process.wait()
        assert psutil.wait_procs(tree, timeout=PATIENCE)[1] == []

    def crash_postgres(self) -> None:
        """An immediate shutdown, which no transaction and no connection survives, and what `make run` does then."""
        postgres = self.postgres.main_process()
        assert postgres is not None
        postgres.send_signal(signal.SIGQUIT)
        postgres.wait()
        connections["default"].close()
        self.supervisor.look()

    def cut_connections(self) -> None:
        """PostgreSQL throws all workers out, and lets them in again."""
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'worker%'"
            )

    def at_work(self, name: str) -> bool:
        """Whether the one of that name speaks to the database."""
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s)", [name])
            return bool(cursor.fetchone()[0])

    def knock(self, times: int = 1) -> None:
        """Ask for a drain as beat does every few seconds, for a drill that will not wait so long."""
        url = places.redis_url(self.var).replace("unix://", "redis+socket://").replace("db=", "virtual_host=")
        with app.connection_for_write(url) as broker:
            for _ in range(times):
                app.send_task("scheduling.tasks.send_mail", connection=broker, expires=5)

    def drain(self) -> None:
        """Knock, and wait until all that workers were asked for is done."""
        self.knock()
        with redis.Redis(unix_socket_path=str(places.redis_socket(self.var))) as broker:
            for _ in range(2):  # a message that a worker has just taken stands in neither list for an instant
                time.sleep(0.02)
                wait(lambda: not broker.llen("celery") and not broker.hlen("unacked"))

    def bring_to_work(self, *names: str) -> None:
        """Knock until these workers are up and have begun a drain; whoever is idle answers."""

        def at_work() -> bool:
            self.knock(len(names))
            return all(self.at_work(name) for name in names)

        self.wait(at_work)

    def until_arrived(self, number: int) -> None:
        """Wait until so many mails have arrived."""
        self.wait(lambda: len(self.post.look().accepted) >= number)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Watch over everything, as `make run` does, until it holds."""
        wait(condition, meanwhile=self.supervisor.look)

    def end_processes(self) -> None:
        """End all workers and beats by force."""
        for child in self.supervisor.children:
            child.kill()
            child.process.wait()
        self.supervisor.children.clear()
        services.end(services.left_over(self.var), signal.SIGKILL)

    def stop(self) -> None:
        """End every process but the servers."""
        self.end_processes()
        self.post.close()


def wait(condition: Callable[[], bool], meanwhile: Callable[[], None] = lambda: time.sleep(0.01)) -> None:
    """Wait until it holds; a machine that is busy with other things gets its time."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "It took too long."
        meanwhile()


@contextmanager
def at_home(var: Path) -> Iterator[None]:
    """The database of this folder is the one that models of this process speak to."""
    database = connections["default"]
    usual = dict(database.settings_dict)
    database.close()
    database.settings_dict.update(places.database(var))
    try:
        yield
    finally:
        database.close()
        database.settings_dict.update(usual)
