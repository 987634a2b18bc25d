"""The guard of sessions, as any writer meets it: plain SQL on PostgreSQL, nothing of the application in between."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from clinic.models import Shift, Staff
from scheduling.models import Course, Session, SessionState, guard
from tests import plain_sql
from tests.factories import (
    MONDAY,
    NOW,
    ChairFactory,
    Clinic,
    CourseFactory,
    PatientFactory,
    SiteFactory,
    StaffFactory,
    local,
    make_clinic,
    protocol,
    went,
)
from tests.plain_sql import visit

pytestmark = pytest.mark.django_db

TUESDAY = MONDAY + timedelta(days=1)

EXCLUDED = "23P01"
CHECK = "23514"
UNIQUE = "23505"


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=6, prescribers=2, weeks=1)


def course_at(clinic: Clinic) -> Course:
    return CourseFactory.create(site=clinic.site)


def book(columns: plain_sql.Columns) -> int:
    with connection.cursor() as cursor:
        return plain_sql.insert(cursor, columns)


def run(statement: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def refusal(act: Callable[..., object], *args: Any) -> tuple[str, str]:
    """The SQLSTATE and the name of the constraint with which the database refuses."""
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        act(*args)
    cause = refused.value.__cause__
    return cause.sqlstate, cause.diag.constraint_name or ""  # type: ignore[union-attr]  # psycopg's error


def flagged() -> set[int]:
    return set(Session.objects.filter(needs_replan=True).values_list("pk", flat=True))


def version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM scheduling_day WHERE date = %s", [MONDAY])
        return int(cursor.fetchone()[0])


class TestOnePlaceOneVisit:
    def test_a_chair_takes_one_visit_at_a_time(self, clinic: Clinic) -> None:
        chair, (doctor, other) = clinic.chairs[0], clinic.prescribers
        book(visit(course_at(clinic), chair, doctor, local(MONDAY, "09:00")))
        late = visit(course_at(clinic), chair, other, local(MONDAY, "12:10"))
        assert refusal(book, late) == (EXCLUDED, "session_chair_free")

    def test_the_next_visit_begins_when_the_turn_over_ends(self, clinic: Clinic) -> None:
        chair, doctor = clinic.chairs[0], clinic.prescriber
        book(visit(course_at(clinic), chair, doctor, local(MONDAY, "09:00")))
        book(visit(course_at(clinic), chair, doctor, local(MONDAY, "12:20")))
        assert Session.objects.count() == 2

    @pytest.mark.parametrize("state", ["cancelled", "no-show", "not-dosed", "expired"])
    def test_a_visit_that_does_not_take_place_frees_its_times(self, clinic: Clinic, state: str) -> None:
        chair, doctor = clinic.chairs[0], clinic.prescriber
        gone = book(visit(course_at(clinic), chair, doctor, local(MONDAY)))
        went(Session.objects.filter(pk=gone), SessionState(state), freed_at=NOW)
        book(visit(course_at(clinic), chair, doctor, local(MONDAY)))
        back = """
            UPDATE scheduling_session SET state = 'booked', freed_at = NULL, checked_in_at = NULL, left_at = NULL
            WHERE id = %s
        """
        assert refusal(run, back, gone) == (EXCLUDED, "session_chair_free")

    @pytest.mark.parametrize(
        "state", ["held", "checked-in", "giving", "monitoring", "ready", "discharged", "left-early"]
    )
    def test_every_other_state_keeps_its_times(self, clinic: Clinic, state: str) -> None:
        chair, doctor = clinic.chairs[0], clinic.prescriber
        kept = book(visit(course_at(clinic), chair, doctor, local(MONDAY)))
        went(Session.objects.filter(pk=kept), SessionState(state))
        assert refusal(book, visit(course_at(clinic), chair, doctor, local(MONDAY))) == (EXCLUDED, "session_chair_free")

    def test_a_patient_is_in_one_place_at_a_time(self, clinic: Clinic) -> None:
        west = ChairFactory.create(site=SiteFactory.create(time_zone="Pacific/Kiritimati"))
        course = course_at(clinic)
        book(visit(course, clinic.chairs[0], clinic.prescriber, local(MONDAY, "09:00")))
        elsewhere = visit(course, west, clinic.prescriber, local(MONDAY, "11:00"))
        assert elsewhere["local_date"] == TUESDAY
        assert refusal(book, elsewhere) == (EXCLUDED, "session_patient_free")

    def test_a_patient_comes_once_a_local_date(self, clinic: Clinic) -> None:
        course = course_at(clinic)
        book(visit(course, clinic.chairs[0], clinic.prescriber, local(MONDAY, "08:00")))
        again = visit(course, clinic.chairs[1], clinic.prescribers[1], local(MONDAY, "13:00"))
        assert refusal(book, again) == (UNIQUE, "session_one_a_day")


class TestAVisitThatMakesSense:
    def columns(self, clinic: Clinic, **changes: Any) -> plain_sql.Columns:
        return visit(course_at(clinic), clinic.chairs[0], clinic.prescriber, local(MONDAY), **changes)

    @pytest.mark.parametrize(
        "during",
        [
            "empty",
            "(,)",
            "[2027-02-01 09:00Z,)",
            "(,2027-02-01 09:00Z)",
            "[2027-02-01 09:00Z,infinity)",
            "[-infinity,2027-02-01 09:00Z)",
            "[1990-01-01,2027-02-01 09:00Z)",
        ],
    )
    def test_its_times_are_finite(self, clinic: Clinic, during: str) -> None:
        assert refusal(book, self.columns(clinic, during=during)) == (CHECK, "range_finite")

    @pytest.mark.parametrize(
        ("column", "clock"),
        [
            ("dose_starts_at", "08:59"),
            ("dose_starts_at", "10:10"),
            ("dose_ends_at", "09:30"),
            ("dose_ends_at", "12:10"),
            ("discharge_at", "10:10"),
            ("discharge_at", "12:21"),
        ],
    )
    def test_its_phases_follow_each_other(self, clinic: Clinic, column: str, clock: str) -> None:
        columns = self.columns(clinic, **{column: local(MONDAY, clock)})
        assert refusal(book, columns) == (CHECK, "session_phases_in_order")

    def test_it_lasts_less_than_a_day(self, clinic: Clinic) -> None:
        during = f"[{local(MONDAY, '09:00').isoformat()},{local(TUESDAY, '09:00').isoformat()})"
        assert refusal(book, self.columns(clinic, during=during)) == (CHECK, "session_phases_in_a_day")

    @pytest.mark.parametrize(
        ("changes", "constraint"),
        [
            ({"state": "asleep"}, "session_freed_at"),  # neither live nor freed; session_state speaks after it
            ({"phase": "late"}, "session_phase"),
            ({"state": "confirmed"}, "session_confirmed_at"),
            ({"state": "cancelled"}, "session_freed_at"),
            ({"state": "expired"}, "session_freed_at"),
            ({"freed_at": NOW}, "session_freed_at"),
        ],
    )
    def test_states_are_known_and_carry_their_time(
        self, clinic: Clinic, changes: dict[str, Any], constraint: str
    ) -> None:
        assert refusal(book, self.columns(clinic, **changes)) == (CHECK, constraint)

    def test_its_date_is_the_one_on_the_wall_of_the_site(self, clinic: Clinic) -> None:
        assert refusal(book, self.columns(clinic, local_date=TUESDAY)) == (CHECK, "session_local_date")

    def test_its_site_is_the_chairs(self, clinic: Clinic) -> None:
        columns = self.columns(clinic, chair_id=ChairFactory.create().pk)
        assert refusal(book, columns) == (CHECK, "session_site_is_the_chairs")

    def test_its_chair_is_in_use(self, clinic: Clinic) -> None:
        run("UPDATE clinic_chair SET active = false WHERE id = %s", clinic.chairs[0].pk)
        assert refusal(book, self.columns(clinic)) == (CHECK, "session_chair_active")

    def test_its_patient_is_the_courses(self, clinic: Clinic) -> None:
        columns = self.columns(clinic, patient_id=PatientFactory.create().pk)
        assert refusal(book, columns) == (CHECK, "session_patient_is_the_courses")

    def test_a_course_has_one_running_fellow_of_a_patient_at_most(self, clinic: Clinic) -> None:
        patient = course_at(clinic).patient
        twice = refusal(lambda: CourseFactory.create(patient=patient, site=clinic.site))
        assert twice == (UNIQUE, "course_one_running")


class TestAPrescriberOnShift:
    """From the start of the dose to discharge: a visit at 9 needs them from 9:30 to 12:10."""

    @pytest.fixture
    def doctor(self, clinic: Clinic) -> Staff:
        return StaffFactory.create(prescriber=True)

    def on_shift(self, clinic: Clinic, doctor: Staff, since: str, until: str, limit: int = 4) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO clinic_shift (staff_id, site_id, during, patients_at_once)"
                " VALUES (%s, %s, tstzrange(%s, %s), %s) RETURNING id",
                [doctor.pk, clinic.site.pk, local(MONDAY, since), local(MONDAY, until), limit],
            )
            return int(cursor.fetchone()[0])

    @pytest.mark.parametrize(
        ("shifts", "fits"),
        [
            ([], False),
            ([("09:30", "12:10")], True),
            ([("09:31", "18:00")], False),
            ([("08:00", "12:09")], False),
            ([("09:30", "11:00"), ("11:00", "12:10")], True),
            ([("09:30", "11:00"), ("11:01", "12:10")], False),
        ],
    )
    def test_throughout(self, clinic: Clinic, doctor: Staff, shifts: list[tuple[str, str]], fits: bool) -> None:
        for since, until in shifts:
            self.on_shift(clinic, doctor, since, until)
        columns = visit(course_at(clinic), clinic.chairs[0], doctor, local(MONDAY, "09:00"))
        if fits:
            book(columns)
        else:
            assert refusal(book, columns) == (CHECK, "session_prescriber_on_shift")

    def test_at_the_site_of_the_visit(self, clinic: Clinic, doctor: Staff) -> None:
        elsewhere = make_clinic(chairs=1, prescribers=0, weeks=0)
        self.on_shift(elsewhere, doctor, "08:00", "18:00")
        columns = visit(course_at(clinic), clinic.chairs[0], doctor, local(MONDAY))
        assert refusal(book, columns) == (CHECK, "session_prescriber_on_shift")

    def test_no_more_patients_at_once_than_the_limit(self, clinic: Clinic, doctor: Staff) -> None:
        self.on_shift(clinic, doctor, "08:00", "18:00", limit=2)
        for chair in clinic.chairs[:2]:
            book(visit(course_at(clinic), chair, doctor, local(MONDAY, "09:00")))
        overlapping = visit(course_at(clinic), clinic.chairs[2], doctor, local(MONDAY, "11:30"))
        assert refusal(book, overlapping) == (CHECK, "session_prescriber_limit")
        book(visit(course_at(clinic), clinic.chairs[2], doctor, local(MONDAY, "11:40")))  # dose from 12:10

    def test_a_lower_limit_inside_the_visit_counts(self, clinic: Clinic, doctor: Staff) -> None:
        self.on_shift(clinic, doctor, "08:00", "12:00", limit=2)
        self.on_shift(clinic, doctor, "12:00", "18:00", limit=1)
        book(visit(course_at(clinic), clinic.chairs[0], doctor, local(MONDAY, "09:00")))
        second = visit(course_at(clinic), clinic.chairs[1], doctor, local(MONDAY, "09:00"))
        assert refusal(book, second) == (CHECK, "session_prescriber_limit")
        book(visit(course_at(clinic), clinic.chairs[1], doctor, local(MONDAY, "08:40")))  # discharged at 11:50

    def test_a_shift_that_is_lowered_to_nobody_takes_nobody(self, clinic: Clinic, doctor: Staff) -> None:
        self.on_shift(clinic, doctor, "08:00", "18:00", limit=0)
        columns = visit(course_at(clinic), clinic.chairs[0], doctor, local(MONDAY))
        assert refusal(book, columns) == (CHECK, "session_prescriber_limit")

    def test_shifts_of_one_person_never_overlap(self, clinic: Clinic, doctor: Staff) -> None:
        elsewhere = make_clinic(chairs=1, prescribers=0, weeks=0)
        self.on_shift(clinic, doctor, "08:00", "12:00")
        refused = refusal(self.on_shift, elsewhere, doctor, "11:59", "18:00")
        assert refused == (EXCLUDED, "shift_of_one_person")

    def test_the_guard_admits_what_counting_every_minute_admits(self, clinic: Clinic, doctor: Staff) -> None:
        self.on_shift(clinic, doctor, "08:00", "11:00", limit=3)
        self.on_shift(clinic, doctor, "11:00", "12:30", limit=2)
        self.on_shift(clinic, doctor, "12:30", "18:00", limit=4)
        chairs = [*clinic.chairs, *ChairFactory.create_batch(44, site=clinic.site)]
        limits = [3] * 180 + [2] * 90 + [4] * 330  # a minute each, from 8:00 on
        care = [0] * 600
        draw = random.Random(5)  # noqa: S311 the same visits at every run
        admitted, counted = [], []
        for chair in chairs:
            start = draw.randrange(0, 430, 5)
            minutes = range(start + 30, start + 190)
            fits = minutes[-1] < 600 and all(care[minute] < limits[minute] for minute in minutes)
            if fits:
                for minute in minutes:
                    care[minute] += 1
            counted.append(fits)
            columns = visit(course_at(clinic), chair, doctor, local(MONDAY, "08:00") + timedelta(minutes=start))
            try:
                with transaction.atomic():
                    book(columns)
                admitted.append(True)
            except DatabaseError:
                admitted.append(False)
        assert admitted == counted
        assert 5 < sum(admitted) < 40


class TestFlags:
    """Lowering never refuses: what no longer fits needs a new time."""

    @pytest.fixture
    def visits(self, clinic: Clinic) -> dict[str, int]:
        """The doctor's day: three patients from 9:30, one of whom stays alone from 12:10 on; one at 14:30."""
        clocks = {"a": "09:00", "b": "09:00", "c": "11:30", "alone": "14:20"}
        return {
            name: book(visit(course_at(clinic), chair, clinic.prescriber, local(MONDAY, clock)))
            for (name, clock), chair in zip(clocks.items(), clinic.chairs, strict=False)
        }

    def shift(self, clinic: Clinic) -> Shift:
        return Shift.objects.get(staff=clinic.prescriber, during__contains=local(MONDAY))

    def lower(self, clinic: Clinic, limit: int) -> None:
        run("UPDATE clinic_shift SET patients_at_once = %s WHERE id = %s", limit, self.shift(clinic).pk)

    def test_every_visit_of_an_overloaded_minute_and_only_those(self, clinic: Clinic, visits: dict[str, int]) -> None:
        self.lower(clinic, 2)
        assert flagged() == {visits["a"], visits["b"], visits["c"]}

    def test_a_limit_that_is_still_kept_flags_nobody(self, clinic: Clinic, visits: dict[str, int]) -> None:
        self.lower(clinic, 3)
        assert flagged() == set()

    def test_a_patient_who_is_there_already_counts_and_stays(self, clinic: Clinic, visits: dict[str, int]) -> None:
        went(Session.objects.filter(pk=visits["a"]), SessionState.GIVING)
        self.lower(clinic, 2)
        assert flagged() == {visits["b"], visits["c"]}

    def test_a_shift_that_is_deleted(self, clinic: Clinic, visits: dict[str, int]) -> None:
        run("DELETE FROM clinic_shift WHERE id = %s", self.shift(clinic).pk)
        assert flagged() == set(visits.values())

    def test_a_shift_that_is_shortened(self, clinic: Clinic, visits: dict[str, int]) -> None:
        during = f"[{local(MONDAY, '08:00').isoformat()},{local(MONDAY, '13:00').isoformat()})"
        run("UPDATE clinic_shift SET during = %s::tstzrange WHERE id = %s", during, self.shift(clinic).pk)
        assert flagged() == {visits["c"], visits["alone"]}

    def test_a_shift_that_another_person_takes_over(self, clinic: Clinic, visits: dict[str, int]) -> None:
        other = StaffFactory.create(prescriber=True)
        run("UPDATE clinic_shift SET staff_id = %s WHERE id = %s", other.pk, self.shift(clinic).pk)
        assert flagged() == set(visits.values())

    def test_flagged_visits_still_count_as_load(self, clinic: Clinic, visits: dict[str, int]) -> None:
        self.lower(clinic, 2)
        columns = visit(course_at(clinic), clinic.chairs[5], clinic.prescriber, local(MONDAY, "09:00"))
        assert refusal(book, columns) == (CHECK, "session_prescriber_limit")

    def test_taking_the_flag_off_runs_the_whole_check(self, clinic: Clinic, visits: dict[str, int]) -> None:
        self.lower(clinic, 2)
        settle = "UPDATE scheduling_session SET needs_replan = false WHERE id = %s"
        assert refusal(run, settle, visits["a"]) == (CHECK, "session_prescriber_limit")
        run("UPDATE scheduling_session SET state = 'cancelled', freed_at = now() WHERE id = %s", visits["b"])
        run(settle, visits["a"])
        assert flagged() == {visits["b"], visits["c"]}

    def test_a_flagged_visit_may_be_freed_but_not_moved_to_where_it_does_not_fit(
        self, clinic: Clinic, visits: dict[str, int]
    ) -> None:
        self.lower(clinic, 2)
        move = "UPDATE scheduling_session SET chair_id = %s WHERE id = %s"
        assert refusal(run, move, clinic.chairs[5].pk, visits["a"]) == (CHECK, "session_prescriber_limit")
        run("DELETE FROM scheduling_session WHERE id = %s", visits["a"])
        run(move, clinic.chairs[5].pk, visits["b"])

    def close(self, clinic: Clinic, since: str, until: str, chair: int | None = None) -> None:
        run(
            "INSERT INTO clinic_closure (site_id, chair_id, during, reason) VALUES (%s, %s, tstzrange(%s, %s), 'Leak')",
            *(clinic.site.pk, chair, local(MONDAY, since), local(MONDAY, until)),
        )

    def test_a_closure_flags_every_visit_that_it_touches(self, clinic: Clinic, visits: dict[str, int]) -> None:
        self.close(clinic, "12:20", "14:20")
        assert flagged() == {visits["c"]}

    def test_a_chair_out_of_order_flags_its_own_visits(self, clinic: Clinic, visits: dict[str, int]) -> None:
        self.close(clinic, "00:00", "23:00", clinic.chairs[1].pk)
        assert flagged() == {visits["b"]}

    def test_a_closure_that_is_moved_flags_what_it_touches_now(self, clinic: Clinic, visits: dict[str, int]) -> None:
        self.close(clinic, "06:00", "07:00")
        later = f"[{local(MONDAY, '17:00').isoformat()},{local(MONDAY, '19:00').isoformat()})"
        run("UPDATE clinic_closure SET during = %s::tstzrange", later)
        assert flagged() == {visits["alone"]}

    @pytest.mark.parametrize("table", ["clinic_closure", "clinic_shift"])
    def test_closures_and_shifts_are_finite(self, clinic: Clinic, visits: dict[str, int], table: str) -> None:
        self.close(clinic, "06:00", "07:00")
        assert refusal(run, f"UPDATE {table} SET during = 'empty'") == (CHECK, "range_finite")  # noqa: S608 two names


class TestSteps:
    def test_a_change_between_live_states_neither_checks_nor_raises_the_day(self, clinic: Clinic) -> None:
        pk = book(visit(course_at(clinic), clinic.chairs[0], clinic.prescriber, local(MONDAY)))
        run("DELETE FROM clinic_shift WHERE staff_id = %s", clinic.prescriber.pk)
        before = version()
        went(Session.objects.filter(pk=pk), SessionState.CHECKED_IN)
        assert version() == before
        assert Session.objects.get(pk=pk).state == SessionState.CHECKED_IN

    def test_a_visit_that_comes_back_to_life_is_checked(self, clinic: Clinic) -> None:
        pk = book(visit(course_at(clinic), clinic.chairs[0], clinic.prescriber, local(MONDAY)))
        run("UPDATE scheduling_session SET state = 'no-show', freed_at = now() WHERE id = %s", pk)
        run("DELETE FROM clinic_shift WHERE staff_id = %s", clinic.prescriber.pk)
        undo = "UPDATE scheduling_session SET state = 'booked', freed_at = NULL WHERE id = %s"
        assert refusal(run, undo, pk) == (CHECK, "session_prescriber_on_shift")

    def test_a_deferred_check_looks_at_how_the_visit_stands_in_the_end(self, clinic: Clinic) -> None:
        doctor = StaffFactory.create(prescriber=True)
        run("SET CONSTRAINTS ALL DEFERRED")
        pk = book(visit(course_at(clinic), clinic.chairs[0], doctor, local(MONDAY)))
        run("UPDATE scheduling_session SET prescriber_id = %s WHERE id = %s", clinic.prescriber.pk, pk)
        run("SET CONSTRAINTS ALL IMMEDIATE")
        assert Session.objects.get(pk=pk).prescriber == clinic.prescriber

    def test_a_deferred_check_still_refuses(self, clinic: Clinic) -> None:
        def book_unlawfully() -> None:
            run("SET CONSTRAINTS ALL DEFERRED")
            book(visit(course_at(clinic), clinic.chairs[0], StaffFactory.create(prescriber=True), local(MONDAY)))
            run("SET CONSTRAINTS ALL IMMEDIATE")

        assert refusal(book_unlawfully) == (CHECK, "session_prescriber_on_shift")

    def test_days_are_found_whatever_the_writers_own_time_zone(self, clinic: Clinic) -> None:
        """Santiago's clocks skip midnight on 5 September 2027: the day after it must not be lost."""
        first, last = MONDAY.replace(month=9, day=5), MONDAY.replace(month=9, day=6)
        run("SET LOCAL TIME ZONE 'America/Santiago'")
        run(
            "INSERT INTO clinic_closure (site_id, during, reason) VALUES (%s, tstzrange(%s, %s), 'Leak')",
            *(clinic.site.pk, local(first, "09:00"), local(last, "09:00")),
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT date FROM scheduling_day WHERE date >= %s ORDER BY date", [first])
            assert [row[0] for row in cursor.fetchall()] == [first, last]


class TestWhatIsNeverChanged:
    @pytest.mark.parametrize("table", ["scheduling_override", "scheduling_courseevent"])
    @pytest.mark.parametrize("statement", ["UPDATE {} SET course_id = course_id", "DELETE FROM {}"])
    def test_overrides_and_events(self, clinic: Clinic, table: str, statement: str) -> None:
        course = course_at(clinic)
        course.overrides.create(rule="gap-min", reason="Travels", by=clinic.prescriber, at=NOW)
        course.events.create(kind="booked", at=NOW, by=clinic.desk)
        assert refusal(run, statement.format(table))[0] == "P0001"

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE scheduling_protocolversion SET data = data",
            "UPDATE scheduling_protocolversion SET name = 'Other'",
            "UPDATE scheduling_protocolversion SET version = 7",
            "DELETE FROM scheduling_protocolversion",
        ],
    )
    def test_versions_of_protocols(self, statement: str) -> None:
        protocol()
        assert refusal(run, statement)[0] == "P0001"

    def test_a_version_may_be_retired(self) -> None:
        version = protocol()
        run("UPDATE scheduling_protocolversion SET retired = true WHERE id = %s", version.pk)
        version.refresh_from_db()
        assert version.retired

    def test_an_override_has_a_reason(self, clinic: Clinic) -> None:
        override = 'INSERT INTO scheduling_override (course_id, rule, observed, "limit", reason, by_id, at)'
        values = " VALUES (%s, 'gap-min', '', '', '', %s, now())"
        course = course_at(clinic)
        assert refusal(run, override + values, course.pk, clinic.prescriber.pk) == (CHECK, "override_reason")


def test_the_databases_functions_are_those_of_this_code() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, prosrc FROM pg_proc WHERE proname = ANY(%s)", [[name for name, _ in guard.FUNCTIONS]]
        )
        stored = dict(cursor.fetchall())
    assert stored == {name: statement.split("$body$")[1] for name, statement in guard.FUNCTIONS}
