"""Courses: book or hold one, add to it, confirm, cancel, decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.shortcuts import get_object_or_404
from django_filters import ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from clinic import clock
from clinic.api import IdFilter, actor, answers, endpoint, filtered, page_of, paged, parameters_of, validated
from clinic.permissions import Verb
from clinic.serializers import FindingOut
from scheduling import booking, cancelling, confirming, deciding, queries
from scheduling.api.asked import (
    chairs_of,
    judge_incomplete,
    places_of,
    remember,
    require_real_times,
    signature_of,
    site_of,
)
from scheduling.api.inputs import AddIn, CancelIn, ConfirmCourseIn, CourseIn, DecideIn
from scheduling.api.outputs import (
    ChangeOut,
    CourseOut,
    DecidedOut,
    TakenOut,
    change_data,
    changed_rows,
    changed_sessions,
)
from scheduling.booking import Change
from scheduling.models import Course, CourseState, PhaseChoice


class CourseFilters(FilterSet):
    """Which courses a list holds."""

    patient = IdFilter(field_name="patient")
    state = ChoiceFilter(choices=CourseState.choices)
    phase = ChoiceFilter(choices=PhaseChoice.choices)

    class Meta:
        model = Course
        fields: list[str] = []


@extend_schema(
    methods=["GET"],
    operation_id="courses_list",
    parameters=parameters_of(CourseFilters),
    responses=answers({200: page_of(CourseOut)}, 400, 404),
)
@extend_schema(
    methods=["POST"],
    request=CourseIn,
    responses=answers({201: CourseOut, 200: CourseOut, 409: TakenOut}, 400, 403, 422),
)
@endpoint(GET=Verb.SEE, POST=Verb.BOOK)
def courses(request: Request) -> Response:
    """Courses, the newest first; POST books or holds a whole one, all sessions or none."""
    if request.method == "POST":
        return _book(request)
    return paged(request, filtered(request, CourseFilters, queries.courses()), courses_data)


def _book(request: Request) -> Response:
    given = validated(CourseIn, request.data)
    rows, protocol, signature = given["sessions"], given["protocol"], signature_of(request, given)
    site = remember(request, site_of(request, chairs=chairs_of(rows)), protocol)
    require_real_times(given, site)
    now = clock.now()
    judge_incomplete(
        rows, site=site, patient=given["patient"], protocol=protocol, signature=signature, hold=given["hold"], now=now
    )
    change = booking.book_course(
        actor=actor(request),
        patient=given["patient"],
        protocol=protocol,
        places=places_of(rows, "sessions"),
        override=signature,
        hold=given["hold"],
        reason=given["reason"],
        ask=given["ask"],
        request_id=given["request_id"],
        now=now,
    )
    return Response(_as_it_stands(change), status=200 if change.repeated else 201)


@extend_schema(responses=answers({200: CourseOut}, 404))
@endpoint(GET=Verb.SEE)
def course(request: Request, pk: int) -> Response:
    """One course with all that belongs to it."""
    found = get_object_or_404(queries.courses(), pk=pk)
    return Response(courses_data([found])[0])


@extend_schema(request=AddIn, responses=answers({201: ChangeOut, 200: ChangeOut, 409: TakenOut}, 400, 403, 404, 422))
@endpoint(POST=Verb.BOOK)
def sessions(request: Request, pk: int) -> Response:
    """Add one session, or several at once: a make-up, a fifth and sixth, maintenance."""
    found = _course(request, pk)
    given = validated(AddIn, request.data)
    rows, field = (given["sessions"], "sessions") if "sessions" in given else ([given], None)
    signature = signature_of(request, given)
    require_real_times(given, found.site)
    now = clock.now()
    judge_incomplete(
        rows,
        site=found.site,
        patient=found.patient,
        protocol=found.protocol,
        course=found,
        signature=signature,
        hold=found.state == CourseState.HELD,
        now=now,
    )
    change = booking.add_sessions(
        actor=actor(request),
        course=found,
        places=places_of(rows, field),
        override=signature,
        dry_run=given["dry_run"],
        request_id=given["request_id"],
        now=now,
    )
    made = not given["dry_run"] and not change.repeated
    return Response(change_data(change, unmade=given["dry_run"]), status=201 if made else 200)


@extend_schema(request=ConfirmCourseIn, responses=answers({200: CourseOut}, 400, 403, 404, 409, 422))
@endpoint(POST=Verb.BOOK)
def confirm(request: Request, pk: int) -> Response:
    """Turn a held course into a booked one; all is judged again."""
    found = _course(request, pk)
    given = validated(ConfirmCourseIn, request.data)
    change = confirming.confirm_course(
        actor=actor(request),
        course=found,
        override=signature_of(request, given),
        request_id=given["request_id"],
        now=clock.now(),
    )
    return Response(_as_it_stands(change))


@extend_schema(request=CancelIn, responses=answers({200: CourseOut}, 400, 403, 404, 409))
@endpoint(POST=Verb.BOOK)
def cancel(request: Request, pk: int) -> Response:
    """Cancel a course with all its future sessions."""
    found = _course(request, pk)
    given = validated(CancelIn, request.data)
    change = cancelling.cancel_course(actor=actor(request), course=found, now=clock.now(), **given)
    return Response(_as_it_would_stand(change) if given["dry_run"] else _as_it_stands(change))


@extend_schema(request=DecideIn, responses=answers({200: DecidedOut}, 400, 403, 404, 409, 422))
@endpoint(POST=Verb.DECIDE)
def decide(request: Request, pk: int) -> Response:
    """Decide how a course goes on."""
    found = _course(request, pk)
    given = validated(DecideIn, request.data)
    signature = signature_of(request, given)
    change = deciding.decide(actor=actor(request), course=found, now=clock.now(), **{**given, "override": signature})
    return Response(_as_decided(change, found, dry_run=given["dry_run"]))


def _as_decided(change: Change, before: Course, *, dry_run: bool) -> Any:
    """The course after a decision. What a dry run would make has no ids, a new course neither."""
    freed, placed = changed_rows(change, change.freed), changed_rows(change, change.placed)
    if not dry_run:
        stored = _as_it_stands(change)
    elif change.course.pk == before.pk:
        placed = [{**row, "id": None} for row in placed]
        stored = _as_it_would_stand(change)
        stored["sessions"] = sorted([*stored["sessions"], *placed], key=lambda row: row["starts_at"])
    else:
        placed = [{**row, "id": None, "course": None} for row in placed]
        stored = {
            **courses_data([queries.courses().get(pk=before.pk)])[0],
            "id": None,
            "state": change.course.state,
            "phase": change.course.phase,
            "sessions": placed,
            "findings": FindingOut(change.findings, many=True).data,
            "overrides": [],
            "events": [],
        }
    return {**stored, "freed": freed, "placed": placed, "missing": change.missing}


def _course(request: Request, pk: int) -> Course:
    found = get_object_or_404(Course.objects.select_related("site", "patient", "protocol"), pk=pk)
    remember(request, found.site, found.protocol)
    return found


def courses_data(found: Sequence[Course]) -> Any:
    """Courses as JSON, with what the rules say to them now. One query beside those of `queries.courses`."""
    return CourseOut(found, many=True, context={"findings": queries.findings_of(found)}).data


def _as_it_stands(change: Change) -> Any:
    return courses_data([queries.courses().get(pk=change.course.pk)])[0]


def _as_it_would_stand(change: Change) -> Any:
    """The course after a dry run: as it is stored, but for what the verb would have changed."""
    stored = courses_data([queries.courses().get(pk=change.course.pk)])[0]
    changed = {session["id"]: session for session in changed_sessions(change)}
    return {
        **stored,
        "state": change.course.state,
        "phase": change.course.phase,
        "sessions": [changed.get(session["id"], session) for session in stored["sessions"]],
        "findings": FindingOut(change.findings, many=True).data,
    }
