"""Courses, sessions and plans as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clinic.api import to_json
from clinic.serializers import ErrorOut, FindingOut, RulesOut, SiteTime
from patients import worklist
from patients.models import Task, TaskKind
from scheduling.booking import Change
from scheduling.fitting import Cascade
from scheduling.models import Course, CourseEvent, CourseState, PhaseChoice, Session, SessionState
from scheduling.proposing import Offer

#: The phases of a visit in their order, and the columns in which each begins and ends.
_SPANS = {
    "prepare": ("starts_at", "dose_starts_at"),
    "give": ("dose_starts_at", "dose_ends_at"),
    "monitor": ("dose_ends_at", "discharge_at"),
    "turn_over": ("discharge_at", "ends_at"),
}
VISIT_PHASES = list(_SPANS)


class VisitPhaseOut(serializers.Serializer[Any]):
    """One phase of a visit."""

    phase = serializers.ChoiceField(choices=VISIT_PHASES)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class SessionOut(serializers.Serializer[Any]):
    """A session. It ends when its chair is free again, turn-over included."""

    id = serializers.IntegerField(source="pk", allow_null=True, help_text="Null in a dry run for what is not made.")
    course = serializers.IntegerField(source="course_id")
    number = serializers.IntegerField()
    phase = serializers.ChoiceField(choices=PhaseChoice.choices)
    state = serializers.ChoiceField(choices=SessionState.choices)
    starts_at = SiteTime(site="site")
    ends_at = SiteTime(site="site")
    chair = serializers.IntegerField(source="chair_id")
    prescriber = serializers.IntegerField(source="prescriber_id")
    expected_at = SiteTime(site="site", allow_null=True, help_text="When a patient who comes late has said to come.")
    phases = serializers.SerializerMethodField()

    @extend_schema_field(VisitPhaseOut(many=True))
    def get_phases(self, session: Session) -> list[dict[str, str]]:
        zone = session.site.zone
        return [
            {
                "phase": phase,
                "starts_at": getattr(session, since).astimezone(zone).isoformat(),
                "ends_at": getattr(session, until).astimezone(zone).isoformat(),
            }
            for phase, (since, until) in _SPANS.items()
        ]


class ChangeOut(SessionOut):
    """The session that was made, moved, cancelled or confirmed; all of them when there are several."""

    sessions = SessionOut(many=True)
    findings = FindingOut(many=True)


class AlsoOut(serializers.Serializer[Any]):
    """A later session that has to move as well, and where to."""

    session = serializers.IntegerField()
    starts_at = SiteTime()
    chair = serializers.IntegerField()
    prescriber = serializers.IntegerField()


class OverrideOut(serializers.Serializer[Any]):
    """A rule that a prescriber has passed over."""

    rule = serializers.CharField()
    observed = serializers.CharField()
    limit = serializers.CharField()
    reason = serializers.CharField()
    by = serializers.IntegerField(source="by_id")
    at = SiteTime(site="course.site")


class EventOut(serializers.Serializer[Any]):
    """What happened to a course; `by` is null for what happened by itself."""

    kind = serializers.CharField()
    at = SiteTime(site="course.site")
    by = serializers.IntegerField(source="by_id", allow_null=True)
    details = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField())
    def get_details(self, event: CourseEvent) -> Any:
        return _shown(event.details, event.course.site.zone)


#: Times in what events store.
_TIMES = ("starts_at", "expected_at", "step_at")


def _shown(details: Any, zone: tzinfo) -> Any:
    """What an event has stored, its times as the zone's clocks show them."""
    if isinstance(details, list):
        return [_shown(item, zone) for item in details]
    if not isinstance(details, dict):
        return details
    return {
        name: datetime.fromisoformat(item).astimezone(zone).isoformat()
        if name in _TIMES and item
        else _shown(item, zone)
        for name, item in details.items()
    }


class CourseOut(serializers.Serializer[Any]):
    """A course with all that belongs to it; `findings` is what the rules say to it as it stands."""

    id = serializers.IntegerField(source="pk")
    patient = serializers.IntegerField(source="patient_id")
    protocol = serializers.CharField(source="protocol.code")
    version = serializers.IntegerField(source="protocol.version")
    state = serializers.ChoiceField(choices=CourseState.choices)
    phase = serializers.ChoiceField(choices=PhaseChoice.choices)
    sessions = SessionOut(many=True, source="sessions.all")
    findings = serializers.SerializerMethodField()
    overrides = OverrideOut(many=True, source="overrides.all")
    events = EventOut(many=True, source="events.all")

    @extend_schema_field(FindingOut(many=True))
    def get_findings(self, course: Course) -> Any:
        return FindingOut(self.context["findings"].get(course.pk, ()), many=True).data


class DecidedOut(CourseOut):
    """The course after a decision, a new one where it begins one: what was freed and placed, and how many dates found
    no place and wait on the desk's list."""

    freed = SessionOut(many=True)
    placed = SessionOut(many=True)
    missing = serializers.IntegerField()


class PlaceOut(serializers.Serializer[Any]):
    """A possible time of a session."""

    starts_at = SiteTime()
    chair = serializers.IntegerField()
    prescriber = serializers.IntegerField()


class PlannedOut(serializers.Serializer[Any]):
    """One row of a plan, and the next possible times for it."""

    number = serializers.IntegerField()
    starts_at = SiteTime(source="place.starts_at")
    ends_at = serializers.SerializerMethodField()
    chair = serializers.IntegerField(source="place.chair")
    prescriber = serializers.IntegerField(source="place.prescriber")
    meets_wishes = serializers.BooleanField()
    alternatives = PlaceOut(many=True)

    @extend_schema_field(serializers.DateTimeField())
    def get_ends_at(self, planned: Any) -> str:
        ends_at = self.context["visit"].at(planned.place.starts_at).ends_at
        text: str = ends_at.astimezone(self.context["zone"]).isoformat()
        return text


class PlanOut(serializers.Serializer[Any]):
    """A plan, lawful in itself."""

    label = serializers.ChoiceField(choices=["soonest", "wishes", "even"])  # type: ignore[assignment]  # no title: a field
    sessions = PlannedOut(many=True)
    findings = FindingOut(many=True)


class NoPlanOut(serializers.Serializer[Any]):
    """Which limit is in the way, and from when there is a plan."""

    message = serializers.SerializerMethodField()
    limit = serializers.CharField()
    first_possible = serializers.DateField(allow_null=True)

    @extend_schema_field(serializers.CharField())
    def get_message(self, none: Any) -> str:
        return _(none.text) % dict(none.values)


class CascadeOut(serializers.Serializer[Any]):
    """Which later sessions have to move as well, as `also` takes them, and what the rules say then; `none` says why
    no such moves help."""

    moves = AlsoOut(many=True)
    findings = FindingOut(many=True)
    none = NoPlanOut(allow_null=True)


class MovedOut(ChangeOut):
    """What was moved; a dry run says as well what would have to move with it, null for nothing."""

    cascade = CascadeOut(allow_null=True, required=False)


class MoveRefusedOut(RulesOut):
    """What the rules say against a move; a dry run says as well which later sessions would have to move with it."""

    cascade = CascadeOut(allow_null=True, required=False)


class ProposalOut(serializers.Serializer[Any]):
    """Up to three plans, or why there is none."""

    plans = PlanOut(many=True, source="offers")
    none = NoPlanOut(allow_null=True)


class TakenOut(ErrorOut):
    """What another booking has taken, and what is possible now."""

    taken = serializers.ListField(child=serializers.IntegerField())
    plans = PlanOut(many=True)


@to_json.register
def _offer(value: Offer, request: Any) -> Any:
    return PlanOut(
        value, context={"zone": request.clinic_site.zone, "visit": request.clinic_protocol.protocol.visit}
    ).data


@to_json.register
def _cascade(value: Cascade, request: Any) -> Any:
    moves = [
        {"session": session.pk, "starts_at": place.starts_at, "chair": place.chair, "prescriber": place.prescriber}
        for session, place in value.moves
    ]
    shown = {"moves": moves, "findings": value.findings, "none": value.none}
    return CascadeOut(shown, context={"zone": request.clinic_site.zone}).data


class BoardPatientOut(serializers.Serializer[Any]):
    """Who is in the chair."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField(source="__str__", help_text="Family name first.")


class DueOut(serializers.Serializer[Any]):
    """What is to be done next about a visit."""

    what = serializers.ChoiceField(choices=["arrival", "dose", "vitals", "dose-end", "discharge"])
    at = serializers.DateTimeField()
    overdue = serializers.BooleanField()


class VisitOut(SessionOut):
    """A session on the board."""

    patient = BoardPatientOut()
    due = serializers.SerializerMethodField()

    @extend_schema_field(DueOut(many=True))
    def get_due(self, session: Session) -> list[dict[str, Any]]:
        zone = session.site.zone
        return [
            {"what": due.what, "at": due.at.astimezone(zone).isoformat(), "overdue": due.overdue}
            for due in self.context["due"][session.pk]
        ]


class ChairOut(serializers.Serializer[Any]):
    """A chair and its visits in order of time."""

    chair = serializers.IntegerField(source="chair.pk")
    name = serializers.CharField(source="chair.name")
    visits = VisitOut(many=True, source="sessions")


class ClosureOut(serializers.Serializer[Any]):
    """A time in which the site, or one chair of it, does not treat."""

    starts_at = SiteTime(source="during.lower")
    ends_at = SiteTime(source="during.upper")
    chair = serializers.IntegerField(source="chair_id", allow_null=True)
    reason = serializers.CharField()


class BoardOut(serializers.Serializer[Any]):
    """What every chair of a site does on a date. `closed`: the site does not treat at all on that date."""

    site = serializers.IntegerField(source="site.pk")
    date = serializers.DateField()
    now = SiteTime()
    version = serializers.IntegerField()
    closed = serializers.BooleanField()
    closures = ClosureOut(many=True)
    chairs = ChairOut(many=True)


class BoardVersionOut(serializers.Serializer[Any]):
    """Raised with every change of the date."""

    version = serializers.IntegerField()


class TaskOut(serializers.Serializer[Any]):
    """A line on the worklist; `text` tells single answers to clinicians only."""

    id = serializers.IntegerField(source="pk")
    kind = serializers.ChoiceField(choices=TaskKind.choices)
    patient = serializers.IntegerField(source="patient_id")
    course = serializers.IntegerField(source="course_id", allow_null=True)
    since = SiteTime()
    text = serializers.SerializerMethodField()
    assigned_to = serializers.IntegerField(source="assigned_to_id", allow_null=True)
    snoozed_until = SiteTime()

    @extend_schema_field(serializers.CharField())
    def get_text(self, task: Task) -> str:
        return worklist.text_of(task, answers=self.context["answers"])


def change_data(change: Change, *, unmade: bool = False) -> dict[str, Any]:
    """The first session that a verb has changed, and beside it all of them and the findings.

    `unmade`: they were added in a dry run only, so their ids name nothing.
    """
    changed = [{**row, "id": None} if unmade else row for row in changed_sessions(change)]
    return {**changed[0], "sessions": changed, "findings": FindingOut(change.findings, many=True).data}


def changed_sessions(change: Change) -> list[dict[str, Any]]:
    """The sessions that a verb has changed, or in a dry run would have changed."""
    return changed_rows(change, change.sessions)


def changed_rows(change: Change, sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """Some of the sessions that a verb has changed."""
    for session in sessions:
        session.site = change.course.site
    return list(SessionOut(sessions, many=True).data)
