"""What became of the reminders of a visit, and of the news about a course: kind by kind, and in a sentence.

A reminder that was never made has left no row; why is worked out from the rule that says when reminders are due. No
query here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.models import Consent, ContactLevel, Patient
from scheduling import wording
from scheduling.history import Entry
from scheduling.mails import letters
from scheduling.mails.gathering import NEWS
from scheduling.models import FREED, Course, Mail, MailKind, MailState, Session, SessionState
from scheduling.protocols import reminder_times

#: What the drain says with something in it that is nobody's language: as it is stored, and as a sentence.
_NAMING = (
    (
        re.compile(r"The mail server cannot be reached \((?P<error>\w+)\)\."),
        gettext_lazy("The mail server cannot be reached (%(error)s)."),
    ),
    (
        re.compile(r"The mail server broke off \((?P<error>\w+)\)\."),
        gettext_lazy("The mail server broke off (%(error)s)."),
    ),
    (
        re.compile(r"Held back, it would have said: (?P<words>.+)"),
        gettext_lazy("Held back, it would have said: %(words)s"),
    ),
)
_CODE = re.compile(r"[45]\d\d ")

#: A reminder that has no row.
NOT_MADE = "not-made"

#: The events after which a visit has other times, or has them at all.
TIMES = frozenset({"booked", "held", "added", "moved", "decided", "rolled-on"})


@dataclass(frozen=True, slots=True)
class Reminder:
    """What became of one kind of reminder for the times that a visit has now: the state of its mail, or NOT_MADE. `at`
    is when it went out, or when it was due; `why` says the rest in a sentence."""

    kind: MailKind
    state: str
    at: datetime
    why: str
    mail: Mail | None


def said(answer: str) -> str:
    """What came of a try, or why a mail ended, as it was stored: in the reader's language where the words are ours."""
    if not answer:
        return ""
    for stored, sentence in _NAMING:
        if found := stored.fullmatch(answer):
            return str(sentence % found.groupdict())
    return _(answer)


def reason(error: str) -> str:
    """Why a mail has not gone out, in a sentence: what a mail server answered is named as its answer."""
    if not _CODE.match(error):
        return said(error)
    text = (
        _("The mail server refused it: %(answer)s") if error[0] == "5" else _("The mail server put it off: %(answer)s")
    )
    return text % {"answer": error}


def of_visit(
    visit: Session,
    patient: Patient,
    mails: Sequence[Mail],
    happened: Sequence[Entry],
    consents: Sequence[Consent],
) -> Iterator[Reminder]:
    """For the times that the visit has now: each kind of reminder, in the order in which they are due."""
    standing = (visit.pk, visit.times_version)
    rows = {mail.kind: mail for mail in mails if (mail.session_id, mail.times_version) == standing}
    made_at = max((event.at for event in happened if event.kind in TIMES), default=visit.starts_at)
    ever = datetime.min.replace(tzinfo=UTC)
    quiet = letters.quiet_hours(visit.site)
    due = reminder_times.reminders(starts_at=visit.starts_at, quiet=quiet, now=ever)
    for kind, due_at, _expires_at in due:
        mail = rows.get(kind)
        if mail is None:
            text = _why_not(visit, patient, due_at, made_at, consents)
            yield Reminder(MailKind(kind), NOT_MADE, due_at, text, None)
        else:
            yield Reminder(MailKind(kind), mail.state, mail.sent_at or mail.due_at, why(mail), mail)


def why(mail: Mail) -> str:
    """What has to be said of a mail beside its state."""
    match mail.state:
        case MailState.SENT:
            return _("Accepted by the mail server.")
        case MailState.WITHDRAWN:
            return reason(mail.error) if mail.error else _("The dates were changed.")  # an old one
        case MailState.DUE if not mail.error:
            return ""
    return reason(mail.error)


def _why_not(visit: Session, patient: Patient, due_at: datetime, made_at: datetime, consents: Sequence[Consent]) -> str:
    """Why there is no mail for a reminder: the first thing that stood in its way."""
    zone = visit.site.zone
    if visit.state == SessionState.HELD:
        return _("The times are only held.")
    if visit.state == SessionState.EXPIRED:
        return _("The times were only held.")
    if due_at < made_at:
        return _("It was past when the visit got these times, %(when)s.") % {"when": wording.short(made_at, zone)}
    then = [consent for consent in consents if consent.at <= made_at]
    if not then or then[-1].level == ContactLevel.STOPPED:
        later = next((one for one in consents if one.at > made_at and one.level != ContactLevel.STOPPED), None)
        if later is not None:
            return _("No mail could go to the patient before %(when)s.") % {"when": wording.short(later.at, zone)}
    if hindrance := letters.withheld(patient):
        return _(hindrance.reason)
    return _("None was made.")


def summary(visit: Session, reminders: Sequence[Reminder], mails: Sequence[Mail], now: datetime) -> tuple[str, str]:
    """What somebody wants to know first, and its colour."""
    zone = visit.site.zone
    if visit.state in FREED:
        told = [mail for mail in mails if mail.kind in (MailKind.CANCELLED, MailKind.MISSED, MailKind.CHANGED)]
        return (_fate(told[-1], zone) if told else _("The visit does not take place: no mail goes out."), _tone(told))
    by_state: dict[str, list[Reminder]] = {}
    for one in reminders:
        by_state.setdefault(one.state, []).append(one)
    failed, sent, due = (by_state.get(state, []) for state in (MailState.FAILED, MailState.SENT, MailState.DUE))
    # What went out after a failure counts more than the failure.
    ended = sorted([*failed, *sent], key=lambda one: one.at)
    sentences, tone = [], ""
    if ended:
        sentences.append(_fate(ended[-1].mail, zone))
        tone = "green" if ended[-1].state == MailState.SENT else "red"
    if due:
        values = {"mail": due[0].kind.label, "when": wording.short(due[0].at, zone)}
        text = _("“%(mail)s” goes out on %(when)s.")
        if not ended:
            text = _("No reminder yet; “%(mail)s” goes out on %(when)s.")
        sentences.append(text % values)
        if due[0].why:
            sentences.append(due[0].why)
    elif ended and reminders[-1].state == MailState.WITHDRAWN:
        values = {"mail": reminders[-1].kind.label, "reason": reminders[-1].why}
        sentences.append(_("“%(mail)s” was withdrawn: %(reason)s") % values)
    if not sentences:
        # Of the withdrawn the last says most, of those that were never made the last, too.
        last = reminders[-1]
        text = _("No reminder went out. %(why)s") if visit.starts_at <= now else _("No reminder goes out. %(why)s")
        sentences.append(text % {"why": last.why})
    return " ".join(sentences), tone


def about_course(mails: Sequence[Mail], course: Course) -> tuple[str, str]:
    """What the patient was last told about the dates as a whole."""
    news = [mail for mail in mails if mail.kind in NEWS and mail.state != MailState.WITHDRAWN]
    if news:
        return _fate(news[-1], course.site.zone), _tone(news)
    hindrance = letters.withheld(course.patient)
    return (_(hindrance.reason), "amber") if hindrance else (_("No mail was made about the dates."), "")


def _fate(mail: Mail | None, zone: tzinfo) -> str:
    """What became of one mail, in a sentence."""
    assert mail is not None  # noqa: S101 only reminders that were made have ended
    values = {
        "mail": mail.get_kind_display(),
        "when": wording.short(mail.sent_at or mail.due_at, zone),
        "reason": reason(mail.error),
    }
    match mail.state:
        case MailState.SENT:
            return _("“%(mail)s” went out on %(when)s and was accepted by the mail server.") % values
        case MailState.FAILED:
            return _("“%(mail)s” did not go out: %(reason)s") % values
        case MailState.WITHDRAWN:
            return _("“%(mail)s” was withdrawn before it went out.") % values
    return _("“%(mail)s” goes out on %(when)s.") % values


def _tone(mails: Sequence[Mail]) -> str:
    return {MailState.SENT.value: "green", MailState.FAILED.value: "red"}.get(mails[-1].state, "") if mails else ""
