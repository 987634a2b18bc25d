"""A visit as JSON: the session as always, and beside it what was written down and what is missing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clinic.serializers import FindingOut, SiteTime
from scheduling.api.outputs import ChangeOut
from scheduling.api.visit_inputs import GRADES
from scheduling.models import VitalsRound
from scheduling.protocols.vitals import Stage
from scheduling.visits.charts import Chart
from scheduling.visits.undoing import undo_until

_WORDS = {value: word for word, value in GRADES.items()}


class RoundDueOut(serializers.Serializer[Any]):
    """When the next round is due."""

    at = serializers.DateTimeField()
    overdue = serializers.BooleanField()


class RecordOut(serializers.Serializer[Any]):
    """What was written down at the steps; people by their ids."""

    changed = serializers.DictField(child=serializers.BooleanField(allow_null=True))
    reviewed_at = SiteTime()
    reviewed_by = serializers.IntegerField(source="reviewed_by_id", allow_null=True)
    review_note = serializers.CharField()
    weight_kg = serializers.FloatField(allow_null=True)
    last_food_at = SiteTime()
    last_drink_at = SiteTime()
    medicines = serializers.ListField(child=serializers.CharField())
    escort = serializers.SerializerMethodField()
    checked_in_by = serializers.IntegerField(source="checked_in_by_id")
    drug = serializers.CharField()
    lot = serializers.CharField()
    mg_per_kg = serializers.FloatField(allow_null=True)
    mg = serializers.FloatField(allow_null=True)
    started_by = serializers.IntegerField(source="started_by_id", allow_null=True)
    confirmed_by = serializers.IntegerField(source="confirmed_by_id", allow_null=True)
    mg_given = serializers.FloatField(allow_null=True)
    waste_mg = serializers.FloatField(allow_null=True)
    waste_witness = serializers.IntegerField(source="waste_witness_id", allow_null=True)
    ended_by = serializers.IntegerField(source="ended_by_id", allow_null=True)
    checklist = serializers.DictField(child=serializers.BooleanField())
    signed_by = serializers.IntegerField(source="signed_by_id", allow_null=True)
    seen_by = serializers.IntegerField(source="seen_by_id", allow_null=True)
    exit_reason = serializers.CharField()
    form_sent_at = SiteTime()

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_escort(self, record: Any) -> dict[str, str]:
        return {"name": record.escort_name, "phone": record.escort_phone}


class VitalsOut(serializers.Serializer[Any]):
    """A round of measurements; one that was voided does not count."""

    id = serializers.IntegerField(source="pk")
    taken_at = SiteTime()
    systolic = serializers.IntegerField()
    diastolic = serializers.IntegerField()
    heart_rate = serializers.IntegerField()
    spo2 = serializers.IntegerField()
    respiratory_rate = serializers.IntegerField(allow_null=True)
    sedation = serializers.IntegerField()
    dissociation = serializers.SerializerMethodField()
    action = serializers.CharField()
    by = serializers.IntegerField(source="by_id")
    voided_at = SiteTime()

    @extend_schema_field(serializers.ChoiceField(choices=list(GRADES)))
    def get_dissociation(self, round_: VitalsRound) -> str:
        return _WORDS[round_.dissociation]


class AdverseEventOut(serializers.Serializer[Any]):
    """Something untoward."""

    id = serializers.IntegerField(source="pk")
    type = serializers.CharField()
    onset = SiteTime()
    severity = serializers.IntegerField()
    serious = serializers.BooleanField()
    action = serializers.CharField()
    by = serializers.IntegerField(source="by_id")
    at = SiteTime()


class AddendumOut(serializers.Serializer[Any]):
    """What was added to a closed record."""

    id = serializers.IntegerField(source="pk")
    text = serializers.CharField()
    by = serializers.IntegerField(source="by_id")
    at = SiteTime()


class ChartOut(serializers.Serializer[Any]):
    """Where a visit stands and what was written down. Times are those of the steps, not the planned ones."""

    stage = serializers.ChoiceField(choices=[stage.value for stage in Stage])
    checked_in_at = SiteTime(source="session.checked_in_at")
    dose_started_at = SiteTime(source="session.dose_started_at")
    dose_ended_at = SiteTime(source="session.dose_ended_at")
    left_at = SiteTime(source="session.left_at")
    earliest_discharge = SiteTime(source="earliest")
    vitals_due = serializers.SerializerMethodField()
    undo_until = serializers.SerializerMethodField()
    closed = serializers.BooleanField()
    record = RecordOut(allow_null=True)
    vitals = serializers.SerializerMethodField()
    adverse_events = AdverseEventOut(many=True, source="events")
    addenda = AddendumOut(many=True)

    @extend_schema_field(RoundDueOut(allow_null=True))
    def get_vitals_due(self, chart: Chart) -> dict[str, Any] | None:
        if chart.vitals_due is None:
            return None
        return {"at": chart.vitals_due.astimezone(self.context["zone"]).isoformat(), "overdue": chart.overdue}

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_undo_until(self, chart: Chart) -> str | None:
        until = undo_until(chart.session)
        return until.astimezone(self.context["zone"]).isoformat() if until else None

    @extend_schema_field(VitalsOut(many=True))
    def get_vitals(self, chart: Chart) -> Any:
        rounds = sorted([*chart.rounds, *chart.voided], key=lambda round_: (round_.taken_at, round_.pk))
        return VitalsOut(rounds, many=True, context=self.context).data


class StepOut(ChangeOut):
    """The session after a step, with its visit and what stands against discharge while the patient is observed."""

    visit = ChartOut()
    missing = FindingOut(many=True)


class ChartedOut(StepOut):
    """The same after something was written down: `recorded` is its number."""

    recorded = serializers.IntegerField()
