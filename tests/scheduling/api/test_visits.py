"""The visit by the interface: every step with its answer, and how refusals read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from patients.models import Patient
from scheduling.models import Session
from tests.api import Answer, Api, signed_in
from tests.factories import MONDAY, NEW_YORK, Clinic, make_clinic
from tests.visits import START, Visit, answer_phq9, at, make_visit

NO_CHANGE = {"pressure": False, "liver": False, "stroke": False, "heart": False}
ARRIVAL: dict[str, Any] = {
    "changed": NO_CHANGE,
    "weight_kg": 80,
    "last_food_at": "2027-02-01T02:00:00-05:00",
    "last_drink_at": "2027-02-01T06:30:00-05:00",
    "medicines": ["lamotrigine"],
    "escort": {"name": "Kim Morgan", "phone": "+1 555 030 0001"},
}
ROUND: dict[str, Any] = {
    "systolic": 122,
    "diastolic": 78,
    "heart_rate": 70,
    "spo2": 98,
    "respiratory_rate": 14,
    "sedation": 5,
    "dissociation": "none",
}


@pytest.fixture
def travel() -> Iterator[Any]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def clinic(travel: Any, db: None) -> Clinic:
    return make_clinic()


@pytest.fixture
def visit(clinic: Clinic) -> Visit:
    return make_visit(clinic)


class Desk:
    """The nurse's client: each step at its own time."""

    def __init__(self, visit: Visit, travel: Any) -> None:
        self.visit, self.travel, self.api = visit, travel, signed_in(visit.nurse)

    def __call__(self, step: str, body: Any, minutes: float) -> Answer:
        self.travel.move_to(at(minutes))
        return self.api.post(f"sessions/{self.visit.session.pk}/{step}/", body)

    def dose(self, **more: Any) -> dict[str, Any]:
        return {
            "drug": "Ketamine",
            "lot": "K-1",
            "mg_per_kg": 0.5,
            "mg": 40,
            "confirmed_by": self.visit.second.pk,
            **more,
        }

    def leave(self, **more: Any) -> dict[str, Any]:
        return {
            "checklist": {"oriented": True, "walks": True},
            "signed_by": self.visit.nurse.pk,
            "seen_by": self.visit.second.pk,
            **more,
        }


@pytest.fixture
def desk(visit: Visit, travel: Any) -> Desk:
    return Desk(visit, travel)


def shown(moment: datetime) -> str:
    return moment.astimezone(NEW_YORK).isoformat()


def test_a_whole_visit(desk: Desk) -> None:
    answers = [
        desk("check-in", ARRIVAL, 0),
        desk("vitals", ROUND, 10),
        desk("start", desk.dose(), 30),
        desk("vitals", ROUND, 40),
        desk("finish", {"at": shown(at(70)), "mg_given": 40}, 71),
        desk("vitals", ROUND, 175),
        desk("vitals", {**ROUND, "taken_at": shown(at(190))}, 190),
        desk("discharge", desk.leave(), 191),
        desk("addenda", {"text": "Rang at eight in the evening: all well."}, 600),
    ]

    assert [(answer.status, answer.body["state"], answer.body["visit"]["stage"]) for answer in answers] == [
        (200, "checked-in", "before"),
        (201, "checked-in", "before"),
        (200, "giving", "giving"),
        (201, "giving", "giving"),
        (200, "monitoring", "monitoring"),
        (201, "monitoring", "monitoring"),
        (201, "ready", "monitoring"),
        (200, "discharged", "over"),
        (201, "discharged", "over"),
    ]
    visit = answers[-1].body["visit"]
    assert visit == desk.api.get(f"sessions/{desk.visit.session.pk}/visit/").body
    assert [visit[name] for name in ("checked_in_at", "dose_started_at", "dose_ended_at", "left_at")] == [
        shown(at(minutes)) for minutes in (0, 30, 70, 191)
    ]
    record = visit["record"]
    assert {name: record[name] for name in ("weight_kg", "drug", "lot", "mg", "mg_given", "medicines", "escort")} == {
        "weight_kg": 80.0,
        "drug": "Ketamine",
        "lot": "K-1",
        "mg": 40.0,
        "mg_given": 40.0,
        "medicines": ["lamotrigine"],
        "escort": ARRIVAL["escort"],
    }
    assert (record["signed_by"], record["seen_by"]) == (desk.visit.nurse.pk, desk.visit.second.pk)
    assert [round_["systolic"] for round_ in visit["vitals"]] == [122] * 4
    assert [addendum["text"] for addendum in visit["addenda"]] == ["Rang at eight in the evening: all well."]


def test_each_answer_says_what_is_due_and_from_when_the_patient_may_go(desk: Desk) -> None:
    desk("check-in", ARRIVAL, 0)
    desk("vitals", ROUND, 10)
    due = [desk("start", desk.dose(), 30).body["visit"]["vitals_due"]]
    visit = desk("finish", {}, 70).body
    due.append(visit["visit"]["vitals_due"])

    assert due == [{"at": shown(at(40)), "overdue": False}, {"at": shown(at(40)), "overdue": True}]
    assert visit["visit"]["earliest_discharge"] == shown(at(190))
    assert [found["rule"] for found in visit["missing"]] == ["two-hours", "bp-leave", "sedation"]


def test_a_refused_discharge_names_what_is_missing_and_when_it_can_be(desk: Desk) -> None:
    desk.visit.come_to_monitoring()

    answer = desk("discharge", desk.leave(), 100)

    assert (answer.status, answer.body["code"]) == (422, "rules")
    assert [(found["rule"], found["level"]) for found in answer.body["findings"]] == [
        ("bp-leave", "block"),
        ("sedation", "block"),
        ("two-hours", "block"),
    ]
    assert answer.body["earliest"] == shown(at(190))


def test_rules_are_judged_before_anything_is_missed(desk: Desk) -> None:
    check_in = desk("check-in", {}, 0)
    desk("check-in", ARRIVAL, 0)
    start = desk("start", {}, 30)

    assert [(answer.status, [found["rule"] for found in answer.body["findings"]]) for answer in (check_in, start)] == [
        (422, ["new-history"]),
        (422, ["dose-check", "bp-high"]),
    ]


def test_a_prescriber_passes_over_a_pressure_and_nobody_else_does(desk: Desk) -> None:
    override = {"rules": ["bp-high"], "reason": "Falling under observation."}
    desk("check-in", ARRIVAL, 0)
    desk("vitals", {**ROUND, "systolic": 164, "diastolic": 98}, 10)
    unsigned = desk("start", desk.dose(), 30)
    refused = desk("start", desk.dose(override=override), 30)
    desk.api = signed_in(desk.visit.clinic.prescriber)

    passed = desk("start", desk.dose(override=override), 30)

    assert [(answer.status, answer.body["code"]) for answer in (unsigned, refused)] == [(422, "rules"), (403, "role")]
    assert (passed.status, [found["rule"] for found in passed.body["findings"]]) == (200, ["bp-high"])


def test_unusual_values_are_asked_about_and_impossible_ones_refused(desk: Desk) -> None:
    desk("check-in", ARRIVAL, 0)
    unusual = desk("vitals", {**ROUND, "heart_rate": 38}, 10)
    impossible = desk("vitals", {**ROUND, "spo2": 101, "confirmed": ["spo2"]}, 10)
    meant = desk("vitals", {**ROUND, "heart_rate": 38, "confirmed": ["heart_rate"]}, 10)

    assert [(answer.status, answer.body["code"], list(answer.body["fields"])) for answer in (unusual, impossible)] == [
        (400, "implausible", ["heart_rate"]),
        (400, "invalid", ["spo2"]),
    ]
    assert meant.status == 201


def test_a_round_says_what_it_means(desk: Desk) -> None:
    desk.visit.come_to_monitoring()

    answer = desk("vitals", {**ROUND, "systolic": 182, "diastolic": 96, "spo2": 93, "confirmed": ["systolic"]}, 80)

    assert [(found["rule"], found["observed"]) for found in answer.body["findings"]] == [
        ("bp-during", "182/96"),
        ("spo2", "93%"),
    ]


def test_the_ways_out_and_the_way_back(desk: Desk) -> None:
    desk("check-in", ARRIVAL, 0)
    unreasoned = desk("not-dosed", {}, 5)
    steps = [
        desk("not-dosed", {"reason": "Fever."}, 5),
        desk("undo", {}, 6),
        desk("vitals", ROUND, 10),
        desk("start", desk.dose(), 30),
        desk("leave-early", {"reason": "Would not stay."}, 50),
        desk("undo", {}, 51),
        desk("transfer", {"reason": "Chest pain."}, 52),
        desk("undo", {}, 58),
    ]

    assert (unreasoned.status, list(unreasoned.body["fields"])) == (400, ["reason"])
    assert [(answer.status, answer.body.get("state", answer.body.get("code"))) for answer in steps] == [
        (200, "not-dosed"),
        (200, "checked-in"),
        (201, "checked-in"),
        (200, "giving"),
        (200, "left-early"),
        (200, "giving"),
        (200, "transferred"),
        (409, "stale"),
    ]


def test_another_chair_and_another_prescriber_for_the_rest_of_the_visit(desk: Desk, clinic: Clinic) -> None:
    other = make_visit(clinic, chair=1)
    other.come_to_monitoring()
    desk.visit.come_to_monitoring()
    chair, doctor = clinic.chairs[1].pk, clinic.prescribers[1].pk
    taken = desk("chair", {"chair": chair}, 80)
    swapped = desk("chair", {"chair": chair, "swap": other.session.pk}, 80)
    handed = desk("prescriber", {"prescriber": doctor}, 90)
    nobody = desk("prescriber", {"prescriber": 999_999}, 90)

    assert (taken.status, taken.body["code"]) == (409, "stale")
    assert [(row["id"], row["chair"]) for row in swapped.body["sessions"]] == [
        (desk.visit.session.pk, chair),
        (other.session.pk, clinic.chairs[0].pk),
    ]
    assert (handed.status, handed.body["prescriber"], handed.body["chair"]) == (200, doctor, chair)
    assert (nobody.status, list(nobody.body["fields"])) == (400, ["prescriber"])


def test_an_adverse_event_and_its_repetition(desk: Desk) -> None:
    desk.visit.come_to_monitoring()
    body = {
        "type": "Nausea",
        "onset": shown(at(75)),
        "severity": 2,
        "serious": False,
        "action": "Ondansetron 4 mg.",
        "request_id": str(uuid4()),
    }

    first, again = desk("adverse-events", body, 80), desk("adverse-events", body, 80)
    other = desk("adverse-events", {**body, "severity": 3}, 80)

    assert (first.status, again.status, other.status, other.body["code"]) == (201, 200, 409, "request_reused")
    assert first.body == again.body
    (event,) = again.body["visit"]["adverse_events"]
    assert {name: event[name] for name in ("id", "type", "severity", "serious", "action", "by")} == {
        "id": first.body["recorded"],
        "type": "Nausea",
        "severity": 2,
        "serious": False,
        "action": "Ondansetron 4 mg.",
        "by": desk.visit.nurse.pk,
    }


def test_a_closed_record_takes_addenda_only(desk: Desk) -> None:
    early = desk("addenda", {"text": "Too early."}, 0)
    desk.visit.come_to_monitoring()
    desk("leave-early", {"reason": "Would not stay."}, 100)
    late = [
        desk("vitals", ROUND, 101),
        desk("adverse-events", {"type": "Nausea", "severity": 1}, 101),
        desk("discharge", desk.leave(), 191),
    ]
    patched = desk.api.patch(f"sessions/{desk.visit.session.pk}/check-in/", {"weight_kg": 81})

    assert [(answer.status, answer.body["code"]) for answer in (early, *late, patched)] == [(409, "stale")] * 5
    assert desk("addenda", {"text": "Came back for her coat."}, 120).status == 201


def test_what_was_said_at_check_in_is_corrected(desk: Desk) -> None:
    desk("check-in", {**ARRIVAL, "weight_kg": 88}, 0)

    answer = desk.api.patch(f"sessions/{desk.visit.session.pk}/check-in/", {"weight_kg": 80.46})

    assert answer.status == 200
    record = answer.body["visit"]["record"]
    assert (record["weight_kg"], record["medicines"], record["escort"]) == (80.5, ["lamotrigine"], ARRIVAL["escort"])


def test_a_round_is_voided_and_acted_on(desk: Desk) -> None:
    desk("check-in", ARRIVAL, 0)
    wrong = desk("vitals", {**ROUND, "systolic": 222, "confirmed": ["systolic"]}, 10).body["recorded"]
    desk(f"vitals/{wrong}/action", {"action": "Measured again."}, 11)
    answer = desk(f"vitals/{wrong}/void", {}, 12)
    twice = desk(f"vitals/{wrong}/void", {}, 12)
    unknown = desk("vitals/999999/void", {}, 12)

    (round_,) = answer.body["visit"]["vitals"]
    assert (round_["action"], round_["voided_at"]) == ("Measured again.", shown(at(12)))
    assert (twice.status, unknown.status) == (409, 404)


def test_item_9_stands_before_the_dose(desk: Desk) -> None:
    patient = Patient.objects.get(pk=desk.visit.session.patient_id)
    answer_phq9(patient, taken_at=START - timedelta(hours=2), item_9=1)
    desk("check-in", ARRIVAL, 0)
    desk("vitals", ROUND, 10)

    answer = desk("start", desk.dose(), 30)

    assert (answer.status, [found["rule"] for found in answer.body["findings"]]) == (422, ["score-seen"])


def test_nobody_signs_for_somebody_else(desk: Desk) -> None:
    desk.visit.come_to_monitoring()
    desk("vitals", ROUND, 185)

    answer = desk("discharge", desk.leave(signed_by=desk.visit.second.pk), 190)

    assert (answer.status, list(answer.body["fields"])) == (400, ["signed_by"])
    assert Session.objects.get(pk=desk.visit.session.pk).left_at is None


def test_the_desk_reads_a_visit_and_runs_none(desk: Desk, clinic: Clinic) -> None:
    api: Api = signed_in(clinic.desk)
    read = api.get(f"sessions/{desk.visit.session.pk}/visit/")
    step = api.post(f"sessions/{desk.visit.session.pk}/check-in/", ARRIVAL)

    assert (read.status, read.body["stage"], read.body["record"]) == (200, "awaited", None)
    assert (step.status, step.body["code"]) == (403, "role")
    assert Session.objects.get(pk=desk.visit.session.pk).local_date == MONDAY
