"""Closures, shifts and hours change around what is booked: nothing is refused, what no longer fits is marked."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, RoleRefused, Stale
from clinic.models import Closure, OpeningHours, Shift
from patients.models import Task, TaskKind
from scheduling import roster
from scheduling.models import CourseEvent, Session
from scheduling.roster import Hours
from tests.factories import (
    MONDAY,
    NOW,
    ChairFactory,
    Clinic,
    CourseFactory,
    SessionFactory,
    StaffFactory,
    local,
    make_clinic,
)

pytestmark = pytest.mark.django_db

TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(weeks=2)


@pytest.fixture
def visits(clinic: Clinic) -> dict[str, Session]:
    """Morning, noon and afternoon of MONDAY in three chairs, and the morning of TUESDAY."""
    when = {
        "morning": local(MONDAY, "08:00"),
        "noon": local(MONDAY, "11:00"),
        "afternoon": local(MONDAY, "14:30"),
        "tuesday": local(TUESDAY, "08:00"),
    }
    return {
        name: SessionFactory.create(
            course=CourseFactory.create(site=clinic.site), chair=chair, prescriber=clinic.prescriber, starts_at=at
        )
        for (name, at), chair in zip(when.items(), clinic.chairs, strict=False)
    }


def flagged(visits: dict[str, Session]) -> set[str]:
    pks = set(Session.objects.filter(needs_replan=True).values_list("pk", flat=True))
    return {name for name, visit in visits.items() if visit.pk in pks}


def asked(visits: dict[str, Session]) -> set[str]:
    """For which visits a line of the worklist asks for another time."""
    keys = set(Task.objects.filter(kind=TaskKind.NEEDS_TIME, done_at=None).values_list("key", flat=True))
    return {name for name, visit in visits.items() if str(visit.pk) in keys}


def told(visit: Session) -> list[str]:
    return list(CourseEvent.objects.filter(course=visit.course_id).order_by("pk").values_list("kind", flat=True))


def close(clinic: Clinic, since: datetime, until: datetime, **more: object) -> Closure:
    return roster.set_closure(
        actor=clinic.manager,
        site=clinic.site,
        starts_at=since,
        ends_at=until,
        reason="Painting",
        now=NOW,
        **more,  # type: ignore[arg-type]  # chair or closure
    )


def shift_of(clinic: Clinic, day: date = MONDAY) -> Shift:
    return Shift.objects.get(staff=clinic.prescriber, during__contains=local(day, "12:00"))


class TestClosures:
    def test_mark_the_visits_that_they_touch(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        closure = close(clinic, local(MONDAY, "13:00"), local(TUESDAY, "00:00"))
        assert closure.during == DateTimeTZRange(local(MONDAY, "13:00"), local(TUESDAY, "00:00"))
        assert flagged(visits) == asked(visits) == {"noon", "afternoon"}
        assert told(visits["noon"]) == ["needs-time"]
        assert told(visits["morning"]) == []

    def test_of_one_chair_mark_its_own_visits(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        close(clinic, local(MONDAY, "00:00"), local(MONDAY, "23:00"), chair=clinic.chairs[1])
        assert flagged(visits) == asked(visits) == {"noon"}

    def test_that_change_mark_anew_and_let_go(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        closure = close(clinic, local(MONDAY, "13:00"), local(TUESDAY, "00:00"))
        close(clinic, local(TUESDAY, "00:00"), local(TUESDAY, "23:00"), closure=closure)
        assert Closure.objects.count() == 1
        assert flagged(visits) == asked(visits) == {"tuesday"}
        assert told(visits["noon"]) == ["needs-time", "fits-again"]

    def test_that_are_removed_let_go(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        closure = close(clinic, local(MONDAY, "13:00"), local(TUESDAY, "00:00"))
        roster.remove_closure(actor=clinic.manager, closure=closure, now=NOW)
        assert not Closure.objects.exists()
        assert flagged(visits) == asked(visits) == set()
        done = Task.objects.filter(done_by=clinic.manager, done_at=NOW).values_list("key", flat=True)
        assert set(done) == {str(visits["noon"].pk), str(visits["afternoon"].pk)}

    def test_let_go_only_what_nothing_else_is_in_the_way_of(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        roster.remove_shift(actor=clinic.manager, shift=shift_of(clinic), now=NOW)
        closure = close(clinic, local(MONDAY, "00:00"), local(TUESDAY, "00:00"))
        roster.remove_closure(actor=clinic.manager, closure=closure, now=NOW)
        assert flagged(visits) == asked(visits) == {"morning", "noon", "afternoon"}
        assert told(visits["noon"]) == ["needs-time"]

    def test_in_the_past_mark_nobody(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        later = local(TUESDAY, "07:00")
        roster.set_closure(
            actor=clinic.manager,
            site=clinic.site,
            starts_at=local(TUESDAY, "07:30"),
            ends_at=local(TUESDAY, "09:00"),
            reason="Leak",
            now=later,
        )
        assert asked(visits) == {"tuesday"}

    def test_that_somebody_has_removed_are_not_changed(self, clinic: Clinic) -> None:
        closure = close(clinic, local(MONDAY, "13:00"), local(TUESDAY, "00:00"))
        Closure.objects.all().delete()
        with pytest.raises(Stale):
            close(clinic, local(MONDAY, "14:00"), local(TUESDAY, "00:00"), closure=closure)
        assert not Closure.objects.exists()

    def test_follow_the_row_that_somebody_else_has_moved_meanwhile(
        self, clinic: Clinic, visits: dict[str, Session]
    ) -> None:
        closure = close(clinic, local(MONDAY, "13:00"), local(TUESDAY, "00:00"))
        seen = Closure.objects.get()
        close(clinic, local(TUESDAY, "00:00"), local(TUESDAY, "23:00"), closure=closure)
        roster.remove_closure(actor=clinic.manager, closure=seen, now=NOW)
        assert flagged(visits) == asked(visits) == set()

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"ends_at": local(MONDAY, "13:00")}, "ends_at"),
            ({"ends_at": local(MONDAY, "13:00") + timedelta(days=367)}, "ends_at"),
            ({"reason": "  "}, "reason"),
        ],
    )
    def test_have_times_and_a_reason(self, clinic: Clinic, changes: dict[str, object], field: str) -> None:
        values = {"starts_at": local(MONDAY, "13:00"), "ends_at": local(MONDAY, "14:00"), "reason": "Leak", **changes}
        with pytest.raises(Invalid) as refused:
            roster.set_closure(actor=clinic.manager, site=clinic.site, now=NOW, **values)  # type: ignore[arg-type]  # as above
        assert list(refused.value.fields) == [field]

    def test_of_a_chair_are_at_its_site(self, clinic: Clinic) -> None:
        with pytest.raises(Invalid) as refused:
            close(clinic, local(MONDAY, "13:00"), local(MONDAY, "14:00"), chair=ChairFactory.create())
        assert list(refused.value.fields) == ["chair"]


class TestShifts:
    def set_shift(self, clinic: Clinic, since: str, until: str, **more: object) -> Shift:
        values = {"staff": clinic.prescriber, "site": clinic.site, "patients_at_once": 4, **more}
        return roster.set_shift(
            actor=clinic.manager,
            starts_at=local(MONDAY, since),
            ends_at=local(MONDAY, until),
            now=NOW,
            **values,  # type: ignore[arg-type]  # as above
        )

    def test_that_get_shorter_mark_who_loses_the_prescriber(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        self.set_shift(clinic, "08:00", "15:00", shift=shift_of(clinic))
        assert flagged(visits) == asked(visits) == {"afternoon"}

    def test_that_get_longer_let_go(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        self.set_shift(clinic, "08:00", "15:00", shift=shift_of(clinic))
        self.set_shift(clinic, "08:00", "18:00", shift=shift_of(clinic))
        assert flagged(visits) == asked(visits) == set()
        assert told(visits["afternoon"]) == ["needs-time", "fits-again"]

    def test_with_a_lower_limit_mark_every_visit_of_an_overloaded_minute(
        self, clinic: Clinic, visits: dict[str, Session]
    ) -> None:
        visits["twin"] = SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=clinic.chairs[5],
            prescriber=clinic.prescriber,
            starts_at=local(MONDAY, "08:00"),
        )
        self.set_shift(clinic, "08:00", "18:00", shift=shift_of(clinic), patients_at_once=1)
        assert flagged(visits) == asked(visits) == {"morning", "twin"}

    def test_that_are_removed_mark_everybody(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        roster.remove_shift(actor=clinic.manager, shift=shift_of(clinic), now=NOW)
        assert flagged(visits) == asked(visits) == {"morning", "noon", "afternoon"}

    def test_of_one_person_do_not_overlap(self, clinic: Clinic) -> None:
        with pytest.raises(Invalid) as refused:
            self.set_shift(clinic, "17:00", "19:00")
        assert refused.value.fields == {"staff": ["This person already has a shift then."]}

    def test_last_a_day_at_most(self, clinic: Clinic) -> None:
        with pytest.raises(Invalid) as refused:
            roster.set_shift(
                actor=clinic.manager,
                staff=clinic.nurse,
                site=clinic.site,
                starts_at=local(MONDAY, "08:00"),
                ends_at=local(TUESDAY, "08:01"),
                patients_at_once=4,
                now=NOW,
            )
        assert list(refused.value.fields) == ["ends_at"]

    def test_are_for_people_who_work_there(self, clinic: Clinic) -> None:
        with pytest.raises(Invalid) as refused:
            self.set_shift(clinic, "08:00", "12:00", staff=StaffFactory.create(prescriber=True))
        assert list(refused.value.fields) == ["staff"]


class TestAWeeklyPattern:
    def pattern(self, clinic: Clinic, **changes: object) -> tuple[Shift, ...]:
        values: dict[str, object] = {
            "staff": clinic.nurse,
            "weekdays": {0, 2},
            "begins": time(8),
            "ends": time(16),
            "first": date(2027, 3, 8),
            "last": date(2027, 3, 17),
        }
        return roster.set_pattern(
            actor=clinic.manager,
            site=clinic.site,
            patients_at_once=3,
            now=NOW,
            **(values | changes),  # type: ignore[arg-type]  # as above
        )

    def test_makes_a_shift_for_each_date_by_the_clock_on_the_wall(self, clinic: Clinic) -> None:
        made = self.pattern(clinic)
        days = [date(2027, 3, 8), date(2027, 3, 10), date(2027, 3, 15), date(2027, 3, 17)]  # the clocks change between
        assert [shift.during for shift in made] == [
            DateTimeTZRange(local(day, "08:00"), local(day, "16:00")) for day in days
        ]
        assert made[0].during.lower.hour == 13
        assert made[2].during.lower.hour == 12

    def test_leaves_dates_alone_that_have_a_shift_already(self, clinic: Clinic) -> None:
        first = self.pattern(clinic, weekdays={0})
        again = self.pattern(clinic, begins=time(15), ends=time(18))
        assert len(first) == len(again) == 2
        assert Shift.objects.filter(staff=clinic.nurse).count() == 4

    def test_a_night_ends_on_the_next_day(self, clinic: Clinic) -> None:
        (shift,) = self.pattern(clinic, begins=time(20), ends=time(6), last=date(2027, 3, 9))
        assert shift.during == DateTimeTZRange(local(date(2027, 3, 8), "20:00"), local(date(2027, 3, 9), "06:00"))

    def test_brings_a_prescriber_back(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        roster.remove_shift(actor=clinic.manager, shift=shift_of(clinic), now=NOW)
        self.pattern(clinic, staff=clinic.prescriber, weekdays={0}, ends=time(18), first=MONDAY, last=MONDAY)
        assert flagged(visits) == asked(visits) == set()

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"last": date(2027, 3, 7)}, "last"),
            ({"last": date(2028, 6, 7)}, "last"),
            ({"weekdays": set()}, "weekdays"),
            ({"ends": time(8)}, "ends"),
        ],
    )
    def test_makes_sense(self, clinic: Clinic, changes: dict[str, object], field: str) -> None:
        with pytest.raises(Invalid) as refused:
            self.pattern(clinic, **changes)
        assert list(refused.value.fields) == [field]


class TestOpeningHours:
    def test_that_get_shorter_mark_the_visits_outside(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        hours = [Hours(0, time(8), time(13)), Hours(0, time(13), time(15)), Hours(1, time(8), time(18))]
        roster.set_hours(actor=clinic.manager, site=clinic.site, hours=hours, now=NOW)
        stored = OpeningHours.objects.filter(site=clinic.site).order_by("weekday", "opens")
        assert [Hours(row.weekday, row.opens, row.closes) for row in stored] == hours
        assert flagged(visits) == asked(visits) == {"afternoon"}

    def test_that_get_longer_again_let_go(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        for closes in (time(15), time(18)):
            hours = [Hours(weekday, time(8), closes) for weekday in range(5)]
            roster.set_hours(actor=clinic.manager, site=clinic.site, hours=hours, now=NOW)
        assert flagged(visits) == asked(visits) == set()

    @pytest.mark.parametrize(
        ("hours", "field"),
        [
            ([Hours(0, time(9), time(9))], "closes"),
            ([Hours(0, time(9), time(13)), Hours(0, time(12), time(18))], "opens"),
        ],
    )
    def test_make_sense(self, clinic: Clinic, hours: list[Hours], field: str) -> None:
        with pytest.raises(Invalid) as refused:
            roster.set_hours(actor=clinic.manager, site=clinic.site, hours=hours, now=NOW)
        assert list(refused.value.fields) == [field]


class TestAReview:
    def test_marks_the_visits_of_a_chair_that_is_out_of_use(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        clinic.chairs[0].active = False
        clinic.chairs[0].save(update_fields=["active"])
        roster.review(actor=clinic.manager, site=clinic.site, now=NOW)
        assert flagged(visits) == asked(visits) == {"morning"}

    def test_marks_the_visits_of_somebody_who_prescribes_no_more(
        self, clinic: Clinic, visits: dict[str, Session]
    ) -> None:
        clinic.prescriber.is_active = False
        clinic.prescriber.save(update_fields=["is_active"])
        roster.review(actor=clinic.manager, site=clinic.site, now=NOW)
        assert flagged(visits) == asked(visits) == set(visits)

    def test_says_nothing_twice(self, clinic: Clinic, visits: dict[str, Session]) -> None:
        clinic.chairs[0].active = False
        clinic.chairs[0].save(update_fields=["active"])
        for _ in range(2):
            roster.review(actor=clinic.manager, site=clinic.site, now=NOW)
        assert Task.objects.count() == 1
        assert told(visits["morning"]) == ["needs-time"]


def test_only_managers_do_this(clinic: Clinic) -> None:
    shift = shift_of(clinic)
    for actor in (clinic.desk, clinic.clinician, clinic.prescriber, clinic.nurse):
        with pytest.raises(RoleRefused):
            roster.remove_shift(actor=actor, shift=shift, now=NOW)
        with pytest.raises(RoleRefused):
            roster.review(actor=actor, site=clinic.site, now=NOW)
    assert Shift.objects.filter(pk=shift.pk).exists()


def test_a_closure_takes_the_same_number_of_queries_whatever_it_touches(
    clinic: Clinic, visits: dict[str, Session]
) -> None:
    counts = []
    for hour in ("13:55", "08:00"):  # two visits, then four
        with CaptureQueriesContext(connection) as queries:
            close(clinic, local(MONDAY, hour), local(TUESDAY, "12:00"))
        counts.append(len(queries))
        Closure.objects.all().delete()
    assert counts[0] == counts[1]
