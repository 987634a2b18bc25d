"""Whether the worker or beat of this container lives: what docker-compose.yml asks each of them for."""

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis import RedisError

from clinic import health


class Command(BaseCommand):
    help = "Succeeds when this machine's worker or beat has shown a sign of life within the last 20 seconds."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=["worker", "beat"])

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            alive = health.lives_here(name)
        except RedisError as error:
            raise CommandError("Redis does not answer.") from error
        here = f"The {name} of {socket.gethostname()}"
        if not alive:
            raise CommandError(f"{here} has not reported for {health.ALIVE_SECONDS} seconds.")
        self.stdout.write(f"{here} is alive.")
