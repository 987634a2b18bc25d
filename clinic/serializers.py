"""Fields of the JSON interface: what comes in is taken as it is or refused with a sentence, never guessed at.

REST framework's own fields take "5", 5 and 5.0 for the same; here a number is a number and a text a text.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.relations import PrimaryKeyRelatedField

from clinic.findings import Level
from clinic.http import translate_finding

#: The years that the database takes; see `clinic.models.finite`.
FIRST_YEAR, LAST_YEAR = 1900, 2199

#: More rows than any protocol can need; a body with more is refused before anything is looked up.
MOST_ROWS = 60

#: Besides control characters those that turn the direction of the text which follows them.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)
_LONGEST_TIME = 40


class Text(serializers.CharField):
    """A text; on one line unless `lines` is set, so that it can stand in a mail's header or a board's block."""

    default_error_messages = {"one_line": _("This has to be one line without control characters.")}

    def __init__(self, *, lines: bool = False, **kwargs: Any) -> None:
        self.lines = lines
        super().__init__(**kwargs)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not self.lines and _CONTROLS.search(data.strip()):
            self.fail("one_line")
        return super().to_internal_value(data)


class Address(serializers.EmailField):
    """A mail address."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A whole number, 0 to a million unless told otherwise."""

    def __init__(self, *, min_value: int = 0, max_value: int = 1_000_000, **kwargs: Any) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: object) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Figure(serializers.DecimalField):
    """A measured quantity as a number, rounded to the places that are stored."""

    def __init__(self, *, digits: int, places: int, **kwargs: Any) -> None:
        self.places = places
        super().__init__(max_digits=digits, decimal_places=places, coerce_to_string=False, **kwargs)

    def to_internal_value(self, data: object) -> Decimal:
        if not isinstance(data, int | float) or isinstance(data, bool) or not -1e9 < data < 1e9:
            self.fail("invalid")
        return self.validate_precision(Decimal(str(data)).quantize(Decimal(1).scaleb(-self.places)))


class Id(Whole):
    """The number of something stored; what the database cannot count to does not exist, but that is said elsewhere."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=2**63 - 1, **kwargs)


class Reference(PrimaryKeyRelatedField[Any]):
    """The number of something stored, as the thing itself."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pk_field=None if kwargs.get("read_only") else Id(), **kwargs)

    def to_internal_value(self, data: object) -> Any:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("incorrect_type", data_type=type(data).__name__)
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """True or false."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=type(data).__name__)
        return data


class Choice(serializers.ChoiceField):
    """One of some words."""

    def to_internal_value(self, data: object) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=type(data).__name__)
        return super().to_internal_value(data)


class RequestId(serializers.UUIDField):
    """What tells a repeated request from a new one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, default=None, **kwargs)

    def to_internal_value(self, data: object) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=type(data).__name__)
        return super().to_internal_value(data)


class Day(serializers.DateField):
    """A local calendar date."""

    default_error_messages = {"years": _("The year has to be between %(first)s and %(last)s.")}

    def to_internal_value(self, data: object) -> date:
        try:
            day = parse_date(data) if isinstance(data, str) and len(data) <= _LONGEST_TIME else None
        except ValueError:
            day = None
        if day is None:
            self.fail("invalid", format="YYYY-MM-DD")
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise serializers.ValidationError(
                self.error_messages["years"] % {"first": FIRST_YEAR, "last": LAST_YEAR}, code="years"
            )
        return day


class Clock(serializers.TimeField):
    """A wall time of the site."""

    def to_internal_value(self, data: object) -> time:
        try:
            clock = time.fromisoformat(data) if isinstance(data, str) and _CLOCK.fullmatch(data) else None
        except ValueError:
            clock = None
        if clock is None:
            self.fail("invalid", format="HH:MM")
        return clock


class Instant(serializers.DateTimeField):
    """A time with its offset, kept as it was said: `clocks_refuse` holds it against a site's clocks."""

    default_error_messages = {
        "invalid": _("This is no time. Use the form 2027-03-01T09:00:00-05:00."),
        "naive": _("This time has no offset. Use the form 2027-03-01T09:00:00-05:00."),
        "years": _("The year has to be between %(first)s and %(last)s."),
    }

    def to_internal_value(self, data: object) -> datetime:
        try:
            moment = parse_datetime(data) if isinstance(data, str) and len(data) <= _LONGEST_TIME else None
        except ValueError:
            moment = None
        if moment is None:
            raise serializers.ValidationError(self.error_messages["invalid"], code="invalid")
        if moment.tzinfo is None:
            raise serializers.ValidationError(self.error_messages["naive"], code="naive")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise serializers.ValidationError(
                self.error_messages["years"] % {"first": FIRST_YEAR, "last": LAST_YEAR}, code="years"
            )
        return moment


def clocks_refuse(moment: datetime, zone: tzinfo) -> str:
    """Why the clocks of a zone never show this time, empty when they do; every time in UTC can be shown.

    The offset tells the two 01:30 of the autumn fold apart, and a time in the spring gap has none that fits.
    """
    local = moment.astimezone(zone)
    if moment.utcoffset() in (local.utcoffset(), timedelta(0)):
        return ""
    wall = moment.replace(tzinfo=None)
    if all(
        moment.replace(tzinfo=zone, fold=fold).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall
        for fold in (0, 1)
    ):
        return gettext("There is no such time at the site: the clocks go forward then.")
    values = {"right": local.isoformat()[-6:], "given": moment.isoformat()[-6:]}
    return gettext("The site's clocks are at %(right)s from UTC then, not at %(given)s.") % values


class SiteTime(serializers.DateTimeField):
    """A stored time as the site's clocks show it. `site` leads from the object to its site; without it, the zone is
    `zone` in the serializer's context."""

    def __init__(self, *, site: str = "", **kwargs: Any) -> None:
        self.zone_of = attrgetter(f"{site}.zone") if site else None
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> datetime | None:
        moment = super().get_attribute(instance)
        if moment is None:
            return None
        zone: tzinfo = self.zone_of(instance) if self.zone_of else self.context["zone"]
        return moment.astimezone(zone)

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class FindingOut(serializers.Serializer[Any]):
    """What a rule of the protocol says."""

    rule = serializers.CharField(help_text="A code of the protocol, such as gap-min.")
    level = serializers.ChoiceField(choices=[level.value for level in Level])
    message = serializers.SerializerMethodField(help_text="A sentence in the reader's language.")
    observed = serializers.CharField()
    limit = serializers.CharField()
    sessions = serializers.ListField(child=serializers.IntegerField(), help_text="Indexes or ids of those concerned.")

    @extend_schema_field(OpenApiTypes.STR)
    def get_message(self, finding: Any) -> str:
        return translate_finding(finding)


class ErrorOut(serializers.Serializer[Any]):
    """A refusal: a code for programs and a sentence for people."""

    code = serializers.CharField()
    message = serializers.CharField()


class InvalidOut(ErrorOut):
    """What cannot be used, field by field."""

    fields_ = serializers.DictField(help_text="Sentences by field; for rows as REST framework nests them.")

    # A serializer has an attribute `fields` of its own, so this one gets its name here.

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        return {name.removesuffix("_"): field for name, field in fields.items()}


class RulesOut(ErrorOut):
    """What the rules say against it."""

    findings = FindingOut(many=True)
