"""Make the first manager of a clinic, who sets up everything else in the admin."""

import getpass
import os
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic.models import Role, Staff

PASSWORD = "CLINIC_MANAGER_PASSWORD"  # noqa: S105 the name of a variable


class Command(BaseCommand):
    help = (
        "Makes a manager, who then sets up sites, staff, chairs, hours and shifts in /admin/. The password is asked "
        f"for, or comes from {PASSWORD} or, with --password-stdin, from standard input; never from the command line."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", help="asked for when it is not given")
        parser.add_argument("--first-name", default="")
        parser.add_argument("--last-name", default="")
        parser.add_argument("--email", default="")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password's line from standard input"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["username"] and not sys.stdin.isatty():
            raise CommandError("There is nobody to ask for the user name; give it on the command line.")
        options["username"] = options["username"] or input("User name: ").strip()
        names = {name: options[name] for name in ("username", "first_name", "last_name", "email")}
        manager = Staff(**names, role=Role.MANAGER, is_staff=True, is_superuser=True)
        try:
            manager.clean_fields(exclude=["password"])
            manager.validate_unique()
            password = self.password(from_stdin=options["password_stdin"])
            validate_password(password, manager)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        manager.set_password(password)
        manager.save(force_insert=True)
        self.stdout.write(f"{manager.username} can sign in as manager.")

    def password(self, *, from_stdin: bool) -> str:
        """From where the caller chose; raises CommandError when there is none or the two that were typed differ."""
        if from_stdin:
            return sys.stdin.readline().rstrip("\n")
        if PASSWORD in os.environ:
            return os.environ[PASSWORD]
        if not sys.stdin.isatty():
            raise CommandError(f"There is nobody to ask for the password: set {PASSWORD} or use --password-stdin.")
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("The same again: "):
            raise CommandError("These were two different passwords.")
        return password
