"""When mails ended and what they were about, of those that were made before it was kept."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection

from scheduling import moving
from scheduling.models import Mail, MailKind, MailState
from tests.factories import NOW, Clinic, PatientFactory
from tests.scheduling.views import book, places

pytestmark = pytest.mark.django_db


def test_old_mails_get_what_can_be_known_of_them(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create(email="a@example.org"))
    session = course.sessions.in_order()[1]
    (place,) = places(clinic, [4], "11:00")
    moving.move_session(actor=clinic.desk, session=session, place=place, now=NOW)
    ended = Mail.objects.filter(session=session, state=MailState.WITHDRAWN)
    sent_at = NOW + timedelta(minutes=1)
    Mail.objects.filter(kind=MailKind.CHANGED).update(state=MailState.SENT, sent_at=sent_at, settled_at=NOW)
    known = list(Mail.objects.order_by("pk").values_list("pk", "about_at"))
    Mail.objects.update(about_at=None)

    with connection.cursor() as cursor:
        cursor.execute(import_module("scheduling.migrations.0013_mails_settled").FILL)

        cursor.execute("SELECT now()")  # the transaction's own, which the rows were filled with
        (then,) = cursor.fetchone()

    assert list(Mail.objects.order_by("pk").values_list("pk", "about_at")) == known
    assert Mail.objects.get(kind=MailKind.CHANGED).settled_at == sent_at
    assert [mail.settled_at for mail in ended] == [min(max(mail.created_at, mail.due_at), then) for mail in ended]
    assert not Mail.objects.filter(state=MailState.DUE, settled_at__isnull=False).exists()
