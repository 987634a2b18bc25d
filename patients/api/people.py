"""Patients as JSON: find one, register one, change what is known of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import PAGING, actor, answers, endpoint, page_of, paged, to_json, validated
from clinic.permissions import Verb
from clinic.serializers import Address, Choice, Day, ErrorOut, Flag, RequestId, Text
from patients import registering, screening
from patients.models import AddressFault, ContactLevel, Patient, Screening
from patients.search import search
from scheduling import queries, writes
from scheduling.mails import outbox

#: What a patient can say about a channel.
LEVELS = [level.value for level in ContactLevel if level]


class ChangeIn(serializers.Serializer[Any]):
    """What is known of a patient."""

    first_name = Text(max_length=100)
    last_name = Text(max_length=100)
    birth_date = Day()
    email = Address(max_length=254, allow_blank=True, required=False)
    phone = Text(max_length=40, allow_blank=True, required=False)
    referred_by = Text(max_length=120, allow_blank=True, required=False)
    language = Choice(choices=settings.LANGUAGES, required=False)
    mail_consent = Choice(
        choices=LEVELS,
        required=False,
        help_text="What the patient has said about mails. A new address without a word means neutral ones; detailed "
        "ones need an address that the patient has verified.",
    )


class RegisterIn(ChangeIn):
    """A patient to be registered. `not_duplicate`: those who look alike are somebody else."""

    not_duplicate = Flag(default=False)
    request_id = RequestId()


class PatientOut(serializers.Serializer[Any]):
    """A patient; `course` is the one under way."""

    id = serializers.IntegerField(source="pk")
    record_number = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    birth_date = serializers.DateField()
    email = serializers.CharField()
    phone = serializers.CharField()
    referred_by = serializers.CharField()
    language = serializers.ChoiceField(choices=settings.LANGUAGES)
    mail_level = serializers.ChoiceField(choices=ContactLevel.choices, help_text="Empty: nobody has asked yet.")
    email_verified_at = serializers.DateTimeField(allow_null=True)
    email_fault = serializers.ChoiceField(choices=AddressFault.choices, help_text="Empty: none is known.")
    eligible = serializers.SerializerMethodField(help_text="Null until a screening exists.")
    course = serializers.IntegerField(source="running", allow_null=True)

    def get_eligible(self, patient: Patient) -> bool | None:
        found: Mapping[int, Screening] = self.context["screenings"]
        today = screening.last_today(clock.now())
        return screening.eligibility(found.get(patient.pk), drug=screening.DEFAULT_DRUG, today=today).eligible


class DuplicateOut(ErrorOut):
    """Who may be the same person."""

    candidates = PatientOut(many=True)


@to_json.register
def _patient(value: Patient, request: Any) -> Any:
    return _as_json(value.pk)


@extend_schema(
    methods=["GET"],
    operation_id="patients_list",
    parameters=[OpenApiParameter("q", str, description="A name, birth date, phone or record number."), *PAGING],
    responses=answers({200: page_of(PatientOut)}, 404),
)
@extend_schema(
    methods=["POST"],
    request=RegisterIn,
    responses=answers({201: PatientOut, 200: PatientOut, 409: DuplicateOut}, 400, 403),
)
@endpoint(GET=Verb.SEE, POST=Verb.BOOK)
def patients(request: Request) -> Response:
    """Find patients; POST registers one, unless somebody like this is known."""
    if request.method == "POST":
        return _register(request)
    found = queries.with_running_course(search(request.query_params.get("q", "")))
    return paged(request, found, patients_data)


def _register(request: Request) -> Response:
    given = validated(RegisterIn, request.data)
    staff, request_id, now = actor(request), given.pop("request_id"), clock.now()
    patient, repeated = writes.carry_out_once(
        "register",
        request_id,
        {"actor": staff.pk, **given},
        lambda: registering.register(actor=staff, now=now, **given),
        lambda pk: Patient.objects.get(pk=pk),
        now=now,
    )
    return Response(_as_json(patient.pk), status=200 if repeated else 201)


@extend_schema(methods=["GET"], responses=answers({200: PatientOut}, 404))
@extend_schema(
    methods=["PATCH"],
    request=ChangeIn(partial=True),
    responses=answers({200: PatientOut}, 400, 403, 404, 409),
)
@endpoint(GET=Verb.SEE, PATCH=Verb.BOOK)
def patient(request: Request, pk: int) -> Response:
    """One patient; PATCH changes what is given."""
    found = get_object_or_404(Patient, pk=pk)
    if request.method == "PATCH":
        given = ChangeIn(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        staff, now = actor(request), clock.now()

        def work() -> None:
            changed = registering.change(actor=staff, patient=found, now=now, **given.validated_data)
            outbox.catch_up(patient=changed, now=now)

        writes.commit(work)
    return Response(_as_json(pk))


def patients_data(found: Sequence[Patient]) -> Any:
    """Patients as JSON, with what their screenings come to. One query beside that of the rows."""
    return PatientOut(found, many=True, context={"screenings": screening.latest_of(row.pk for row in found)}).data


def _as_json(pk: int) -> Any:
    return patients_data(list(queries.with_running_course(Patient.objects.filter(pk=pk))))[0]
