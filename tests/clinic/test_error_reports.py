"""What is written when something fails says where and of which kind, and nothing that was typed."""

import logging
import sys

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from clinic.error_reports import Formatter
from clinic.models import Role, Staff


def written(record: logging.LogRecord, *, messages: bool = False) -> str:
    return Formatter("%(name)s: %(message)s", messages=messages).format(record)


def record_of_failure(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("clinic", logging.ERROR, "", 0, message, args, sys.exc_info())


def fail(secret: str) -> None:
    raise ValueError(secret)


def test_texts_of_errors_are_left_out_of_the_whole_chain() -> None:
    try:
        try:
            fail("Maria Smith")
        except ValueError as error:
            raise RuntimeError("of Maria Smith") from error
    except RuntimeError:
        lines = written(record_of_failure("Task failed")).splitlines()
    kinds = [line for line in lines if not line.startswith(" ")]
    assert kinds == ["clinic: Task failed", "ValueError", "which led to", "RuntimeError"]
    assert "Maria" not in "".join(line for line in lines if "raise" not in line and "fail(" not in line)


@pytest.mark.django_db
def test_a_refusal_of_the_database_names_its_constraint_and_not_the_row() -> None:
    Staff.objects.create_user("maria.smith", role=Role.DESK)
    try:
        with transaction.atomic():
            Staff.objects.create_user("maria.smith", role=Role.DESK)
    except IntegrityError:
        text = written(record_of_failure("Failed"))
    assert text.splitlines()[-1] == "IntegrityError 23505 clinic_staff_username_key"
    assert "maria" not in text.replace('create_user("maria.smith"', "")


def test_celerys_report_of_a_task_hides_its_arguments() -> None:
    details = {
        "name": "send",
        "exc": "ValueError('Maria Smith')",
        "traceback": "Maria",
        "args": "Maria",
        "kwargs": "{}",
    }
    try:
        fail("Maria Smith")
    except ValueError:
        text = written(record_of_failure("%(name)s raised %(exc)s %(args)s %(kwargs)s%(traceback)s", details))
    hidden = "********************"
    assert text.splitlines()[0] == f"clinic: send raised ValueError {hidden} {hidden}"


def test_a_report_for_developers_hides_the_form_and_all_variables() -> None:
    request = RequestFactory().post("/", {"name": "Maria Smith"})
    request.COOKIES = {}
    try:
        fail("nothing")
    except ValueError:
        reporter = ExceptionReporter(request, *sys.exc_info())
    data = reporter.get_traceback_data()
    assert dict(data["filtered_POST_items"]) == {"name": "********************"}
    values = {value for frame in data["frames"] for _, value in frame["vars"]}
    assert values == {"'********************'"}


def test_the_log_reaches_the_console_through_the_formatter() -> None:
    root = logging.getLogger()
    formatters = {type(handler.formatter) for handler in root.handlers if handler.get_name() == "console"}
    assert formatters == {Formatter}
    call_command("check")


@pytest.mark.parametrize("messages", [True, False])
def test_the_link_of_a_mail_opens_from_no_log(messages: bool) -> None:
    record = record_of_failure("Gone: %s", "/dates/0a1b2c3d/come/")
    record.exc_info = None
    assert written(record, messages=messages) == "clinic: Gone: /dates/.../come/"
