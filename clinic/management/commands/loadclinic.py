"""Add a large clinic with years of history, for measuring."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic import clock
from clinic.local.demo import large


class Command(BaseCommand):
    help = "Adds a large fictional clinic with years of history; 100,000 patients take minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--patients", type=int, required=True)
        parser.add_argument("--years", type=int, required=True)
        parser.add_argument("--chairs", type=int, help="as many as the patients need, when not given")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("A clinic in production is never filled with fictional people.")
        for name, most in (("patients", 1_000_000), ("years", 50), ("chairs", 2_000)):
            value = options[name]
            if value is not None and not 1 <= value <= most:
                raise CommandError(f"--{name} has to be from 1 to {most:,}.")
        made = large.load(
            patients=options["patients"], years=options["years"], chairs=options["chairs"], now=clock.now()
        )
        self.stdout.write(
            f"{made.site.name}: {made.patients:,} patients, {made.courses:,} courses, {made.sessions:,} sessions and"
            f" {made.mails:,} mails in {made.seconds:.0f} s."
        )
