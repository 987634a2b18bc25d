"""A large clinic with years of history, made in bulk by SQL: for benchmarks and for trying out what grows.

Every chair has three visits a day. Time goes in blocks of three weeks: in one block a chair's morning, noon or
afternoon has room for two courses of six sessions, one on Mondays and Thursdays, one on Tuesdays and Fridays; so no
rule of the standard protocol is broken. Four chairs share a prescriber. The triggers stay on: the guard checks all.
"""

from __future__ import annotations

import json
import math
import time as stopwatch
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from clinic.models import Chair, OpeningHours, Role, Site, Staff
from patients.answers import Answers, DrugClass, Outcome, Severity, SignOff, Therapy, TherapyKind, Trial
from patients.eligibility import QUESTIONS
from scheduling.mails import links
from scheduling.models import Mail, MailState, ProtocolVersion
from scheduling.protocols.library import STANDARD

ZONE = ZoneInfo("America/New_York")
OPENS, CLOSES = time(7), time(19)
CHAIRS_A_PRESCRIBER = 4
BLOCK_WEEKS = 3
COURSES_A_CHAIR = 6  # in a block: three times of the day, two courses each
SHIFT_WEEKS = 26  # shifts reach so far beyond today
CHUNK = 8  # blocks in one statement


@dataclass(frozen=True)
class Large:
    """What was made, and in how many seconds."""

    site: Site
    patients: int
    courses: int
    sessions: int
    mails: int
    seconds: float


def load(
    *, patients: int, years: int, chairs: int | None = None, weeks_ahead: int = 6, fill: float = 0.75, now: datetime
) -> Large:
    """Add a site with so many patients and years of history to the database, in one transaction.

    `chairs`: None for as many as all patients need for a course each; with fewer the last ones have none, with more
    the first ones have several. `fill` is the share of the visits that the chairs could take on Mondays, Tuesdays,
    Thursdays and Fridays; bookings reach `weeks_ahead` beyond today, shifts half a year. Locks all its days.
    """
    begun = stopwatch.perf_counter()
    today = now.astimezone(ZONE).date()
    first = today - timedelta(days=365 * years)
    first -= timedelta(days=first.weekday())
    blocks = math.ceil(((today - first).days / 7 + weeks_ahead) / BLOCK_WEEKS)
    if chairs is None:
        chairs = max(CHAIRS_A_PRESCRIBER, math.ceil(patients / (blocks * COURSES_A_CHAIR * fill)))
    running = math.ceil(weeks_ahead / BLOCK_WEEKS) + 2
    each = min(round(chairs * COURSES_A_CHAIR * fill), patients // running)  # nobody has two courses at once
    with transaction.atomic():
        site = _build(chairs)
        values: dict[str, str | int | date] = {
            "site": site.pk,
            "zone": ZONE.key,
            "patients": patients,
            "first": first,
            "today": today,
            "now": now,
            "blocks": blocks,
            "chairs": chairs,
            "each": each,
            "protocol": ProtocolVersion.objects.get(code=STANDARD.code, version=STANDARD.version).pk,
            "days": max(blocks * BLOCK_WEEKS * 7, (today - first).days + SHIFT_WEEKS * 7),
            "group": CHAIRS_A_PRESCRIBER,
            "answers": json.dumps(_accepted(first).to_data()),
        }
        with connection.cursor() as cursor:
            # Unset, this makes every call of a trigger begin and abort a subtransaction: ten times as slow in the end.
            cursor.execute("SELECT set_config('pgtrigger.ignore', '{}', true)")
            for statement in (_DAYS, _SHIFTS, _PATIENTS, _PATIENT_IDS, _SCREENINGS, _COURSE_IDS, _COURSES, _EVENTS):
                cursor.execute(statement, values)
            cursor.execute("ANALYZE scheduling_day, clinic_shift, scheduling_course")
            sessions = _write_sessions(cursor, values, blocks)
            cursor.execute(_MAILS, values)
            mails = cursor.rowcount
            _make_links()
            cursor.execute("DROP TABLE large_patient, large_course")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Large(site, patients, blocks * each, sessions, mails, stopwatch.perf_counter() - begun)


def _make_links() -> None:
    """Give every mail that is still to go out the link that it will carry."""
    due = list(Mail.objects.filter(state=MailState.DUE, link_hash=None).only("seed"))
    for mail in due:
        mail.link_hash = links.digest(links.token(mail.seed))
    Mail.objects.bulk_update(due, ["link_hash"], batch_size=2000)


def _accepted(day: date) -> Answers:
    """What everybody was asked on the first day: nothing speaks against anybody."""
    heard = SignOff("Dr. Paula Renner", day, "A good candidate.")
    return Answers(
        trials=(
            Trial("sertraline", DrugClass.SSRI, "150 mg", 10, adequate=True, outcome=Outcome.FAILED),
            Trial("duloxetine", DrugClass.SNRI, "60 mg", 8, adequate=True, outcome=Outcome.FAILED),
        ),
        therapies=(Therapy(TherapyKind.ONE_TO_ONE),),
        doctor=heard,
        therapist=heard,
        psychologist=heard,
        treatment_consent=day,
        off_label_consent=day,
        rems_enrolled=day,
        severity=Severity.SEVERE,
        medicines=("Bupropion 300 mg",),
        **dict.fromkeys(QUESTIONS, False),  # type: ignore[arg-type]  # the questions are those fields that take an answer
    )


def _build(chairs: int) -> Site:
    number = Site.objects.count() + 1
    site = Site.objects.create(
        name=f"Large clinic {number}",
        neutral_name=f"Practice {number}",
        phone="(555) 010-0199",
        time_zone=ZONE.key,
        rems_certified=True,
    )
    Chair.objects.bulk_create(Chair(site=site, name=f"Chair {place}", position=place) for place in range(1, chairs + 1))
    OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=weekday, opens=OPENS, closes=CLOSES) for weekday in range(5)
    )
    prescribers = math.ceil(chairs / CHAIRS_A_PRESCRIBER)
    roles = [Role.CLINICIAN] * prescribers + [Role.DESK, Role.NURSE, Role.MANAGER]
    staff = Staff.objects.bulk_create(
        Staff(
            username=f"large{number}-{place}",
            password="!",  # noqa: S106 nobody signs in as them
            role=role,
            is_prescriber=place < prescribers,
            title="Dr." if place < prescribers else "",
            first_name="Robin",
            last_name=f"Keller-{place + 1}",
        )
        for place, role in enumerate(roles)
    )
    site.staff.set(staff)
    return site


def _write_sessions(cursor: CursorWrapper, values: dict[str, str | int | date], blocks: int) -> int:
    """In pieces: after the first one the planner knows the table's size, and the guard's queries use its indexes."""
    written = 0
    for start in range(0, blocks, CHUNK):
        cursor.execute(_SESSIONS, values | {"start": start, "end": start + CHUNK})
        written += cursor.rowcount
        if start == 0:
            cursor.execute("ANALYZE scheduling_session")
    return written


_DAYS = """
SELECT lock_days(%(site)s, array_agg(%(first)s::date + number)) FROM generate_series(0, %(days)s) AS number
"""

_SHIFTS = """
INSERT INTO clinic_shift (staff_id, site_id, during, patients_at_once)
SELECT staff.id, %(site)s,
       tstzrange((day + time '07:30') AT TIME ZONE %(zone)s, (day + time '18:30') AT TIME ZONE %(zone)s), %(group)s
FROM clinic_staff_sites AS works
JOIN clinic_staff AS staff ON staff.id = works.staff_id AND staff.is_prescriber
CROSS JOIN (SELECT %(first)s::date + number AS day FROM generate_series(0, %(days)s) AS number) AS days
WHERE works.site_id = %(site)s AND extract(isodow FROM day) < 6
ORDER BY day, staff.id
"""

_PATIENTS = """
INSERT INTO patients_patient
    (record_number, first_name, last_name, birth_date, email, phone, phone_digits, language, created_at, mail_level)
SELECT 'L' || %(site)s || '-' || lpad(number::text, 7, '0'),
       (ARRAY['Alex', 'Bea', 'Chen', 'Dana', 'Eli', 'Fatima', 'Gus', 'Hanna', 'Ines', 'Jo', 'Kiri', 'Luz', 'Mia'])
           [1 + number %% 13],
       (ARRAY['Abbott', 'Brandt', 'Castillo', 'Duarte', 'Engel', 'Fofana', 'Grant', 'Huang', 'Ito', 'Jansen', 'Kaya'])
           [1 + number %% 11] || '-' || number,
       date '1940-01-01' + number * 7919 %% 24000,
       CASE WHEN number %% 20 = 0 THEN '' ELSE 'patient' || number || '@example.org' END,
       '(555) 01' || lpad((number %% 10000000)::text, 7, '0'),
       '55501' || lpad((number %% 10000000)::text, 7, '0'),
       CASE WHEN number %% 8 = 0 THEN 'es' ELSE 'en' END,
       %(first)s::timestamptz,
       CASE WHEN number %% 20 = 0 THEN '' ELSE 'neutral' END
FROM generate_series(1, %(patients)s::int) AS number
"""

_PATIENT_IDS = """
CREATE TEMPORARY TABLE large_patient AS
SELECT row_number() OVER (ORDER BY record_number) - 1 AS number, id, email <> '' AS mail
FROM patients_patient WHERE record_number LIKE 'L' || %(site)s || '-%%'
"""

_SCREENINGS = """
INSERT INTO patients_screening (patient_id, version, answers, decision, by_id, at)
SELECT patient.id, 1, %(answers)s::jsonb, 'accepted',
       (SELECT min(staff.id) FROM clinic_staff_sites AS works
        JOIN clinic_staff AS staff ON staff.id = works.staff_id AND staff.is_prescriber
        WHERE works.site_id = %(site)s),
       %(first)s::timestamptz
FROM large_patient AS patient
"""

# One row for each course: the block, the chair, the time of day and the pair of weekdays by a draw without replacement.
_COURSE_IDS = """
CREATE TEMPORARY TABLE large_course AS
WITH chairs AS (
    SELECT id, row_number() OVER (ORDER BY position) - 1 AS number FROM clinic_chair WHERE site_id = %(site)s
), prescribers AS (
    SELECT staff.id, row_number() OVER (ORDER BY staff.id) - 1 AS number
    FROM clinic_staff_sites AS works JOIN clinic_staff AS staff ON staff.id = works.staff_id AND staff.is_prescriber
    WHERE works.site_id = %(site)s
), slots AS (
    SELECT block, chairs.id AS chair_id, chairs.number AS chair, part, pair,
           row_number() OVER (
               PARTITION BY block ORDER BY md5(concat_ws('-', block, chairs.number, part, pair))
           ) AS place
    FROM chairs, generate_series(0, %(blocks)s - 1) AS block, generate_series(0, 2) AS part,
         generate_series(0, 1) AS pair
)
SELECT nextval(pg_get_serial_sequence('scheduling_course', 'id')) AS id, block, chair_id, pair, part,
       prescribers.id AS prescriber_id, patient.id AS patient_id, patient.mail,
       %(first)s::date + 21 * block::int AS monday,
       time '07:30' + interval '10 minutes' * (chair %% 7) + interval '200 minutes' * part AS clock,
       %(first)s::date + 21 * block::int + 17 + pair::int AS last_date
FROM slots
JOIN prescribers ON prescribers.number = slots.chair / %(group)s
JOIN large_patient AS patient ON patient.number = (block * %(each)s + place - 1) %% %(patients)s
WHERE place <= %(each)s
ORDER BY block, place
"""

_COURSES = """
INSERT INTO scheduling_course
    (id, patient_id, site_id, protocol_id, state, phase, times_version, created_at, ended_at)
SELECT id, patient_id, %(site)s, %(protocol)s,
       CASE WHEN last_date < %(today)s THEN 'completed' ELSE 'active' END, 'initial', 1,
       least((monday - 10 + time '15:00') AT TIME ZONE %(zone)s, %(now)s),
       CASE WHEN last_date < %(today)s THEN (last_date + time '19:00') AT TIME ZONE %(zone)s END
FROM large_course
"""

_EVENTS = """
INSERT INTO scheduling_courseevent (course_id, kind, at, details)
SELECT course.id, happened.kind, happened.at, '{"sessions": [], "findings": [], "reason": "In remission."}'::jsonb
FROM scheduling_course AS course
CROSS JOIN LATERAL (VALUES ('booked', created_at), ('completed', ended_at)) AS happened (kind, at)
WHERE course.site_id = %(site)s AND happened.at IS NOT NULL
"""

# Of a hundred past visits three were cancelled and twice nobody came; of the coming ones every third is confirmed.
_SESSIONS = """
INSERT INTO scheduling_session
    (course_id, patient_id, site_id, chair_id, prescriber_id, number, phase, state, during, local_date,
     dose_starts_at, dose_ends_at, discharge_at, times_version, needs_replan, confirmed_at, freed_at,
     checked_in_at, dose_started_at, dose_ended_at, left_at)
SELECT id, patient_id, %(site)s, chair_id, prescriber_id, number, 'initial', state,
       tstzrange(starts_at, starts_at + interval '200 minutes'), day, starts_at + interval '30 minutes',
       starts_at + interval '70 minutes', starts_at + interval '190 minutes', 1, false,
       CASE WHEN state = 'confirmed' THEN least(starts_at - interval '1 day', %(now)s) END,
       CASE WHEN state IN ('cancelled', 'no-show') THEN starts_at END,
       CASE WHEN state = 'discharged' THEN starts_at END,
       CASE WHEN state = 'discharged' THEN starts_at + interval '30 minutes' END,
       CASE WHEN state = 'discharged' THEN starts_at + interval '70 minutes' END,
       CASE WHEN state = 'discharged' THEN starts_at + interval '190 minutes' END
FROM (
    SELECT planned.*,
           CASE WHEN starts_at + interval '190 minutes' < %(now)s
                THEN CASE WHEN draw < 3 THEN 'cancelled' WHEN draw < 5 THEN 'no-show' ELSE 'discharged' END
                ELSE CASE WHEN draw < 33 THEN 'confirmed' ELSE 'booked' END
           END AS state
    FROM (
        SELECT course.*, number, monday + days AS day, (monday + days + clock) AT TIME ZONE %(zone)s AS starts_at,
               abs(hashint8(course.id * 8 + number)) %% 100 AS draw
        FROM large_course AS course
        CROSS JOIN LATERAL unnest(ARRAY[0, 3, 7, 10, 14, 17]) WITH ORDINALITY AS plan (days_after, number)
        CROSS JOIN LATERAL (SELECT days_after + pair::int) AS shifted (days)
        WHERE block >= %(start)s AND block < %(end)s
    ) AS planned
) AS known
ORDER BY day, starts_at, chair_id
"""

_MAILS = """
INSERT INTO scheduling_mail (patient_id, course_id, session_id, kind, times_version, state, due_at, try_at, expires_at,
                             attempts, error, created_at, sent_at, settled_at, about_at, details)
SELECT patient_id, course_id, session_id, kind, 1, CASE WHEN past THEN 'sent' ELSE 'due' END, due_at, due_at,
       expires_at, past::int, '', created_at, CASE WHEN past THEN due_at END, CASE WHEN past THEN due_at END,
       about_at, '{}'::jsonb
FROM (
    SELECT course.patient_id, course.id AS course_id, NULL::bigint AS session_id, 'booked' AS kind,
           course.created_at AS due_at, NULL::timestamptz AS expires_at, course.created_at,
           NULL::timestamptz AS about_at, true AS past
    FROM scheduling_course AS course WHERE course.site_id = %(site)s
    UNION ALL
    SELECT course.patient_id, course.id, session.id, reminder.kind, lower(session.during) - reminder.before,
           lower(session.during) - reminder.until, course.created_at, lower(session.during),
           lower(session.during) - reminder.before < %(now)s
    FROM scheduling_session AS session
    JOIN scheduling_course AS course ON course.id = session.course_id
    CROSS JOIN (VALUES ('preparation', interval '3 days', interval '2 days'),
                       ('two-days', interval '2 days', interval '1 day'),
                       ('score-due', interval '1 day', interval '2 hours'),
                       ('two-hours', interval '2 hours', interval '0')) AS reminder (kind, before, until)
    WHERE session.site_id = %(site)s AND session.state NOT IN ('cancelled', 'no-show')
) AS mail
JOIN large_patient AS patient ON patient.id = mail.patient_id AND patient.mail
"""
