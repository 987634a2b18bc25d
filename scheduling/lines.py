"""The worklist as people see it: what waits, how urgent it is and with whom, the worst first. Reads only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import IntEnum

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.models import Role, Site, Staff
from patients.models import Task, TaskKind
from patients.worklist import CLINICAL
from scheduling import wording
from scheduling.models import OPEN, UNDER_WAY, Session

#: A visit or a hold that ends so soon leaves no time for anything else.
SOON = timedelta(hours=4)

#: Of two lines that are equally urgent, which is the worse.
ORDER = (
    TaskKind.ITEM_9,
    TaskKind.ALERT,
    TaskKind.WORSE,
    TaskKind.NO_BENEFIT,
    TaskKind.PHASE_END,
    TaskKind.RELAPSE,
    TaskKind.REVIEW,
    TaskKind.SCORE_OVERDUE,
    TaskKind.MONTH_EMPTY,
    TaskKind.REACH,
    TaskKind.OVERRIDE_ASKED,
    TaskKind.NEEDS_TIME,
    TaskKind.CALL_ASKED,
    TaskKind.MOVE_ASKED,
    TaskKind.OPEN_RECORD,
    TaskKind.OPEN_FORM,
    TaskKind.BAD_ADDRESS,
    TaskKind.NO_ADDRESS,
    TaskKind.MAIL_STOPPED,
    TaskKind.FAILED_MAIL,
    TaskKind.NO_DATES,
)
_PLACE: Mapping[str, int] = {kind: place for place, kind in enumerate(ORDER)}

#: Lines that wait for the front desk, and for the nurses; the others wait for clinicians.
DESK = frozenset(
    {
        TaskKind.MONTH_EMPTY,
        TaskKind.REACH,
        TaskKind.NEEDS_TIME,
        TaskKind.CALL_ASKED,
        TaskKind.MOVE_ASKED,
        TaskKind.BAD_ADDRESS,
        TaskKind.NO_ADDRESS,
        TaskKind.MAIL_STOPPED,
        TaskKind.FAILED_MAIL,
        TaskKind.NO_DATES,
    }
)
NURSES = frozenset({TaskKind.SCORE_OVERDUE, TaskKind.OPEN_RECORD, TaskKind.OPEN_FORM})


class Urgency(IntEnum):
    """When a line has to be dealt with at the latest."""

    NOW = 0
    TODAY = 1
    WEEK = 2


#: What is always so urgent; what only a clinician can judge waits until tomorrow when a visit is still further away.
_ALWAYS: Mapping[str, Urgency] = {
    TaskKind.ITEM_9: Urgency.NOW,
    TaskKind.ALERT: Urgency.NOW,
    TaskKind.WORSE: Urgency.TODAY,
    TaskKind.RELAPSE: Urgency.TODAY,
    TaskKind.CALL_ASKED: Urgency.TODAY,
}
#: What ends with a moment to come: nothing can be done about it any more after.
_ENDS = frozenset({TaskKind.OVERRIDE_ASKED, TaskKind.NEEDS_TIME, TaskKind.MOVE_ASKED, TaskKind.REVIEW})
#: What is only late by its date.
_LATE = frozenset({TaskKind.WORSE, TaskKind.OPEN_FORM, TaskKind.MONTH_EMPTY})

#: Lines about one visit, which their keys name.
_OF_VISITS = frozenset(
    {
        TaskKind.ALERT,
        TaskKind.MOVE_ASKED,
        TaskKind.NEEDS_TIME,
        TaskKind.OPEN_FORM,
        TaskKind.OPEN_RECORD,
        TaskKind.REVIEW,
        TaskKind.SCORE_OVERDUE,
    }
)
_VISIT = re.compile(r"(?:session-)?(\d+)(?::|$)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the worklist. `due_at` is when it is too late, on the site's clocks; `when` says that, or since when
    it is open. `owner` is whom it waits for: a person (`owner_id`), or everybody of a kind.
    """

    task: Task
    urgency: Urgency
    due_at: datetime | None
    when: str
    owner: str
    owner_id: int | None
    for_desk: bool


@dataclass(frozen=True, slots=True)
class Worklist:
    """The lines that wait, the worst first; those that were put off; those that were dealt with today, the latest
    first."""

    open: tuple[Line, ...]
    snoozed: tuple[Line, ...]
    done: tuple[Line, ...]

    def line(self, pk: int) -> Line | None:
        """The line with this id, wherever it stands."""
        return next((one for one in (*self.open, *self.snoozed, *self.done) if one.task.pk == pk), None)

    def show(self, what: str, me: Staff) -> tuple[Line, ...]:
        """The lines that a word of SHOWN asks for."""
        if what in ("done", "snoozed"):
            return self.done if what == "done" else self.snoozed
        return tuple(one for one in self.open if SHOWN[what][1](one, me))

    def counts(self, me: Staff) -> Mapping[str, int]:
        """How many lines each word shows."""
        return {what: len(self.show(what, me)) for what in SHOWN}


#: Which lines a page can show: the word in its address, what it is called, and which of the open lines belong there.
SHOWN: Mapping[str, tuple[object, Callable[[Line, Staff], bool]]] = {
    "": (gettext_lazy("All"), lambda line, me: True),
    "mine": (gettext_lazy("Mine"), lambda line, me: line.owner_id == me.pk),
    "now": (gettext_lazy("Now"), lambda line, me: line.urgency == Urgency.NOW),
    "today": (gettext_lazy("Today"), lambda line, me: line.urgency == Urgency.TODAY),
    "week": (gettext_lazy("This week"), lambda line, me: line.urgency == Urgency.WEEK),
    "desk": (gettext_lazy("Desk"), lambda line, me: line.for_desk),
    "done": (gettext_lazy("Done today"), lambda line, me: False),
    "snoozed": (gettext_lazy("Put off"), lambda line, me: False),
}


def waiting(now: datetime) -> QuerySet[Task]:
    """The lines that wait for somebody now: open, and not put off."""
    return Task.objects.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now), done_at=None)


def version(now: datetime) -> tuple[str, int]:
    """A word that changes when a line comes, goes, is given to another or put off; and how many wait. One query."""
    found = waiting(now).aggregate(count=Count("pk"), last=Max("pk"), owners=Sum("assigned_to"))
    return f"{found['count']}-{found['last'] or 0}-{found['owners'] or 0}", found["count"]


def version_of(found: Worklist) -> str:
    """The same word for lines that are read already."""
    tasks = [line.task for line in found.open]
    owners = sum(task.assigned_to_id or 0 for task in tasks)
    return f"{len(tasks)}-{max((task.pk for task in tasks), default=0)}-{owners}"


def read(*, site: Site, now: datetime) -> Worklist:
    """Every line that is open or was taken off today. Three queries: lines, the visits that need a time, people.

    `site` is where somebody reads: its clocks tell what today is, and stand in for a course's where there is none.
    """
    today = now.astimezone(site.zone).date()
    since = datetime.combine(today, time.min, site.zone)
    visits = Session.objects.filter(patient=OuterRef("patient"))
    here = visits.filter(state__in=UNDER_WAY).order_by("-during__startswith")
    coming = visits.filter(state__in=OPEN, during__startswith__gt=now).order_by("during__startswith")
    latest = visits.live().order_by("-during__startswith")
    tasks = list(
        Task.objects.filter(Q(done_at=None) | Q(done_at__gte=since))
        .select_related("patient", "course__site", "assigned_to", "done_by")
        .annotate(
            next_at=Subquery(coming.values(start=F("during__startswith"))[:1]),
            doctor=Coalesce(
                Subquery(here.values("prescriber")[:1]),
                Subquery(coming.values("prescriber")[:1]),
                Subquery(latest.values("prescriber")[:1]),
            ),
        )
        .order_by("since", "pk")
    )
    return _sorted(tasks, _Reader(site, now, _own_times(tasks), _names()), now)


def _sorted(tasks: Iterable[Task], reader: _Reader, now: datetime) -> Worklist:
    made = [reader.line(task) for task in tasks]
    undone = sorted((line for line in made if line.task.done_at is None), key=_worst_first)
    done = [line for line in made if line.task.done_at is not None]
    return Worklist(
        open=tuple(line for line in undone if not _is_put_off(line.task, now)),
        snoozed=tuple(line for line in undone if _is_put_off(line.task, now)),
        done=tuple(sorted(done, key=lambda line: (line.task.done_at, line.task.pk), reverse=True)),
    )


def _worst_first(line: Line) -> tuple[int, int, datetime, datetime, int]:
    task = line.task
    return line.urgency, _PLACE[task.kind], line.due_at or task.since, task.since, task.pk


def _is_put_off(task: Task, now: datetime) -> bool:
    return task.snoozed_until is not None and task.snoozed_until > now


def _own_times(tasks: Iterable[Task]) -> Mapping[int | None, datetime]:
    """When the visits begin that need another time, or for which another one is wished."""
    wanted = (TaskKind.NEEDS_TIME, TaskKind.MOVE_ASKED)
    visits = {visit for task in tasks if task.kind in wanted and (visit := visit_of(task))}
    return dict(Session.objects.filter(pk__in=visits).values_list("pk", "during__startswith"))


def _names() -> Mapping[int, str]:
    return {
        one.pk: one.short_name for one in Staff.objects.filter(is_active=True).only("title", "last_name", "username")
    }


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes lines of tasks that carry `next_at` and `doctor`."""

    site: Site
    now: datetime
    own: Mapping[int | None, datetime]
    names: Mapping[int, str]

    def line(self, task: Task) -> Line:
        zone = task.course.site.zone if task.course is not None else self.site.zone
        due_at = self._due_at(task, zone)
        owner, owner_id = self._owner(task)
        return Line(
            task=task,
            urgency=self._urgency(task, due_at),
            due_at=due_at,
            when=self._when(task, due_at),
            owner=owner,
            owner_id=owner_id,
            for_desk=task.assigned_to.role == Role.DESK if task.assigned_to else task.kind in DESK,
        )

    def _due_at(self, task: Task, zone: tzinfo) -> datetime | None:
        """A hold has to be signed before it ends, a form to be sent on its day, a patient to be called or reviewed
        before the next visit."""
        match task.kind:
            case TaskKind.OVERRIDE_ASKED:
                due_at = task.course.held_until if task.course is not None else None
            case TaskKind.NEEDS_TIME | TaskKind.MOVE_ASKED:
                due_at = self.own.get(visit_of(task))
            case TaskKind.WORSE:
                due_at = _end_of(task.since.astimezone(zone).date(), zone)
            case TaskKind.OPEN_FORM if task.details.get("due"):
                due_at = _end_of(date.fromisoformat(task.details["due"]), zone)
            case TaskKind.MONTH_EMPTY if task.details.get("month"):
                month = date.fromisoformat(task.details["month"]).replace(day=1)
                due_at = _end_of((month + timedelta(days=31)).replace(day=1) - timedelta(days=1), zone)
            case TaskKind.REVIEW if visit_of(task):
                due_at = None  # the patient is here and waits for the dose
            case TaskKind.ITEM_9 | TaskKind.ALERT | TaskKind.SCORE_OVERDUE | TaskKind.OPEN_RECORD | TaskKind.NO_DATES:
                due_at = None
            case _:
                due_at = task.next_at  # type: ignore[attr-defined]  # annotated in `read`
        return due_at.astimezone(zone) if due_at else None

    def _urgency(self, task: Task, due_at: datetime | None) -> Urgency:
        """Now: at once, or an end within SOON. Today: that it is, or too late tomorrow. Otherwise this week."""
        if task.kind in _ALWAYS:
            return _ALWAYS[TaskKind(task.kind)]
        if task.kind == TaskKind.REVIEW and visit_of(task):
            return Urgency.NOW
        if due_at is None:
            return Urgency.TODAY if task.kind in CLINICAL else Urgency.WEEK
        if task.kind in _ENDS and due_at - self.now <= SOON:
            return Urgency.NOW
        return Urgency.TODAY if self._days(due_at) <= (0 if task.kind in _LATE else 1) else Urgency.WEEK

    def _days(self, at: datetime) -> int:
        return (at.date() - self.now.astimezone(at.tzinfo).date()).days

    def _when(self, task: Task, due_at: datetime | None) -> str:
        if due_at is None:
            return _("open %(time)s") % {"time": _lasting(self.now - task.since)}
        days = self._days(due_at)
        if days < 0:
            return ngettext("%(days)s day late", "%(days)s days late", -days) % {"days": -days}
        if task.kind in _LATE:
            return _("today") if days == 0 else _("by %(time)s") % {"time": _day(due_at, days)}
        if due_at <= self.now:
            return _("late")
        if days == 0:
            return _("by %(time)s") % {"time": wording.clock(due_at, due_at.tzinfo or self.site.zone)}
        return _("by %(time)s") % {"time": _day(due_at, days)}

    def _owner(self, task: Task) -> tuple[str, int | None]:
        """Whoever it was given to or asked of, else the prescriber of the visit that runs, is next or was last, or a
        group."""
        if task.assigned_to is not None:
            return task.assigned_to.short_name, task.assigned_to_id
        if task.kind in DESK:
            return _("Desk"), None
        if task.kind in NURSES:
            return _("Nurses"), None
        known = task.details.get("asked")
        if known is None and task.kind != TaskKind.OVERRIDE_ASKED:
            known = task.doctor  # type: ignore[attr-defined]  # annotated in `read`
        if known in self.names:
            return self.names[known], known
        return (_("Prescribers") if task.kind == TaskKind.OVERRIDE_ASKED else _("Clinicians")), None


def _day(at: datetime, days: int) -> str:
    """The date so many days from today: "Wed 25", further on "25 Nov"."""
    return date_format(at, "D j" if days < 14 else "j M")


def visit_of(task: Task) -> int | None:
    """The visit that a line is about, by its key: "7", "session-7", "7:spo2"."""
    found = _VISIT.match(task.key) if task.kind in _OF_VISITS else None
    return int(found[1]) if found else None


def _end_of(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(23, 59), zone)


def _lasting(span: timedelta) -> str:
    """How long, in the largest unit: "23 min", "3 h", "2 days"."""
    if span >= timedelta(days=1):
        return ngettext("%(days)s day", "%(days)s days", span.days) % {"days": span.days}
    whole = timedelta(hours=1) if span >= timedelta(hours=1) else timedelta(minutes=1)
    return wording.length(max(span, timedelta()) // whole * whole)
