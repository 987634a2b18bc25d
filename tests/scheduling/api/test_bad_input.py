"""Whatever is sent, the answer is a refusal with a code and a sentence, and nothing has changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.urls import resolve

from clinic.models import OpeningHours, Shift
from clinic.permissions import access_of
from patients import worklist
from patients.models import Patient, Score, Task, TaskKind
from scheduling.api import urls
from scheduling.models import Course, Evaluation, Room, Session
from tests.api import Answer, Api, course_body, rows, screening_body, shown, signed_in
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, PatientFactory, SessionFactory, local, make_clinic
from tests.scheduling.api.visit_cases import VISIT_CASES, Case, Path, bad_of_visits, visit_cases

TUESDAY = MONDAY + timedelta(days=1)
DAYS = [TUESDAY + timedelta(days=number) for number in (0, 3, 7, 10)]
REFUSED = {400, 403, 404, 409, 415, 422}

HUGE = 10**30
LONG = "n" * 10_000
NUL = "a\x00b"
HALF = "\ud800"  # half of a character: JSON can say it, UTF-8 cannot
DEEP: Any = [[[[[[[[]]]]]]]]

NO_REASON: list[Any] = [5, [], NUL, LONG]

#: What no field of this kind takes.
BAD: dict[str, list[Any]] = {
    "id": [None, "1", 1.5, True, 0, -1, HUGE, 2**63, 999_999_999, [], {}, DEEP, NUL],
    "name": [None, 5, True, [], {}, DEEP, "", "  ", NUL, "a\nb", "a\rb", "a\u2028b", HALF, LONG],
    "text": [None, 5, True, [], {}, DEEP, "", "  ", NUL, HALF, LONG],
    "phone": [None, 5, [], {}, NUL, "1\n2", HALF, LONG],
    "email": [None, 5, [], {}, "nobody", "a@b", "a@b.c\nBcc: x@y.zz", NUL, HALF, LONG],
    "language": [None, 5, [], {}, "", "xx", NUL, HALF, LONG],
    "birth": [None, 5, [], {}, "", "17.05.1980", "1980-02-30", "2080-01-01", "1899-12-31", "0000-00-00", NUL, LONG],
    "date": [5, [], {}, "", "02/01/2027", "2027-02-30", "2027-02-01T09:00:00Z", "9999-12-31", NUL, HALF, LONG],
    "clock": [5, [], {}, "", "25:00", "nine", "09:00:00Z", NUL, LONG],
    "flag": [None, 1, 0, "true", "", [], {}],
    "request_id": [5, True, [], {}, "", "x", NUL, HALF, LONG],
    "protocol": [None, 5, True, [], {}, "", "nothing", NUL, HALF, LONG],
    "time": [
        None,
        5,
        True,
        [],
        {},
        "",
        "soon",
        "2027-02-02",
        "2027-02-02T09:00:00",
        "2027-02-02T09:00:00-08:00",
        "2027-02-02T25:00:00-05:00",
        "2027-03-14T02:30:00-05:00",
        "2027-03-14T02:30:00-04:00",
        "2020-02-03T09:00:00-05:00",
        "2027-02-01T06:59:00-05:00",
        "2031-02-03T09:00:00-05:00",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+14:00",
        "2027-02-02T09:00:00-99:00",
        NUL,
        HALF,
        LONG,
    ],
    "override": [5, True, "x", [], {}, {"rules": "gap-min"}, {"rules": [5]}, {"rules": [NUL]}, {"rules": [LONG]}]
    + [{"rules": ["gap-min"], "reason": reason} for reason in NO_REASON]
    + [{"rules": ["gap-min"] * 10_000, "reason": "Because."}],
    "decision": [None, 5, True, [], {}, "", "perhaps", NUL, HALF, LONG],
    "interval": ["21", 1.5, True, [], {}, 0, -1, 91, HUGE],
    "count": ["4", 1.5, True, [], {}, 0, -1, 61, HUGE],
    "phase": [5, True, [], {}, "", "later", NUL, HALF, LONG],
    "wishes": [5, True, "x", [], {"weekdays": 1}, {"weekdays": [7]}, {"weekdays": ["1"]}, {"weekdays": list(range(8))}]
    + [{"except_dates": dates} for dates in ("2027-02-01", [5], ["x"], ["2027-02-01"] * 367)],
    "days": [None, "x", 5, {}, [1.5], ["1"], [None], [-1], [True], [HUGE], [[]], [0] * 61, [0] * 10_000],
    "times": [None, "x", 5, {}, [5], [None], [[]], ["2027-02-02T09:00:00"], ["2027-03-14T02:30:00-05:00"]],
}
BAD |= {
    "open": [value for value in BAD["decision"] if value != ""],  # nothing is decided yet
    "answer": BAD["flag"][1:],  # null is no answer yet
    "weeks": [None, "8", 1.5, True, [], {}, -1, HUGE],
    "list": [5, True, "x", [5], [None], [[]], {"name": 5}, [{}] * 10_000, DEEP],
    "later": BAD["time"][1:],  # null takes back what was said
    "asked": BAD["id"][1:],  # null is anybody
    "snooze": [one for one in BAD["time"][1:] if one != "2031-02-03T09:00:00-05:00"] + ["2027-06-01T09:00:00-04:00"],
    "answered": [
        "2027-01-31",
        "2027-01-31T09:00:00",
        "2027-01-31T09:00:00-08:00",
        shown(TUESDAY),
        "1979-01-31T09:00:00Z",
        "2027-02-01T07:00:01-05:00",
        "0001-01-01T00:00:00+14:00",
        5,
        True,
        [],
        {},
        "",
        "soon",
        NUL,
        HALF,
        LONG,
    ],
    "items": [5, True, "x", {}, [], [1] * 8, [1] * 10, [[1]] * 9, ["1"] * 9, [1.5] * 9, [None] * 9, [1] * 10_000, DEEP],
    "item": [None, "1", 1.5, True, [], {}, -1, 4, 2, HUGE],
    "total": ["9", 1.5, True, [], {}, -1, 8, 61, HUGE],
    "note": [None, 5, True, [], {}, DEEP, NUL, HALF, LONG],  # it may be empty
    "also": [None, 5, True, "x", {}, [None], [5], [[]], [{}], [{"session": 1}], [{"starts_at": None}]],
}
BAD |= {
    "tongue": BAD["language"][1:],  # null is the patient's
    "notice": [None, "24", 1.5, True, [], {}, -1, HUGE],
    "weekday": [None, "1", 1.5, True, [], {}, -1, 7, HUGE],
    "opening": [None, *BAD["clock"]],
}
BAD |= bad_of_visits(BAD)
#: What no list of sessions takes; made from a row that would do.
BAD_ROWS: list[Callable[[Any], Any]] = [
    lambda row: None,
    lambda row: [],
    lambda row: {},
    lambda row: row,
    lambda row: "x",
    lambda row: [None],
    lambda row: [5],
    lambda row: [[row]],
    lambda row: [{}],
    lambda row: [row] * 2,
    lambda row: [row] * 61,
    lambda row: [row] * 10_000,
]


NEW_PATIENT: dict[Path, str] = {
    ("first_name",): "name",
    ("last_name",): "name",
    ("birth_date",): "birth",
    ("email",): "email",
    ("phone",): "phone",
    ("referred_by",): "phone",
    ("language",): "language",
}
ROW = ("starts_at", "time"), ("chair", "id"), ("prescriber", "id")
CASES = [
    "patients",
    "patient",
    "screening",
    "check-days",
    "check-times",
    "propose",
    "courses",
    "course-sessions",
    "course-confirm",
    "course-cancel",
    "course-decide",
    "session-move",
    "session-look",
    "session-cancel",
    "session-confirm",
    "session-no-show",
    "session-expect",
    "acknowledge",
    "assign",
    "snooze",
    "scores",
    "score-see",
    "score-void",
    "evaluations",
    "evaluation-cancel",
    "evaluation-done",
    "evaluation-no-show",
    "consents",
    "session-offers",
    "self-service",
    *VISIT_CASES,
]


@pytest.fixture
def others(clinic: Clinic, patient: Patient, desk: Api) -> dict[str, Case]:
    """Every endpoint that takes a body but those of visits, with a course, a hold and a worklist line to act upon."""
    course = desk.post("courses/", course_body(PatientFactory.create().pk, rows(clinic, DAYS, chair=1))).body
    held = desk.post("courses/", course_body(PatientFactory.create().pk, rows(clinic, DAYS, chair=2), hold=True)).body
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    line = Task.objects.get().pk
    other = PatientFactory.create()
    seen = Score.objects.create(
        patient=other, instrument="phq9", items=[1] * 9, total=9, item_9=1, taken_at=NOW, at=NOW
    ).pk
    session, second = (row["id"] for row in course["sessions"][:2])
    late = missing(clinic).pk
    room = Room.objects.create(site=clinic.site, name="Room 1")
    ahead, begun, over = (
        Evaluation.objects.create(
            patient=other,
            site=clinic.site,
            room=room,
            prescriber=clinic.prescribers[1],
            during=DateTimeTZRange(local(day, opens), local(day, closes)),
            local_date=day,
            booked_by=clinic.desk,
            at=NOW,
        ).pk
        for day, opens, closes in (
            (TUESDAY, "08:00", "09:00"),
            (MONDAY, "06:30", "07:30"),
            (MONDAY, "05:00", "06:00"),
        )
    )
    person = {
        "first_name": "Zoë",
        "last_name": "O’Brien-Ñandú 李",
        "birth_date": "1980-05-17",
        "email": "zoe@example.org",
        "phone": "+1 (555) 030-0000",
        "referred_by": "Dr. P. Whitlock",
        "language": "es",
    }
    request = {"request_id": str(uuid4())}
    override = {"override": None}
    reason = {"reason": "Said so by phone.\nTwice."}
    dry = {"dry_run": False}
    signed = {"rules": ["gap-min"], "reason": "Travels."}
    new = rows(clinic, DAYS)
    one = rows(clinic, [DAYS[3] + timedelta(days=4)], chair=1)[0]
    common: dict[Path, str] = {("request_id",): "request_id"}
    row: dict[Path, str] = {(name,): kind for name, kind in ROW}
    return {
        "patients": Case(
            "patients/",
            {**person, **request, "not_duplicate": False},
            {**NEW_PATIENT, **common, ("not_duplicate",): "flag"},
        ),
        "patient": Case(f"patients/{patient.pk}/", person, NEW_PATIENT, "PATCH"),
        "screening": Case(
            f"patients/{patient.pk}/screening/",
            {**screening_body(), **request},
            {
                **{(name,): "answer" for name in ("pressure", "stroke", "bleed", "pregnancy")},
                **{(name,): "date" for name in ("treatment_consent", "off_label_consent", "rems_enrolled")},
                ("trials",): "list",
                ("trials", 0, "drug"): "name",
                ("trials", 0, "drug_class"): "phase",
                ("trials", 0, "weeks"): "weeks",
                ("trials", 0, "adequate"): "flag",
                ("trials", 0, "outcome"): "decision",
                ("therapies",): "list",
                ("doctor",): "list",
                ("doctor", "on"): "date",
                ("doctor", "note"): "note",
                ("stroke_kind",): "phase",
                ("severity",): "phase",
                ("allergies",): "note",
                ("medicines",): "list",
                ("decision",): "open",
                **common,
            },
            "PUT",
        ),
        "consents": Case(
            f"patients/{patient.pk}/consents/",
            {"channel": "email", "level": "neutral", "warned": False, "language": "en", **request},
            {
                ("channel",): "decision",
                ("level",): "decision",
                ("warned",): "flag",
                ("language",): "tongue",
                **common,
            },
        ),
        "session-offers": Case(
            f"sessions/{session}/offers/",
            {"starts_at": [shown(TUESDAY, "13:00")], "until": shown(MONDAY, "18:00"), **request},
            {("starts_at",): "times", ("until",): "time", **common},
        ),
        "self-service": Case(
            "sites/self-service/",
            {"notice_hours": 24, "hours": [{"weekday": 1, "opens": "09:00", "closes": "12:00"}]},
            {
                ("notice_hours",): "notice",
                ("hours",): "list",
                ("hours", 0, "weekday"): "weekday",
                ("hours", 0, "opens"): "opening",
                ("hours", 0, "closes"): "opening",
            },
            "PUT",
        ),
        "check-days": Case(
            "protocols/iv-ketamine-standard/check/",
            {"phase": "initial", "days": [0, 3], "closed": False},
            {("phase",): "phase", ("days",): "days", ("closed",): "flag"},
        ),
        "check-times": Case(
            "protocols/iv-ketamine-standard/check/",
            {"starts_at": [shown(TUESDAY)], "site": clinic.site.pk},
            {("starts_at",): "times", ("site",): "id"},
        ),
        "propose": Case(
            "courses/propose/",
            {
                "patient": patient.pk,
                "protocol": "iv-ketamine-standard",
                "site": clinic.site.pk,
                "phase": "initial",
                "earliest": "2027-02-02",
                "sessions": 4,
                "wishes": {"weekdays": [1], "not_before": "09:00", "not_after": "15:00", "except_dates": []},
                "fixed": new[:1],
            },
            {
                ("patient",): "id",
                ("protocol",): "protocol",
                ("site",): "id",
                ("phase",): "phase",
                ("earliest",): "date",
                ("sessions",): "count",
                ("wishes",): "wishes",
                ("wishes", "not_before"): "clock",
                ("wishes", "not_after"): "clock",
            },
        ),
        "courses": Case(
            "courses/",
            {**course_body(patient.pk, new), **override, "hold": False, **reason, "ask": None, **request},
            {
                ("patient",): "id",
                ("protocol",): "protocol",
                ("sessions",): "rows",
                ("override",): "override",
                ("hold",): "flag",
                ("reason",): "note",
                ("ask",): "asked",
                **{("sessions", 1, name): kind for name, kind in ROW},
                **common,
            },
        ),
        "course-sessions": Case(
            f"courses/{course['id']}/sessions/",
            {**one, **override, **dry, **request},
            {
                **row,
                ("override",): "override",
                ("dry_run",): "flag",
                **common,
            },
        ),
        "course-confirm": Case(
            f"courses/{held['id']}/confirm/", {**override, **request}, {("override",): "override", **common}
        ),
        "course-cancel": Case(
            f"courses/{course['id']}/cancel/",
            {**reason, **dry, **request},
            {("reason",): "text", ("dry_run",): "flag", **common},
        ),
        "course-decide": Case(
            f"courses/{course['id']}/decide/",
            {
                "decision": "maintenance",
                **reason,
                "interval_days": 21,
                "override": {"rules": ["initial-min"], "reason": "Known from elsewhere."},
                **dry,
                **request,
            },
            {
                ("decision",): "decision",
                ("reason",): "text",
                ("interval_days",): "interval",
                ("override",): "override",
                ("dry_run",): "flag",
                **common,
            },
        ),
        "session-move": Case(
            f"sessions/{session}/move/",
            {
                **rows(clinic, DAYS[:1], "11:00", chair=3)[0],
                "also": [{"session": second, **rows(clinic, DAYS[1:2], "11:00", chair=3)[0]}],
                **override,
                **dry,
                **request,
            },
            {
                **row,
                ("also",): "also",
                ("also", 0, "session"): "id",
                **{("also", 0, name): kind for name, kind in ROW},
                ("override",): "override",
                ("dry_run",): "flag",
                **common,
            },
        ),
        "session-look": Case(
            f"sessions/{session}/move/",
            {**rows(clinic, [DAYS[1] - timedelta(days=1)], "11:00", chair=3)[0], "dry_run": True, "override": signed},
            {**row, ("override",): "override"},
        ),
        "session-cancel": Case(
            f"sessions/{session}/cancel/",
            {**reason, **dry, **request},
            {("reason",): "text", ("dry_run",): "flag", **common},
        ),
        "session-confirm": Case(f"sessions/{session}/confirm/", request, common),
        "session-no-show": Case(f"sessions/{late}/no-show/", {**reason, **request}, {("reason",): "note", **common}),
        "session-expect": Case(
            f"sessions/{late}/expect/", {"at": shown(MONDAY, "07:30"), **request}, {("at",): "later", **common}
        ),
        "acknowledge": Case(f"worklist/{line}/acknowledge/", {"note": "", **request}, {("note",): "note", **common}),
        "assign": Case(f"worklist/{line}/assign/", {"to": clinic.desk.pk, **request}, {("to",): "asked", **common}),
        "snooze": Case(
            f"worklist/{line}/snooze/", {"until": shown(TUESDAY), **request}, {("until",): "snooze", **common}
        ),
        "scores": Case(
            f"patients/{patient.pk}/scores/",
            {"instrument": "phq9", "items": [1] * 9, "total": 9, "taken_at": None, "session": None, **request},
            {
                ("instrument",): "decision",
                ("items",): "items",
                ("items", 4): "item",
                ("total",): "total",
                ("taken_at",): "answered",
                ("session",): "asked",
                **common,
            },
        ),
        "score-see": Case(f"scores/{seen}/see/", {"note": "Called.", **request}, {("note",): "note", **common}),
        "score-void": Case(f"scores/{seen}/void/", request, common),
        "evaluations": Case(
            f"patients/{patient.pk}/evaluations/",
            {
                "starts_at": shown(TUESDAY, "16:00"),
                "room": room.pk,
                "prescriber": clinic.prescriber.pk,
                **request,
            },
            {("starts_at",): "time", ("room",): "id", ("prescriber",): "id", **common},
        ),
        "evaluation-cancel": Case(
            f"evaluations/{ahead}/cancel/", {**reason, **request}, {("reason",): "text", **common}
        ),
        "evaluation-done": Case(f"evaluations/{begun}/done/", request, common),
        "evaluation-no-show": Case(f"evaluations/{over}/no-show/", request, common),
    }


def missing(clinic: Clinic) -> Session:
    """A visit that was to begin ten minutes before NOW, on a day that begins as early."""
    OpeningHours.objects.filter(site=clinic.site, weekday=MONDAY.weekday()).update(opens=time(6))
    early = DateTimeTZRange(local(MONDAY, "06:00"), local(MONDAY, "08:00"))
    Shift.objects.create(staff=clinic.prescriber, site=clinic.site, during=early)
    course = CourseFactory.create(site=clinic.site)
    return SessionFactory.create(
        course=course, chair=clinic.chairs[5], prescriber=clinic.prescriber, starts_at=local(MONDAY, "06:50")
    )


@pytest.fixture
def cases(others: dict[str, Case], clinic: Clinic) -> dict[str, Case]:
    """Every endpoint that takes a body: those of visits beside the others."""
    return {**others, **visit_cases(clinic)}


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows of the tables that the interface writes."""
    names = (
        "patients.Patient patients.Screening patients.Score patients.Task scheduling.Course scheduling.Session "
        "scheduling.Override scheduling.Day scheduling.CourseEvent scheduling.Request scheduling.Mail "
        "scheduling.VisitRecord scheduling.VitalsRound scheduling.AdverseEvent scheduling.Addendum "
        "scheduling.Evaluation"
    )
    return {name: list(apps.get_model(name).objects.order_by("pk").values()) for name in names.split()}


def replaced(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The body with another value at this path."""
    other = copy.deepcopy(body)
    here: Any = other
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return other


def is_refusal(answer: Answer) -> bool:
    return (
        answer.status in REFUSED
        and isinstance(answer.body["code"], str)
        and isinstance(answer.body["message"], str)
        and len(answer.body["message"]) < 400
    )


def send(api: Api, case: Case, body: Any) -> Answer:
    return {"PATCH": api.patch, "PUT": api.put, "POST": api.post}[case.method](case.path, body)


@pytest.mark.parametrize("name", CASES)
def test_no_field_takes_what_it_cannot_mean(name: str, doctor: Api, cases: dict[str, Case]) -> None:
    case = cases[name]
    before = everything()
    taken = []
    for path, kind in case.kinds.items():
        bad = [make(case.body["sessions"][0]) for make in BAD_ROWS] if kind == "rows" else BAD[kind]
        for value in bad:
            answer = send(doctor, case, replaced(case.body, path, value))
            if not is_refusal(answer):
                taken.append((path, repr(value)[:60], answer.status))

    assert taken == []
    assert everything() == before
    assert send(doctor, case, case.body).status in (200, 201)


@pytest.mark.parametrize("name", CASES)
def test_no_endpoint_takes_what_is_no_object(name: str, doctor: Api, cases: dict[str, Case]) -> None:
    case = cases[name]
    before = everything()
    bodies = [
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"[{}]",
        b"{",
        b"\xff\xfe",
        b"NaN",
        b'{"request_id": NaN}',
        b'{"anything": "\\ud800"}',
        b'{"\\udfff": [{"anything": 1}]}',
        b"\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
        b'{"reason": "' + b"x" * 3_000_000 + b'"}',
    ]
    answers = [doctor.raw(case.path, body, method=case.method) for body in bodies]
    others = [
        doctor.raw(case.path, b"{}", content_type, case.method)
        for content_type in (
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        )
    ]

    assert [(answer.status, answer.body["code"]) for answer in answers] == [(400, "invalid")] * len(bodies)
    assert [(answer.status, answer.body["code"]) for answer in others] == [(415, "unsupported_media_type")] * 4
    assert everything() == before


def test_every_endpoint_that_takes_a_body_is_tried(cases: dict[str, Case]) -> None:
    tried = {(resolve(f"/api/v1/{case.path}").view_name, case.method) for case in cases.values()}
    declared = {
        (f"api:{pattern.name}", method)
        for pattern in urls.urlpatterns
        for method in access_of(pattern.callback) or ()
        if method != "GET"
    }

    assert declared - tried == {("api:token", "POST")}


@pytest.mark.parametrize(
    "path",
    ["patients/{}/", "patients/{}/scores/", "courses/{}/", "courses/{}/progress/", "sessions/{}/"],
)
@pytest.mark.parametrize("number", ["0", "999999999", str(2**63), str(HUGE), "9" * 5000])
def test_a_number_that_nothing_has_is_not_found(path: str, number: str, desk: Api) -> None:
    answer = desk.get(path.format(number))

    assert (answer.status, answer.body["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("patients/?q=%00", {200}),
        ("patients/?q=%ED%A0%80", {200}),
        ("patients/?q=" + "n" * 7000, {200}),
        ("patients/?q=99/99/9999", {200}),
        ("patients/?q=00000000", {200}),
        ("patients/?page=0", {404}),
        ("patients/?page=x", {404}),
        ("patients/?page=" + "9" * 5000, {404}),
        ("patients/?page_size=x", {200}),
        ("patients/?page_size=-1", {200}),
        ("patients/?page_size=100000", {200}),
        ("courses/?patient=x", {400}),
        ("courses/?patient=1.5", {400}),
        ("courses/?patient=-1", {400}),
        (f"courses/?patient={HUGE}", {400}),
        ("courses/?patient=%00", {400}),
        ("courses/?state=%00", {400}),
        ("courses/?phase=later", {400}),
        ("reminders/?session=x", {400}),
        (f"reminders/?course={HUGE}", {400}),
        ("reminders/?state=lost", {400}),
        ("worklist/?kind=item-9", {200}),
        ("worklist/?kind=%00", {400}),
        ("worklist/?patient=x", {400}),
        (f"worklist/?course={HUGE}", {400}),
        ("worklist/?assigned_to=-1", {400}),
        ("board/?date=", {200}),
        ("board/?date=today", {400}),
        ("board/?date=2027-02-30", {400}),
        ("board/?date=0001-01-01", {400}),
        ("board/?date=9999-12-31", {400}),
        ("board/?date=%00", {400}),
        ("board/?site=x", {400}),
        ("board/?site=0", {400}),
        (f"board/?site={HUGE}", {400}),
        ("board/?date=1900-01-01", {200}),
        ("board/?date=2199-12-31", {200}),
        ("board/version/?date=soon", {400}),
        ("nothing/", {404}),
        ("courses/x/", {404}),
        ("protocols/?page=2", {404}),
    ],
)
def test_query_strings_are_answered_or_refused(path: str, statuses: set[int], desk: Api) -> None:
    answer = desk.get(path)

    assert answer.status in statuses
    assert answer.status == 200 or set(answer.body) >= {"code", "message"}


def test_a_chair_or_a_person_of_another_site_is_refused(desk: Api, clinic: Clinic, patient: Patient) -> None:
    other = make_clinic(chairs=1, prescribers=1, weeks=2)
    before = everything()
    mine = rows(clinic, DAYS)

    def book(name: str, value: int) -> Answer:
        return desk.post("courses/", course_body(patient.pk, [{**mine[0], name: value}, *mine[1:]]))

    answers = [
        book("chair", other.chairs[0].pk),
        book("prescriber", other.prescriber.pk),
        book("prescriber", clinic.nurse.pk),
        desk.post("courses/", course_body(patient.pk, rows(other, DAYS))),
    ]

    assert [(answer.status, list(answer.body["fields"])) for answer in answers] == [
        (400, ["chair"]),
        (400, ["prescriber"]),
        (400, ["prescriber"]),
        (400, ["chair"]),
    ]
    assert everything() == before


def open_all_night(clinic: Clinic, day: date) -> None:
    """Hours and shifts from midnight on, so that only the clocks are in the way."""
    OpeningHours.objects.create(site=clinic.site, weekday=day.weekday(), opens=time(0), closes=time(23, 59))
    for doctor in clinic.prescribers:
        Shift.objects.create(
            staff=doctor, site=clinic.site, during=DateTimeTZRange(local(day, "00:00"), local(day, "23:00"))
        )


def row(clinic: Clinic, starts_at: str, chair: int = 0) -> dict[str, Any]:
    return {"starts_at": starts_at, "chair": clinic.chairs[chair].pk, "prescriber": clinic.prescriber.pk}


SPRING, AUTUMN = date(2027, 3, 14), date(2027, 11, 7)


@pytest.mark.parametrize(
    ("starts_at", "sentence"),
    [
        ("2027-03-14T02:30:00-05:00", "There is no such time at the site: the clocks go forward then."),
        ("2027-03-14T02:30:00-04:00", "There is no such time at the site: the clocks go forward then."),
        ("2027-03-14T01:30:00-04:00", "The site's clocks are at -05:00 from UTC then, not at -04:00."),
        ("2027-03-14T03:30:00-05:00", "The site's clocks are at -04:00 from UTC then, not at -05:00."),
        ("2027-03-14T02:30:00", "This time has no offset. Use the form 2027-03-01T09:00:00-05:00."),
    ],
)
def test_a_time_that_the_clocks_skip_is_refused(
    starts_at: str, sentence: str, desk: Api, clinic: Clinic, patient: Patient
) -> None:
    open_all_night(clinic, SPRING)
    answer = desk.post("courses/", course_body(patient.pk, [row(clinic, starts_at)]))

    assert (answer.status, answer.body["fields"]) == (400, {"sessions": {"0": {"starts_at": [sentence]}}})
    assert not Course.objects.exists()


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2027-03-14T01:30:00-05:00", "2027-03-14T01:30:00-05:00"),
        ("2027-03-14T03:30:00-04:00", "2027-03-14T03:30:00-04:00"),
        ("2027-03-14T07:30:00Z", "2027-03-14T03:30:00-04:00"),
    ],
)
def test_a_time_beside_the_gap_is_booked_as_it_was_said(
    said: str, read: str, desk: Api, clinic: Clinic, patient: Patient
) -> None:
    open_all_night(clinic, SPRING)
    answer = desk.post("courses/", course_body(patient.pk, [row(clinic, said)]))

    assert (answer.status, answer.body["sessions"][0]["starts_at"]) == (201, read)


def test_the_two_half_past_ones_of_the_fold_are_two_times(desk: Api, clinic: Clinic, patient: Patient) -> None:
    open_all_night(clinic, AUTUMN)
    said = ["2027-11-07T01:30:00-04:00", "2027-11-07T01:30:00-05:00"]
    answers = [
        desk.post("courses/", course_body(PatientFactory.create().pk, [row(clinic, starts_at, chair)]))
        for chair, starts_at in enumerate(said)
    ]

    assert [answer.status for answer in answers] == [201, 201]
    assert [answer.body["sessions"][0]["starts_at"] for answer in answers] == said
    first, second = Session.objects.order_by("pk")
    assert second.starts_at - first.starts_at == timedelta(hours=1)
    listed = [chair["visits"] for chair in desk.get("board/", date="2027-11-07").body["chairs"]]
    assert [visits[0]["starts_at"] for visits in listed if visits] == said


def test_names_in_any_script_are_kept(desk: Api) -> None:
    name = {"first_name": "Zoë 😀", "last_name": "Ñandú-李 O’Brien"}
    answer = desk.post("patients/", {**name, "birth_date": "1980-05-17"})

    assert (answer.status, {field: answer.body[field] for field in name}) == (201, name)


def test_nobody_signed_in_is_told_nothing(cases: dict[str, Case]) -> None:
    nobody = signed_in(None)
    answers = [send(nobody, case, case.body) for case in cases.values()]

    assert {(answer.status, answer.body["code"]) for answer in answers} == {(401, "not_authenticated")}
