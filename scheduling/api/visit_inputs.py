"""Bodies about a visit: their shape. What they mean is for the verbs to judge, rules before completeness."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from clinic.models import Staff
from clinic.serializers import Choice, Figure, Flag, Id, Instant, Reference, RequestId, Text, Whole
from scheduling.api.inputs import OverrideIn
from scheduling.models import Dissociation
from scheduling.protocols.vitals import POSSIBLE

#: The grades of dissociation by their words.
GRADES = {grade.name.lower(): grade.value for grade in Dissociation}

_LINE: dict[str, Any] = {"allow_blank": True, "default": ""}
_NOTE: dict[str, Any] = {"max_length": 2000, "lines": True, **_LINE}


def _somebody(**kwargs: Any) -> Reference:
    return Reference(queryset=Staff.objects.filter(is_active=True), allow_null=True, default=None, **kwargs)


class OnceIn(serializers.Serializer[Any]):
    """What every step takes."""

    request_id = RequestId()


class StepIn(OnceIn):
    """A step, and when it was: now, or a little earlier."""

    at = Instant(allow_null=True, default=None)


class ReasonIn(StepIn):
    """A way out of the visit, and why."""

    reason = Text(**_NOTE)


class ChangedIn(serializers.Serializer[Any]):
    """Is anything new or changed? Null is no answer yet."""

    pressure = Flag(allow_null=True, default=None)
    liver = Flag(allow_null=True, default=None)
    stroke = Flag(allow_null=True, default=None)
    heart = Flag(allow_null=True, default=None)


class EscortIn(serializers.Serializer[Any]):
    """Who takes the patient home."""

    name = Text(max_length=100, **_LINE)
    phone = Text(max_length=40, **_LINE)


class ArrivalIn(serializers.Serializer[Any]):
    """What a patient says at check-in; what is not given stays open, or as it was."""

    weight_kg = Figure(digits=5, places=1, allow_null=True, default=None)
    last_food_at = Instant(allow_null=True, default=None)
    last_drink_at = Instant(allow_null=True, default=None)
    medicines = serializers.ListField(child=Text(max_length=60), max_length=30, allow_null=True, default=None)
    escort = EscortIn(allow_null=True, default=None)


class CheckInIn(ArrivalIn, StepIn):
    """The patient is here."""

    changed = ChangedIn(default=dict)


class AmendIn(ArrivalIn, OnceIn):
    """Corrections of what was said at check-in."""


class ReviewIn(OnceIn):
    """A clinician has looked at what is new."""

    note = Text(**_NOTE)


class StartIn(StepIn):
    """The dose begins."""

    drug = Text(max_length=60, **_LINE)
    lot = Text(max_length=60, **_LINE)
    mg_per_kg = Figure(digits=5, places=3, allow_null=True, default=None)
    mg = Figure(digits=6, places=1, allow_null=True, default=None)
    confirmed_by = _somebody(help_text="The second person who has checked the dose.")
    override = OverrideIn(allow_null=True, default=None)


class FinishIn(StepIn):
    """The dose has ended."""

    mg_given = Figure(digits=6, places=1, allow_null=True, default=None, help_text="Null: all of it.")
    waste_mg = Figure(digits=6, places=1, allow_null=True, default=None)
    waste_witness = _somebody()


class ChecklistField(serializers.DictField):
    """Points of a checklist that were looked at: `{"oriented": true}`, or a list of those that hold."""

    child = Flag()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list):
            names = serializers.ListField(child=Text(max_length=60), max_length=30).run_validation(data)
            return dict.fromkeys(names, True)
        points = super().to_internal_value(data)
        for name in points:
            Text(max_length=60).run_validation(name)
        if len(points) > 30:
            raise serializers.ValidationError(_("A checklist has at most 30 points."))
        return points


class DischargeIn(StepIn):
    """The patient goes home. Whoever asks signs."""

    checklist = ChecklistField(default=dict)
    escort = EscortIn(allow_null=True, default=None)
    signed_by = _somebody(help_text="Whoever asks; nobody signs for somebody else.")
    seen_by = _somebody(help_text="The second person who has seen the patient.")
    override = OverrideIn(allow_null=True, default=None)


class VitalsIn(OnceIn):
    """A round of measurements."""

    taken_at = Instant(allow_null=True, default=None)
    systolic = Whole(help_text="mmHg")
    diastolic = Whole(help_text="mmHg")
    heart_rate = Whole(help_text="per minute")
    spo2 = Whole(help_text="percent")
    respiratory_rate = Whole(allow_null=True, default=None, help_text="per minute")
    sedation = Whole(help_text="MOAA/S: 5 awake, 0 no response")
    dissociation = Choice(choices=list(GRADES))
    action = Text(**_NOTE)
    confirmed = serializers.ListField(
        child=Choice(choices=list(POSSIBLE)), max_length=10, default=list, help_text="Unusual values that are meant."
    )


class ActionIn(OnceIn):
    """What was done about a round."""

    action = Text(**_NOTE)


class AdverseEventIn(OnceIn):
    """Something untoward."""

    type = Text(max_length=60)
    onset = Instant(allow_null=True, default=None)
    severity = Whole(help_text="1 mild to 5 death (CTCAE)")
    serious = Flag(default=False)
    action = Text(**_NOTE)


class AddendumIn(OnceIn):
    """What is added to a closed record."""

    text = Text(max_length=5000, lines=True)


class ChairIn(OnceIn):
    """Another chair for the rest of the visit."""

    chair = Id()
    swap = Id(allow_null=True, default=None, help_text="A visit under way in that chair, which takes this one's.")


class PrescriberIn(OnceIn):
    """Another prescriber for the rest of the visit."""

    prescriber = Id()
