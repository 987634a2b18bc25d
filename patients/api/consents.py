"""What a patient has agreed to and taken back, as JSON."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import PAGING, actor, answers, endpoint, page_of, paged, validated
from clinic.errors import Invalid
from clinic.permissions import Verb
from clinic.serializers import Choice, Flag, RequestId
from patients import contact
from patients.api.people import LEVELS
from patients.models import Channel, Consent, ConsentSource, ContactLevel, Patient
from scheduling import writes
from scheduling.mails import outbox


class ConsentIn(serializers.Serializer[Any]):
    """What a patient says at the desk about one channel. `language` is that in which the words were read, the
    patient's without."""

    channel = Choice(choices=Channel.choices, default=Channel.EMAIL.value)
    level = Choice(choices=LEVELS)
    warned = Flag(default=False, help_text="The warning was read out: only then does somebody agree to detailed mails.")
    language = Choice(choices=settings.LANGUAGES, allow_null=True, default=None)
    request_id = RequestId()


class ConsentOut(serializers.Serializer[Any]):
    """What was said, to which words, about which address. `by` is nobody for the patient alone."""

    id = serializers.IntegerField(source="pk")
    channel = serializers.ChoiceField(choices=Channel.choices)
    level = serializers.ChoiceField(choices=LEVELS)
    wording = serializers.CharField()
    language = serializers.ChoiceField(choices=settings.LANGUAGES)
    address = serializers.CharField()
    source_ = serializers.ChoiceField(choices=ConsentSource.choices)
    at = serializers.DateTimeField()
    by = serializers.IntegerField(source="by_id", allow_null=True)

    # A serializer has an attribute `source` of its own, so this one gets its name here.

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        return {name.removesuffix("_"): field for name, field in fields.items()}


@extend_schema(
    methods=["GET"],
    operation_id="patients_consents_list",
    parameters=[*PAGING],
    responses=answers({200: page_of(ConsentOut)}, 404),
)
@extend_schema(
    methods=["POST"],
    request=ConsentIn,
    responses=answers({201: ConsentOut, 200: ConsentOut}, 400, 403, 404, 409),
)
@endpoint(GET=Verb.SEE, POST=Verb.BOOK)
def consents(request: Request, pk: int) -> Response:
    """Everything a patient has said about being reached, the latest first; POST writes down what they say now; who says
    the same again to the same words is answered with what counts already."""
    patient = get_object_or_404(Patient, pk=pk)
    if request.method == "GET":
        found = Consent.objects.filter(patient=patient).order_by("-pk")
        return paged(request, found, lambda rows: ConsentOut(rows, many=True).data)
    return _said(request, patient)


def _said(request: Request, patient: Patient) -> Response:
    given, staff, now = validated(ConsentIn, request.data), actor(request), clock.now()
    request_id, warned, language = given.pop("request_id"), given.pop("warned"), given["language"]
    channel, level, desk = Channel(given["channel"]), ContactLevel(given["level"]), ConsentSource.DESK
    if level == ContactLevel.DETAILED and not warned:
        raise Invalid.at("warned", _("Read the warning out first."))

    def act() -> Consent:
        if level == ContactLevel.STOPPED:
            return contact.stop(actor=staff, patient=patient, channel=channel, source=desk, language=language, now=now)
        consent = contact.agree(
            actor=staff, patient=patient, channel=channel, level=level, source=desk, language=language, now=now
        )
        outbox.catch_up(patient=patient, now=now)
        return consent

    asked = {"actor": staff.pk, "patient": patient.pk, **given}
    consent, repeated = writes.carry_out_once(
        "consent", request_id, asked, act, lambda pk: Consent.objects.get(pk=pk), now=now
    )
    return Response(ConsentOut(consent).data, status=200 if repeated else 201)
