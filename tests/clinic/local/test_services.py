"""The embedded servers are found by their folder, whoever left them there, and end wholly."""

import os
import signal
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import scalar_row

from clinic.local import places, services
from clinic.local.services import Postgres, Redis, embedded_servers
from tests.clinic.local.conftest import processes_of


def pid(server: services.Server) -> int:
    process = server.main_process()
    assert process is not None
    return process.pid


def answer(server: Postgres, statement: str) -> object:
    with server.connect() as connection, connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement).fetchone()


def started(var: Path) -> Postgres:
    server = Postgres(var, durable=False)
    server.start()
    return server


def test_a_command_starts_the_servers_and_the_last_one_stops_them(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_VAR", str(var))
    with embedded_servers(["migrate"]):
        with embedded_servers(["shell"]):
            pass
        assert (Postgres(var).answers(), Redis(var).answers()) == (True, True)
    assert processes_of(var) == []


@pytest.mark.parametrize("arguments", [["check"], ["migrate", "--help"], []])
def test_a_command_without_a_database_starts_nothing(
    var: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC_VAR", str(var))
    with embedded_servers(arguments):
        assert var.exists() is False


def test_each_address_replaces_one_server(var: Path) -> None:
    def names(**environ: str) -> list[str]:
        return [server.name for server in services.needed(var, environ)]

    assert [
        names(),
        names(DATABASE_URL="postgres://db/clinic"),
        names(REDIS_URL="redis://redis/0"),
        names(DATABASE_URL="postgres://db/clinic", REDIS_URL="redis://redis/0"),
    ] == [["postgres", "redis"], ["redis"], ["postgres"], []]


def test_a_server_that_was_left_running_is_taken_over(var: Path) -> None:
    first = started(var)
    second = started(var)
    assert pid(second) == pid(first)
    second.stop()
    assert processes_of(var) == []
    first.kill()


def test_after_a_power_cut_the_data_is_there_and_stale_locks_are_no_obstacle(var: Path) -> None:
    server = Postgres(var)
    server.start()
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.kill()
    # The numbers in the files are by now those of another program, which lives: ours.
    for path in server.locks():
        path.write_text(f"{os.getpid()}\n{server.data}\n1\n5432\n{places.sockets(var)}\n\n0 0\nready\n")
    again = started(var)
    assert answer(again, "SELECT answer FROM kept") == 42
    again.stop()


def test_a_start_that_was_killed_half_way_is_done_again(var: Path) -> None:
    half = services.folder(var / "postgres.new")
    (half / "PG_VERSION").write_text("18\n")
    server = started(var)
    assert answer(server, "SELECT current_setting('server_version_num')::int / 10000") == 18
    server.stop()


def test_a_deep_folder_has_its_sockets_elsewhere_and_many_clients_fit(var: Path) -> None:
    deep = var / ("deep" * 30)
    assert places.sockets(deep).parent == Path("/tmp")  # noqa: S108 the shortest path there is
    server = started(deep)
    assert answer(server, "SELECT current_setting('max_connections')::int") == 300
    server.stop()
    places.sockets(deep).rmdir()


def test_the_log_of_the_database_quotes_no_row_and_no_statement(var: Path) -> None:
    server = started(var)
    with server.connect() as connection:
        connection.execute("CREATE TABLE person (name text UNIQUE)")
        for _ in range(2):
            try:
                connection.execute("INSERT INTO person VALUES ('Maria Smith')")
            except psycopg.errors.UniqueViolation as error:
                refusal = str(error)
    server.stop()
    assert "Maria Smith" in refusal
    assert "Maria" not in server.log.read_text()


def test_a_server_that_cannot_start_says_why(var: Path) -> None:
    server = started(var)
    server.stop()
    (server.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(services.ServiceError, match=r"postgres did not start: .*FATAL.*postgresql\.conf"):
        started(var)


def test_processes_that_ignore_a_farewell_are_reported(var: Path) -> None:
    server = Redis(var)
    places.sockets(var).mkdir(parents=True)
    server.start()
    main = server.main_process()
    assert main is not None
    main.suspend()
    assert services.end([main], signal.SIGTERM, seconds=0.2) == [main]
    main.resume()
    server.stop()
    assert processes_of(var) == []


def test_either_server_makes_the_folder_of_the_sockets(tmp_path: Path) -> None:
    for name, server in (("one", Postgres), ("other", Redis)):
        var = tmp_path / name
        server(var).prepare()
        assert places.sockets(var).is_dir()
