"""A patient who taps again and again, in two windows, while the mail is still on its way out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection

from patients.models import Patient, Task
from scheduling.mails import links
from scheduling.models import CourseEvent, Day, Mail, MailKind, Reply
from scheduling.portal import access, answering
from scheduling.portal.access import Access
from tests.concurrency.crowd import connect
from tests.factories import NOW, PatientFactory, make_clinic
from tests.scheduling.views import book

pytestmark = pytest.mark.django_db(transaction=True)

EACH = 4


@pytest.fixture
def link() -> Access:
    """What the reminder of the second of six visits opens."""
    clinic = make_clinic(chairs=1, prescribers=1)
    course = book(clinic, PatientFactory.create())
    mail = Mail.objects.get(session=course.sessions.in_order()[1], kind=MailKind.TWO_DAYS)
    return access.read(links.token(mail.seed), now=NOW)


def at_once(*acts: Callable[[], object]) -> None:
    """All of them at the same moment; raises what one of them raises."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        try:
            barrier.wait()
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(run, acts))


def test_every_answer_takes_effect_once(link: Access) -> None:
    assert link.session is not None
    pk, seen = link.session.pk, {link.session.pk: link.session.times_version}
    day = Day.objects.filter(site=link.site, date=link.session.local_date)
    before = day.get().version

    at_once(
        *[lambda: answering.come(access=link, visits=seen, now=NOW)] * EACH,
        *[lambda: answering.call(access=link, request_id=uuid4(), now=NOW)] * EACH,
        *[lambda: answering.escort(access=link, visits=[pk], name="Marta Lund", phone="", now=NOW)] * EACH,
        *[lambda: answering.acted(access=link, now=NOW)] * EACH,
    )

    kinds = CourseEvent.objects.exclude(kind="booked").values_list("kind", flat=True)
    assert sorted(kinds) == ["call-asked", "confirmed", "escort-named"]
    assert (Task.objects.count(), Reply.objects.count()) == (1, 1)
    assert day.get().version == before + 2 * EACH


def test_no_button_waits_for_the_batch_that_sends_the_mail(link: Access) -> None:
    with connect() as worker, worker.cursor() as cursor:
        cursor.execute("SELECT FROM scheduling_mail WHERE id = %s FOR NO KEY UPDATE", [link.mail.pk])
        with connection.cursor() as impatient:
            impatient.execute("SET lock_timeout = '2s'")
            answering.acted(access=link, now=NOW)
            impatient.execute("RESET lock_timeout")
        worker.rollback()
    assert Mail.objects.get(pk=link.mail.pk).opened_at is None

    answering.acted(access=link, now=NOW)
    assert Mail.objects.get(pk=link.mail.pk).opened_at == NOW
    assert Patient.objects.get().email_verified_at == NOW
