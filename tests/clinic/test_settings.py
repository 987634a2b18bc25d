"""Production starts only with secrets of its own, and then nothing that Django's deployment check knows is open."""

import os
import subprocess
import sys

import pytest
from django.test import Client

from clinic.local.places import BASE_DIR
from clinic.settings import DEMO_SECRET_KEY

PRODUCTION = {
    "CLINIC_ENV": "production",
    "SECRET_KEY": "q7Zk-" * 12,
    "ALLOWED_HOSTS": "clinic.example",
    "DATABASE_URL": "postgres://clinic:secret@db/clinic",
    "REDIS_URL": "redis://redis:6379/0",
    "EMAIL_URL": "smtp+tls://user:secret@mail.example:587",
}


def manage(*arguments: str, **environ: str) -> tuple[int, str]:
    """Run manage.py with these settings alone; returns the exit code and the last line it wrote."""
    clean = {"PATH": os.environ["PATH"]} | {name: value for name, value in environ.items() if value}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=BASE_DIR, env=clean, capture_output=True, text=True, check=False
    )
    return done.returncode, (done.stderr or done.stdout).strip().splitlines()[-1]


@pytest.mark.parametrize(
    "more", [{}, {"ANYMAIL_WEBHOOK_SECRET": "provider:secret", "MAILGUN_WEBHOOK_SIGNING_KEY": "k"}]
)
def test_the_deployment_check_finds_nothing_in_production(more: dict[str, str]) -> None:
    assert manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, **more) == (
        0,
        "System check identified no issues (0 silenced).",
    )


REFUSED = "django.core.exceptions.ImproperlyConfigured: "


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SECRET_KEY": ""}, "A clinic in production needs SECRET_KEY in its environment."),
        (
            {"ALLOWED_HOSTS": "", "DATABASE_URL": ""},
            "A clinic in production needs ALLOWED_HOSTS, DATABASE_URL in its environment.",
        ),
        ({"REDIS_URL": "", "EMAIL_URL": ""}, "A clinic in production needs REDIS_URL, EMAIL_URL in its environment."),
        (
            {"SECRET_KEY": DEMO_SECRET_KEY},
            "SECRET_KEY is the demonstration's or shorter than 50 characters; make your own.",
        ),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is the demonstration's or shorter than 50 characters; make your own."),
        ({"DEBUG": "1"}, "A clinic in production refuses DEBUG."),
        ({"CLINIC_CLOCK_FILE": "clock"}, "A clinic in production refuses CLINIC_CLOCK_FILE."),
        (
            {"ANYMAIL_WEBHOOK_SECRET": "secret"},
            "ANYMAIL_WEBHOOK_SECRET has to be a user and a password with a colon between them.",
        ),
        ({"CLINIC_ENV": "prod"}, "CLINIC_ENV is 'prod'; it has to be demo, test or production."),
    ],
)
def test_production_refuses_what_belongs_to_a_demonstration(change: dict[str, str], sentence: str) -> None:
    assert manage("diffsettings", **PRODUCTION | change) == (1, REFUSED + sentence)


@pytest.mark.django_db
def test_every_answer_forbids_inline_code_and_frames(client: Client) -> None:
    policy = client.get("/healthz").headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= {*policy}
    assert [directive for directive in policy if "unsafe" in directive] == []
