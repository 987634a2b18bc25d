"""What the page of a visit shows beside the step that is taken: clocks, who did what and when, what is still missing.
No query here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from django.utils.translation import gettext as _

from clinic.findings import Finding
from clinic.models import Staff
from patients.models import Score
from scheduling import wording
from scheduling.models import Session, SessionState, VitalsRound
from scheduling.protocols import visit_safety
from scheduling.protocols.types import Protocol
from scheduling.protocols.vitals import RAISED, Stage, is_above
from scheduling.visit_forms import HISTORY
from scheduling.visits import charts, treating
from scheduling.visits.charts import Chart

#: How far from the end of the dose a round can be and still be the one at its end (P).
AT_THE_END = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Mark:
    """A step of the visit: taken by somebody at a time, the one that comes next, or later."""

    label: str
    at: datetime | None = None
    planned: datetime | None = None
    who: str = ""
    next: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Something that has to be right before the next step; `found` is what is not, None when it is right. `asked`: it
    is not there, and nothing is refused for it."""

    label: str
    value: str = ""
    found: Finding | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """An earlier round, with what stands beside its time. `alarms`: the rules for which the prescriber was called."""

    round: VitalsRound
    note: str
    raised: bool
    low: bool
    alarms: frozenset[str]
    can_void: bool


@dataclass(frozen=True)
class Look:
    """A visit as it stands at a moment, for whoever looks at it; `score` is the PHQ-9 that was taken for it."""

    chart: Chart
    staff: Staff
    now: datetime
    score: Score | None = None

    @property
    def session(self) -> Session:
        return self.chart.session

    @property
    def stage(self) -> Stage:
        return self.chart.stage

    @cached_property
    def protocol(self) -> Protocol:
        return self.session.course.protocol.protocol

    @property
    def today(self) -> bool:
        """The visit is on this date of the site."""
        return self.now.astimezone(self.session.site.zone).date() == self.session.local_date

    @property
    def can_begin(self) -> bool:
        """The patient can be checked in now."""
        return self.today and self.session.state in (SessionState.BOOKED, SessionState.CONFIRMED)

    @property
    def given_up(self) -> bool:
        """It never came to a dose, or not to a visit at all."""
        return not self.session.is_live

    @property
    def waits_for_review(self) -> bool:
        """Something is new or changed, and no clinician has looked at it."""
        record = self.chart.record
        return (
            self.stage is Stage.BEFORE
            and record is not None
            and any(record.changed.values())
            and not record.reviewed_at
        )

    @property
    def default(self) -> str:
        """The step that is most likely next; empty where none is to be taken."""
        if self.stage is Stage.AWAITED:
            return "check-in" if self.can_begin else ""
        if self.stage is Stage.OVER:
            return ""
        if self.stage is Stage.BEFORE:
            return "dose" if self.chart.rounds and not self.chart.overdue else "vitals"
        return "discharge" if self.session.state == SessionState.READY else "vitals"

    @property
    def dose_next(self) -> bool:
        """Nothing is open any more before the dose."""
        return self.stage is Stage.BEFORE and not any(check.found for check in self.checks)

    # The head

    @property
    def elapsed(self) -> timedelta | None:
        """How long the present phase has lasted."""
        since = {
            Stage.BEFORE: self.session.checked_in_at,
            Stage.GIVING: self.session.dose_started_at,
            Stage.MONITORING: self.session.dose_ended_at,
        }.get(self.stage)
        return max(self.now - since, timedelta()) if since else None

    @property
    def clock(self) -> str:
        """The clock of the phase: "27/40 min" while the dose is given, hours and minutes otherwise."""
        if self.elapsed is None:
            return ""
        minutes = int(self.elapsed.total_seconds()) // 60
        if self.stage is Stage.GIVING:
            return _("%(minutes)s/%(planned)s min") % {"minutes": minutes, "planned": self.protocol.visit.give}
        return f"{minutes // 60}:{minutes % 60:02}"

    @property
    def dose_ends_at(self) -> datetime | None:
        """When the dose will have lasted as long as the protocol plans, counted from its true start."""
        started_at = self.session.dose_started_at
        return started_at + timedelta(minutes=self.protocol.visit.give) if started_at else None

    @property
    def late_by(self) -> timedelta:
        """How long the next round has been due."""
        due = self.chart.vitals_due
        return max(self.now - due, timedelta()) if due else timedelta()

    @property
    def overdue(self) -> bool:
        """A round is late by a minute at least."""
        return self.late_by >= timedelta(minutes=1)

    @property
    def undo_left(self) -> timedelta | None:
        """How long the last step can still be taken back."""
        until = treating.undo_until(self.session)
        return until - self.now if until and treating.can_undo(self.session, self.now) else None

    @property
    def undo_seconds(self) -> int:
        """The same in seconds, for the script that counts them down."""
        return int(self.undo_left.total_seconds()) if self.undo_left else 0

    @property
    def marks(self) -> list[Mark]:
        """The steps in their order."""
        session, record = self.session, self.chart.record
        giver = _two(record.started_by, record.confirmed_by) if record else ""
        ends_at, home_at = self.dose_ends_at or session.dose_ends_at, self.chart.earliest or session.discharge_at
        arrived_by = _one(record.checked_in_by) if record else ""
        ended_by = _one(record.ended_by) if record else ""
        left_by = _two(record.signed_by, record.seen_by) if record else ""
        steps = [
            (_("Checked in"), _("Check-in"), session.checked_in_at, session.starts_at, arrived_by),
            (_("Dose began"), _("Dose begins"), session.dose_started_at, session.dose_starts_at, giver),
            (_("Dose ended"), _("Dose ends"), session.dose_ended_at, ends_at, ended_by),
            (self._exit, _("Goes home"), session.left_at, home_at, left_by),
        ]
        next_one = sum(at is not None for _done, _open, at, _planned, _who in steps)
        over = self.stage is Stage.OVER or self.given_up
        return [
            Mark(done if at else coming, at, planned, who, next=number == next_one and not over)
            for number, (done, coming, at, planned, who) in enumerate(steps)
            if at or not over
        ]

    @property
    def _exit(self) -> str:
        if self.session.state in (SessionState.NOT_DOSED, SessionState.LEFT_EARLY, SessionState.TRANSFERRED):
            return self.session.get_state_display()
        return _("Went home")

    # What is measured

    @cached_property
    def last(self) -> VitalsRound | None:
        return self.chart.rounds[-1] if self.chart.rounds else None

    @property
    def next_round(self) -> int:
        """The number of the round that is measured now."""
        return len(self.chart.rounds) + 1

    @property
    def rounds(self) -> list[Measured]:
        """The newest first."""
        return list(reversed(list(self._rounds())))

    def _rounds(self) -> Iterator[Measured]:
        ended = self.session.dose_ended_at
        near = [r for r in self.chart.rounds if ended and abs(r.taken_at - ended) <= AT_THE_END]
        nearest = min(near, key=lambda r: abs(r.taken_at - ended), default=None) if ended else None
        started = self.session.dose_started_at
        before = [r for r in self.chart.rounds if started is None or r.taken_at < started]
        for round_ in self.chart.rounds:
            note = _("before") if before and round_ == before[-1] else _("end of dose") if round_ == nearest else ""
            stage = Stage.BEFORE if round_ in before else Stage.MONITORING
            alarming = visit_safety.alerts(visit_safety.while_here(charts.as_vitals(round_), stage))
            yield Measured(
                round=round_,
                note=note,
                raised=is_above((round_.systolic, round_.diastolic), RAISED),
                low=round_.spo2 < visit_safety.LOW_SATURATION,
                alarms=frozenset(found.rule for found in alarming),
                can_void=self.stage is not Stage.OVER and self.now - round_.at < treating.UNDO_FOR,
            )

    # What is still missing

    @cached_property
    def checks(self) -> list[Check]:
        """What has to be right before the dose, and from then on what has to be right before going home."""
        return self._before_dose() if self.stage in (Stage.AWAITED, Stage.BEFORE) else self._before_home()

    def _before_dose(self) -> list[Check]:
        found = {item.rule: item for item in visit_safety.before_dose(self.chart.facts, now=self.now)}
        record, last = self.chart.record, self.last
        pressure = found.get("bp-high") or found.get("bp-before")
        checks = [
            Check(_("Asked what is new"), "", found.get("new-history") if not self.waits_for_review else None),
            Check(_("Blood pressure"), f"{last.systolic}/{last.diastolic}" if last else "", pressure),
            Check(_("Item 9 acknowledged"), "", found.get("score-seen")),
        ]
        if record and any(record.changed.values()):
            checks.insert(1, Check(_("Reviewed by a clinician"), _one(record.reviewed_by), found.get("new-history")))
        if self.chart.facts.first_dose:
            checks.append(Check(_("PHQ-9 of this week"), self.answered, found.get("baseline")))
        elif self.score is not None or self.today:
            checks.append(Check(_("PHQ-9 since the last dose"), self.answered, asked=self.score is None))
        if "spo2" in found:
            checks.append(Check(_("Oxygen saturation"), f"{last.spo2}%" if last else "", found["spo2"]))
        return checks

    @property
    def answered(self) -> str:
        """When the PHQ-9 of this visit was answered, and whether by the patient alone."""
        if self.score is None:
            return ""
        at = self.score.taken_at.astimezone(self.session.site.zone)
        today = at.date() == self.now.astimezone(at.tzinfo).date()
        time = wording.clock(at, self.session.site.zone) if today else wording.short(at, self.session.site.zone)
        if self.score.by_id is None:
            return _("answered by the patient, %(time)s") % {"time": time}
        return _("written down, %(time)s") % {"time": time}

    def _before_home(self) -> list[Check]:
        found = {item.rule: item for item in visit_safety.at_discharge(self.chart.facts, now=self.now)}
        record, last, earliest = self.chart.record, self.last, self.chart.earliest
        escort = ", ".join(filter(None, [record.escort_name, record.escort_phone])) if record else ""
        clock = wording.clock(earliest, self.session.site.zone) if earliest else ""
        pressure = f"{last.systolic}/{last.diastolic}" if last else ""
        again = _("to be measured")
        bp, sedation = found.get("bp-leave"), found.get("sedation")
        return [
            Check(_("Item 9 acknowledged"), "", found.get("score-seen")),
            Check(_("120 min after the dose"), clock, found.get("two-hours")),
            Check(_("Blood pressure 140/90 or falling"), again if bp and not bp.observed else pressure, bp),
            Check(_("Sedation 5"), again if sedation and not sedation.observed else "", sedation),
            Check(_("Escort here"), escort, found.get("escort")),
        ]

    # Food, drink and medicines

    @property
    def not_after(self) -> tuple[datetime, datetime]:
        """Until when the patient could eat and drink before the planned dose."""
        planned = self.session.dose_starts_at
        return (
            planned - timedelta(hours=self.protocol.no_food_hours),
            planned - timedelta(hours=self.protocol.no_drink_hours),
        )

    @property
    def fasting(self) -> list[str]:
        """What was eaten or drunk too late; nothing is refused for it."""
        record = self.chart.record
        if record is None or self.stage is not Stage.BEFORE:
            return []
        said = []
        food, drink = self.not_after
        zone = self.session.site.zone
        if record.last_food_at and record.last_food_at > food:
            values = {"at": wording.clock(record.last_food_at, zone), "hours": f"{self.protocol.no_food_hours:g}"}
            said.append(_("Food at %(at)s: less than %(hours)s h before the planned dose.") % values)
        if record.last_drink_at and record.last_drink_at > drink:
            values = {"at": wording.clock(record.last_drink_at, zone), "hours": f"{self.protocol.no_drink_hours:g}"}
            said.append(_("Drink at %(at)s: less than %(hours)s h before the planned dose.") % values)
        return said

    @property
    def form_due(self) -> date | None:
        """Until when the monitoring form of a spray has to be sent, None where none is asked for."""
        if self.session.dose_started_at is None:
            return None
        return visit_safety.form_due_on(self.protocol.drug, self.session.local_date)

    @property
    def history_new(self) -> str:
        """What is new or changed, in words."""
        record = self.chart.record
        return ", ".join(str(HISTORY[key]) for key, yes in record.changed.items() if yes) if record else ""

    @property
    def medicines(self) -> str:
        """Today's medicines, in words."""
        record = self.chart.record
        return ", ".join(str(treating.MEDICINES.get(code, code)) for code in record.medicines) if record else ""


def _one(person: Staff | None) -> str:
    return str(person) if person else ""


def _two(first: Staff | None, second: Staff | None) -> str:
    return " + ".join(str(person) for person in (first, second) if person)
