"""Bodies about courses and sessions: their shape. What they mean is for the verbs to judge."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clinic.models import Staff
from clinic.serializers import MOST_ROWS, Choice, Clock, Day, Flag, Id, Instant, Reference, RequestId, Text, Whole
from patients.models import Patient
from scheduling import queries
from scheduling.models import Course, PhaseChoice, ProtocolVersion
from scheduling.outcomes import Cause, Decision

#: The phases whose rules are about dates alone.
PATTERN_PHASES = ["initial", "maintenance"]


@extend_schema_field(OpenApiTypes.STR)
class ProtocolByCode(serializers.Field[Any, Any, Any, Any]):
    """The code of a protocol, as the version of it that courses are booked by now."""

    default_error_messages = {"unknown": gettext_lazy("There is no protocol with this code.")}

    def to_internal_value(self, data: object) -> ProtocolVersion:
        code = Text(max_length=60).run_validation(data)
        version = queries.protocols().filter(code=code).first()
        if version is None:
            self.fail("unknown")
        return version


class RowIn(serializers.Serializer[Any]):
    """One session: when, in which chair, with whom. A row without chair and prescriber is judged, never booked."""

    starts_at = Instant()
    chair = Id(required=False)
    prescriber = Id(required=False)


class OverrideIn(serializers.Serializer[Any]):
    """A prescriber passes over rules, for a reason that is kept."""

    rules = serializers.ListField(child=Text(max_length=40), max_length=20)
    reason = Text(max_length=2000, lines=True, allow_blank=True, default="")


class WishesIn(serializers.Serializer[Any]):
    """What the patient wishes; dates in `except_dates` are never planned."""

    weekdays = serializers.ListField(
        child=Whole(max_value=6), max_length=7, default=list, help_text="0 is Monday; empty for any."
    )
    not_before = Clock(allow_null=True, default=None)
    not_after = Clock(allow_null=True, default=None)
    home_by = Clock(allow_null=True, default=None)
    except_dates = serializers.ListField(child=Day(), max_length=366, default=list)


class CheckIn(serializers.Serializer[Any]):
    """A pattern of dates: day numbers, or times."""

    phase = Choice(choices=PATTERN_PHASES, default="initial")
    days = serializers.ListField(child=Whole(max_value=10_000), max_length=MOST_ROWS, required=False)
    starts_at = serializers.ListField(child=Instant(), max_length=MOST_ROWS, required=False)
    closed = Flag(default=False, help_text="This is the whole phase.")
    site = Id(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("days" in attrs) == ("starts_at" in attrs):
            raise serializers.ValidationError({"days": [_("Give either days or starts_at.")]})
        return attrs


class ProposeIn(serializers.Serializer[Any]):
    """What is to be planned: a new course of a patient, or what a running one lacks."""

    site = Id(required=False)
    patient = Reference(queryset=Patient.objects.all(), required=False)
    protocol = ProtocolByCode(required=False)
    course = Reference(queryset=Course.objects.select_related("site", "patient", "protocol"), required=False)
    phase = Choice(choices=PhaseChoice.values, allow_null=True, default=None)
    earliest = Day(allow_null=True, default=None)
    wishes = WishesIn(allow_null=True, default=None)
    sessions = Whole(min_value=1, max_value=MOST_ROWS, allow_null=True, default=None, help_text="How many.")
    fixed: Any = serializers.ListSerializer(
        child=RowIn(), default=list, max_length=MOST_ROWS, help_text="Sessions that stay."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = [] if "course" in attrs else [name for name in ("patient", "protocol") if name not in attrs]
        if missing:
            raise serializers.ValidationError({name: [_("Give this, or a course.")] for name in missing})
        if "course" not in attrs and attrs["phase"] not in (None, PhaseChoice.INITIAL):
            raise serializers.ValidationError({"phase": [_("A new course begins with its initial phase.")]})
        if "course" in attrs and attrs.get("patient", attrs["course"].patient) != attrs["course"].patient:
            raise serializers.ValidationError({"patient": [_("This course is another patient's.")]})
        return attrs


class CourseIn(serializers.Serializer[Any]):
    """A whole course to be booked, or held."""

    patient = Reference(queryset=Patient.objects.all())
    protocol = ProtocolByCode()
    sessions: Any = serializers.ListSerializer(child=RowIn(), allow_empty=False, max_length=MOST_ROWS)
    override = OverrideIn(allow_null=True, default=None)
    hold = Flag(default=False)
    reason = Text(
        max_length=2000,
        lines=True,
        allow_blank=True,
        default="",
        help_text="Why a prescriber is asked to pass over rules while the times are held.",
    )
    ask = Reference(
        queryset=Staff.objects.filter(is_prescriber=True, is_active=True),
        allow_null=True,
        default=None,
        help_text="The prescriber who is asked, null for any.",
    )
    request_id = RequestId()


class AddIn(RowIn):
    """One session, or several as `sessions`."""

    starts_at = Instant(required=False)
    sessions: Any = serializers.ListSerializer(child=RowIn(), allow_empty=False, max_length=MOST_ROWS, required=False)
    override = OverrideIn(allow_null=True, default=None)
    dry_run = Flag(default=False)
    request_id = RequestId()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("sessions" in attrs) == ("starts_at" in attrs):
            raise serializers.ValidationError({"starts_at": [_("Give either one session or several.")]})
        return attrs


class WhereIn(serializers.Serializer[Any]):
    """Where a session goes; what is not given stays as it is."""

    starts_at = Instant(required=False)
    chair = Id(required=False)
    prescriber = Id(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & {"starts_at", "chair", "prescriber"}:
            raise serializers.ValidationError({"starts_at": [_("Say where the session goes.")]})
        return attrs


class AlsoIn(WhereIn):
    """Another session of the course that moves with it."""

    session = Id()


class MoveIn(WhereIn):
    """Where a session goes, and others of its course that move with it: all or none."""

    also: Any = serializers.ListSerializer(child=AlsoIn(), default=list, max_length=MOST_ROWS)
    override = OverrideIn(allow_null=True, default=None)
    dry_run = Flag(default=False)
    request_id = RequestId()


class CancelIn(serializers.Serializer[Any]):
    """Why something is cancelled."""

    reason = Text(max_length=2000, lines=True, allow_blank=True, default="")
    dry_run = Flag(default=False)
    request_id = RequestId()


class ConfirmIn(serializers.Serializer[Any]):
    """The patient said yes."""

    request_id = RequestId()


class NoShowIn(ConfirmIn):
    """Nobody came."""

    reason = Text(max_length=2000, lines=True, allow_blank=True, default="")


class ExpectIn(ConfirmIn):
    """A patient who comes late has said when; null takes it back."""

    at = Instant(allow_null=True)


class ConfirmCourseIn(ConfirmIn):
    """A held course is to be booked."""

    override = OverrideIn(allow_null=True, default=None)


class DecideIn(serializers.Serializer[Any]):
    """How a course goes on. `dose` in mg/kg by infusion, in mg as a spray; `sessions` more of an initial phase."""

    decision = Choice(choices=Decision.choices)
    reason = Text(max_length=2000, lines=True, allow_blank=True, default="")
    cause = Choice(choices=Cause.choices, allow_blank=True, default="")
    interval_days = Whole(max_value=1000, allow_null=True, default=None)
    dose = serializers.DecimalField(max_digits=6, decimal_places=3, allow_null=True, default=None)
    sessions = Whole(max_value=1000, allow_null=True, default=None)
    until = Day(allow_null=True, default=None)
    override = OverrideIn(allow_null=True, default=None)
    dry_run = Flag(default=False)
    request_id = RequestId()


class AcknowledgeIn(ConfirmIn):
    """Somebody has dealt with a line; of an item 9 `note` says what is done about it and is needed."""

    note = Text(lines=True, max_length=2000, allow_blank=True, required=False, default="")


class AssignIn(ConfirmIn):
    """Who deals with a line; null is nobody in particular."""

    to = Reference(queryset=Staff.objects.filter(is_active=True), allow_null=True)


class SnoozeIn(ConfirmIn):
    """Until when a line is put off; null takes that back."""

    until = Instant(allow_null=True)
