"""A clinician decides how a course goes on. What each decision means stands in `outcomes.py`; here it is carried out:
what it frees and what it places are one commit, and it is never lost because the calendar is full.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid
from clinic.findings import Finding, Level, by_severity
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import TaskKind
from scheduling import further, gating, judging, outcomes, placing, reviewing, writes
from scheduling.booking import BROKEN, TAKEN, Change, repeated
from scheduling.further import Found, Need
from scheduling.judging import Signature, Verdict
from scheduling.mails import outbox
from scheduling.models import LIVE, Course, CourseState, MailKind, Session, SessionState
from scheduling.outcomes import Asked, Cause, Choice, Decision, Outcome, choices

__all__ = ["MAINTENANCE", "Cause", "Change", "Choice", "Decision", "choices", "decide"]

MAINTENANCE = Decision.MAINTENANCE

#: A place that breaks one of these is looked for again; what else has to be signed is not the calendar's.
OF_THE_CALENDAR = frozenset(
    {"hours", "doctor", "gap-min", "one-a-day", "month-max", "span-max", "initial-max", "stopped"}
)

#: How often dates are looked for again when others were quicker, before a decision stands without them.
TRIES = 3


class _Lost(Exception):
    """Ends the transaction: the calendar has changed since the dates were looked for."""


def decide(
    *,
    actor: Staff,
    course: Course,
    decision: str,
    reason: str,
    cause: str = "",
    interval_days: int | None = None,
    dose: Decimal | None = None,
    sessions: int | None = None,
    until: date | None = None,
    override: Signature | None = None,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Decide how a course goes on: one commit frees what the decision ends and places what it asks for; one event,
    one mail. What finds no place goes on the desk's list, the decision stands (`Change.missing`).

    `go-on` resumes a paused course and places what its plan owes; `extend` adds `sessions` (1 or 2) beyond it, by
    override; `change-dose` is for the doses to come; `maintenance` closes the initial phase and plans three months at
    `interval_days`; `new-initial` completes this course and begins another of the same protocol, `Change.course`;
    `pause`, `until` a date if one is known, keeps the course without dates; `close-early` completes it; `stop` ends
    it, for a `cause` of `Cause`. A visit under way is not touched by any of them: it is finished as it began.

    Dates are looked for first; then their days and those of the course are locked, then the patient, and all is read
    and judged again. Raises Invalid, Stale when the course is held or over, or a phase is closed while somebody is
    checked in and not yet dosed; RulesBroken below the minimum of the phase (`initial-min`, D) and beyond its most
    (`initial-max`, `span-max`, D) unless signed.
    """
    permissions.require(actor, Verb.DECIDE, at=course.site)
    asked = Asked(decision, reason.strip(), cause, interval_days, dose, sessions, until)
    outcomes.check(asked, course.protocol.protocol, now.astimezone(course.site.zone).date())
    body = {"actor": actor.pk, "course": course.pk, **asdict(asked), "override": override, "dry_run": dry_run}
    once = writes.Once("decide", request_id, body)
    if earlier := once.done():
        return repeated(earlier)
    act = _Act(actor=actor, asked=asked, override=override, once=once, now=now)
    for _attempt in range(TRIES):
        planned, found = act.look_ahead(course)
        try:
            return writes.commit(partial(act.carry_out, course, planned, found), dry_run=dry_run)
        except _Lost:
            continue
        except IntegrityError as error:
            if writes.constraint_of(error) not in (*TAKEN, *BROKEN):
                raise
    return writes.commit(partial(act.carry_out, course, None, Found()), dry_run=dry_run)


class _Act:
    """One decision on its way: what was asked, by whom."""

    def __init__(
        self, *, actor: Staff, asked: Asked, override: Signature | None, once: writes.Once, now: datetime
    ) -> None:
        self.actor, self.asked, self.override, self.once, self.now = actor, asked, override, once, now

    def look_ahead(self, course: Course) -> tuple[Outcome, Found]:
        """What the decision means as the course stands, and the places for it. Locks nothing."""
        fresh = Course.objects.select_related("site", "protocol").get(pk=course.pk)
        live = list(Session.objects.filter(course=course, state__in=LIVE).order_by("during__startswith"))
        planned = outcomes.outcome(self.asked, fresh, live, now=self.now)
        found = further.find(
            site=fresh.site,
            patient=fresh.patient_id,
            course=None if planned.begins else fresh,
            rules=planned.rules or fresh.protocol.protocol,
            needs=planned.needs,
            leaving=planned.frees,
            interval=planned.columns.get("interval_days", fresh.interval_days),
            now=self.now,
        )
        return planned, found

    def carry_out(self, course: Course, planned: Outcome | None, found: Found) -> Change:
        """Free, place and tell. Without `planned` no dates were found that last: the decision stands without.

        Raises _Lost when the course is not as it was when the places were found, or one of them is no longer lawful.
        """
        if earlier := self.once.claim(self.now):
            return repeated(earlier)
        rules = course.protocol.protocol
        also = judging.dates_of(course.site, rules, found.places)
        fresh, live = placing.lock_course(course, self.now, also=also)
        meant = outcomes.outcome(self.asked, fresh, live, now=self.now)
        outcomes.require_change(self.asked, fresh)
        if planned is not None and (meant.needs, _ids(meant.frees)) != (planned.needs, _ids(planned.frees)):
            raise _Lost
        missing = found.missing if planned is not None else meant.needs
        placing.free(meant.frees, SessionState.CANCELLED, by=self.actor, now=self.now)
        going = self._begin(fresh) if meant.begins else fresh
        self._write_down(fresh, meant)
        verdict = self._judge(going, meant, found)
        if meant.needs:
            known: dict[str, Any] = {"site": going.site, "patient": going.patient_id, "protocol": rules}
            verdict = gating.join(verdict, **known, course=going, now=self.now)
        signed = judging.require_passable(verdict, self.override)
        if not self.asked.reason:
            raise Invalid.at("reason", _("Say why."))
        placed = placing.place(going, rules, found.places, found.phases) if found.places else []
        placing.renumber(going, placed)
        if going is not fresh:
            placing.renumber(fresh)
        self._record(fresh, going, meant, placed, verdict, signed, missing)
        self._tell(fresh, going, meant.frees, placed)
        self._list(fresh, going, meant, missing)
        sessions = (*meant.frees, *placed)
        lacks = sum(need.count for need in missing)
        self.once.remember(
            verdict.findings,
            course=going.pk,
            sessions=_ids(sessions),
            placed=_ids(placed),
            freed=_ids(meant.frees),
            missing=lacks,
        )
        return Change(going, sessions, verdict.findings, placed=tuple(placed), freed=meant.frees, missing=lacks)

    def _begin(self, old: Course) -> Course:
        """End the old course and make the new one of the same protocol, in this order: a patient has one at a time."""
        placing.end(old, CourseState.COMPLETED, self.now)
        return Course.objects.create(
            patient=old.patient,
            site=old.site,
            protocol=old.protocol,
            state=CourseState.ACTIVE,
            dose_mg_per_kg=old.dose_mg_per_kg,
            dose_mg=old.dose_mg,
            created_at=self.now,
        )

    def _write_down(self, course: Course, meant: Outcome) -> None:
        """The columns of the course that the decision changes."""
        columns = dict(meant.columns)
        if meant.ends and not meant.begins:
            placing.end(course, meant.ends, self.now)
        if meant.ends and course.paused_until is not None:
            columns["paused_until"] = None
        for name, value in columns.items():
            setattr(course, name, value)
        if columns:
            course.save(update_fields=list(columns))

    def _judge(self, going: Course, meant: Outcome, found: Found) -> Verdict:
        """The decision and the places together: what has to be signed, once. Raises _Lost for places that others have
        taken meanwhile, or that a rule of the calendar refuses now."""
        if not found.places:
            return Verdict(meant.findings)
        verdict = judging.weigh_new(
            site=going.site,
            patient=going.patient_id,
            protocol=going.protocol.protocol,
            course=going,
            places=found.places,
            phases=found.phases,
        )
        expected = {"initial-max", "span-max"} if self.asked.decision == Decision.EXTEND else set()
        refused = {one.rule for one in verdict.findings if one.level == Level.OVERRIDE} & OF_THE_CALENDAR - expected
        if verdict.taken or refused or verdict.at(Level.BLOCK):
            raise _Lost
        return Verdict(by_severity(_once_each([*meant.findings, *verdict.findings])), phases=verdict.phases)

    def _record(
        self,
        course: Course,
        going: Course,
        meant: Outcome,
        placed: Sequence[Session],
        verdict: Verdict,
        signed: Sequence[Finding],
        missing: Sequence[Need],
    ) -> None:
        """One event of the course; of a new one that it makes, the event with which every course begins: what was
        found and signed stays with the course that it is about."""
        details: dict[str, Any] = {**meant.told, "missing": sum(need.count for need in missing)}
        findings: Sequence[Finding] = verdict.findings
        if going is not course:
            details["began"] = going.pk
            placing.record(
                going,
                "booked",
                by=self.actor,
                now=self.now,
                sessions=placed,
                findings=[one for one in findings if one not in meant.findings],
                signed=[one for one in signed if one not in meant.findings],
                signature=self.override,
                instead_of=course.pk,
            )
            findings, signed = meant.findings, [one for one in signed if one in meant.findings]
        placing.record(
            course,
            "decided",
            by=self.actor,
            now=self.now,
            sessions=[*meant.frees, *(placed if going is course else ())],
            findings=findings,
            signed=signed,
            signature=self.override,
            decision=self.asked.decision,
            reason=self.asked.reason,
            freed=_ids(meant.frees),
            placed=_ids(placed),
            **details,
        )

    def _tell(self, course: Course, going: Course, freed: Sequence[Session], placed: Sequence[Session]) -> None:
        """One mail, whatever was freed and placed; a new course tells what it takes the place of."""
        cancelled = {"cancelled": _ids(freed)} if freed else {}
        added = {"added": _ids(placed)} if placed else {}
        if going is course or not placed:
            if freed or placed:
                news = MailKind.CHANGED if placed else MailKind.CANCELLED
                placing.tell(course, [*freed, *placed], news, self.now, {**cancelled, **added})
            return
        if freed:
            outbox.renew(course=course, sessions=freed, news=None, now=self.now)
        news = MailKind.CHANGED if freed else MailKind.BOOKED
        outbox.renew(
            course=going,
            sessions=placed,
            news=news,
            now=self.now,
            details={**cancelled, **added} if freed else {},
            fresh=True,
        )

    def _list(self, course: Course, going: Course, meant: Outcome, missing: Sequence[Need]) -> None:
        """What found no place goes on the desk's list, a course that ends or rests asks for no dates; the lines that
        asked for a decision go."""
        if meant.ends or self.asked.decision == Decision.PAUSE or meant.needs:
            worklist.close_tasks(
                kind=TaskKind.NO_DATES, patient=course.patient, key=further.KEY, by=self.actor, now=self.now
            )
        further.ask_for_dates(going, missing, now=self.now)
        for each in dict.fromkeys((course, going)):
            reviewing.answered(each, by=self.actor, now=self.now)


def _ids(sessions: Collection[Session]) -> list[int]:
    return [session.pk for session in sessions]


def _once_each(findings: Sequence[Finding]) -> list[Finding]:
    """Of a rule that both the decision and its places break, what the places say."""
    last = {finding.rule: index for index, finding in enumerate(findings)}
    return [
        finding
        for index, finding in enumerate(findings)
        if finding.level != Level.OVERRIDE or last[finding.rule] == index
    ]
