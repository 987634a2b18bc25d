"""Lines that wait for somebody: opened and closed by other verbs, given to one, put off, or taken off by whoever has
dealt with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import formats
from django.utils.dates import WEEKDAYS
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.models import Staff
from clinic.permissions import Verb
from patients.measures import ANSWERS
from patients.models import AddressFault, ConsentSource, Patient, Score, Task, TaskKind

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

_BY_TIMES = gettext_lazy("This line goes when the times are booked or given up.")

#: The lines that go only with the act they ask for: nobody takes a visit without a time off with a tap. Each
#: with what it waits for.
CLOSED_BY_ACT: Mapping[TaskKind, StrPromise] = {
    TaskKind.OVERRIDE_ASKED: _BY_TIMES,
    TaskKind.NEEDS_TIME: _BY_TIMES,
    TaskKind.NO_DATES: _BY_TIMES,
    TaskKind.OPEN_RECORD: gettext_lazy("This line goes when the record is finished."),
    TaskKind.OPEN_FORM: gettext_lazy("This line goes when the form has been sent."),
    TaskKind.PHASE_END: gettext_lazy("This line goes with a decision on how the course goes on."),
    TaskKind.BAD_ADDRESS: gettext_lazy("This line goes when the address is changed, taken out or said to be right."),
}

#: What only a clinician can judge.
CLINICAL = frozenset(
    {
        TaskKind.ITEM_9,
        TaskKind.ALERT,
        TaskKind.WORSE,
        TaskKind.RELAPSE,
        TaskKind.NO_BENEFIT,
        TaskKind.PHASE_END,
        TaskKind.REVIEW,
    }
)

#: What a line asks for when nothing more is known of it.
TEXTS: Mapping[TaskKind, StrPromise] = {
    TaskKind.NO_ADDRESS: gettext_lazy("There is no mail address: tell the patient the dates by phone."),
    TaskKind.FAILED_MAIL: gettext_lazy("A mail could not be delivered: tell the patient by phone."),
    TaskKind.BAD_ADDRESS: gettext_lazy("Mails come back from the address: tell the dates by phone, ask for another."),
    TaskKind.MAIL_STOPPED: gettext_lazy("The patient wants no more mails: tell dates and changes by phone."),
    TaskKind.CALL_ASKED: gettext_lazy("The patient asks to be called."),
    TaskKind.MOVE_ASKED: gettext_lazy("The patient asks for another time."),
    TaskKind.OVERRIDE_ASKED: gettext_lazy("A prescriber is asked to sign."),
    TaskKind.NEEDS_TIME: gettext_lazy("A visit no longer fits and needs a new time."),
    TaskKind.NO_DATES: gettext_lazy("No visit is booked: find dates for what comes next."),
    TaskKind.ITEM_9: gettext_lazy("Item 9 is above 0: call the patient now."),
    TaskKind.ALERT: gettext_lazy("A measurement was alarming: see to the patient and write down what was done."),
    TaskKind.WORSE: gettext_lazy("The patient is worse than before: review the same day."),
    TaskKind.RELAPSE: gettext_lazy("The patient has relapsed: two sessions a month, a new initial phase, or stop."),
    TaskKind.NO_BENEFIT: gettext_lazy("There is little or no benefit: review it before the next session."),
    TaskKind.PHASE_END: gettext_lazy("The initial phase has been given: decide how the course goes on."),
    TaskKind.REVIEW: gettext_lazy("Something is new in the history: review it before the next dose."),
    TaskKind.SCORE_OVERDUE: gettext_lazy("A PHQ-9 is overdue: ask the patient for it."),
    TaskKind.MONTH_EMPTY: gettext_lazy("There is a month without a maintenance session."),
    TaskKind.REACH: gettext_lazy(
        "The minimum of sessions can no longer be reached: move, extend, close early or begin anew."
    ),
    TaskKind.OPEN_RECORD: gettext_lazy("The visit is over and its record is not finished."),
    TaskKind.OPEN_FORM: gettext_lazy("The monitoring form has not been sent."),
}

#: What their texts say of single answers is for those who treat.
ANSWERS_IN_TEXT = frozenset({TaskKind.ITEM_9, TaskKind.WORSE})

#: How the key of an item 9 line begins while the answers have not been sent: there is no score to name yet.
UNSENT = "questionnaire-"

#: Longer than this nothing is put off (P).
LONGEST_SNOOZE = timedelta(days=90)


def open_task(
    *,
    kind: TaskKind,
    patient: Patient,
    course: Any = None,
    key: str = "",
    details: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Put a line on the worklist, unless one of this kind, patient and key is open already. Locks nothing."""
    open_tasks([Task(kind=kind, patient=patient, course=course, key=key, details=dict(details or {}), since=now)])


def open_tasks(tasks: Collection[Task]) -> None:
    """Put lines on the worklist, unless one of the same kind, patient and key is open already. Locks nothing."""
    Task.objects.bulk_create(tasks, ignore_conflicts=True)


def close_tasks(
    *, kind: TaskKind, patient: Patient, key: str | None = None, by: Staff | None = None, now: datetime
) -> None:
    """Take the open lines of this kind and patient off the worklist, with `key` only that one. Locks their rows."""
    tasks = Task.objects.filter(kind=kind, patient=patient, done_at=None)
    if key is not None:
        tasks = tasks.filter(key=key)
    tasks.update(done_at=now, done_by=by)


def unsent_key(questionnaire: int) -> str:
    """The key of the line that item 9 of a questionnaire opens before it is sent."""
    return f"{UNSENT}{questionnaire}"


def unseen_before_sending() -> QuerySet[Task]:
    """The lines of answers to item 9 that have not been sent and that no clinician has acknowledged."""
    return Task.objects.filter(kind=TaskKind.ITEM_9, key__startswith=UNSENT, done_at=None)


def acknowledge(*, actor: Staff, task: Task, note: str = "", now: datetime) -> Task:
    """Take a line off the worklist; for item 9 that is to acknowledge the score itself, with a note, or before the
    answers are sent the line, which keeps the note. Locks the line, before it the score of an item 9.

    Raises RoleRefused - what is CLINICAL goes only by a clinician -, Invalid for an item 9 without a note, and Stale
    for a line that somebody has done already, that is one of CLOSED_BY_ACT, or whose answers were sent meanwhile.
    """
    permissions.require(actor, Verb.REVIEW if task.kind in CLINICAL else Verb.ACKNOWLEDGE)
    with transaction.atomic():
        asked = _lock_score(task)
        fresh = _open(task)
        if fresh.kind in CLOSED_BY_ACT:
            raise Stale(str(CLOSED_BY_ACT[TaskKind(fresh.kind)]))
        if asked is not None:
            from patients import scoring  # scoring opens lines, so it imports this module

            scoring.see(actor=actor, score=asked, note=note, now=now)
        elif task.kind == TaskKind.ITEM_9 and task.key.startswith(UNSENT):
            if fresh.key != task.key:
                raise Stale(_("The patient has sent the answers meanwhile: look at them first."))
            if not note.strip():
                raise Invalid.at("note", _("Say what is done about it."))
            fresh.details = {**fresh.details, "note": note.strip()}
        fresh.done_at, fresh.done_by = now, actor
        fresh.save(update_fields=["done_at", "done_by", "details"])
    return fresh


def _lock_score(task: Task) -> Score | None:
    """The score of which an item 9 line speaks, under lock, while it waits for a clinician. `scoring` locks a score
    before its line, so this does too."""
    if task.kind != TaskKind.ITEM_9 or not task.key.isdecimal():
        return None
    score = Score.objects.select_for_update(no_key=True).filter(pk=int(task.key)).first()
    return score if score is not None and score.seen_at is None and score.voided_at is None else None


def assign(*, actor: Staff, task: Task, to: Staff | None, now: datetime) -> Task:
    """Give a line to somebody who may deal with it, or to nobody in particular; locks its row.

    Raises RoleRefused, Invalid for somebody who may not, and Stale for a line that is done.
    """
    permissions.require(actor, Verb.ACKNOWLEDGE)
    if to is not None and not permissions.allowed(to, Verb.REVIEW if task.kind in CLINICAL else Verb.ACKNOWLEDGE):
        raise Invalid.at("to", _("This is for a clinician to deal with."))
    with transaction.atomic():
        fresh = _open(task)
        fresh.assigned_to = to
        fresh.save(update_fields=["assigned_to"])
    return fresh


def snooze(*, actor: Staff, task: Task, until: datetime | None, now: datetime) -> Task:
    """Put a line off until a time, None takes that back; locks its row.

    Raises RoleRefused, Invalid for a time that is past or more than LONGEST_SNOOZE away, and Stale for item 9, which
    cannot wait, and for a line that is done.
    """
    permissions.require(actor, Verb.REVIEW if task.kind in CLINICAL else Verb.ACKNOWLEDGE)
    if task.kind == TaskKind.ITEM_9:
        raise Stale(_("Item 9 cannot be put off."))
    if until is not None and until.tzinfo is None:
        raise Invalid.at("until", _("A time needs its zone."))
    if until is not None and not now < until <= now + LONGEST_SNOOZE:
        values = {"days": LONGEST_SNOOZE.days}
        raise Invalid.at("until", _("A line is put off for up to %(days)s days from now.") % values)
    with transaction.atomic():
        fresh = _open(task)
        fresh.snoozed_until = until
        fresh.save(update_fields=["snoozed_until"])
    return fresh


def _open(task: Task) -> Task:
    """The line under lock; raises Stale when it is done."""
    fresh = Task.objects.select_for_update(of=("self",)).select_related("patient").get(pk=task.pk)
    if fresh.done_at is not None:
        raise Stale(_("This line has been dealt with already."))
    return fresh


def text_of(task: Task, *, answers: bool = True) -> str:
    """What has to be done, in the reader's language. Without the patient's name, which stands beside it; without
    `answers` it tells nothing of single answers.

    A line can bring its own sentences as `details["reasons"]`, see `sentences`.
    """
    if not answers and task.kind in ANSWERS_IN_TEXT:
        return str(TEXTS[TaskKind(task.kind)])
    details: Mapping[str, Any] = task.details
    return sentences(details["reasons"]) if details.get("reasons") else _told(task, details)


def _told(task: Task, details: Mapping[str, Any]) -> str:
    if told := _TOLD.get(TaskKind(task.kind)):
        return told(details)
    match task.kind:
        case TaskKind.BAD_ADDRESS if details.get("fault") == AddressFault.NOT_MINE:
            return _("Whoever reads this address says that it is not the patient's: ask for the right one by phone.")
        case TaskKind.MAIL_STOPPED if details.get("source") == ConsentSource.COMPLAINT:
            return _("A mail was reported as unwanted, so no more go out: tell dates and changes by phone.")
        case TaskKind.ITEM_9 if details.get("questionnaire"):
            return _unsent(details)
        case TaskKind.ITEM_9 if details.get("value"):
            answer = _(ANSWERS[details["value"]].text)
            text = _("Item 9 is %(value)s (%(answer)s), PHQ-9 %(total)s: call the patient now.")
            return text % {**details, "answer": answer.lower()}
        case TaskKind.SCORE_OVERDUE if details.get("number"):
            return _("The PHQ-9 of session %(number)s is missing.") % details
        case TaskKind.MONTH_EMPTY if details.get("month"):
            month = formats.date_format(date.fromisoformat(details["month"]), "F Y")
            return _("There is no maintenance session in %(month)s.") % {"month": month}
        case TaskKind.REACH if details.get("least"):
            text = _("%(standing)s sessions stand, %(least)s are the minimum; day %(longest)s comes too soon for more.")
            return text % details
        case TaskKind.OPEN_RECORD if details.get("awaited"):
            return _("The time of this visit is over: write down whether the patient came.")
        case TaskKind.OPEN_FORM if details.get("due"):
            due = formats.date_format(date.fromisoformat(details["due"]), "j F Y")
            return _("The monitoring form has to be sent by %(date)s.") % {"date": due}
        case _:
            return str(TEXTS[TaskKind(task.kind)])


def sentences(reasons: Iterable[Mapping[str, Any]]) -> str:
    """What rules gave as reasons - `text`, a message id, and the `values` in it - in the reader's language."""
    return " ".join(
        _(reason["text"])
        % {name: _(value) if isinstance(value, str) else value for name, value in reason["values"].items()}
        for reason in reasons
    )


def _unsent(details: Mapping[str, Any]) -> str:
    """What item 9 says while the answers have not been sent, and after it was taken back to 0."""
    values = {"value": details["highest"], "answer": _(ANSWERS[details["highest"]].text).lower()}
    if not details["value"]:
        return _("Item 9 was %(value)s (%(answer)s) before it was changed to 0: call the patient now.") % values
    if details["value"] < details["highest"]:
        text = _("Item 9 is %(now)s, it was %(value)s (%(answer)s); the PHQ-9 is not sent yet: call the patient now.")
        return text % {**values, "now": details["value"]}
    return _("Item 9 is %(value)s (%(answer)s), the PHQ-9 is not sent yet: call the patient now.") % values


#: When a patient likes to be called.
_BEST_TIMES: Mapping[str, StrPromise] = {
    "morning": gettext_lazy("The patient asks to be called, best in the morning."),
    "noon": gettext_lazy("The patient asks to be called, best around noon."),
    "afternoon": gettext_lazy("The patient asks to be called, best in the afternoon."),
}


#: The part of the day that a patient wishes.
_PARTS: Mapping[str, StrPromise] = {"morning": gettext_lazy("mornings"), "afternoon": gettext_lazy("afternoons")}


def _move_asked(details: Mapping[str, Any]) -> str:
    """The wish as it was sent: "The patient asks for another time: Wednesday or Friday, mornings. “After ten”"."""
    days = get_text_list([str(WEEKDAYS[day]) for day in details.get("weekdays", ())], _("or"))
    part = str(_PARTS.get(details.get("part", ""), ""))
    wish = ", ".join(filter(None, [days, part]))
    text = str(TEXTS[TaskKind.MOVE_ASKED])
    if wish:
        text = _("The patient asks for another time: %(wish)s.") % {"wish": wish}
    return f"{text} “{details['text']}”" if details.get("text") else text


def _call_asked(details: Mapping[str, Any]) -> str:
    text = str(_BEST_TIMES.get(details.get("best", ""), TEXTS[TaskKind.CALL_ASKED]))
    if details.get("phone"):
        return _("%(text)s Number: %(phone)s.") % {"text": text, "phone": details["phone"]}
    return text


def _override_asked(details: Mapping[str, Any]) -> str:
    values = {"rules": ", ".join(details.get("rules", [])), "name": details.get("asked_name", "")}
    if values["name"]:
        text = _("The times are held; %(name)s is asked to sign: %(rules)s.") % values
    else:
        text = _("The times are held; a prescriber is asked to sign: %(rules)s.") % values
    reason = details.get("reason", "")
    return _("%(text)s Reason: %(reason)s") % {"text": text, "reason": reason} if reason else text


#: The kinds that always say more than TEXTS.
_TOLD: Mapping[TaskKind, Callable[[Mapping[str, Any]], str]] = {
    TaskKind.OVERRIDE_ASKED: _override_asked,
    TaskKind.CALL_ASKED: _call_asked,
    TaskKind.MOVE_ASKED: _move_asked,
}
