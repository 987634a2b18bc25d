"""The endpoints of a visit with a body that each takes, for the tests of bad input: one visit in each state, at NOW."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clinic.models import Shift
from scheduling.models import Session, SessionState, VisitRecord, VitalsRound
from tests.api import shown
from tests.factories import (
    MONDAY,
    NOW,
    ChairFactory,
    Clinic,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    protocol,
)
from tests.visits import NO_CHANGE, WELL, answer_phq9

Path = tuple[str | int, ...]

IN = SessionState
NUL = "a\x00b"
LONG = "n" * 10_000
HUGE = 10**30


@dataclass(frozen=True)
class Case:
    """An endpoint, a body that it takes, and the kind of each of its fields."""

    path: str
    body: dict[str, Any]
    kinds: dict[Path, str]
    method: str = "POST"


VISIT_CASES = [
    "visit-check-in",
    "visit-amend",
    "visit-review",
    "visit-start",
    "visit-finish",
    "visit-discharge",
    "visit-undo",
    "visit-not-dosed",
    "visit-leave-early",
    "visit-transfer",
    "visit-vitals",
    "visit-void",
    "visit-action",
    "visit-adverse-events",
    "visit-addenda",
    "visit-form",
    "visit-chair",
    "visit-prescriber",
]


def bad_of_visits(known: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """What no field of a visit's kinds takes, `known` being that of the others."""
    many = {str(number): True for number in range(31)}
    whole = ["5", 1.5, True, [], {}, -1, HUGE, NUL]
    return {
        "past": [value for value in known["later"] if value != "2027-02-01T06:59:00-05:00"],
        "weight": ["80", True, [], {}, -1, 0, 19.9, 400.1, HUGE, NUL],
        "dose": [None, "40", True, [], {}, -1, 0, 501, HUGE],
        "given": ["40", True, [], {}, -1, 40.1, HUGE],
        "waste": ["4", True, [], {}, -1, 0, 501, HUGE],
        "whole": [None, *whole],
        "breaths": whole,
        "severity": [None, *whole, 0, 6],
        "strings": [5, True, "x", {}, [5], [None], [[]], [""], ["n" * 61], [NUL], ["x"] * 31],
        "points": [None, 5, True, "x", {}, [], {"a": 5}, {"a": False}, {"a": None}, [5], [[]], {NUL: True}, many],
        "escort": [5, True, "x", [], {"name": 5}, {"name": NUL}, {"phone": []}, {"name": LONG}],
        "changed": [None, 5, True, "x", [], {}, {"pressure": True}, {**NO_CHANGE, "heart": "no"}],
        "fields": [None, 5, True, "x", {}, [5], ["nothing"], ["spo2"] * 11],
    }


def visit_cases(clinic: Clinic) -> dict[str, Case]:
    """The cases by their names in VISIT_CASES."""
    Shift.objects.filter(site=clinic.site).update(patients_at_once=20)
    early = DateTimeTZRange(local(MONDAY, "06:00"), local(MONDAY, "08:00"))
    Shift.objects.create(staff=clinic.prescribers[1], site=clinic.site, during=early)
    request = {"request_id": str(uuid4())}
    common: dict[Path, str] = {("request_id",): "request_id"}
    step: dict[Path, str] = {("at",): "past", **common}
    soon = {"at": shown(MONDAY, "06:59"), **request}
    reason = {"reason": "Said so.\nTwice.", **soon}
    arrival = {
        "weight_kg": 80.5,
        "last_food_at": shown(MONDAY, "00:30"),
        "last_drink_at": shown(MONDAY, "05:00"),
        "medicines": ["Lithium 300 mg"],
        "escort": {"name": "Kim Ñandú", "phone": "+1 555"},
    }
    arrival_kinds: dict[Path, str] = {
        ("weight_kg",): "weight",
        ("last_food_at",): "past",
        ("last_drink_at",): "past",
        ("medicines",): "strings",
        ("escort",): "escort",
    }
    second = clinic.nurse.pk
    waiting = _visit(clinic, IN.CHECKED_IN, changed={**NO_CHANGE, "liver": True})
    voided, acted = _visit(clinic, IN.MONITORING), _visit(clinic, IN.MONITORING)

    def path(session: Session, end: str) -> str:
        return f"sessions/{session.pk}/{end}/"

    return {
        "visit-check-in": Case(
            path(_visit(clinic, IN.BOOKED), "check-in"),
            {"changed": NO_CHANGE, **arrival, **soon},
            {("changed",): "changed", ("changed", "liver"): "flag", **arrival_kinds, **step},
        ),
        "visit-amend": Case(
            path(_visit(clinic, IN.CHECKED_IN), "check-in"),
            {**arrival, **request},
            {**arrival_kinds, **common},
            "PATCH",
        ),
        "visit-review": Case(path(waiting, "review"), {"note": "Well.", **request}, {("note",): "text", **common}),
        "visit-start": Case(
            path(_visit(clinic, IN.CHECKED_IN), "start"),
            {
                "drug": "Ketamine",
                "lot": "K-1",
                "mg_per_kg": 0.5,
                "mg": 40,
                "confirmed_by": second,
                "override": None,
                **soon,
            },
            {
                ("drug",): "name",
                ("lot",): "name",
                ("mg",): "dose",
                ("mg_per_kg",): "waste",
                ("confirmed_by",): "id",
                ("override",): "override",
                **step,
            },
        ),
        "visit-finish": Case(
            path(_visit(clinic, IN.GIVING), "finish"),
            {"mg_given": 36, "waste_mg": 4, "waste_witness": second, **soon},
            {("mg_given",): "given", ("waste_mg",): "waste", ("waste_witness",): "id", **step},
        ),
        "visit-discharge": Case(
            path(_visit(clinic, IN.READY), "discharge"),
            {
                "checklist": {"oriented": True},
                "escort": {"name": "Kim", "phone": ""},
                "signed_by": clinic.prescriber.pk,
                "seen_by": second,
                "override": None,
                **soon,
            },
            {
                ("checklist",): "points",
                ("escort",): "escort",
                ("signed_by",): "asked",
                ("seen_by",): "id",
                ("override",): "override",
                **step,
            },
        ),
        "visit-undo": Case(path(_visit(clinic, IN.GIVING), "undo"), soon, common),
        "visit-not-dosed": Case(
            path(_visit(clinic, IN.CHECKED_IN), "not-dosed"), reason, {("reason",): "text", **step}
        ),
        "visit-leave-early": Case(
            path(_visit(clinic, IN.GIVING), "leave-early"), reason, {("reason",): "text", **step}
        ),
        "visit-transfer": Case(path(_visit(clinic, IN.GIVING), "transfer"), reason, {("reason",): "text", **step}),
        "visit-vitals": Case(
            path(_visit(clinic, IN.MONITORING), "vitals"),
            {
                **WELL,
                "dissociation": "mild",
                "respiratory_rate": 14,
                "taken_at": shown(MONDAY, "06:59"),
                "action": "",
                "confirmed": [],
                **request,
            },
            {
                **{(name,): "whole" for name in ("systolic", "diastolic", "heart_rate", "spo2", "sedation")},
                ("respiratory_rate",): "breaths",
                ("dissociation",): "decision",
                ("taken_at",): "past",
                ("action",): "note",
                ("confirmed",): "fields",
                **common,
            },
        ),
        "visit-void": Case(path(voided, f"vitals/{_last(voided).pk}/void"), request, common),
        "visit-action": Case(
            path(acted, f"vitals/{_last(acted).pk}/action"),
            {"action": "Called.", **request},
            {("action",): "text", **common},
        ),
        "visit-adverse-events": Case(
            path(_visit(clinic, IN.MONITORING), "adverse-events"),
            {
                "type": "Nausea",
                "onset": shown(MONDAY, "06:59"),
                "severity": 2,
                "serious": False,
                "action": "Waited.",
                **request,
            },
            {
                ("type",): "name",
                ("onset",): "past",
                ("severity",): "severity",
                ("serious",): "flag",
                ("action",): "note",
                **common,
            },
        ),
        "visit-addenda": Case(
            path(_visit(clinic, IN.DISCHARGED), "addenda"),
            {"text": "Rang.\nAll well.", **request},
            {("text",): "text", **common},
        ),
        "visit-chair": Case(
            path(_visit(clinic, IN.MONITORING), "chair"),
            {"chair": ChairFactory.create(site=clinic.site, name="Spare").pk, "swap": None, **request},
            {("chair",): "id", ("swap",): "asked", **common},
        ),
        "visit-prescriber": Case(
            path(_visit(clinic, IN.MONITORING), "prescriber"),
            {"prescriber": clinic.prescribers[1].pk, **request},
            {("prescriber",): "id", **common},
        ),
        "visit-form": Case(path(_visit(clinic, IN.DISCHARGED, code="esketamine-trd-us"), "form"), request, common),
    }


def _visit(
    clinic: Clinic, state: SessionState, *, code: str = "iv-ketamine-standard", changed: Mapping[str, Any] = NO_CHANGE
) -> Session:
    """A visit that stands in this state at NOW; its dose ended two hours ago where it has ended."""
    patient = PatientFactory.create()
    answer_phq9(patient, taken_at=NOW - timedelta(days=1))
    taken: dict[str, datetime | None] = {
        "checked_in_at": NOW - timedelta(minutes=200),
        "dose_started_at": NOW - timedelta(minutes=170),
        "dose_ended_at": NOW - timedelta(minutes=130),
        "left_at": NOW,
    }
    reached = {IN.BOOKED: 0, IN.CHECKED_IN: 1, IN.GIVING: 2, IN.MONITORING: 3, IN.READY: 3, IN.DISCHARGED: 4}[state]
    session = SessionFactory.create(
        course=CourseFactory.create(site=clinic.site, patient=patient, protocol=protocol(code)),
        chair=ChairFactory.create(site=clinic.site, name=f"Chair of {patient.pk}"),
        prescriber=clinic.prescriber,
        starts_at=local(MONDAY, "09:00"),
        state=state,
        stepped_at=NOW,
        **{name: at if number < reached else None for number, (name, at) in enumerate(taken.items())},
    )
    if reached:
        dose = {
            "drug": "Ketamine",
            "lot": "K-1",
            "mg": 40,
            "started_by": clinic.nurse,
            "confirmed_by": clinic.clinician,
        }
        VisitRecord.objects.create(
            session=session,
            changed=dict(changed),
            weight_kg=80,
            checked_in_by=clinic.nurse,
            escort_name="Kim",
            **(dose if reached > 1 else {}),
            **({"ended_by": clinic.nurse} if reached > 2 else {}),
        )
        VitalsRound.objects.create(
            session=session, taken_at=NOW - timedelta(minutes=2), by=clinic.nurse, at=NOW, **WELL
        )
    return session


def _last(session: Session) -> VitalsRound:
    return session.rounds.latest("taken_at")
