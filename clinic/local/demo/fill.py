"""The demonstration: fills an empty database with a small clinic that is alive at the moment of its first start."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password
from django.db import transaction

from clinic.local.demo import charts, courses, house, people, replies, scores, screenings
from clinic.models import Site, Staff
from patients import registering
from patients.models import Patient
from scheduling import days


def is_empty() -> bool:
    """Whether nobody has set up a clinic in this database yet."""
    return not (Site.objects.exists() or Staff.objects.exists() or Patient.objects.exists())


def fill(*, now: datetime) -> bool:
    """Make the demonstration in an empty database, all or nothing; leaves any other database alone.

    Returns whether it was made. The same moment makes the same clinic.
    """
    with transaction.atomic():
        if not is_empty():
            return False
        place = house.build(now)
        days.create_ahead(now=now)
        persons = people.patients()
        patients = [
            registering.register(
                actor=place.desk,
                **person._asdict(),
                not_duplicate=True,
                now=now - timedelta(weeks=house.WEEKS_BEFORE, hours=-number),
            )
            for number, person in enumerate(persons)
        ]
        screenings.write(place, patients, len(courses.COURSES))
        treated = courses.write(place, patients, now)
        charts.write_past(place, now)
        scores.write(treated, now)
        replies.write(place, treated, now)
    return True


def logins() -> list[tuple[str, str, str]]:
    """Role, name and password of everybody of the demonstration whose password is still the one everybody knows."""
    stored = dict(Staff.objects.filter(is_active=True).values_list("username", "password"))
    return [
        (worker.role, worker.username, worker.password)
        for worker in people.STAFF
        if worker.password and worker.username in stored and check_password(worker.password, stored[worker.username])
    ]
