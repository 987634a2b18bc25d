"""Setting up the clinic in the browser: managers only, and what bookings rest on only by the verbs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, reverse

from clinic.admin import set_up
from clinic.errors import Stale
from clinic.models import Chair, Closure, OpeningHours, Shift, Site, Staff
from patients.models import Task, TaskKind
from scheduling.admin.closures import ClosureAdmin
from scheduling.models import ProtocolVersion, Session
from scheduling.protocols import library
from tests.factories import MONDAY, Clinic, CourseFactory, SessionFactory, local, make_clinic, protocol
from tests.pages import says, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]

TUESDAY = MONDAY + timedelta(days=1)
NEW_PASSWORD = "a long and lawful password"


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(weeks=2)


@pytest.fixture
def manager(clinic: Clinic) -> Client:
    return signed_in(clinic.manager)


@pytest.fixture
def visit(clinic: Clinic) -> Session:
    """MONDAY at 9:00 in the first chair."""
    return SessionFactory.create(
        course=CourseFactory.create(site=clinic.site), chair=clinic.chairs[0], prescriber=clinic.prescriber
    )


def add(client: Client, name: str, data: dict[str, Any], query: str = "") -> Any:
    return client.post(reverse(f"admin:{name}_add") + query, data)


def change(client: Client, name: str, pk: int, data: dict[str, Any]) -> Any:
    return client.post(reverse(f"admin:{name}_change", args=[pk]), data)


def errors(response: Any) -> list[str]:
    assert response.status_code == 200
    return [text for found in response.context["errors"] for text in ([found] if isinstance(found, str) else found)]


def needs_time(visit: Session) -> bool:
    visit.refresh_from_db()
    asked = Task.objects.filter(kind=TaskKind.NEEDS_TIME, key=str(visit.pk), done_at=None).exists()
    assert asked == visit.needs_replan
    return asked


class TestTheDoor:
    def addresses(self) -> Iterator[str]:
        """Every address of the admin, with 1 in every place."""

        def walk(patterns: list[Any], before: str) -> Iterator[str]:
            for pattern in patterns:
                route = before + str(pattern.pattern)
                if isinstance(pattern, URLResolver):
                    yield from walk(pattern.url_patterns, route)
                elif isinstance(pattern, URLPattern):
                    yield route

        for route in walk(set_up.get_urls(), "/admin/"):
            if "(?P" not in route:
                yield "/".join("1" if part.startswith("<") else part for part in route.split("/"))

    def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page_and_back(self) -> None:
        answer = Client().get("/admin/clinic/shift/", follow=True)
        assert [url for url, _ in answer.redirect_chain] == [
            "/admin/login/?next=/admin/clinic/shift/",
            "/sign-in/?next=/admin/clinic/shift/",
        ]

    @pytest.mark.parametrize("role", ["desk", "clinician", "prescriber", "nurse"])
    def test_no_other_role_enters_by_any_address(self, clinic: Clinic, role: str) -> None:
        client = signed_in(getattr(clinic, role))
        open_doors = ("/admin/logout/", "/admin/password_change/")
        for address in self.addresses():
            if address not in open_doors:
                assert client.get(address, follow=True).status_code == 403, address
                assert client.post(address, follow=True).status_code == 403, address

    def test_django_superusers_are_nobody_without_the_role(self, clinic: Clinic) -> None:
        Staff.objects.filter(pk=clinic.desk.pk).update(is_superuser=True, is_staff=True)
        assert signed_in(clinic.desk).get("/admin/", follow=True).status_code == 403

    def test_managers_find_what_they_set_up_and_nothing_of_patients(self, manager: Client) -> None:
        answer = manager.get("/admin/")
        names = {row["object_name"] for app in answer.context["app_list"] for row in app["models"]}
        assert names == {"Chair", "Closure", "ProtocolVersion", "Room", "Shift", "Site", "Staff"}

    def test_what_history_needs_is_not_deleted(self, clinic: Clinic, manager: Client) -> None:
        kept = {
            "clinic_site": clinic.site,
            "clinic_staff": clinic.nurse,
            "clinic_chair": clinic.chairs[0],
            "scheduling_protocolversion": protocol(),
        }
        for name, row in kept.items():
            address = reverse(f"admin:{name}_delete", args=[row.pk])
            assert manager.post(address, {"post": "yes"}).status_code == 403
            assert says(manager.get(reverse(f"admin:{name}_changelist")), "[value=delete_selected]") == []
            row.refresh_from_db()

    def test_signing_out_is_the_clinics_own(self, manager: Client) -> None:
        assert manager.post("/admin/logout/").headers["Location"] == "/sign-in/"
        assert manager.get("/admin/").status_code == 302

    def test_what_a_verb_refuses_is_said_on_the_page(self) -> None:
        """Somebody else was quicker, between the look at the form and the lock."""
        request = RequestFactory().post("/admin/clinic/closure/1/change/")
        request._messages = CookieStorage(request)  # type: ignore[attr-defined]  # noqa: SLF001 what the middleware does

        def save() -> HttpResponse:
            raise Stale("Somebody has removed this meanwhile.")

        answer = ClosureAdmin(Closure, set_up).told(request, save)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/clinic/closure/1/change/")
        assert [str(message) for message in get_messages(request)] == ["Somebody has removed this meanwhile."]


class TestStaff:
    def data(self, clinic: Clinic, **changes: Any) -> dict[str, Any]:
        return {
            "username": "newcomer",
            "usable_password": "true",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
            "title": "Dr.",
            "first_name": "Ada",
            "last_name": "Quist",
            "email": "ada@example.org",
            "role": "clinician",
            "is_prescriber": "on",
            "patients_at_once": "3",
            "sites": [str(clinic.site.pk)],
            "is_active": "on",
        } | changes

    def test_a_new_member_can_sign_in(self, clinic: Clinic, manager: Client) -> None:
        assert add(manager, "clinic_staff", self.data(clinic)).status_code == 302
        newcomer = Staff.objects.get(username="newcomer")
        assert (newcomer.role, newcomer.is_prescriber, newcomer.patients_at_once) == ("clinician", True, 3)
        assert (newcomer.is_staff, newcomer.is_superuser) == (False, False)
        assert list(newcomer.sites.all()) == [clinic.site]
        assert newcomer.check_password(NEW_PASSWORD)

    @pytest.mark.usefixtures("argon2")
    def test_passwords_are_stored_by_argon2(self, clinic: Clinic, manager: Client) -> None:
        add(manager, "clinic_staff", self.data(clinic))
        assert identify_hasher(Staff.objects.get(username="newcomer").password).algorithm == "argon2"

    @pytest.fixture
    def argon2(self, settings: Any) -> None:
        settings.PASSWORD_HASHERS = [hasher for hasher in settings.PASSWORD_HASHERS if "MD5" not in hasher]

    def test_a_password_that_is_easy_to_guess_is_refused(self, clinic: Clinic, manager: Client) -> None:
        answer = add(manager, "clinic_staff", self.data(clinic, password1="newcomer", password2="newcomer"))
        assert "This password is too short. It must contain at least 12 characters." in errors(answer)

    def test_only_clinicians_prescribe(self, clinic: Clinic, manager: Client) -> None:
        answer = add(manager, "clinic_staff", self.data(clinic, role="nurse"))
        assert errors(answer) == ["Only a clinician can be a prescriber."]

    def test_visits_of_a_prescriber_who_leaves_need_a_new_time(
        self, clinic: Clinic, manager: Client, visit: Session
    ) -> None:
        data = self.data(clinic, username=clinic.prescriber.username, is_active="")
        data.pop("is_active")
        assert change(manager, "clinic_staff", clinic.prescriber.pk, data).status_code == 302
        assert needs_time(visit)

    def test_managers_keep_their_own_key(self, clinic: Clinic, manager: Client) -> None:
        data = self.data(clinic, username=clinic.manager.username, role="desk")
        del data["is_prescriber"], data["is_active"]
        assert change(manager, "clinic_staff", clinic.manager.pk, data).status_code == 302
        clinic.manager.refresh_from_db()
        assert (clinic.manager.role, clinic.manager.is_active) == ("manager", True)
        assert clinic.manager.last_name == "Quist"

    def test_a_password_can_be_set_anew(self, clinic: Clinic, manager: Client) -> None:
        address = reverse("admin:auth_user_password_change", args=[clinic.nurse.pk])
        data = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
        assert manager.post(address, data).status_code == 302
        clinic.nurse.refresh_from_db()
        assert clinic.nurse.check_password(NEW_PASSWORD)


class TestSites:
    def data(self, *hours: tuple[str, str, str], stored: tuple[int, ...] = (), **changes: Any) -> dict[str, Any]:
        rows: dict[str, Any] = {
            "opening_hours-TOTAL_FORMS": str(len(hours)),
            "opening_hours-INITIAL_FORMS": str(len(stored)),
        }
        for number, (weekday, opens, closes) in enumerate(hours):
            rows |= {
                f"opening_hours-{number}-weekday": weekday,
                f"opening_hours-{number}-opens": opens,
                f"opening_hours-{number}-closes": closes,
                f"opening_hours-{number}-id": str(stored[number]) if number < len(stored) else "",
            }
        site = {"name": "North", "neutral_name": "Practice North", "address": "", "phone": "", "start_step": "20"}
        quiet = {"quiet_from": "21:00", "quiet_until": "07:00", "crisis_line": "988", "emergency_number": "911"}
        return {**site, **quiet, "time_zone": "America/Chicago", **rows, **changes}

    def hours(self, site: Site) -> list[tuple[int, time, time]]:
        return list(
            OpeningHours.objects.filter(site=site)
            .order_by("weekday", "opens")
            .values_list("weekday", "opens", "closes")
        )

    def test_a_new_site_has_its_hours_and_its_manager(self, clinic: Clinic, manager: Client) -> None:
        data = self.data(("0", "08:00", "12:00"), ("0", "13:00", "18:00"))
        assert add(manager, "clinic_site", data).status_code == 302
        site = Site.objects.get(name="North")
        assert (site.time_zone, site.start_step) == ("America/Chicago", 20)
        assert self.hours(site) == [(0, time(8), time(12)), (0, time(13), time(18))]
        assert list(site.staff.all()) == [clinic.manager]

    def test_quiet_hours_and_whom_to_call_are_set(self, manager: Client) -> None:
        night = {"quiet_from": "22:30", "quiet_until": "06:00", "crisis_line": "024", "emergency_number": "112"}
        assert add(manager, "clinic_site", self.data(("0", "08:00", "18:00")) | night).status_code == 302
        site = Site.objects.get(name="North")
        assert (site.quiet_from, site.quiet_until) == (time(22, 30), time(6))
        assert (site.crisis_line, site.emergency_number) == ("024", "112")

    @pytest.mark.parametrize("missing", ["quiet_from", "crisis_line", "emergency_number"])
    def test_nobody_is_left_without_a_number_to_call(self, manager: Client, missing: str) -> None:
        answer = add(manager, "clinic_site", self.data(("0", "08:00", "18:00")) | {missing: ""})
        assert (errors(answer), Site.objects.filter(name="North").exists()) == (["This field is required."], False)

    @pytest.mark.parametrize(
        ("hours", "sentence"),
        [
            ([("0", "18:00", "08:00")], "The site closes after it opens."),
            ([("0", "08:00", "13:00"), ("0", "12:00", "18:00")], "These hours overlap."),
        ],
    )
    def test_hours_that_cannot_be_are_refused(
        self, manager: Client, hours: list[tuple[str, str, str]], sentence: str
    ) -> None:
        answer = add(manager, "clinic_site", self.data(*hours))
        assert sentence in errors(answer)
        assert not Site.objects.filter(name="North").exists()

    @pytest.mark.parametrize(
        "changes", [{"neutral_name": "Ketamine House"}, {"address": "1 Psychiatry Way"}, {"phone": "555 REMS"}]
    )
    def test_what_stands_in_mails_reveals_nothing(self, manager: Client, changes: dict[str, str]) -> None:
        (told,) = errors(add(manager, "clinic_site", self.data(("0", "08:00", "18:00")) | changes))
        assert told.startswith("This stands in mails and must not reveal what is treated: ")
        assert not Site.objects.filter(name="North").exists()

    def test_visits_outside_new_hours_need_a_new_time(self, clinic: Clinic, manager: Client, visit: Session) -> None:
        rows = list(OpeningHours.objects.filter(site=clinic.site).order_by("weekday"))
        hours = [(str(row.weekday), "10:00" if row.weekday == 0 else "08:00", "18:00") for row in rows]
        data = self.data(*hours, stored=tuple(row.pk for row in rows), name=clinic.site.name)
        assert change(manager, "clinic_site", clinic.site.pk, data).status_code == 302
        assert self.hours(clinic.site)[0] == (0, time(10), time(18))
        assert needs_time(visit)

    def test_the_time_zone_stays_once_somebody_works_there(self, clinic: Clinic, manager: Client) -> None:
        rows = list(OpeningHours.objects.filter(site=clinic.site).order_by("weekday"))
        hours = [(str(row.weekday), "08:00", "18:00") for row in rows]
        data = self.data(*hours, stored=tuple(row.pk for row in rows))
        assert change(manager, "clinic_site", clinic.site.pk, data).status_code == 302
        clinic.site.refresh_from_db()
        assert (clinic.site.name, clinic.site.time_zone) == ("North", "America/New_York")


class TestChairs:
    def test_are_added(self, clinic: Clinic, manager: Client) -> None:
        data = {"site": clinic.site.pk, "name": "Window", "position": "7", "active": "on"}
        assert add(manager, "clinic_chair", data).status_code == 302
        assert Chair.objects.get(name="Window").site == clinic.site

    def test_stay_at_their_site_and_send_their_visits_away_when_they_go(
        self, clinic: Clinic, manager: Client, visit: Session
    ) -> None:
        other = make_clinic(chairs=0, prescribers=0)
        data = {"site": other.site.pk, "name": "Chair 1", "position": "1"}
        assert change(manager, "clinic_chair", visit.chair_id, data).status_code == 302
        chair = Chair.objects.get(pk=visit.chair_id)
        assert (chair.site, chair.active) == (clinic.site, False)
        assert needs_time(visit)


class TestClosures:
    def data(self, clinic: Clinic, **changes: Any) -> dict[str, Any]:
        values = {"site": clinic.site.pk, "chair": "", "first_day": str(MONDAY), "last_day": "", "reason": "Leak"}
        return {**values, "from_time": "", "until_time": "", **changes}

    def during(self) -> DateTimeTZRange:
        during: DateTimeTZRange = Closure.objects.get().during
        return during

    def test_of_whole_days_are_by_the_clock_on_the_wall(self, clinic: Clinic, manager: Client) -> None:
        spring = {"first_day": "2027-03-13", "last_day": "2027-03-14"}  # the second day has 23 hours
        assert add(manager, "clinic_closure", self.data(clinic, **spring)).status_code == 302
        assert self.during() == DateTimeTZRange(local(date(2027, 3, 13), "00:00"), local(date(2027, 3, 15), "00:00"))

    def test_say_how_many_visits_need_a_new_time(self, clinic: Clinic, manager: Client, visit: Session) -> None:
        answer = add(manager, "clinic_closure", self.data(clinic, from_time="12:00", until_time="13:00"))
        assert self.during() == DateTimeTZRange(local(MONDAY, "12:00"), local(MONDAY, "13:00"))
        assert needs_time(visit)
        said = [str(message) for message in manager.get(answer.url).context["messages"]]
        assert "1 visit in that time needs a new one; it is on the worklist." in said

    def test_that_change_let_go_what_they_no_longer_touch(
        self, clinic: Clinic, manager: Client, visit: Session
    ) -> None:
        add(manager, "clinic_closure", self.data(clinic))
        closure = Closure.objects.get()
        shown = manager.get(reverse("admin:clinic_closure_change", args=[closure.pk])).context["adminform"].form.initial
        assert (shown["first_day"], shown["last_day"], shown["from_time"]) == (MONDAY, MONDAY, None)
        data = self.data(clinic, first_day=str(TUESDAY), chair=clinic.chairs[0].pk)
        assert change(manager, "clinic_closure", closure.pk, data).status_code == 302
        assert self.during() == DateTimeTZRange(local(TUESDAY, "00:00"), local(TUESDAY + timedelta(days=1), "00:00"))
        assert not needs_time(visit)

    def test_that_go_to_another_site_let_go_where_they_were(
        self, clinic: Clinic, manager: Client, visit: Session
    ) -> None:
        add(manager, "clinic_closure", self.data(clinic))
        other = make_clinic(chairs=0, prescribers=0, zone="America/Los_Angeles")
        data = self.data(clinic, site=other.site.pk)
        assert change(manager, "clinic_closure", Closure.objects.get().pk, data).status_code == 302
        zone = ZoneInfo("America/Los_Angeles")
        assert self.during() == DateTimeTZRange(local(MONDAY, "00:00", zone), local(TUESDAY, "00:00", zone))
        assert not needs_time(visit)

    @pytest.mark.parametrize("by_action", [True, False])
    def test_that_are_deleted_let_go(self, clinic: Clinic, manager: Client, visit: Session, by_action: bool) -> None:
        add(manager, "clinic_closure", self.data(clinic))
        pk = Closure.objects.get().pk
        if by_action:
            data = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
            manager.post(reverse("admin:clinic_closure_changelist"), data)
        else:
            manager.post(reverse("admin:clinic_closure_delete", args=[pk]), {"post": "yes"})
        assert not Closure.objects.exists()
        assert not needs_time(visit)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"last_day": "2027-01-31"}, "It ends after it begins."),
            ({"last_day": "2028-03-01"}, "A closure lasts at most a year."),
            ({"first_day": "2027-03-14", "from_time": "02:30"}, "The clocks skip this time on that date."),
            ({"reason": ""}, "This field is required."),
            ({"first_day": "yesterday"}, "Enter a valid date."),
            ({"first_day": "1800-01-01"}, "This date is out of reach."),
            ({"last_day": "9999-12-31"}, "This date is out of reach."),
            ({"site": "x"}, "Select a valid choice. That choice is not one of the available choices."),
        ],
    )
    def test_that_cannot_be_are_refused_at_their_field(
        self, clinic: Clinic, manager: Client, changes: dict[str, str], sentence: str
    ) -> None:
        assert errors(add(manager, "clinic_closure", self.data(clinic, **changes))) == [sentence]
        assert not Closure.objects.exists()

    def test_of_a_chair_are_at_its_site(self, clinic: Clinic, manager: Client) -> None:
        elsewhere = make_clinic(chairs=1, prescribers=0).chairs[0]
        answer = add(manager, "clinic_closure", self.data(clinic, chair=elsewhere.pk))
        assert errors(answer) == ["This chair is at another site."]

    def test_the_list_shows_what_is_to_come(self, clinic: Clinic, manager: Client) -> None:
        add(manager, "clinic_closure", self.data(clinic, first_day="2026-12-24", reason="Snow"))
        add(manager, "clinic_closure", self.data(clinic, from_time="12:00", until_time="13:00"))
        address = reverse("admin:clinic_closure_changelist")
        assert says(manager.get(address), "th.field-told_when") == ["Mon 1 Feb 2027 12:00–13:00"]
        assert len(says(manager.get(address + "?when=all"), "th.field-told_when")) == 2


class TestShifts:
    def data(self, clinic: Clinic, **changes: Any) -> dict[str, Any]:
        values = {"staff": clinic.nurse.pk, "site": clinic.site.pk, "day": str(MONDAY), "begins": "08:00"}
        return {**values, "ends": "16:00", "patients_at_once": "", **changes}

    def test_are_by_the_clock_on_the_wall(self, clinic: Clinic, manager: Client) -> None:
        assert add(manager, "clinic_shift", self.data(clinic)).status_code == 302
        shift = Shift.objects.get(staff=clinic.nurse)
        assert shift.during == DateTimeTZRange(local(MONDAY, "08:00"), local(MONDAY, "16:00"))
        assert shift.patients_at_once == clinic.nurse.patients_at_once

    def test_at_night_end_on_the_next_day(self, clinic: Clinic, manager: Client) -> None:
        add(manager, "clinic_shift", self.data(clinic, begins="20:00", ends="06:00"))
        shift = Shift.objects.get(staff=clinic.nurse)
        assert shift.during == DateTimeTZRange(local(MONDAY, "20:00"), local(TUESDAY, "06:00"))

    def test_that_are_lowered_say_who_needs_a_new_time(self, clinic: Clinic, manager: Client, visit: Session) -> None:
        shift = Shift.objects.get(staff=clinic.prescriber, during__contains=local(MONDAY))
        data = self.data(clinic, staff=clinic.prescriber.pk, ends="18:00", patients_at_once="0")
        answer = change(manager, "clinic_shift", shift.pk, data)
        assert needs_time(visit)
        said = [str(message) for message in manager.get(answer.url).context["messages"]]
        assert "1 visit in that time needs a new one; it is on the worklist." in said

    def test_that_are_deleted_leave_visits_without_a_prescriber(
        self, clinic: Clinic, manager: Client, visit: Session
    ) -> None:
        shift = Shift.objects.get(staff=clinic.prescriber, during__contains=local(MONDAY))
        manager.post(reverse("admin:clinic_shift_delete", args=[shift.pk]), {"post": "yes"})
        assert needs_time(visit)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"day": "2027-03-14", "begins": "02:30"}, "The clocks skip this time on that date."),
            ({"day": "9999-12-31"}, "This date is out of reach."),
            ({"patients_at_once": "21"}, "Ensure this value is less than or equal to 20."),
            ({"staff": "999999"}, "Select a valid choice. That choice is not one of the available choices."),
        ],
    )
    def test_that_cannot_be_are_refused(
        self, clinic: Clinic, manager: Client, changes: dict[str, str], sentence: str
    ) -> None:
        assert errors(add(manager, "clinic_shift", self.data(clinic, **changes))) == [sentence]

    def test_of_one_person_do_not_overlap(self, clinic: Clinic, manager: Client) -> None:
        data = self.data(clinic, staff=clinic.prescriber.pk, begins="17:00", ends="20:00")
        assert errors(add(manager, "clinic_shift", data)) == ["This person already has a shift then."]

    def test_a_weekly_pattern_adds_many(self, clinic: Clinic, manager: Client) -> None:
        address = reverse("admin:clinic_shift_pattern")
        assert manager.get(address).status_code == 200
        data = self.data(clinic, weekdays=["0", "3"], first=str(MONDAY), last="2027-02-28")
        answer = manager.post(address, data, follow=True)
        assert [str(message) for message in answer.context["messages"]] == ["8 shifts were added."]
        assert Shift.objects.filter(staff=clinic.nurse).count() == 8

    def test_a_pattern_that_makes_no_sense_is_shown_again(self, clinic: Clinic, manager: Client) -> None:
        data = self.data(clinic, weekdays=["0"], first=str(MONDAY), last="2026-01-31")
        answer = manager.post(reverse("admin:clinic_shift_pattern"), data)
        assert answer.status_code == 422
        assert answer.context["form"].errors == {"last": ["A period begins before it ends and lasts at most 400 days."]}
        assert not Shift.objects.filter(staff=clinic.nurse).exists()


class TestProtocols:
    @pytest.fixture(autouse=True)
    def stored(self) -> ProtocolVersion:
        return protocol()

    def data(self, **changes: Any) -> dict[str, Any]:
        return {"data": json.dumps(library.to_data(library.STANDARD) | changes)}

    def test_a_new_version_gets_the_next_number(self, manager: Client, stored: ProtocolVersion) -> None:
        answer = add(manager, "scheduling_protocolversion", self.data(name="Six in three weeks", version=17))
        assert answer.status_code == 302
        made = ProtocolVersion.objects.get(code=stored.code, version=2)
        assert (made.name, made.protocol.version, made.retired) == ("Six in three weeks", 2, False)
        stored.refresh_from_db()
        assert stored.protocol == library.STANDARD

    def test_begins_with_the_text_of_another(self, manager: Client) -> None:
        other = protocol("iv-flex-3-6")
        shown = manager.get(reverse("admin:scheduling_protocolversion_add") + f"?from={other.pk}")
        assert shown.context["adminform"].form.initial == {"data": library.to_data(library.FLEX)}

    def test_maintenance_as_frequent_as_the_beginning_is_refused(self, manager: Client) -> None:
        answer = add(manager, "scheduling_protocolversion", self.data(maintenance_intervals=[3, 28]))
        (sentence,) = errors(answer)
        assert sentence.startswith("less-often: Maintenance, every 3 days, is not less frequent")
        assert ProtocolVersion.objects.filter(version=2).count() == 0

    def test_other_findings_about_the_planned_days_are_told(self, manager: Client) -> None:
        answer = add(manager, "scheduling_protocolversion", self.data(preferred_days=[0, 3, 7, 10, 14, 24]))
        said = " ".join(str(message) for message in manager.get(answer.url).context["messages"])
        assert "span-max" in said
        assert "gap-max" in said

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("{", "Enter a valid JSON."),
            pytest.param("[" * 100_000, "Enter a valid JSON.", id="nested too deep"),
            ("[1]", "protocol: an object with code, dose"),
            ('{"code": "x\\u0000"}', "protocol: "),
            (json.dumps(library.to_data(library.STANDARD) | {"initial_plan": 9}), "initial_plan: between"),
            (json.dumps(library.to_data(library.STANDARD) | {"code": "x" * 61}), "code: a text of at most 60"),
            (json.dumps(library.to_data(library.STANDARD) | {"name": "a\0b"}), "name: a text of at most 120"),
            (json.dumps(library.to_data(library.STANDARD) | {"dose": 1e999}), "dose: a text of at most 200"),
            (json.dumps(library.to_data(library.STANDARD) | {"no_food_hours": float("nan")}), "no_food_hours: "),
        ],
    )
    def test_what_is_no_protocol_is_refused_by_its_field(self, manager: Client, text: str, sentence: str) -> None:
        answer = add(manager, "scheduling_protocolversion", {"data": text})
        (told,) = errors(answer)
        assert told.startswith(sentence)

    def test_a_stored_version_is_only_retired(self, manager: Client, stored: ProtocolVersion) -> None:
        address = reverse("admin:scheduling_protocolversion_change", args=[stored.pk])
        assert "preferred_days" in manager.get(address).content.decode()
        data = {"retired": "on", "name": "Other", "code": "other", "version": "9", "data": "{}"}
        assert manager.post(address, data).status_code == 302
        stored.refresh_from_db()
        assert (stored.retired, stored.name, stored.version) == (True, library.STANDARD.name, 1)
