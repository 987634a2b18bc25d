"""The worklist: what waits, the worst first, with whom; where to act on it, giving it away, putting it off, taking it
off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients import scoring, worklist
from patients.models import Patient, Score, Task, TaskKind
from scheduling.lines import ORDER, read
from scheduling.models import Course, SessionState
from tests.factories import NOW, Clinic, PatientFactory, StaffFactory, went
from tests.pages import page, says, signed_in
from tests.scheduling.views import book

ANSWERS = (3, 3, 3, 3, 2, 3, 1, 1, 2)


def ask(kind: TaskKind, patient: Patient, course: Course | None = None, minutes: int = 0, **more: object) -> Task:
    """Open a line, so many minutes ago."""
    worklist.open_task(kind=kind, patient=patient, course=course, now=NOW - timedelta(minutes=minutes), **more)  # type: ignore[arg-type]  # passed on
    return Task.objects.latest("pk")


def answered(patient: Patient, items: tuple[int, ...] = ANSWERS, minutes: int = 23) -> Score:
    """A PHQ-9 that the patient answered alone so many minutes ago."""
    at = NOW - timedelta(minutes=minutes)
    return scoring.record(actor=None, patient=patient, instrument="phq9", items=items, taken_at=at, now=at)


def rows(client: Client, show: str = "") -> list[list[str]]:
    """What the cells of each line say."""
    found = page(client.get("/worklist/", {"show": show})).all("tr")[1:]
    return [[cell.text for cell in row.all("td")] for row in found]


def kinds(client: Client, show: str = "") -> list[str]:
    return [one.text for one in page(client.get("/worklist/", {"show": show})).all(".kind")]


def test_an_empty_worklist_says_so_and_what_would_come(desk: Client) -> None:
    (empty,) = says(desk.get("/worklist/"), ".empty")

    assert empty.startswith("Nothing needs review. Last look 07:00.")


def test_of_equally_urgent_lines_the_worst_comes_first(prescriber: Client) -> None:
    for kind in reversed(ORDER):
        ask(kind, PatientFactory.create(), key="0")

    assert kinds(prescriber) == [
        "Item 9 above 0",
        "Prescriber called",
        "Worse",
        "Little or no benefit",
        "End of the initial phase",
        "Relapse in maintenance",
        "History to be reviewed",
        "Patient asks for a call",
        "Score overdue",
        "Month without a session",
        "Minimum out of reach",
        "Override asked for",
        "Needs a new time",
        "Patient asks for another time",
        "Unfinished record",
        "Monitoring form open",
        "Mail address is wrong",
        "No mail address",
        "Mails stopped",
        "Mail not delivered",
        "Course without dates",
    ]
    assert set(ORDER) == set(TaskKind)


def test_every_line_says_why_by_when_and_with_whom_and_leads_there(desk: Client, course: Course) -> None:
    patient, session = course.patient, course.sessions.in_order()[0]
    ask(TaskKind.NO_ADDRESS, patient, minutes=240)
    ask(TaskKind.FAILED_MAIL, patient, minutes=180)
    ask(TaskKind.NEEDS_TIME, patient, course, minutes=60, key=str(session.pk))
    ask(TaskKind.OVERRIDE_ASKED, patient, course, minutes=120, details={"rules": ["gap-min", "span-max"]})
    found = page(desk.get("/worklist/")).all("tr")[1:]
    who = "Vance, Eleanor"

    assert [row.text for row in found] == [
        (
            f"Now Needs a new time {who} A visit no longer fits and needs a new time. "
            f"no score by 09:00 Desk Find a time : {who}"
        ),
        (
            f"Today No mail address {who} There is no mail address: tell the patient the dates by phone. "
            f"no score by 09:00 Desk Add an address : {who}"
        ),
        (
            f"Today Mail not delivered {who} A mail could not be delivered: tell the patient by phone. "
            f"no score by 09:00 Desk See the mails : {who}"
        ),
        (
            f"This week Override asked for {who} The times are held; a prescriber is asked to sign: "
            f"gap too short and initial phase too long. no score open 2 h Prescribers Review : {who}"
        ),
    ]
    assert [row.all("a.button")[0].attributes["href"] for row in found] == [
        f"/sessions/{session.pk}/move/",
        f"/patients/{patient.pk}/edit/?add=email",
        f"/patients/{patient.pk}/",
        f"/courses/{course.pk}/",
    ]
    assert [row.attributes["class"] for row in found] == ["warn", "warn", "warn", ""]


def test_the_most_urgent_line_comes_first_however_bad_the_others(desk: Client, clinic: Clinic) -> None:
    for days, minutes in ((9, 400), (3, 300), (1, 200), (0, 100)):
        patient = PatientFactory.create(last_name=f"In {days} days", first_name="X")
        book(clinic, patient, days=(days,), chair=days % 6)
        ask(TaskKind.FAILED_MAIL, patient, minutes=minutes)
    ask(TaskKind.MONTH_EMPTY, PatientFactory.create(last_name="Month", first_name="X"), details={"month": "2027-02-01"})

    assert [(row[0], row[1], row[4]) for row in rows(desk)] == [
        ("Today", "Mail not delivered In 0 days, X", "by 09:00"),
        ("Today", "Mail not delivered In 1 days, X", "by Tue 2"),
        ("This week", "Month without a session Month, X", "by 28 Feb"),
        ("This week", "Mail not delivered In 3 days, X", "by Thu 4"),
        ("This week", "Mail not delivered In 9 days, X", "by Wed 10"),
    ]


def test_a_hold_that_waits_for_a_signature_is_due_when_it_ends(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, days=(0, 1), hold=True)

    assert course.held_until is not None
    assert [(row[0], row[4]) for row in rows(desk)] == [("Today", "by Tue 2")]


def test_each_filter_shows_its_lines_and_says_how_many(clinic: Clinic, prescriber: Client, course: Course) -> None:
    answered(course.patient)
    ask(TaskKind.NO_ADDRESS, course.patient)
    ask(TaskKind.SCORE_OVERDUE, course.patient, course)
    ask(TaskKind.OPEN_FORM, course.patient, course, details={"due": "2027-01-29"})
    worklist.acknowledge(actor=clinic.desk, task=ask(TaskKind.FAILED_MAIL, course.patient), now=NOW)
    put_off = ask(TaskKind.MONTH_EMPTY, course.patient, course)
    worklist.snooze(actor=clinic.desk, task=put_off, until=NOW + timedelta(days=1), now=NOW)

    assert says(prescriber.get("/worklist/"), "nav.filters") == [
        "All 4 Mine 1 Now 1 Today 2 This week 1 Desk 1 Done today 1 Put off 1"
    ]
    assert {show: kinds(prescriber, show) for show in ("mine", "now", "today", "week", "desk", "done", "snoozed")} == {
        "mine": ["Item 9 above 0"],
        "now": ["Item 9 above 0"],
        "today": ["Monitoring form open", "No mail address"],
        "week": ["Score overdue"],
        "desk": ["No mail address"],
        "done": ["Mail not delivered"],
        "snoozed": ["Month without a session"],
    }


def test_who_has_nothing_to_do_is_told_while_others_have(desk: Client, patient: Patient) -> None:
    ask(TaskKind.NO_ADDRESS, patient)

    assert says(desk.get("/worklist/", {"show": "mine"}), ".empty") == ["Nothing waits for you. Show all"]
    assert says(desk.get("/worklist/", {"show": "now"}), ".empty") == ["Nothing is so urgent. Show all"]


def test_item_9_stands_open_with_its_answers_the_phone_and_what_it_blocks(
    clinic: Clinic, prescriber: Client, course: Course
) -> None:
    answered(course.patient)
    (panel,) = page(prescriber.get("/worklist/")).all("[id=chosen]")
    (call,) = panel.all("a.primary")
    items = [item.text for item in panel.all("li")]

    assert rows(prescriber) == [
        [
            "Now",
            "Item 9 above 0 Vance, Eleanor",
            "Item 9 is 2 (more than half the days), PHQ-9 21: call the patient now.",
            "PHQ-9: 21. Half of the baseline: 10.5",
            "open 23 min",
            clinic.prescriber.short_name,
            "",
        ]
    ]
    assert panel.all("header")[0].text == "Item 9: 2 (“more than half the days”) open 23 min, not acknowledged"
    assert (call.text, call.attributes["href"]) == ("Call now a", f"tel:+{course.patient.phone_digits}")
    assert items[:3] == [
        "no dose can start and no discharge can be recorded",
        "the row stays first on every worklist",
        "nothing of it stands in any mail",
    ]
    assert items[3:] == [
        "1 Little interest 3",
        "2 Feeling down 3",
        "3 Sleep 3",
        "4 Tired 3",
        "5 Appetite 2",
        "6 Feeling bad about self 3",
        "7 Concentration 1",
        "8 Moving slowly or restless 1",
        "9 Better off dead, self-harm 2",
        "Total, severe 21",
    ]
    assert panel.all("section")[-1].text == (
        "Course IV ketamine, 4 to 6 in 3 weeks, 0 of 6 given. "
        f"Next: Mon 1 Feb 09:00 , Chair 1, {clinic.prescriber.short_name}. Course page"
    )


def test_answers_to_single_items_are_for_those_who_treat(clinic: Clinic, course: Course) -> None:
    answered(course.patient)
    shown = {staff: signed_in(staff).get("/worklist/") for staff in clinic.staff}

    assert [len(page(answer).all("ol.answers")) for answer in shown.values()] == [0, 1, 1, 1, 0]
    assert says(shown[clinic.desk], "td.why") == ["Item 9 is above 0: call the patient now."]
    assert says(shown[clinic.desk], "h2") == ["Item 9 above 0"]
    assert [len(page(answer).all("textarea")) for answer in shown.values()] == [0, 1, 1, 0, 0]


def test_item_9_is_acknowledged_by_a_clinician_with_a_note(clinic: Clinic, course: Course) -> None:
    score = answered(course.patient)
    task = Task.objects.get()
    path = f"/worklist/{task.pk}/acknowledge/"
    others = [signed_in(staff) for staff in (clinic.desk, clinic.nurse, clinic.manager)]
    refused = []
    for client in others:
        client.post(path, {"note": "x"})
        refused.append(says(client.get("/worklist/"), ".notice"))
    clinician = signed_in(clinic.clinician)
    clinician.post(path, {"note": ""})
    refused.append(says(clinician.get("/worklist/"), ".notice"))
    clinician.post(path, {"note": "Called, safe, mother is with her."})
    score.refresh_from_db()
    task.refresh_from_db()

    assert refused == [["Your role does not allow this."]] * 3 + [["Say what is done about it."]]
    assert (score.seen_by, score.seen_at, score.seen_note) == (
        clinic.clinician,
        NOW,
        "Called, safe, mother is with her.",
    )
    assert (task.done_by, task.done_at) == (clinic.clinician, NOW)


def test_the_curve_begins_at_the_baseline_and_shows_half_of_it(prescriber: Client, course: Course) -> None:
    patient = course.patient
    for days, total in ((90, 27), (40, 20), (20, 18), (10, 9)):
        at = NOW - timedelta(days=days)
        scoring.record(actor=None, patient=patient, instrument="phq9", total=total, taken_at=at, now=at)
    sessions = course.sessions.filter(pk=course.sessions.in_order()[0].pk)
    went(sessions, SessionState.GIVING)
    sessions.update(dose_started_at=NOW - timedelta(days=30), checked_in_at=NOW - timedelta(days=30))
    ask(TaskKind.PHASE_END, patient, course)

    assert [row[3] for row in rows(prescriber)] == ["PHQ-9: 20, 18, 9. Half of the baseline: 10"]


def test_a_line_is_given_to_somebody_and_is_theirs(clinic: Clinic, desk: Client, patient: Patient) -> None:
    task = ask(TaskKind.SCORE_OVERDUE, patient)
    desk.post(f"/worklist/{task.pk}/assign/", {"to": clinic.nurse.pk, "back": "/worklist/?show=desk"})
    told = says(desk.get("/worklist/"), ".notice")
    nurse = signed_in(clinic.nurse)
    given = [row[5] for row in rows(nurse, "mine")]
    desk.post(f"/worklist/{task.pk}/assign/", {"to": ""})

    assert told == [f"Given to {clinic.nurse}: Score overdue, Vance, Eleanor"]
    assert given == [clinic.nurse.short_name]
    assert [row[5] for row in rows(desk)] == ["Nurses"]


def test_what_only_clinicians_judge_is_given_to_nobody_else(clinic: Clinic, desk: Client, patient: Patient) -> None:
    answered(patient)
    task = Task.objects.get()
    desk.post(f"/worklist/{task.pk}/assign/", {"to": clinic.nurse.pk})
    shown = desk.get("/worklist/")

    assert says(shown, ".notice") == ["This is for a clinician to deal with."]
    assert [option.attributes["value"] for option in page(shown).all("option")] == [
        "",
        *(str(staff.pk) for staff in sorted((clinic.clinician, *clinic.prescribers), key=lambda one: one.last_name)),
    ]


def test_a_line_is_put_off_and_comes_again(desk: Client, patient: Patient) -> None:
    task = ask(TaskKind.MONTH_EMPTY, patient)
    path = f"/worklist/{task.pk}/snooze/"
    desk.post(path, {"days": "3"})
    told = says(desk.get("/worklist/", {"show": "snoozed"}), ".notice")
    waits = kinds(desk)
    desk.post(path, {"days": "0"})
    again = kinds(desk)
    desk.post(path, {"days": "400"})

    assert (waits, told, again) == (
        [],
        ["Put off for 3 days: Month without a session, Vance, Eleanor"],
        ["Month without a session"],
    )
    assert "Choose for how long." in says(desk.get("/worklist/"), ".notice")


def test_item_9_is_never_put_off(prescriber: Client, patient: Patient) -> None:
    answered(patient)
    prescriber.post(f"/worklist/{Task.objects.get().pk}/snooze/", {"days": "1"})
    shown = prescriber.get("/worklist/")

    assert says(shown, ".notice") == ["Item 9 cannot be put off."]
    assert says(shown, "summary.button") == ["Acknowledge…", "Give to…"]


def test_the_chosen_line_comes_alone_for_a_page_that_is_there(desk: Client, patient: Patient) -> None:
    ask(TaskKind.NO_ADDRESS, patient)
    second = ask(TaskKind.FAILED_MAIL, patient)
    headers = {"HX-Request": "true", "HX-Target": "chosen"}
    part = desk.get("/worklist/", {"line": second.pk}, headers=headers)
    gone = desk.get("/worklist/", {"line": "999999"})

    assert [element.attributes["id"] for element in page(part).children if not isinstance(element, str)] == ["chosen"]
    assert says(part, "h2") == ["Mail not delivered"]
    assert says(gone, ".gone-line") == ["The line you asked for has been dealt with."]


def test_the_chosen_line_has_the_clocks_of_the_site_however_it_is_asked_for(
    prescriber: Client, patient: Patient
) -> None:
    answered(patient)
    headers = {"HX-Request": "true", "HX-Target": "chosen"}
    told = [says(prescriber.get("/worklist/", headers=given), "h3")[2] for given in ({}, headers)]

    assert told == ["Answers, Mon 1 Feb 06:37"] * 2


def test_an_open_page_learns_that_a_line_came_went_or_was_given_away(
    clinic: Clinic, desk: Client, patient: Patient
) -> None:
    def shown() -> str:
        (part,) = page(desk.get("/worklist/")).all("[id=worklist]")
        return part.attributes["data-live-version"]

    def now() -> dict[str, object]:
        known: dict[str, object] = desk.get("/worklist/version/", headers={"X-Background": "1"}).json()
        return known

    seen = [(shown(), now())]
    first = ask(TaskKind.NO_ADDRESS, patient)
    seen.append((shown(), now()))
    second = ask(TaskKind.FAILED_MAIL, patient)
    worklist.close_tasks(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    worklist.assign(actor=clinic.desk, task=second, to=clinic.nurse, now=NOW)
    seen.append((shown(), now()))
    worklist.snooze(actor=clinic.desk, task=second, until=NOW + timedelta(days=1), now=NOW)
    seen.append((shown(), now()))

    assert seen == [
        ("0-0-0", {"version": "0-0-0", "tasks": 0}),
        (f"1-{first.pk}-0", {"version": f"1-{first.pk}-0", "tasks": 1}),
        (f"1-{second.pk}-{clinic.nurse.pk}", {"version": f"1-{second.pk}-{clinic.nurse.pk}", "tasks": 1}),
        ("0-0-0", {"version": "0-0-0", "tasks": 0}),
    ]
    assert Client().get("/worklist/version/", headers={"X-Background": "1"}).status_code == 401


def test_the_bar_counts_what_waits(desk: Client, patient: Patient) -> None:
    ask(TaskKind.NO_ADDRESS, patient)

    assert says(desk.get("/"), ".count") == ["1 open"]


def test_a_line_is_taken_off_once(desk: Client, clinic: Clinic, patient: Patient) -> None:
    task = ask(TaskKind.NO_ADDRESS, patient)
    path = f"/worklist/{task.pk}/acknowledge/"
    desk.post(path)
    first = says(desk.get("/worklist/"), ".notice")
    desk.post(path)
    second = says(desk.get("/worklist/"), ".notice")
    task.refresh_from_db()

    assert (first, second) == (
        ["Done: No mail address, Vance, Eleanor"],
        ["This line has been dealt with already."],
    )
    assert (task.done_by, task.done_at) == (clinic.desk, NOW)
    assert [(row[4], row[5]) for row in rows(desk, "done")] == [("07:00", clinic.desk.short_name)]


def test_a_line_that_waits_for_an_act_stays_until_it_is_done(desk: Client, course: Course) -> None:
    task = ask(TaskKind.NEEDS_TIME, course.patient, course, key=str(course.sessions.in_order()[0].pk))
    desk.post(f"/worklist/{task.pk}/acknowledge/")
    shown = desk.get("/worklist/")

    assert says(shown, ".notice") == ["This line goes when the times are booked or given up."]
    assert len(page(shown).all("tr")) == 2


def test_everybody_may_act_on_lines_and_nobody_by_looking(clinic: Clinic, patient: Patient) -> None:
    task = ask(TaskKind.NO_ADDRESS, patient)
    for path in (f"/worklist/{task.pk}/{act}/" for act in ("assign", "snooze", "acknowledge")):
        assert [signed_in(staff).get(path).status_code for staff in clinic.staff] == [405] * 5
        assert [signed_in(staff).post(path).status_code for staff in clinic.staff] == [302] * 5
        assert Client().post(path).status_code == 401
    assert Client().get("/worklist/").status_code == 302


def test_many_lines_stand_on_pages_the_worst_on_the_first(desk: Client) -> None:
    for number in range(51):
        ask(TaskKind.FAILED_MAIL, PatientFactory.create(), minutes=number)
    last = ask(TaskKind.ALERT, PatientFactory.create())
    first = desk.get("/worklist/")
    second = desk.get("/worklist/", {"page": "2"})

    assert [len(page(answer).all("tr")) - 1 for answer in (first, second)] == [50, 2]
    assert says(first, "nav.pages") == ["1–50 of 52 Less urgent"]
    assert page(first).all("tr")[1].attributes["id"] == f"line-{last.pk}"


@pytest.mark.parametrize("lines", [1, 30])
def test_it_takes_as_many_queries_for_thirty_lines_as_for_one(
    clinic: Clinic, prescriber: Client, course: Course, lines: int
) -> None:
    for _ in range(lines):
        answered(PatientFactory.create())
    ask(TaskKind.NEEDS_TIME, course.patient, course, key=str(course.sessions.in_order()[0].pk))
    prescriber.get("/patients/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = prescriber.get("/worklist/")

    assert len(page(answer).all("tr")) == 2 + lines
    # session, user, sites; lines, people, visits without a time; courses and scores of the curves; of the chosen line
    # its answers, its course, the next visit, and to whom it can be given
    assert len(queries) == 12


def test_a_line_about_a_visit_is_with_the_prescriber_of_that_visit(prescriber: Client, course: Course) -> None:
    """Whoever was called, then whoever has the patient now; the next visit's prescriber is somebody else."""
    today = course.sessions.in_order()[0]
    went(course.sessions.filter(pk=today.pk), SessionState.CHECKED_IN)
    other = StaffFactory.create(prescriber=True, last_name="Other", sites=[course.site])
    ask(TaskKind.ALERT, course.patient, course, key=f"{today.pk}:spo2", details={"asked": other.pk})
    ask(TaskKind.REVIEW, course.patient, course, key=str(today.pk), details={"items": ["heart"]})

    found = read(site=course.site, now=NOW)
    assert [line.owner_id for line in found.open] == [other.pk, today.prescriber_id]
