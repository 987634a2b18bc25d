"""How the JSON interface reads bodies. A module of its own, for REST framework loads it while it loads itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSON(JSONParser):
    """JSON in UTF-8 of a limited size; what cannot be read is refused in one sentence, however deep it nests.

    So is half of a character, which JSON can escape ("\\ud800") but UTF-8 cannot say: no column stores it, and no
    answer could repeat it.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise ParseError(_("The body is too long."))
        try:
            given = json.loads(raw.decode(), parse_constant=_refuse_constant)
            json.dumps(given, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not JSON in UTF-8.")) from error
        return given


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
