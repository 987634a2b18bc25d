"""A client of the JSON interface for tests: signed in as somebody, answers with status and body."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from clinic.models import Staff
from tests.factories import NEW_YORK, Clinic, local
from tests.screenings import WELL

Json = Any


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Json


@dataclass(frozen=True)
class Api:
    """Requests below /api/v1/, as somebody or as nobody."""

    client: APIClient

    def get(self, path: str, **query: str | int) -> Answer:
        return _answer(self.client.get(f"/api/v1/{path}", query))

    def post(self, path: str, body: Json = None) -> Answer:
        return self.raw(path, json.dumps({} if body is None else body).encode())

    def patch(self, path: str, body: Json) -> Answer:
        return self.raw(path, json.dumps(body).encode(), method="PATCH")

    def put(self, path: str, body: Json) -> Answer:
        return self.raw(path, json.dumps(body).encode(), method="PUT")

    def raw(self, path: str, body: bytes, content_type: str = "application/json", method: str = "POST") -> Answer:
        send: Any = self.client.generic  # its annotation forgets that a body can be bytes
        return _answer(send(method, f"/api/v1/{path}", body, content_type))


def _answer(response: Any) -> Answer:
    return Answer(response.status_code, response.json() if response.content else None)


def signed_in(staff: Staff | None) -> Api:
    """A client with a token of this staff member, None for nobody. What nobody expected comes back as a 500."""
    client = APIClient(raise_request_exception=False)
    if staff is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.get_or_create(user=staff)[0].key}")
    return Api(client)


def shown(day: date, clock: str = "09:00") -> str:
    """A wall time in New York as the interface writes it."""
    return local(day, clock).astimezone(NEW_YORK).isoformat()


def rows(clinic: Clinic, days: Sequence[date], clock: str = "09:00", chair: int = 0) -> list[dict[str, Json]]:
    """Sessions of a body, one a day, in one chair with the first prescriber."""
    return [
        {"starts_at": shown(day, clock), "chair": clinic.chairs[chair].pk, "prescriber": clinic.prescriber.pk}
        for day in days
    ]


def screening_body(decision: str = "accepted", **changes: Json) -> dict[str, Json]:
    """A screening in which nothing speaks against the patient, but for the changes."""
    return {**WELL.to_data(), "decision": decision, **changes}


def screened(clinic: Clinic, patient: int, **changes: Json) -> Answer:
    """Let the clinic's prescriber screen and accept a patient who was registered by the interface."""
    return signed_in(clinic.prescriber).put(f"patients/{patient}/screening/", screening_body(**changes))


def course_body(patient: int, sessions: Sequence[Mapping[str, Json]], **more: Json) -> dict[str, Json]:
    """What books a course by the default protocol."""
    return {"patient": patient, "protocol": "iv-ketamine-standard", "sessions": list(sessions), **more}
