"""Protocols as JSON, and what the rules say to a pattern of dates."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from clinic.serializers import FindingOut
from scheduling.models import PhaseChoice
from scheduling.protocols.types import Phase, Protocol


class ProtocolPhaseOut(serializers.Serializer[Any]):
    """One phase of a protocol: how many sessions, on which days from the first, at which interval in days."""

    phase = serializers.ChoiceField(choices=PhaseChoice.choices)
    fewest = serializers.IntegerField(allow_null=True)
    most = serializers.IntegerField(allow_null=True)
    planned = serializers.IntegerField(allow_null=True)
    days = serializers.ListField(child=serializers.IntegerField())
    interval_days = serializers.ListField(child=serializers.IntegerField(), help_text="The shortest and the longest.")


class LimitOut(serializers.Serializer[Any]):
    """A number that a rule compares with; its source begins with D (the source document), C or P."""

    rule = serializers.CharField()
    value = serializers.IntegerField()
    hours = serializers.IntegerField(allow_null=True, help_text="Beside the days of gap-min, start to start.")
    level = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field


class VisitLengthsOut(serializers.Serializer[Any]):
    """The phases of a visit in minutes."""

    prepare = serializers.IntegerField()
    give = serializers.IntegerField()
    monitor = serializers.IntegerField()
    turn_over = serializers.IntegerField()


class ProtocolOut(serializers.Serializer[Any]):
    """A protocol: how many sessions when, by which limits, and how long a visit is."""

    code = serializers.CharField()
    version = serializers.IntegerField()
    name = serializers.CharField()
    route = serializers.ChoiceField(choices=["iv", "nasal"])
    phases = ProtocolPhaseOut(many=True)
    limits = LimitOut(many=True)
    visit = VisitLengthsOut()


class CheckedOut(serializers.Serializer[Any]):
    """What the rules say to a pattern; `sessions` of a finding are indexes into it."""

    findings = FindingOut(many=True)


def protocol_data(protocol: Protocol) -> dict[str, Any]:
    """A protocol as `ProtocolOut` writes it."""
    days = protocol.preferred_days
    phases: list[dict[str, Any]] = [
        {
            "phase": Phase.INITIAL,
            "fewest": protocol.initial_min,
            "most": protocol.initial_max,
            "planned": protocol.initial_plan,
            "days": days,
            "interval_days": [],
        }
    ]
    if count := protocol.taper_sessions:
        phases.append(
            {
                "phase": Phase.TAPER,
                "fewest": None,
                "most": None,
                "planned": count,
                "days": [protocol.taper_start + place * protocol.taper_interval for place in range(count)],
                "interval_days": [protocol.taper_interval] * 2,
            }
        )
    open_ended: dict[str, Any] = {"fewest": None, "most": None, "planned": None, "days": []}
    phases.append({"phase": Phase.MAINTENANCE, **open_ended, "interval_days": protocol.maintenance_intervals})
    return {
        "code": protocol.code,
        "version": protocol.version,
        "name": protocol.name,
        "route": protocol.route,
        "phases": phases,
        "limits": [
            {"rule": rule, "value": limit.value, "hours": limit.hours, "level": limit.level, "source": limit.source}
            for rule, limit in protocol.limits.items()
        ],
        "visit": protocol.visit,
    }
