"""Fill an empty database with the demonstration, and say who can sign in."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic import clock
from clinic.local.demo import fill


class Command(BaseCommand):
    help = "Fills an empty database with a fictional clinic; prints a line `login ROLE USER PASSWORD` for each role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="also when DATABASE_URL is set")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("A clinic in production is never filled with fictional people.")
        if os.environ.get("DATABASE_URL") and not options["yes"]:
            raise CommandError("DATABASE_URL is set: `filldemo --yes` fills that database.")
        if fill.fill(now=clock.now()):
            self.stdout.write("The demonstration is ready.")
        for login in fill.logins():
            self.stdout.write(" ".join(("login", *login)))
