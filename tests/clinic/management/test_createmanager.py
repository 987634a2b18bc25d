"""The first manager of a clinic is made without a password on the command line."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from clinic.management.commands import createmanager
from clinic.models import Role, Staff

pytestmark = pytest.mark.django_db

GOOD = "a boat on the quiet lake"


def made(*arguments: str, stdin: str = "", monkeypatch: pytest.MonkeyPatch, **environ: str) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    monkeypatch.delenv(createmanager.PASSWORD, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    call_command("createmanager", *arguments, stdout=out)
    return out.getvalue()


def facts(username: str) -> dict[str, Any]:
    staff = Staff.objects.get(username=username)
    fields = ("first_name", "last_name", "role", "is_staff", "is_superuser", "is_active")
    return {name: getattr(staff, name) for name in fields} | {"password": staff.check_password(GOOD)}


def test_the_password_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    said = made(
        "ada", "--first-name", "Ada", "--last-name", "Byron", "--password-stdin",
        stdin=f"{GOOD}\n", monkeypatch=monkeypatch,
    )  # fmt: skip
    assert said == "ada can sign in as manager.\n"
    assert facts("ada") == {
        "first_name": "Ada",
        "last_name": "Byron",
        "role": Role.MANAGER,
        "is_staff": True,
        "is_superuser": True,
        "is_active": True,
        "password": True,
    }


def test_the_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    made("ada", monkeypatch=monkeypatch, CLINIC_MANAGER_PASSWORD=GOOD)
    assert facts("ada")["password"] is True


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        ([], "", "There is nobody to ask for the user name; give it on the command line."),
        (["ada"], "", "There is nobody to ask for the password: set CLINIC_MANAGER_PASSWORD or use --password-stdin."),
        (
            ["ada", "--password-stdin"],
            "short\n",
            "This password is too short. It must contain at least 12 characters.",
        ),
        (["bob", "--password-stdin"], f"{GOOD}\n", "A user with that username already exists."),
        (
            ["a b", "--password-stdin"],
            f"{GOOD}\n",
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    arguments: list[str], stdin: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Staff.objects.create_user("bob", role=Role.DESK)
    with pytest.raises(CommandError) as refused:
        made(*arguments, stdin=stdin, monkeypatch=monkeypatch)
    assert (str(refused.value), Staff.objects.count()) == (sentence, 1)
