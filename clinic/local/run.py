"""`make run`: the whole clinic on one machine, until Ctrl-C or SIGTERM.

It starts the embedded servers, migrates, collects the static files, fills an empty database with the demo clinic,
starts what the Procfile names, waits until /healthz is content and prints where to sign in. A process that dies is
started again, after a pause that grows with each time. However this one ends but SIGKILL, nothing of the clinic runs
on; after SIGKILL the next start ends what was left of the processes and takes over the servers.
"""

import contextlib
import fcntl
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import psutil

from clinic.local import assets, places, services, sink
from clinic.local.services import MARKER, ServiceError

START_SECONDS = 120
FAREWELL_SECONDS = 8
LOG_BYTES = 10_000_000


class Stopped(BaseException):
    """Somebody wants us to stop; it passes everything that handles errors."""


def log_file(var: Path, name: str) -> Path:
    """Where a process writes; a log that has grown large is put aside, once per start."""
    path = services.folder(var / "log") / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path


def last_words(path: Path) -> str:
    """The last line of a log."""
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "it said nothing"


def procfile(*, with_sink: bool) -> dict[str, list[str]]:
    """The commands of the Procfile by name."""
    lines = [line.partition(":") for line in (places.BASE_DIR / "Procfile").read_text().splitlines() if line.strip()]
    commands = {name.strip(): shlex.split(command) for name, _, command in lines}
    if not with_sink:
        del commands["sink"]
    return commands


class Child:
    """One process of the Procfile, in a session of its own, with a log of its own."""

    def __init__(self, name: str, command: list[str], var: Path, environ: dict[str, str]) -> None:
        self.name = name
        self.command = command
        self.environ = environ
        self.log = log_file(var, name)
        self.pause = 0.5
        self.start()

    def start(self) -> None:
        """Start it."""
        self.due: float | None = None
        self.since = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=places.BASE_DIR,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def look(self) -> None:
        """Start it again when it has died: after a second the first time, after half a minute at most."""
        now = time.monotonic()
        if self.due is not None:
            if now >= self.due:
                self.start()
        elif self.process.poll() is not None:
            self.kill()
            self.pause = 1.0 if now - self.since > 60 else min(2 * self.pause, 30.0)
            self.due = now + self.pause
            code = self.process.returncode
            how = f"exit code {code}: {last_words(self.log)}" if code >= 0 else signal.Signals(-code).name
            say(f"{self.name} has died ({how}); it starts again in {self.pause:.0f} s.")

    def kill(self) -> None:
        """End what it leaves behind, for a restart needs its port and its place."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def say(text: str) -> None:
    """A line for the person at the keyboard, who may have gone."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def port_of(text: str) -> int:
    """The port that PORT names; raises ServiceError when it names none."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 2**16):
        raise ServiceError(f"PORT={text} is no port: it has to be a number from 1 to 65535.")
    return int(text)


class Supervisor:
    """All that belongs to one run."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.port = port_of(os.environ.get("PORT") or "8000")
        self.host = os.environ.get("BIND") or "127.0.0.1"
        self.children: list[Child] = []
        self.servers = services.needed(var)
        self.environ = os.environ | {
            MARKER: str(var),
            "CLINIC_VAR": str(var),
            "PORT": str(self.port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self) -> None:
        """Start everything and stay; ends with Stopped, or with ServiceError when the clinic cannot run."""
        self.end_left_over()
        self.check_port()
        services.start(self.servers, self.var)
        self.manage("migrate", "--no-input", "--skip-checks")
        self.collect_static()
        logins = [] if os.environ.get("DATABASE_URL") else self.manage("filldemo", "--skip-checks")
        with_sink = not os.environ.get("EMAIL_URL")
        if with_sink:
            sink.choose_port(self.var)
        for name, command in procfile(with_sink=with_sink).items():
            self.children.append(Child(name, command, self.var, self.environ))
        self.wait_until_healthy()
        say(f"The clinic is open at http://localhost:{self.port}/ - Ctrl-C closes it. Logs: {self.var / 'log'}")
        for line in logins:
            if line.startswith("login "):
                say(line)
        while True:
            self.look()

    def end_left_over(self) -> None:
        """End the processes that a killed run has left; the servers are taken over when they start."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            services.end(services.left_over(self.var), how, seconds=2)

    def check_port(self) -> None:
        """Refuse to start beside whoever listens on our port."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise ServiceError(
                    f"Port {self.port} cannot be used: {error.strerror}. Choose another by PORT=..."
                ) from error

    def manage(self, *arguments: str) -> list[str]:
        """Run one command of manage.py; returns the lines it printed, raises ServiceError when it fails."""
        path = log_file(self.var, "manage")
        with path.open("ab") as log:
            done = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=places.BASE_DIR,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                check=False,
            )
        if done.returncode:
            raise ServiceError(f"manage.py {arguments[0]} failed: {last_words(path)} (see {path})")
        return done.stdout.decode().splitlines()

    def collect_static(self) -> None:
        """Have the static files that are served be those that are there; nothing to do when none has changed."""
        stamp, state = self.var / "static.stamp", assets.collected_state(os.environ)
        if not (stamp.exists() and stamp.read_text() == state):
            stamp.unlink(missing_ok=True)  # a run that is killed from here on leaves half of the files
            self.manage(*assets.COLLECT)
            stamp.write_text(state)

    def missing(self) -> str:
        """What /healthz lacks; empty when it is content."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104 a comparison
        try:
            with urllib.request.urlopen(f"http://{host}:{self.port}/healthz", timeout=5):
                return ""
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError):
                return ", ".join(json.load(error)["missing"])
            return f"a good answer ({error.code})"
        except OSError:
            return "web"

    def wait_until_healthy(self) -> None:
        """Watch over the start; raises ServiceError when it takes too long."""
        until = time.monotonic() + START_SECONDS
        while lacks := self.missing():
            if time.monotonic() > until:
                raise ServiceError(f"The clinic did not start; missing: {lacks} (see {self.var / 'log'})")
            self.look()

    def look(self) -> None:
        """One look at everything, and a short rest."""
        for server in self.servers:
            if server.main_process() is None:
                say(f"{server.name} has died; it starts again.")
                services.start([server], self.var)
        for child in self.children:
            child.look()
        time.sleep(0.2)

    def stop(self) -> None:
        """End all processes, then the servers. A second Ctrl-C changes nothing; it takes some seconds at most."""
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        until = time.monotonic() + FAREWELL_SECONDS
        for child in self.children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, until - time.monotonic()))
        services.end(services.left_over(self.var), signal.SIGKILL)
        for server in reversed(self.servers):
            server.stop()


def catches_interrupts(process: psutil.Process) -> bool:
    """Whether Ctrl-C reaches a handler of the process. Make's goes away once it has been interrupted."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:  # no such file on macOS
        return False
    caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGINT - 1) & 1)


def follow_make() -> None:
    """Stop when make was killed, or interrupted alone: it then waits for us but passes nothing on."""
    make = psutil.Process().parent()
    if make is None or "MAKELEVEL" not in os.environ:
        return
    caught = catches_interrupts(make)

    def watch() -> None:
        while make.is_running() and catches_interrupts(make) == caught:
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def try_to_hold(path: Path, held: contextlib.ExitStack) -> int | None:
    """The lock's file when it was free, held from now on."""
    try:
        return held.enter_context(services.lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return None


@contextlib.contextmanager
def the_only_run(var: Path) -> Iterator[Callable[[str], None]]:
    """Hold this folder for one run and yield what notes its state; raises ServiceError when another run has it.

    One that is stopping is waited for, and so is, for a moment, one whose make was killed and that is about to notice.
    """
    services.folder(var)
    path = var / "run.lock"
    begin = time.monotonic()
    with contextlib.ExitStack() as held:
        while (file := try_to_hold(path, held)) is None:
            holder, _, state = path.read_text().partition(" ")
            if time.monotonic() > begin + (60 if state == "stopping" else 3):
                raise ServiceError(f"This clinic already runs, as process {holder} (its folder is {var}).")
            time.sleep(0.1)

        def note(state: str) -> None:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()} {state}".encode(), 0)

        note("running")
        held.enter_context(services.lock(var / "users.lock", fcntl.LOCK_SH))
        yield note


def main() -> int:
    """Run the clinic; 0 when it was asked to stop, 1 after a sentence when it could not run."""
    var = places.var()
    farewells = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        farewells.append(signal.SIGHUP)

    def farewell(number: int, frame: FrameType | None) -> None:
        raise Stopped

    for number in farewells:
        signal.signal(number, farewell)
    follow_make()
    try:
        with the_only_run(var) as note:
            supervisor = Supervisor(var)
            try:
                try:
                    supervisor.run()
                finally:
                    for number in farewells:
                        signal.signal(number, signal.SIG_IGN)
            finally:
                note("stopping")
                supervisor.stop()
    except Stopped:
        say("The clinic is closed.")
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
