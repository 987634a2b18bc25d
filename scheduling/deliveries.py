"""What became of the mails to patients: the list of all of them, and how the sending is going right now.

Ten years of a large clinic are more than a million mails. So no page counts them or skips over them: a page begins
after a mail (a `Mark`), and every way to narrow the list has an index that holds its order. Nothing here writes or
locks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import Count, Min, Q, QuerySet, Value

from scheduling.models import Attempt, Mail, MailKind, MailState

#: The drain runs every few seconds: what is due for longer than this has met with something.
LATE = timedelta(minutes=5)

#: How far the head looks ahead.
LATELY = timedelta(hours=24)

#: So many mails stand on a page.
ON_A_PAGE = 50

#: Nobody wants to know of more: it is not counted on.
MANY = 100


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the list: a mail, by what the list is ordered by."""

    due_at: datetime
    pk: int

    @classmethod
    def of(cls, mail: Mail) -> Self:
        """The mail's own place."""
        return cls(mail.due_at, mail.pk)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What `str` of one has made; None for anything else."""
        at, _dot, pk = text.partition(".")
        if not (at.isdecimal() and at.isascii() and pk.isdecimal() and pk.isascii() and len(at) < 17 and len(pk) < 19):
            return None
        return cls(_EPOCH + timedelta(microseconds=int(at)), int(pk))

    def __str__(self) -> str:
        return f"{(self.due_at - _EPOCH) // timedelta(microseconds=1)}.{self.pk}"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which mails somebody wants to see: `since` and `until` bound when they are due, the latter not counted; `late` is
    what should have gone out by now."""

    state: MailState | None = None
    kind: MailKind | None = None
    patient: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    late: bool = False

    @property
    def soonest_first(self) -> bool:
        """What waits is looked at from its front, everything else from the end."""
        return self.late or self.state == MailState.DUE

    @property
    def everything(self) -> bool:
        """Nothing was narrowed down."""
        return self == Asked()


@dataclass(frozen=True, slots=True)
class Page:
    """The mails of a page, and where the pages before and after it begin; None where there are none."""

    mails: tuple[Mail, ...]
    earlier: Mark | None
    later: Mark | None


def mails() -> QuerySet[Mail]:
    """Every mail with the patient and what it speaks about, in no order. One query."""
    return Mail.objects.select_related("patient", "course__site", "session", "evaluation__site")


def page(
    asked: Asked, *, now: datetime, after: Mark | None = None, before: Mark | None = None, size: int = ON_A_PAGE
) -> Page:
    """A page of the mails that are asked for: the one that begins after a place, ends before one, or the first. The
    newest first, but what waits from its front. What is still to come is listed where a state, a patient or dates were
    asked for. One query, which reads no more rows than it shows unless a filter skips them."""
    found, backwards = _of(asked, now), before is not None
    ascending = asked.soonest_first != backwards
    mark = before or after
    if mark is not None:
        side, same = ("gt", "gte") if ascending else ("lt", "lte")
        beyond = Q(**{f"due_at__{side}": mark.due_at}) | Q(**{f"pk__{side}": mark.pk})
        found = found.filter(beyond, **{f"due_at__{same}": mark.due_at})
    order = ("due_at", "pk") if ascending else ("-due_at", "-pk")
    rows = list(found.order_by(*order)[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    ends = (Mark.of(rows[0]), Mark.of(rows[-1])) if rows else (None, None)
    return Page(
        mails=tuple(rows),
        earlier=ends[0] if (more if backwards else mark) else None,
        later=ends[1] if (mark if backwards else more) else None,
    )


def _of(asked: Asked, now: datetime) -> QuerySet[Mail]:
    found = mails()
    if asked.late:
        found = found.filter(state=MailState.DUE, due_at__lte=now - LATE)
    if asked.state is not None:
        found = found.filter(state=asked.state)
    if asked.kind is not None:
        found = found.filter(kind=asked.kind)
    if asked.patient is not None:
        found = found.filter(patient=asked.patient)
    if asked.since is not None:
        found = found.filter(due_at__gte=asked.since)
    if asked.until is not None:
        found = found.filter(due_at__lt=asked.until)
    if (asked.state, asked.patient, asked.since, asked.until) == (None, None, None, None):
        found = found.filter(due_at__lte=now)
    return found


def counts(asked: Asked, *, now: datetime) -> Mapping[MailState | None, int]:
    """How many mails are listed for each state, and for what is late (None), narrowed as is asked otherwise; counted up
    to MANY. One query."""
    late = replace(asked, state=None, late=True)
    choices = {None: late} | {state: replace(asked, state=state, late=False) for state in MailState}
    found = [
        _of(choice, now).annotate(choice=Value(state or "")).values_list("choice", flat=True)[:MANY]
        for state, choice in choices.items()
    ]
    counted = Counter(found[0].union(*found[1:], all=True))
    return {state: counted[state or ""] for state in choices}


@dataclass(frozen=True, slots=True)
class Health:
    """How the sending goes. `due` mails should go out now, the `oldest` of them since then; `waiting` will within
    LATELY.

    `silent_since`: no mail server could be spoken to since then, and `answer` is what came instead. `idle`: nobody even
    tries what is due.
    """

    due: int
    oldest: datetime | None
    waiting: int
    silent_since: datetime | None
    answer: str
    idle: bool


def health(*, now: datetime) -> Health:
    """How the sending goes at this moment. One query; three more while something is due."""
    ahead = Mail.objects.filter(state=MailState.DUE, due_at__lte=now + LATELY)
    due = Q(due_at__lte=now)
    waits = ahead.aggregate(
        due=Count("pk", filter=due),
        untried=Count("pk", filter=Q(try_at__lte=now - LATE)),
        oldest=Min("due_at", filter=due),
        waiting=Count("pk", filter=~due),
    )
    silent_since, answer = _silence() if waits["due"] else (None, "")
    return Health(
        due=waits["due"],
        oldest=waits["oldest"],
        waiting=waits["waiting"],
        silent_since=silent_since,
        answer=answer,
        idle=waits["untried"] > 0,
    )


def _silence() -> tuple[datetime | None, str]:
    """Since when no try has met a mail server, and what came of the last one; (None, "") while one answers. An answer
    begins with a code, also one that puts a mail off."""
    spoken = (
        Attempt.objects.filter(state=state).order_by("-at").values_list("at", flat=True)[:1]
        for state in (MailState.SENT, MailState.FAILED)
    )
    sent, failed = spoken  # of each state the index knows the last one
    heard = max(sent.union(failed), default=None)
    tries = Attempt.objects.filter(state=MailState.DUE)
    if heard is not None:
        tries = tries.filter(at__gt=heard)
    last = tries.order_by("-at").first()
    first = tries.order_by("at").first()
    if first is None or last is None or last.answer[:3].isdecimal():
        return None, ""
    return first.at, last.answer
