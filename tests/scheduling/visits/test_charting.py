"""What is written down beside the steps of a visit, and its reading."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, RequestReused, RoleRefused, Stale
from patients.models import Task, TaskKind
from scheduling.models import Addendum, AdverseEvent, CourseEvent, SessionState, VisitRecord, VitalsRound
from scheduling.protocols.vitals import Stage
from scheduling.visits import charting, charts, treating
from scheduling.visits.charting import Implausible
from scheduling.visits.stepping import Escort
from scheduling.writes import constraint_of
from tests.factories import Clinic
from tests.visits import START, WELL, Visit, at, make_visit

pytestmark = pytest.mark.django_db

IN = SessionState


@pytest.fixture
def visit(clinic: Clinic) -> Visit:
    visit = make_visit(clinic)
    visit.come_to(IN.MONITORING)
    return visit


# Measurements


def test_a_round_is_written_down_by_whom_and_when(visit: Visit) -> None:
    charted = visit.measure(at(80), taken_at=at(79), respiratory_rate=14, action=" Feet up. ", dissociation=1)

    assert VitalsRound.objects.filter(pk=charted.round.pk).values(
        "session", "taken_at", "respiratory_rate", "dissociation", "action", "by", "at", "confirmed"
    ).get() == {
        "session": visit.session.pk,
        "taken_at": at(79),
        "respiratory_rate": 14,
        "dissociation": 1,
        "action": "Feet up.",
        "by": visit.nurse.pk,
        "at": at(80),
        "confirmed": [],
    }
    assert (charted.findings, charted.repeated) == ((), False)


def test_a_repeated_round_is_the_same_round(visit: Visit) -> None:
    request = uuid4()
    first = visit.measure(at(80), request_id=request, systolic=150)

    again = visit.measure(at(80), request_id=request, systolic=150)

    assert (again.round, again.findings, again.repeated) == (first.round, first.findings, True)
    with pytest.raises(RequestReused):
        visit.measure(at(80), request_id=request, systolic=151)
    with pytest.raises(Stale):
        visit.measure(at(80))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("systolic", 301),
        ("diastolic", 130),
        ("heart_rate", 19),
        ("spo2", 101),
        ("respiratory_rate", 1),
        ("sedation", 6),
        ("dissociation", 4),
        ("taken_at", at(81)),
        ("taken_at", START - timedelta(minutes=61)),
        ("taken_at", datetime(2027, 2, 1, 10)),  # noqa: DTZ001 a naive time is what is refused
    ],
)
def test_what_cannot_be_is_refused(visit: Visit, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        visit.measure(at(80), confirmed=[field], **{field: value})

    assert (type(refused.value), list(refused.value.fields)) == (Invalid, [field])
    assert VitalsRound.objects.count() == 1


@pytest.mark.parametrize("values", [{"systolic": 70, "diastolic": 80}, {"spo2": 101}, {"sedation": 6}])
def test_what_cannot_be_is_refused_by_the_database_too(visit: Visit, values: dict[str, int]) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        VitalsRound.objects.create(
            session=visit.session, taken_at=at(75), by=visit.nurse, at=at(75), **{**WELL, **values}
        )

    assert constraint_of(refused.value) == "round_possible"


def test_unusual_values_are_taken_when_they_are_confirmed(visit: Visit) -> None:
    odd = {"heart_rate": 38, "systolic": 190}
    with pytest.raises(Implausible) as asked:
        visit.measure(at(80), **odd)
    with pytest.raises(Implausible) as half:
        visit.measure(at(80), **odd, confirmed=["systolic"])

    charted = visit.measure(at(80), **odd, confirmed=["systolic", "heart_rate"])

    assert sorted(asked.value.fields) == ["heart_rate", "systolic"]
    assert half.value.fields == {"heart_rate": ["38 is unusual: is it right?"]}
    assert charted.round.confirmed == ["heart_rate", "systolic"]


def test_an_alarming_round_calls_the_prescriber_once(visit: Visit) -> None:
    first = visit.measure(at(80), systolic=184, confirmed=["systolic"])
    visit.measure(at(90), systolic=182)
    visit.measure(at(95), systolic=170, spo2=89, confirmed=["spo2"])

    lines = Task.objects.filter(kind=TaskKind.ALERT, done_at=None).order_by("key")
    assert [(line.key, line.details["observed"], line.details["round"]) for line in lines] == [
        (f"{visit.session.pk}:bp-during", "184/78", first.round.pk),
        (f"{visit.session.pk}:spo2", "89%", VitalsRound.objects.latest("taken_at").pk),
    ]
    assert {line.details["asked"] for line in lines} == {visit.clinic.prescriber.pk}
    assert [found.rule for found in first.findings] == ["bp-during"]


def test_a_round_before_the_dose_is_judged_as_such_though_it_is_written_down_later(visit: Visit) -> None:
    late = visit.measure(at(80), taken_at=at(25), systolic=162, diastolic=90)

    assert [found.rule for found in late.findings] == ["bp-high"]
    assert not Task.objects.filter(kind=TaskKind.ALERT).exists()


def test_nothing_is_measured_before_check_in_or_after_discharge(clinic: Clinic) -> None:
    visit = make_visit(clinic)
    with pytest.raises(Stale):
        visit.measure(START)
    visit.come_to(IN.DISCHARGED)
    with pytest.raises(Stale):
        visit.measure(at(192))


def test_a_wrong_round_is_voided_for_five_minutes_and_stays(visit: Visit) -> None:
    visit.measure(at(189))
    wrong = visit.measure(at(190), sedation=2).round
    assert visit.fresh().state == IN.MONITORING
    with pytest.raises(Stale):
        charting.void_round(actor=visit.nurse, round_=wrong, now=at(195.1))

    charting.void_round(actor=visit.second, round_=wrong, now=at(195))

    wrong.refresh_from_db()
    assert (wrong.voided_at, wrong.voided_by, wrong.sedation) == (at(195), visit.second, 2)
    assert visit.fresh().state == IN.READY
    assert CourseEvent.objects.latest("pk").details["round"] == wrong.pk
    with pytest.raises(Stale):
        charting.void_round(actor=visit.nurse, round_=wrong, now=at(195))
    visit.measure(at(195), taken_at=at(190))  # its moment is free again


def test_what_was_done_about_a_round_is_said_once(visit: Visit) -> None:
    round_ = visit.measure(at(80), systolic=184, confirmed=["systolic"]).round
    with pytest.raises(Invalid):
        charting.note_action(actor=visit.nurse, round_=round_, action=" ", now=at(81))

    charting.note_action(actor=visit.nurse, round_=round_, action="Dr. Keller came.", now=at(81))

    round_.refresh_from_db()
    assert round_.action == "Dr. Keller came."
    with pytest.raises(Stale):
        charting.note_action(actor=visit.nurse, round_=round_, action="Nothing.", now=at(82))


# Notes


def test_what_was_said_at_check_in_is_corrected_piece_by_piece(visit: Visit) -> None:
    charting.amend(actor=visit.nurse, session=visit.session, weight_kg=Decimal("81.5"), now=at(80))
    charting.amend(actor=visit.nurse, session=visit.session, escort=Escort("Jo Reyes"), now=at(81))

    record = VisitRecord.objects.get()
    assert (record.weight_kg, record.escort_name, record.escort_phone) == (Decimal("81.5"), "Jo Reyes", "")
    events = CourseEvent.objects.filter(kind="amended").order_by("pk")
    assert [event.details["fields"] for event in events] == [["weight_kg"], ["escort_name", "escort_phone"]]
    with pytest.raises(Invalid):
        charting.amend(actor=visit.nurse, session=visit.session, weight_kg=Decimal(8), now=at(82))


def report(visit: Visit, **given: Any) -> tuple[AdverseEvent, bool]:
    given = {"type": "Nausea", "severity": 2, **given}
    return charting.adverse_event(actor=visit.nurse, session=visit.session, now=at(80), **given)


def test_an_adverse_event_is_kept_as_it_was_written(visit: Visit) -> None:
    event, _ = report(visit, onset=at(75), action="Ondansetron 4 mg.")

    assert (event.type, event.onset, event.severity, event.serious, event.by, event.at) == (
        "Nausea",
        at(75),
        2,
        False,
        visit.nurse,
        at(80),
    )
    assert not Task.objects.filter(kind=TaskKind.ALERT).exists()
    with pytest.raises(DatabaseError), transaction.atomic():
        AdverseEvent.objects.update(severity=1)


def test_a_serious_event_calls_the_prescriber(visit: Visit) -> None:
    event, _ = report(visit, type="Chest pain", severity=4, serious=True)

    line = Task.objects.get(kind=TaskKind.ALERT)
    assert (line.key, line.details["event"], line.details["asked"]) == (
        f"{visit.session.pk}:event:{event.pk}",
        event.pk,
        visit.clinic.prescriber.pk,
    )


@pytest.mark.parametrize(
    ("field", "value"), [("type", " "), ("severity", 0), ("severity", 6), ("onset", at(81)), ("onset", at(-1))]
)
def test_an_event_that_cannot_be_meant_is_refused(visit: Visit, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        report(visit, **{field: value})

    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize("state", [IN.DISCHARGED, IN.LEFT_EARLY])
def test_a_closed_record_takes_addenda_and_nothing_else(clinic: Clinic, state: SessionState) -> None:
    visit = make_visit(clinic)
    write: dict[str, Any] = {"actor": visit.nurse, "session": visit.session}
    if state == IN.LEFT_EARLY:
        visit.come_to(IN.MONITORING)
        with pytest.raises(Stale):
            charting.addendum(**write, text="Too early.", now=at(90))
        treating.leave_early(**write, reason="Would not stay.", now=at(100))
    else:
        visit.come_to(IN.DISCHARGED)
    round_ = VitalsRound.objects.latest("taken_at")
    before = VisitRecord.objects.values().get()

    for act in (
        lambda: charting.amend(**write, weight_kg=Decimal(70), now=at(192)),
        lambda: charting.adverse_event(**write, type="Nausea", severity=1, now=at(192)),
        lambda: charting.void_round(actor=visit.nurse, round_=round_, now=at(192)),
        lambda: charting.note_action(actor=visit.nurse, round_=round_, action="Late.", now=at(192)),
        lambda: visit.measure(at(192)),
    ):
        with pytest.raises(Stale):
            act()
    added, _ = charting.addendum(**write, text=" Rang at eight: well. ", now=at(600))

    assert VisitRecord.objects.values().get() == before
    assert (added.text, added.by, added.at) == ("Rang at eight: well.", visit.nurse, at(600))
    with pytest.raises(DatabaseError), transaction.atomic():
        Addendum.objects.update(text="Never.")


def test_the_desk_charts_nothing(visit: Visit) -> None:
    visit.nurse = visit.clinic.desk
    with pytest.raises(RoleRefused):
        visit.measure(at(80))
    with pytest.raises(RoleRefused):
        report(visit)


def test_the_form_of_esketamine_is_sent_once(clinic: Clinic) -> None:
    clinic.site.rems_certified = True
    clinic.site.save(update_fields=["rems_certified"])
    visit = make_visit(clinic, code="esketamine-trd-us")
    visit.check_in()
    visit.measure(at(10))
    visit.start(at(20), drug="Spravato", mg=Decimal(56), mg_per_kg=None)
    visit.finish(at(30))
    with pytest.raises(Stale):
        charting.send_form(actor=visit.nurse, session=visit.session, now=at(31))
    treating.leave_early(actor=visit.nurse, session=visit.session, reason="Would not stay.", now=at(60))
    assert Task.objects.filter(kind=TaskKind.OPEN_FORM, done_at=None).count() == 1

    charting.send_form(actor=visit.nurse, session=visit.session, now=at(600))

    record = VisitRecord.objects.get()
    assert (record.form_sent_at, record.form_sent_by) == (at(600), visit.nurse)
    assert not Task.objects.filter(kind=TaskKind.OPEN_FORM, done_at=None).exists()
    with pytest.raises(Stale):
        charting.send_form(actor=visit.nurse, session=visit.session, now=at(601))


# Reading


def test_a_chart_says_what_is_due_what_is_missing_and_from_when_the_patient_may_go(visit: Visit) -> None:
    visit.measure(at(75))
    chart = charts.read(visit.fresh(), now=at(91))

    assert (chart.stage, chart.closed, chart.vitals_due, chart.overdue, chart.earliest) == (
        Stage.MONITORING,
        False,
        at(90),
        True,
        at(190),
    )
    assert [found.rule for found in chart.missing] == ["two-hours"]
    assert [round_.taken_at for round_ in chart.rounds] == [at(10), at(75)]


def test_a_visit_that_is_awaited_or_over_waits_for_nothing(clinic: Clinic) -> None:
    visit = make_visit(clinic)
    awaited = charts.read(visit.fresh(), now=START)
    visit.come_to(IN.DISCHARGED)
    over = charts.read(visit.fresh(), now=at(300))

    for chart, stage in ((awaited, Stage.AWAITED), (over, Stage.OVER)):
        assert (chart.stage, chart.vitals_due, chart.overdue, chart.missing) == (stage, None, False, ())
    assert (awaited.record, awaited.closed, over.closed) == (None, False, True)


def queries_of(visit: Visit) -> int:
    session = visit.fresh()
    with CaptureQueriesContext(connection) as queries:
        charts.read(session, now=at(90))
    return len(queries)


def test_a_chart_takes_as_many_queries_with_one_round_as_with_thirty(visit: Visit) -> None:
    one = queries_of(visit)
    for minute in range(71, 101):
        visit.measure(at(120), taken_at=at(minute))

    assert (one, queries_of(visit)) == (7, 7)


def test_who_is_ready_takes_as_many_queries_for_one_visit_as_for_many(clinic: Clinic) -> None:
    counts = []
    for chair in range(4):
        make_visit(clinic, chair=chair).come_to(IN.READY)
        with CaptureQueriesContext(connection) as queries:
            assert treating.mark_ready(now=at(195)) == 0
        counts.append(len(queries))

    assert counts == [3] * 4
