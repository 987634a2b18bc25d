"""What exclusion constraints cannot count, as functions in the database: a prescriber on shift from the start of the
dose to discharge, and no more patients at once than that shift's limit.

Of a visit that was handed over on its way only what is to come counts: `prescriber_since`, `chair_since`.

How it holds against writers of any kind: whoever changes times, resources or liveness has the day rows of the dates
concerned locked, either through `lock_days`, which waits in one order, or in the BEFORE trigger, which never waits
(waiting there deadlocks). The AFTER trigger then reads what every earlier writer committed. Raising the day's version
makes a writer under REPEATABLE READ fail instead of counting an old snapshot.

A refusal is a check violation (23514) that names its rule as the constraint; a lock not to be had is 55P03.
"""

from __future__ import annotations

#: (name, statement) in the order in which they are created. A migration runs them and a test holds them against
#: what the database has: to change one, change it here and add a migration that runs `create_all`.
FUNCTIONS: tuple[tuple[str, str], ...] = (
    (
        "lock_days",
        """
CREATE OR REPLACE FUNCTION lock_days(a_site bigint, a_dates date[]) RETURNS void
LANGUAGE sql VOLATILE AS $body$
    -- Creates, locks and raises the day rows in the order of their dates; waits for other writers.
    -- A row raised before in this transaction is locked already and keeps its version.
    INSERT INTO scheduling_day AS day (site_id, date, version)
    SELECT a_site, wanted.date, 1
    FROM (SELECT DISTINCT unnest(a_dates) AS date) AS wanted
    ORDER BY wanted.date
    ON CONFLICT (site_id, date) DO UPDATE SET version = day.version + 1
    WHERE day.xmin <> pg_current_xact_id()::xid
$body$""",
    ),
    (
        "touch_range",
        """
CREATE OR REPLACE FUNCTION touch_range(a_site bigint, a_range tstzrange) RETURNS void
LANGUAGE plpgsql VOLATILE AS $body$
DECLARE
    zone text;
    first_date date;
    last_date date;
    wanted date;
    day_row record;
BEGIN
    -- An empty range and one without ends have NULL as their ends.
    IF NOT coalesce(isfinite(lower(a_range)) AND isfinite(upper(a_range))
                    AND upper(a_range) - lower(a_range) <= interval '5 years', false) THEN
        RAISE EXCEPTION 'a range has to be finite' USING ERRCODE = '23514', CONSTRAINT = 'range_finite';
    END IF;
    SELECT time_zone INTO zone FROM clinic_site WHERE id = a_site;
    first_date := (lower(a_range) AT TIME ZONE zone)::date;
    last_date := ((upper(a_range) - interval '1 microsecond') AT TIME ZONE zone)::date;
    -- Counted in whole numbers: a series of dates would follow the clock changes of the writer's own time zone.
    FOR wanted IN SELECT first_date + number FROM generate_series(0, last_date - first_date) AS number LOOP
        SELECT id, xmin INTO day_row FROM scheduling_day WHERE site_id = a_site AND date = wanted;
        IF NOT FOUND THEN
            PERFORM lock_days(a_site, ARRAY[wanted]);
        ELSIF day_row.xmin <> pg_current_xact_id()::xid THEN
            PERFORM FROM scheduling_day WHERE id = day_row.id FOR NO KEY UPDATE NOWAIT;
            UPDATE scheduling_day SET version = version + 1
            WHERE id = day_row.id AND xmin <> pg_current_xact_id()::xid;
        END IF;
    END LOOP;
END
$body$""",
    ),
    (
        "session_live",
        """
CREATE OR REPLACE FUNCTION session_live(a_state text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $body$
    SELECT a_state NOT IN ('cancelled', 'no-show', 'not-dosed', 'expired')
$body$""",
    ),
    (
        "session_moved",
        """
CREATE OR REPLACE FUNCTION session_moved(a_old scheduling_session, a_new scheduling_session) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $body$
    SELECT (a_old.during, a_old.dose_starts_at, a_old.dose_ends_at, a_old.discharge_at, a_old.chair_id,
            a_old.prescriber_id, a_old.site_id, a_old.patient_id, a_old.course_id, a_old.local_date,
            a_old.chair_since, a_old.prescriber_since, session_live(a_old.state))
        IS DISTINCT FROM
           (a_new.during, a_new.dose_starts_at, a_new.dose_ends_at, a_new.discharge_at, a_new.chair_id,
            a_new.prescriber_id, a_new.site_id, a_new.patient_id, a_new.course_id, a_new.local_date,
            a_new.chair_since, a_new.prescriber_since, session_live(a_new.state))
$body$""",
    ),
    (
        "session_changed",
        """
CREATE OR REPLACE FUNCTION session_changed(a_old scheduling_session, a_new scheduling_session) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $body$
    SELECT a_old.needs_replan <> a_new.needs_replan OR session_moved(a_old, a_new)
$body$""",
    ),
    (
        "session_misfit",
        """
-- Planned anew for every row, its queries take six times as long as with the plan that fits all.
CREATE OR REPLACE FUNCTION session_misfit(s scheduling_session) RETURNS text
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $body$
-- The name of the rule that the session breaks as it stands, NULL when it fits.
DECLARE
    zone text;
    chair_active boolean;
    care_since timestamptz := coalesce(s.prescriber_since, s.dose_starts_at);  -- handed over: what is to come
BEGIN
    SELECT site.time_zone, chair.active INTO zone, chair_active
    FROM clinic_chair AS chair JOIN clinic_site AS site ON site.id = chair.site_id
    WHERE chair.id = s.chair_id AND chair.site_id = s.site_id;
    IF NOT FOUND THEN RETURN 'session_site_is_the_chairs'; END IF;
    IF NOT chair_active THEN RETURN 'session_chair_active'; END IF;
    IF s.local_date <> (lower(s.during) AT TIME ZONE zone)::date THEN RETURN 'session_local_date'; END IF;
    IF NOT EXISTS (SELECT FROM scheduling_course WHERE id = s.course_id AND patient_id = s.patient_id) THEN
        RETURN 'session_patient_is_the_courses';
    END IF;
    IF care_since >= s.discharge_at THEN RETURN NULL; END IF;
    IF NOT coalesce((
        SELECT range_agg(shift.during) @> tstzrange(care_since, s.discharge_at)
        FROM clinic_shift AS shift
        WHERE shift.staff_id = s.prescriber_id AND shift.site_id = s.site_id
          AND lower(shift.during) < s.discharge_at AND upper(shift.during) > care_since
          AND lower(shift.during) > s.dose_starts_at - interval '25 hours'  -- shift_within_a_day
    ), false) THEN
        RETURN 'session_prescriber_on_shift';
    END IF;
    IF EXISTS (
        WITH under_care AS (
            SELECT coalesce(other.prescriber_since, other.dose_starts_at) AS since, other.discharge_at AS until
            FROM scheduling_session AS other
            WHERE other.prescriber_id = s.prescriber_id AND session_live(other.state)
              AND other.dose_starts_at < s.discharge_at
              AND other.dose_starts_at > s.dose_starts_at - interval '25 hours'  -- session_phases_in_a_day
              AND other.discharge_at > care_since
        ), shifts AS (
            SELECT lower(shift.during) AS since, upper(shift.during) AS until, shift.patients_at_once
            FROM clinic_shift AS shift
            WHERE shift.staff_id = s.prescriber_id
              AND lower(shift.during) < s.discharge_at AND upper(shift.during) > care_since
              AND lower(shift.during) > s.dose_starts_at - interval '25 hours'
        ), instants AS (
            SELECT greatest(under_care.since, care_since) AS instant FROM under_care
            WHERE under_care.since < s.discharge_at
            UNION SELECT greatest(shifts.since, care_since) FROM shifts
        )
        SELECT FROM instants JOIN shifts ON shifts.since <= instants.instant AND instants.instant < shifts.until
        WHERE (
            SELECT count(*) FROM under_care
            WHERE under_care.since <= instants.instant AND instants.instant < under_care.until
        ) > shifts.patients_at_once
    ) THEN
        RETURN 'session_prescriber_limit';
    END IF;
    RETURN NULL;
END
$body$""",
    ),
    (
        "check_session",
        """
CREATE OR REPLACE FUNCTION check_session(a_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $body$
-- Reads the row again: when the check was deferred, what counts is how it stands now.
DECLARE
    s scheduling_session;
    broken text;
BEGIN
    SELECT * INTO s FROM scheduling_session WHERE id = a_id;
    IF NOT FOUND OR NOT session_live(s.state) THEN RETURN; END IF;
    broken := session_misfit(s);
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'session % breaks %', a_id, broken USING ERRCODE = '23514', CONSTRAINT = broken;
    END IF;
END
$body$""",
    ),
    (
        "flag_unfit_sessions",
        """
CREATE OR REPLACE FUNCTION flag_unfit_sessions(a_prescriber bigint, a_range tstzrange) RETURNS void
LANGUAGE sql VOLATILE AS $body$
    -- A shift was lowered: it is never refused, every session that no longer fits is marked.
    UPDATE scheduling_session AS s SET needs_replan = true
    WHERE s.prescriber_id = a_prescriber AND NOT s.needs_replan
      AND s.state IN ('held', 'booked', 'confirmed')
      AND s.dose_starts_at < upper(a_range) AND s.dose_starts_at > lower(a_range) - interval '25 hours'
      AND s.discharge_at > lower(a_range)
      AND session_misfit(s) IS NOT NULL
$body$""",
    ),
    (
        "flag_closed_sessions",
        """
CREATE OR REPLACE FUNCTION flag_closed_sessions(a_site bigint, a_chair bigint, a_range tstzrange) RETURNS void
LANGUAGE sql VOLATILE AS $body$
    UPDATE scheduling_session AS s SET needs_replan = true
    WHERE s.site_id = a_site AND (a_chair IS NULL OR s.chair_id = a_chair) AND NOT s.needs_replan
      AND s.state IN ('held', 'booked', 'confirmed')
      AND lower(s.during) < upper(a_range) AND lower(s.during) > lower(a_range) - interval '25 hours'
      AND upper(s.during) > lower(a_range)
$body$""",
    ),
)


def create_all() -> str:
    """The statements that create or replace every function, for a migration's RunSQL."""
    return ";\n".join(statement for _, statement in FUNCTIONS)


def drop_all() -> str:
    """The statements that remove them again, in the opposite order."""
    return ";\n".join(f"DROP FUNCTION IF EXISTS {name}" for name, _ in reversed(FUNCTIONS))
