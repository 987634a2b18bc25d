#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL or REDIS_URL the embedded servers are there for as long as it runs."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    from django.core.management import execute_from_command_line

    from clinic.local.services import ServiceError, embedded_servers

    try:
        with embedded_servers(sys.argv[1:]):
            execute_from_command_line(sys.argv)
    except ServiceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
