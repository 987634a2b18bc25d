"""Mails to patients: what is due, what went out and what did not; and why, for one session."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404
from django_filters import ChoiceFilter, Filter, FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import IdFilter, answers, endpoint, filtered, page_of, paged, parameters_of
from clinic.permissions import Verb
from clinic.serializers import Instant, SiteTime
from scheduling import queries, reminded, timelines
from scheduling.models import Mail, MailKind, MailState, Session


class _InstantField(forms.CharField):
    """A time with its offset, as bodies of requests take it."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return Instant().to_internal_value(text) if text else None
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(detail) for detail in error.detail]) from error


class _InstantFilter(Filter):
    field_class = _InstantField


class ReminderFilters(FilterSet):
    """Which mails a list holds."""

    session = IdFilter(field_name="session")
    course = IdFilter(field_name="course")
    patient = IdFilter(field_name="patient")
    kind = ChoiceFilter(choices=MailKind.choices)
    state = ChoiceFilter(choices=MailState.choices)
    due_before = _InstantFilter(field_name="due_at", lookup_expr="lt")

    class Meta:
        model = Mail
        fields: list[str] = []


class TryOut(serializers.Serializer[Any]):
    """One try to deliver a mail, and what the mail server answered or what came instead of an answer."""

    at = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=MailState.choices, help_text="What the mail was after it: due to be tried.")
    answer = serializers.CharField()

    @extend_schema_field(serializers.DateTimeField())
    def get_at(self, one: Any) -> str:
        text: str = one.at.astimezone(one.mail.site.zone).isoformat()
        return text


class ReminderOut(serializers.Serializer[Any]):
    """A mail to a patient; without a session it speaks about the whole course, or about an evaluation."""

    id = serializers.IntegerField(source="pk")
    patient = serializers.IntegerField(source="patient_id")
    course = serializers.IntegerField(source="course_id", allow_null=True)
    session = serializers.IntegerField(source="session_id", allow_null=True)
    evaluation = serializers.IntegerField(source="evaluation_id", allow_null=True)
    kind = serializers.ChoiceField(choices=MailKind.choices)
    due_at = SiteTime(site="site")
    expires_at = SiteTime(site="site", allow_null=True, help_text="When it is no longer worth sending.")
    sent_at = SiteTime(site="site", allow_null=True)
    state = serializers.ChoiceField(choices=MailState.choices)
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    tries = TryOut(many=True, source="tries.all")


class FateOut(serializers.Serializer[Any]):
    """What became of one kind of reminder for the times that the session has now; `mail` is null where none was
    made, and `text` says why."""

    kind = serializers.ChoiceField(choices=MailKind.choices)
    state = serializers.ChoiceField(choices=[*MailState.values, reminded.NOT_MADE])
    at = SiteTime(help_text="When it went out, or when it was due.")
    text = serializers.CharField(source="why")
    mail = serializers.IntegerField(source="mail.pk", default=None, allow_null=True)


class ToldOut(serializers.Serializer[Any]):
    """One thing that happened; `by` is null for the patient and for what runs by itself."""

    at = SiteTime()
    what = serializers.CharField(help_text="An event's kind, or what became of a mail, a consent, an address.")
    text = serializers.CharField()
    by = serializers.IntegerField(source="by.pk", default=None, allow_null=True)
    mails = serializers.ListField(child=serializers.IntegerField())


class MailTimelineOut(serializers.Serializer[Any]):
    """Why the patient got the mails about a session, or did not: in a sentence, by kind, in order of time."""

    summary = serializers.CharField()
    reminders = FateOut(many=True)
    timeline = ToldOut(many=True, source="told")


@extend_schema(
    operation_id="reminders_list",
    parameters=parameters_of(ReminderFilters),
    responses=answers({200: page_of(ReminderOut)}, 400, 404),
)
@endpoint(GET=Verb.SEE)
def reminders(request: Request) -> Response:
    """Mails to patients, by when they are due."""
    found = filtered(request, ReminderFilters, queries.reminders().prefetch_related("tries"))
    return paged(request, found, lambda rows: ReminderOut(rows, many=True).data)


@extend_schema(responses=answers({200: MailTimelineOut}, 404))
@endpoint(GET=Verb.SEE)
def session(request: Request, pk: int) -> Response:
    """Why the patient got the mails about a session, or did not."""
    try:
        told = timelines.of_session(pk, now=clock.now())
    except Session.DoesNotExist as error:
        raise Http404 from error
    return Response(MailTimelineOut(told, context={"zone": told.course.site.zone}).data)
