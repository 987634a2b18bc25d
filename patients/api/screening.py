"""Screenings as JSON: the answers and the decision on them, and what the rules say."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import actor, answers, endpoint, validated
from clinic.errors import Invalid
from clinic.permissions import Verb
from clinic.serializers import Choice, Day, FindingOut, Flag, RequestId, Text, Whole
from patients import screening as verbs
from patients.answers import (
    Answers,
    Decision,
    DrugClass,
    Outcome,
    Severity,
    StrokeKind,
    TherapyKind,
    antidepressant,
)
from patients.eligibility import QUESTIONS
from patients.models import Patient, Screening
from scheduling import queries, writes
from scheduling.protocols import library

#: More rows than anybody's history has.
MOST_ROWS = 40


class TrialIO(serializers.Serializer[Any]):
    """An antidepressant that was tried. Without a class the list's is taken; `adequate`: dose and weeks were enough."""

    drug = Text(max_length=100)
    drug_class = Choice(choices=[word.value for word in DrugClass], required=False)
    dose = Text(max_length=100, allow_blank=True, required=False, default="")
    weeks = Whole(max_value=2000)
    adequate = Flag()
    outcome = Choice(choices=[word.value for word in Outcome])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = antidepressant(attrs["drug"])
        return {"drug_class": (known.drug_class if known else DrugClass.OTHER).value, **attrs}


class TherapyIO(serializers.Serializer[Any]):
    """A therapy that the patient was or is in."""

    kind = Choice(choices=[word.value for word in TherapyKind])
    note = Text(max_length=500, allow_blank=True, required=False, default="")


class SignOffIO(serializers.Serializer[Any]):
    """Who was heard, when, and what they said; it counts with all three."""

    name = Text(max_length=200, allow_blank=True, required=False, default="")
    on = Day(allow_null=True, required=False, default=None)
    note = Text(lines=True, max_length=2000, allow_blank=True, required=False, default="")


def _question() -> Flag:
    return Flag(allow_null=True, required=False, default=None, help_text="Null: not answered yet.")


class AnswersIO(serializers.Serializer[Any]):
    """What a screening asks; what is absent is not answered. Dates are when it was signed."""

    trials = serializers.ListField(child=TrialIO(), max_length=MOST_ROWS, required=False)
    therapies = serializers.ListField(child=TherapyIO(), max_length=MOST_ROWS, required=False)
    doctor = SignOffIO(required=False)
    therapist = SignOffIO(required=False)
    psychologist = SignOffIO(required=False)
    treatment_consent = Day(allow_null=True, required=False, default=None)
    off_label_consent = Day(allow_null=True, required=False, default=None)
    rems_enrolled = Day(allow_null=True, required=False, default=None)
    severity = Choice(choices=[word.value for word in Severity], allow_null=True, required=False, default=None)
    allergies = Text(lines=True, max_length=2000, allow_blank=True, required=False, default="")
    medicines = serializers.ListField(child=Text(max_length=200), max_length=MOST_ROWS, required=False)
    stroke_kind = Choice(choices=[word.value for word in StrokeKind], allow_null=True, required=False, default=None)

    def get_fields(self) -> dict[str, Any]:
        """The questions of the history are those of the rules."""
        return {**super().get_fields(), **{item: _question() for item in QUESTIONS}}


class ScreeningIn(AnswersIO):
    """A screening to be saved as a whole. `based_on`: the version that was looked at, 0 for none; null takes whatever
    is there."""

    decision = Choice(choices=[word.value for word in Decision], allow_blank=True, required=False, default="")
    based_on = Whole(allow_null=True, required=False, default=None)
    request_id = RequestId()


class ScreeningOut(AnswersIO):
    """The version that counts; version 0 with nothing answered before the first."""

    version = serializers.IntegerField()
    decision = serializers.ChoiceField(choices=[word.value for word in Decision])
    by = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)


class EligibilityOut(serializers.Serializer[Any]):
    """What the rules of part 2 say for a protocol."""

    findings = FindingOut(many=True)
    resistant = serializers.BooleanField(help_text="Two antidepressants or more have failed.")
    decision = serializers.CharField(allow_null=True, help_text="Null without a screening, empty while it is open.")


@extend_schema(methods=["GET"], responses=answers({200: ScreeningOut}, 404))
@extend_schema(
    methods=["PUT"],
    request=ScreeningIn,
    responses=answers({200: ScreeningOut}, 400, 403, 404, 409),
)
@endpoint(GET=Verb.SEE, PUT=Verb.SCREEN)
def screening(request: Request, pk: int) -> Response:
    """The screening of a patient; PUT saves it as a new version, a decision needs a prescriber."""
    patient = get_object_or_404(Patient, pk=pk)
    return Response(_as_json(_save(request, patient) if request.method == "PUT" else verbs.latest(pk)))


def _save(request: Request, patient: Patient) -> Screening:
    given = validated(ScreeningIn, request.data)
    request_id, based_on, decision = (given.pop(name) for name in ("request_id", "based_on", "decision"))
    staff, now, told = actor(request), clock.now(), Answers.from_data(_plain(given))
    saved, _again = writes.carry_out_once(
        "screen",
        request_id,
        {"actor": staff.pk, "patient": patient.pk, "answers": told, "decision": decision, "based_on": based_on},
        lambda: verbs.screen(actor=staff, patient=patient, answers=told, decision=decision, based_on=based_on, now=now),
        lambda saved: Screening.objects.get(pk=saved),
        now=now,
    )
    return saved


@extend_schema(
    parameters=[OpenApiParameter("protocol", str, description="A protocol's code; the default protocol without one.")],
    responses=answers({200: EligibilityOut}, 400, 404),
)
@endpoint(GET=Verb.SEE)
def eligibility(request: Request, pk: int) -> Response:
    """Whether a patient may be treated by a protocol, at the site where the one who asks works first."""
    get_object_or_404(Patient, pk=pk)
    code = request.query_params.get("protocol") or library.STANDARD.code
    version = queries.protocols().filter(code=code).first()
    if version is None:
        raise Invalid.at("protocol", _("There is no such protocol."))
    site = actor(request).sites.order_by("name").first()
    now = clock.now()
    found = verbs.eligibility_of(
        pk,
        drug=version.protocol.drug,
        today=now.astimezone(site.zone).date() if site else verbs.last_today(now),
        certified=site is not None and site.rems_certified,
    )
    return Response(EligibilityOut(found).data)


def _plain(given: Any) -> Any:
    """What was validated as `Answers.from_data` reads it: dates as text again."""
    if isinstance(given, dict):
        return {name: _plain(item) for name, item in given.items()}
    if isinstance(given, list):
        return [_plain(item) for item in given]
    return given.isoformat() if hasattr(given, "isoformat") else given


def _as_json(found: Screening | None) -> dict[str, Any]:
    return {
        **(verbs.answers_of(found) or Answers()).to_data(),
        "version": found.version if found else 0,
        "decision": found.decision if found else "",
        "by": found.by_id if found else None,
        "at": found.at.isoformat() if found else None,
    }
