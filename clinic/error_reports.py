"""What is written down when something fails: where it was and of which kind, never what was typed or who is treated.

Texts of exceptions quote input ("invalid literal: 'Smith'", "Failing row contains ..."), so they are left out, as are
the variables of frames and the body of the request.
"""

import logging
import re
import traceback
from collections.abc import ItemsView
from types import FrameType, TracebackType
from typing import Any

from django.http import HttpRequest
from django.http.request import QueryDict
from django.views.debug import SafeExceptionReporterFilter

HIDDEN = SafeExceptionReporterFilter.cleansed_substitute

#: What stands in a patient's link: who has it, acts as the patient.
LINK = re.compile(r"(?<=/dates/)[^/\s\"']+")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class NothingTyped(SafeExceptionReporterFilter):
    """Django's reports without the request's body, its cookies and any variable, also under DEBUG."""

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """The names of the fields, all values hidden."""
        return dict.fromkeys(request.POST if request else QueryDict(), HIDDEN)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        """The names of the variables, all values hidden."""
        return dict.fromkeys(tb_frame.f_locals, HIDDEN).items()


def describe(error: BaseException) -> str:
    """The kind of an error; for the database's refusals also the state and the constraint, which carry no data."""
    diagnosis = getattr(error.__cause__ or error, "diag", None) or getattr(error, "diag", None)
    details = [getattr(diagnosis, "sqlstate", None), getattr(diagnosis, "constraint_name", None)]
    return " ".join(filter(None, [type(error).__qualname__, *details]))


class Formatter(logging.Formatter):
    """Writes exceptions as their kind and the lines that they passed, and no patient's link; `messages` (DEBUG) adds
    their texts."""

    def __init__(self, *args: Any, messages: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.messages = messages

    def format(self, record: logging.LogRecord) -> str:
        """One record; Celery's reports of a failed task quote the error and the arguments, so these are replaced."""
        if not self.messages and isinstance(record.args, dict) and "exc" in record.args:
            error = record.exc_info[1] if record.exc_info else None
            record.args = record.args | {
                "exc": describe(error) if error else HIDDEN,
                "traceback": "",
                "args": HIDDEN,
                "kwargs": HIDDEN,
            }
        return LINK.sub("...", super().format(record))

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 the name is logging's
        """The whole chain of an exception, oldest first, as Python prints it, without texts."""
        if self.messages or ei[1] is None:
            return super().formatException(ei)
        parts: list[str] = []
        error: BaseException | None = ei[1]
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            parts.append("".join(traceback.format_tb(error.__traceback__)) + describe(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nwhich led to\n".join(reversed(parts))
