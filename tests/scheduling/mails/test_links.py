"""The links of mails that were queued before there were any."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps

from scheduling.mails import links
from scheduling.models import Course, Mail, MailKind, MailState
from tests.factories import NOW, CourseFactory

pytestmark = pytest.mark.django_db


def old_mail(course: Course, version: int, state: MailState) -> Mail:
    return Mail.objects.create(
        patient=course.patient,
        course=course,
        kind=MailKind.BOOKED,
        times_version=version,
        state=state,
        settled_at=None if state == MailState.DUE else NOW,
        due_at=NOW,
        try_at=NOW,
        created_at=NOW,
    )


def test_what_waited_before_there_were_links_goes_out_with_one_that_opens() -> None:
    course = CourseFactory.create()
    due, failed = old_mail(course, 1, MailState.DUE), old_mail(course, 2, MailState.FAILED)

    import_module("scheduling.migrations.0012_links_of_waiting_mails").give_links(apps, None)

    assert links.find(links.token(due.seed)) == due
    assert links.find(links.token(failed.seed)) is None
