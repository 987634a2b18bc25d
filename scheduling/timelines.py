"""Why a patient got a mail, or did not: one list in order of time for a visit or a course, and what it comes to.

Bookings and moves come from the course's events, mails and tries from the outbox, consent and address from what is
known of the patient. What was never made has left no row: `reminded.py` works it out. Nothing here writes or locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.db.models import Prefetch
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.models import Staff
from patients.models import (
    AddressFault,
    Channel,
    Consent,
    ConsentSource,
    ContactLevel,
    Patient,
    Questionnaire,
    Task,
    TaskKind,
)
from scheduling import history, queries, reminded, wording
from scheduling.history import Entry as Event
from scheduling.models import Attempt, Course, Mail, MailState, Session
from scheduling.reminded import Reminder

#: What a course's events tell that has nothing to do with mails: what is done during a visit.
_CLINICAL = frozenset(
    {
        "reviewed",
        "dose-started",
        "dose-ended",
        "vitals-voided",
        "vitals-acted-on",
        "amended",
        "adverse-event",
        "addendum",
        "form-sent",
        "chair-changed",
        "handed-over",
    }
)
#: Lines of the worklist about what could not be mailed.
_LINES = (TaskKind.NO_ADDRESS, TaskKind.FAILED_MAIL, TaskKind.BAD_ADDRESS, TaskKind.MAIL_STOPPED)

_AGREED = {
    ContactLevel.NEUTRAL: gettext_lazy("The patient agreed to neutral mails."),
    ContactLevel.DETAILED: gettext_lazy("The patient agreed to detailed mails."),
    ContactLevel.STOPPED: gettext_lazy("The patient stopped all mails."),
}
_FAULTS = {
    AddressFault.BOUNCED: gettext_lazy("A mail came back: the address does not work."),
    AddressFault.NOT_MINE: gettext_lazy("Somebody who got a mail said that the address is not the patient's."),
}
#: So many mails of one moment are named.
_NAMED = 5

#: What is told -> its icon and colour.
LOOKS: Mapping[str, tuple[str, str]] = {
    "mails-made": ("hourglass", ""),
    "mail-sent": ("mail-check", "green"),
    "mail-tried": ("refresh", "amber"),
    "mail-failed": ("mail-x", "red"),
    "mail-withdrawn": ("mail-off", ""),
    "link-used": ("door-enter", "green"),
    "consent": ("signature", ""),
    "consent-stopped": ("mail-off", "amber"),
    "address-entered": ("edit", ""),
    "address-verified": ("circle-check", "green"),
    "address-faulty": ("mail-x", "red"),
    "form-begun": ("list-check", ""),
    "line-done": ("check", ""),
    "confirmed": ("check", "green"),
    "not-confirmed": ("user-off", "amber"),
    "answered": ("list-check", "green"),
    "escort-named": ("users", "green"),
    "escort-taken-back": ("users", "amber"),
    "call-asked": ("phone", "amber"),
    "call-taken-back": ("phone", ""),
    "move-asked": ("arrows-exchange", "amber"),
    "move-taken-back": ("arrows-exchange", ""),
    "moved": ("arrows-exchange", ""),
    "session-cancelled": ("x", ""),
    "cancelled": ("x", ""),
    "stopped": ("ban", "red"),
    "no-show": ("user-off", "amber"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened: `what` in a word, `text` in a sentence. `by` is None for the patient and for what runs
    by itself; `mails` are those it is about."""

    at: datetime
    what: str
    text: str
    by: Staff | None = None
    mails: tuple[int, ...] = ()

    @property
    def look(self) -> tuple[str, str]:
        """Icon and colour."""
        return LOOKS.get(self.what, ("calendar", ""))

    @property
    def alone(self) -> bool:
        """The patient did it, behind a link."""
        return self.by is None and self.what in history.ALONE


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole story: in a sentence (`summary`, with its colour), by kind of reminder, and in order of time."""

    course: Course
    session: Session | None
    summary: str
    tone: str
    reminders: tuple[Reminder, ...]
    told: tuple[Told, ...]


def of_session(session: int, *, now: datetime) -> Timeline:
    """Why the patient of a visit was mailed about it, or not. Ten queries. Raises Session.DoesNotExist."""
    course_id = Session.objects.values_list("course", flat=True).get(pk=session)
    course = queries.courses().get(pk=course_id)
    visit = next(one for one in course.sessions.all() if one.pk == session)
    visit.site = course.site
    happened = [event for event in _events(course) if session in event.sessions]
    since = min((event.at for event in happened), default=course.created_at)
    mails = [
        mail
        for mail in _mails(course)
        if mail.session_id == session
        or (mail.session_id is None and since <= mail.created_at <= max(visit.ends_at, since))
    ]
    consents = _consents(course.patient)
    reminders = tuple(reminded.of_visit(visit, course.patient, mails, happened, consents))
    names = {mail.pk: mail.get_kind_display() for mail in mails}
    told = sorted(_told(course, mails, happened, consents, [visit], names, now), key=lambda one: one.at)
    summary, tone = reminded.summary(visit, reminders, mails, now)
    return Timeline(course, visit, summary, tone, reminders, tuple(told))


def of_course(course_id: int, *, now: datetime) -> Timeline:
    """Everything that was mailed over a course, or not. Nine queries. Raises Course.DoesNotExist."""
    course = queries.courses().get(pk=course_id)
    mails, happened, consents = _mails(course), _events(course), _consents(course.patient)
    names = {mail.pk: _named(mail, course) for mail in mails}
    told = sorted(_told(course, mails, happened, consents, course.sessions.all(), names, now), key=lambda one: one.at)
    summary, tone = reminded.about_course(mails, course)
    return Timeline(course, None, summary, tone, (), tuple(told))


def _named(mail: Mail, course: Course) -> str:
    """A mail among those of many visits: the visit is named by the time that it had then."""
    label = mail.get_kind_display()
    if mail.about_at is None:
        return label
    values = {"mail": label, "when": wording.short(mail.about_at, course.site.zone)}
    return _("%(mail)s, visit %(when)s") % values


def _events(course: Course) -> list[Event]:
    return [event for event in history.entries(course) if event.kind not in _CLINICAL]


def _mails(course: Course) -> list[Mail]:
    tries = Prefetch("tries", Attempt.objects.order_by("at", "pk"))
    found = list(Mail.objects.filter(course=course).select_related("session").prefetch_related(tries).order_by("pk"))
    for mail in found:
        mail.course, mail.patient = course, course.patient
    return found


def _consents(patient: Patient) -> list[Consent]:
    found = Consent.objects.filter(patient=patient, channel=Channel.EMAIL).select_related("by")
    return list(found.order_by("at", "pk"))


def _told(
    course: Course,
    mails: Sequence[Mail],
    happened: Sequence[Event],
    consents: Sequence[Consent],
    visits: Iterable[Session],
    names: Mapping[int, str],
    now: datetime,
) -> Iterator[Told]:
    for event in happened:
        yield Told(event.at, event.kind, event.text, event.by)
    yield from _withdrawn(mails, names)
    yield from _made(mails, names, course)
    for mail in mails:
        yield from _tries(mail, names[mail.pk], course)
        yield from _end(mail, names[mail.pk])
        if mail.opened_at is not None:
            text = _("The link in “%(mail)s” was used for the first time.") % {"mail": names[mail.pk]}
            yield Told(mail.opened_at, "link-used", text, mails=(mail.pk,))
    yield from _contact(course.patient, consents)
    yield from _lines(course)
    for form in Questionnaire.objects.filter(session__in=[visit.pk for visit in visits]).order_by("pk"):
        text = _("The patient began %(form)s.") % {"form": form.get_instrument_display()}
        yield Told(form.started_at, "form-begun", text)


def _made(mails: Iterable[Mail], names: Mapping[int, str], course: Course) -> Iterator[Told]:
    """The mails that were made in one commit, when each was to go out."""
    for at, group in groupby(mails, key=lambda mail: mail.created_at):
        made = list(group)
        named = [
            _("“%(mail)s” for %(when)s")
            % {"mail": names[mail.pk], "when": wording.short(mail.due_at, course.site.zone)}
            for mail in sorted(made, key=lambda mail: mail.due_at)
        ]
        text = ngettext("A mail was queued: %(mails)s.", "Mails were queued: %(mails)s.", len(made))
        yield Told(at, "mails-made", text % {"mails": _listed(named)}, mails=tuple(mail.pk for mail in made))


def _listed(named: Sequence[str]) -> str:
    """These mails in one line; those of all visits of a course would fill the page."""
    rest = len(named) - _NAMED
    if rest > 1:
        named = [*named[:_NAMED], ngettext("%(count)s more", "%(count)s more", rest) % {"count": rest}]
    return ", ".join(named)


def _tries(mail: Mail, name: str, course: Course) -> Iterator[Told]:
    """What the mail server answered; tries with the same answer, one after the other, are told once."""
    for (state, answer), group in groupby(mail.tries.all(), key=lambda one: (one.state, one.answer)):
        same = list(group)
        first, last = same[0].at, same[-1].at
        values = {
            "mail": name,
            "answer": reminded.said(answer),
            "count": len(same),
            "until": wording.clock(last, course.site.zone),
        }
        about = (mail.pk,)
        if state == MailState.SENT:
            text = _("“%(mail)s” went out and was accepted by the mail server.") % values
            yield Told(first, "mail-sent", _with(text, values["answer"]), mails=about)
        elif state == MailState.FAILED:
            yield Told(first, "mail-failed", _("“%(mail)s” was refused: %(answer)s") % values, mails=about)
        elif len(same) == 1:
            text = _("“%(mail)s” could not go out, tried on: %(answer)s") % values
            yield Told(first, "mail-tried", text, mails=about)
        else:
            text = _("“%(mail)s” could not go out in %(count)s tries until %(until)s: %(answer)s") % values
            yield Told(first, "mail-tried", text, mails=about)


def _with(text: str, answer: object) -> str:
    return f"{text} ({answer})" if answer else text


def _end(mail: Mail, name: str) -> Iterator[Told]:
    """What no try tells: a mail that went out before tries were written down, or failed without one."""
    if mail.settled_at is None or mail.state in {one.state for one in mail.tries.all()}:
        return
    if mail.state == MailState.SENT:
        text = _("“%(mail)s” went out and was accepted by the mail server.") % {"mail": name}
        yield Told(mail.settled_at, "mail-sent", text, mails=(mail.pk,))
    elif mail.state == MailState.FAILED:
        text = _("“%(mail)s” did not go out: %(reason)s") % {"mail": name, "reason": reminded.why(mail)}
        yield Told(mail.settled_at, "mail-failed", text, mails=(mail.pk,))


def _withdrawn(mails: Iterable[Mail], names: Mapping[int, str]) -> Iterator[Told]:
    """The mails that were withdrawn, those of one moment and one reason together."""
    gone: dict[tuple[datetime, str], list[Mail]] = {}
    for mail in mails:
        if mail.state == MailState.WITHDRAWN and mail.settled_at is not None:
            gone.setdefault((mail.settled_at, reminded.why(mail)), []).append(mail)
    for (at, reason), together in gone.items():
        named = _listed([_("“%(mail)s”") % {"mail": names[mail.pk]} for mail in together])
        text = _("Withdrawn: %(mails)s. %(reason)s") % {"mails": named, "reason": reason}
        yield Told(at, "mail-withdrawn", text, mails=tuple(mail.pk for mail in together))


def _contact(patient: Patient, consents: Sequence[Consent]) -> Iterator[Told]:
    """What the patient agreed to, and what became known of the address."""
    for consent in consents:
        level = ContactLevel(consent.level)
        text = f"{_AGREED[level]} ({ConsentSource(consent.source).label})"
        yield Told(consent.at, "consent-stopped" if level == ContactLevel.STOPPED else "consent", text, consent.by)
    if patient.email_since is not None:
        yield Told(patient.email_since, "address-entered", _("The mail address was entered."))
    if patient.email_verified_at is not None:
        text = _("The patient acted on a mail: the address is verified.")
        yield Told(patient.email_verified_at, "address-verified", text)
    if patient.email_fault and patient.email_fault_at is not None:
        yield Told(patient.email_fault_at, "address-faulty", str(_FAULTS[AddressFault(patient.email_fault)]))


def _lines(course: Course) -> Iterator[Told]:
    """Lines of the worklist about what could not be mailed, when somebody has dealt with them."""
    done = Task.objects.filter(course=course, kind__in=_LINES, done_at__isnull=False, done_by__isnull=False)
    for task in done.select_related("done_by").order_by("pk"):
        text = _("Dealt with: %(line)s") % {"line": task.get_kind_display()}
        assert task.done_at is not None  # noqa: S101 filtered above
        yield Told(task.done_at, "line-done", text, task.done_by)
