"""One machine: the servers that a clinic needs, from Python packages, and `make run`, which runs them all.

`places` where things lie, `services` the embedded PostgreSQL and Redis, `sink` the mail sink, `assets` the JavaScript
libraries, `run` the supervisor. Nothing of this imports Django but through `manage.py`. `demo` holds the fictional
clinics, which are filled in by Django's commands.
"""
