"""Give sessions that stand other times: one, or several of a course together, all or nothing.

The frame and what it refuses are those of `booking.py`; where a session could go is read in `fitting.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.models import Staff
from clinic.permissions import Verb
from scheduling import judging, placing, writes
from scheduling.booking import Change, RowsTaken, answer, repeated
from scheduling.fitting import Cascade, Window, cascade, possible_starts
from scheduling.holding import ask_for_overrides
from scheduling.judging import Signature, Verdict
from scheduling.models import OPEN, Course, CourseState, MailKind, Session
from scheduling.proposing import Proposal, propose
from scheduling.protocols.types import Place, Wanted

__all__ = ["Cascade", "Window", "carry_out", "cascade", "move_session", "possible_starts"]

#: A session and where it goes.
Move = tuple[Session, Place]


def move_session(
    *,
    actor: Staff,
    session: Session,
    place: Place | Wanted,
    also: Sequence[tuple[Session, Place | Wanted]] = (),
    override: Signature | None = None,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Give a session another time, chair or prescriber; another start has to be confirmed again and is told by mail.

    `also` are other sessions of its course that move with it: judged together, all or none, one event, one mail; they
    can take each other's times. Locks the days of the course and of the new times, then the patient; what a place
    leaves open is read under lock. Findings name sessions by id; `taken` of SlotTaken counts `session` as 0, then
    `also`. Raises Stale when a visit has begun or was freed, Invalid for sessions that cannot be meant, and as
    `book_course`.
    """
    permissions.require(actor, Verb.BOOK)
    course = session.course
    site, rules = course.site, course.protocol.protocol
    moves = [(session, place), *also]
    _check([mine for mine, _ in moves])
    wanted = {mine.pk: Wanted(where.starts_at, where.chair, where.prescriber) for mine, where in moves}
    asked = {"actor": actor.pk, "session": session.pk, "place": wanted[session.pk], "override": override}
    asked |= {"also": [[mine.pk, wanted[mine.pk]] for mine, _ in also], "dry_run": dry_run}
    once = writes.Once("move", request_id, asked)
    if earlier := once.done():
        return repeated(earlier)
    new_dates: set[date] = set()
    for where in wanted.values():
        if where.starts_at is not None:
            judging.check_start(where.starts_at, now)
            new_dates |= judging.dates_of(site, rules, [Place(where.starts_at, 0, 0)])

    def targets(standing: Iterable[Session]) -> list[Move]:
        mine = {one.pk: one for one in standing}
        places = judging.in_utc([where.over(judging.place_of(mine[pk])) for pk, where in wanted.items()])
        return [(mine[pk], where) for pk, where in zip(wanted, places, strict=True)]

    def weigh() -> Verdict:
        fresh = Session.objects.select_related("course__site", "course__protocol").filter(pk__in=wanted)
        return judging.weigh_moves(course, targets(fresh))

    def choose(fresh: Course, sessions: Sequence[Session]) -> list[Move]:
        if not wanted.keys() <= {mine.pk for mine in sessions if mine.state in OPEN}:
            raise Stale(_("This visit has begun, ended or been cancelled; it cannot be moved."))
        goals = targets(sessions)
        judging.check_places(actor=actor, places=[where for _, where in goals], site=site, now=now)
        return goals

    def plan_again(rows: Sequence[int]) -> Proposal:
        goals = targets(Session.objects.filter(pk__in=wanted))
        phase = goals[rows[0]][0].phase
        together = [row for row, (mine, _) in enumerate(goals) if mine.phase == phase]
        return propose(
            actor=actor,
            site=site,
            patient=course.patient,
            protocol=course.protocol,
            course=course,
            moving=[goals[row][0] for row in together],
            fixed=[goals[row][1] for row in together if row not in rows],
            earliest=min(new_dates, default=session.local_date),
            now=now,
        )

    def work() -> Change:
        return carry_out(course, once, choose, by=actor, also=new_dates, override=override, now=now)

    return answer(work, weigh, plan_again, lost=_not_moved, dry_run=dry_run)


def carry_out(
    course: Course,
    once: writes.Once,
    choose: Callable[[Course, Sequence[Session]], list[Move]],
    *,
    by: Staff | None,
    also: Collection[date],
    override: Signature | None = None,
    now: datetime,
) -> Change:
    """What happens inside the transaction of every move, whoever asks for it: `by` is nobody for the patient alone,
    who has said yes to the new time by choosing it.

    Locks the days of the course and `also`, then the patient. `choose` says under lock which sessions go where, of the
    course and its live sessions as they are then; what it raises ends the move. All is judged there once more: raises
    RulesBroken, and RowsTaken by the place in what was chosen.
    """
    if earlier := once.claim(now):
        return repeated(earlier)
    fresh, sessions = placing.lock_course(course, now, also=also)
    goals = choose(fresh, sessions)
    old = {mine.pk: judging.place_of(mine) for mine, _ in goals}
    changing = [(mine, where) for mine, where in goals if where != old[mine.pk] or mine.needs_replan]
    first = goals[0][0]
    if not changing:
        once.remember(course=fresh.pk, sessions=[first.pk])
        return Change(fresh, (first,))
    verdict = judging.weigh_moves(fresh, goals)
    signed = judging.require_passable(verdict, override, hold=fresh.state == CourseState.HELD)
    if verdict.taken:
        raise RowsTaken(verdict.taken)
    placing.move(changing, fresh.protocol.protocol, now)
    changed = [mine for mine, _ in changing]
    if by is None:
        placing.confirm(changed, now)
    placing.need_no_time(changed, by=by, now=now)
    elsewhen = [mine for mine, where in changing if where.starts_at != old[mine.pk].starts_at]
    placing.want_no_other_time(elsewhen, by=by, now=now)
    placing.renumber(fresh, [first, *changed])
    moved = [
        {"session": mine.pk, "from": placing.as_json(old[mine.pk]), "to": placing.as_json(where)}
        for mine, where in changing
    ]
    placing.record(
        fresh,
        "moved",
        by=by,
        now=now,
        sessions=changed,
        findings=verdict.findings,
        signed=signed,
        signature=override,
        moved=moved,
        **({} if by else {"alone": True}),
    )
    if elsewhen:
        placing.tell(fresh, changed, MailKind.CHANGED, now, {"moved": moved})
    if by is not None:
        ask_for_overrides(fresh, by=by, now=now)
    answered = tuple(dict.fromkeys([first, *changed]))
    once.remember(verdict.findings, course=fresh.pk, sessions=[mine.pk for mine in answered])
    return Change(fresh, answered, verdict.findings)


def _not_moved(count: int) -> str:
    message = ngettext(
        "Nothing was moved: the time was taken a moment ago.",
        "Nothing was moved: %(count)s of the times were taken a moment ago.",
        count,
    )
    return message % {"count": count}


def _check(sessions: Sequence[Session]) -> None:
    """Raise Invalid unless each session is there once and all are of one course."""
    if len(sessions) > judging.MOST_PLACES:
        raise Invalid.at("also", _("At most %(most)s sessions at once.") % {"most": judging.MOST_PLACES})
    if len({session.pk for session in sessions}) < len(sessions):
        raise Invalid.at("also", _("Name each session once."))
    if len({session.course_id for session in sessions}) > 1:
        raise Invalid.at("also", _("Only sessions of the same course move together."))
