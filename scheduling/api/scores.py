"""Scores as JSON: written down, seen, taken back, and how a course works by them."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import PAGING, actor, answers, endpoint, page_of, paged, validated
from clinic.permissions import Verb
from clinic.serializers import Choice, Instant, Reference, RequestId, SiteTime, Text, Whole
from patients import measures
from patients.measures import INSTRUMENTS
from patients.models import Instrument, Patient, Score
from scheduling import reviewing, wording
from scheduling.api.asked import require_real_times, site_of
from scheduling.api.inputs import ConfirmIn
from scheduling.models import Course, PhaseChoice, Session, SessionState
from scheduling.protocols.response import CODES, Advice
from scheduling.response import progress_of

#: No questionnaire has more items.
MOST_ITEMS = max(len(used.items) for used in INSTRUMENTS.values())

#: No questionnaire counts further.
HIGHEST = max(used.highest for used in INSTRUMENTS.values())


class ScoreIn(ConfirmIn):
    """A score: the answers to all items of PHQ-9 or GAD-7, 0 to 3 each, or a total. Taken now unless `taken_at` says
    when."""

    instrument = Choice(choices=Instrument.choices)
    items = serializers.ListField(
        child=Whole(max_value=3), max_length=MOST_ITEMS, required=False, allow_null=True, default=None
    )
    total = Whole(max_value=HIGHEST, required=False, allow_null=True, default=None)
    taken_at = Instant(required=False, allow_null=True, default=None)
    session = Reference(queryset=Session.objects.all(), required=False, allow_null=True, default=None)


class NoteIn(serializers.Serializer[Any]):
    """An item 9 above 0 was seen, and what is done about it."""

    note = Text(lines=True, max_length=2000)
    request_id = RequestId()


class ScoreOut(serializers.Serializer[Any]):
    """A score; `by` is null for a patient who answered alone, `items` where only the total is known."""

    id = serializers.IntegerField(source="pk")
    patient = serializers.IntegerField(source="patient_id")
    instrument = serializers.ChoiceField(choices=Instrument.choices)
    items = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    total = serializers.IntegerField()
    item_9 = serializers.IntegerField(allow_null=True)
    band = serializers.SerializerMethodField()
    taken_at = SiteTime()
    session = serializers.IntegerField(source="session_id", allow_null=True)
    by = serializers.IntegerField(source="by_id", allow_null=True)
    seen_at = SiteTime()
    seen_by = serializers.IntegerField(source="seen_by_id", allow_null=True)
    voided_at = SiteTime()

    @extend_schema_field(serializers.CharField())
    def get_band(self, score: Score) -> str:
        return _(measures.band(INSTRUMENTS[score.instrument], score.total))


class SeriesOut(serializers.Serializer[Any]):
    """The scores of one instrument within a course; `percent` is how much better than the baseline the latest is."""

    name = serializers.CharField(source="instrument.name")
    highest = serializers.IntegerField(source="instrument.highest")
    baseline = ScoreOut(allow_null=True)
    now = ScoreOut(allow_null=True)
    best = ScoreOut(allow_null=True)
    percent = serializers.IntegerField(allow_null=True)
    response = serializers.BooleanField()
    remission = serializers.BooleanField()
    scores = ScoreOut(many=True)


class AdviceOut(serializers.Serializer[Any]):
    """What a rule advises: its code, why, and the decisions that would follow it."""

    code = serializers.ChoiceField(choices=CODES)
    reasons = serializers.SerializerMethodField()
    decisions = serializers.ListField(child=serializers.CharField())

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_reasons(self, advice: Advice) -> list[str]:
        return [wording.sentence(reason.text, reason.values) for reason in advice.reasons]


class RoundOut(serializers.Serializer[Any]):
    """A round of measurements."""

    taken_at = SiteTime()
    systolic = serializers.IntegerField()
    diastolic = serializers.IntegerField()
    heart_rate = serializers.IntegerField()
    spo2 = serializers.IntegerField()
    sedation = serializers.IntegerField()
    dissociation = serializers.IntegerField()


class UntowardOut(serializers.Serializer[Any]):
    """Something untoward in a visit."""

    type = serializers.CharField()
    onset = SiteTime()
    severity = serializers.IntegerField()
    serious = serializers.BooleanField()
    action = serializers.CharField()


class GivenOut(serializers.Serializer[Any]):
    """A visit with what was given and measured: before the dose, at the highest, at the end."""

    id = serializers.IntegerField(source="session.pk")
    number = serializers.IntegerField(source="session.number")
    phase = serializers.ChoiceField(source="session.phase", choices=PhaseChoice.choices)
    state = serializers.ChoiceField(source="session.state", choices=SessionState.choices)
    starts_at = SiteTime(site="session.site")
    given_at = SiteTime()
    drug = serializers.CharField(source="record.drug", default="")
    mg = serializers.FloatField(source="record.mg", default=None, allow_null=True)
    mg_given = serializers.FloatField(source="record.mg_given", default=None, allow_null=True)
    before = RoundOut(allow_null=True)
    highest = RoundOut(allow_null=True)
    last = RoundOut(allow_null=True)
    adverse_events = UntowardOut(source="events", many=True)


class ProgressOut(serializers.Serializer[Any]):
    """How a course works. `response` is that of the PHQ-9; `given` counts the doses of the phase it is in."""

    course = serializers.IntegerField(source="course.pk")
    phase = serializers.ChoiceField(source="course.phase", choices=PhaseChoice.choices)
    given = serializers.IntegerField()
    percent = serializers.IntegerField(source="series.phq9.percent", allow_null=True)
    response = serializers.BooleanField(source="series.phq9.response")
    remission = serializers.BooleanField(source="series.phq9.remission")
    series = serializers.DictField(child=SeriesOut())
    advice = AdviceOut(many=True)
    sessions = GivenOut(source="visits", many=True)


@extend_schema(
    methods=["GET"],
    operation_id="scores_list",
    parameters=[OpenApiParameter("instrument", str, enum=list(INSTRUMENTS)), *PAGING],
    responses=answers({200: page_of(ScoreOut)}, 404),
)
@extend_schema(methods=["POST"], request=ScoreIn, responses=answers({201: ScoreOut, 200: ScoreOut}, 400, 403, 404, 409))
@endpoint(GET=Verb.SEE, POST=Verb.SCORE)
def scores(request: Request, pk: int) -> Response:
    """A patient's scores, the latest first; POST writes one down. Those that were taken back are not listed."""
    patient = get_object_or_404(Patient, pk=pk)
    site = site_of(request)
    if request.method == "POST":
        given = validated(ScoreIn, request.data)
        require_real_times(given, site)
        now = clock.now()
        taken_at = given.pop("taken_at") or now
        score, repeated = reviewing.record_score(
            actor=actor(request), patient=patient, taken_at=taken_at, now=now, **given
        )
        return Response(ScoreOut(score, context={"zone": site.zone}).data, status=200 if repeated else 201)
    found = Score.objects.filter(patient=patient, voided_at=None).order_by("-taken_at", "-pk")
    if (instrument := request.query_params.get("instrument")) in INSTRUMENTS:
        found = found.filter(instrument=instrument)
    return paged(request, found, lambda rows: ScoreOut(rows, many=True, context={"zone": site.zone}).data)


@extend_schema(request=NoteIn, responses=answers({200: ScoreOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.REVIEW)
def see(request: Request, pk: int) -> Response:
    """A clinician acknowledges an item 9 above 0 and says in `note` what is done about it; its line goes."""
    score, site = get_object_or_404(Score, pk=pk), site_of(request)
    given = validated(NoteIn, request.data)
    seen, _repeated = reviewing.see_score(actor=actor(request), score=score, now=clock.now(), **given)
    return Response(ScoreOut(seen, context={"zone": site.zone}).data)


@extend_schema(request=ConfirmIn, responses=answers({200: ScoreOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.SCORE)
def void(request: Request, pk: int) -> Response:
    """Take back a score that was a mistake."""
    score, site = get_object_or_404(Score, pk=pk), site_of(request)
    given = validated(ConfirmIn, request.data)
    taken_back, _repeated = reviewing.void_score(actor=actor(request), score=score, now=clock.now(), **given)
    return Response(ScoreOut(taken_back, context={"zone": site.zone}).data)


@extend_schema(responses=answers({200: ProgressOut}, 404))
@endpoint(GET=Verb.SEE)
def progress(request: Request, pk: int) -> Response:
    """How a course works: its scores, its visits, and what they advise."""
    course = get_object_or_404(Course.objects.select_related("site", "protocol"), pk=pk)
    return Response(ProgressOut(progress_of(course), context={"zone": course.site.zone}).data)
