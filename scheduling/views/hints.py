"""What comes next about a course, the most urgent first: each hint says what is the matter and what can be done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling import reminded, wording
from scheduling.mails.gathering import NEWS
from scheduling.models import OPEN, CourseState, Mail, MailState, PhaseChoice, SessionState
from scheduling.protocols import progress
from scheduling.views.steps import Standing, Step
from scheduling.visits.absence import AWAITED

#: So long after the dates have changed the patient may still stand at the desk: the printed list is offered first (P).
FRESH = timedelta(minutes=15)

#: Booked visits so near should have been confirmed (P).
NEAR = timedelta(days=3)

#: Events after which the patient needs a new list of dates.
NEW_DATES = frozenset({"booked", "added", "moved", "session-cancelled"})


@dataclass(frozen=True, slots=True)
class Hint:
    """Something about a course that somebody should know or do. The first step is the one that is recommended."""

    icon: str
    title: str
    text: str = ""
    tone: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A prescriber was asked to pass over rules: which, since when, by whom, whom in particular, and what was typed."""

    rules: tuple[str, ...]
    since: datetime
    by: str
    whom: str
    reason: str


def hints(
    standing: Standing, *, unsigned: Collection[str], asked: Asked | None, mails: Sequence[Mail], decides: bool
) -> list[Hint]:
    """What comes next, in the order in which the desk should look at it; `mails` are the latest first."""
    course = standing.course
    if course.ended_at is not None:
        return list(_ended(standing))
    # Somebody who has just given a visit up is asked for another one first; then the new list is worth printing.
    gave_up = bool(standing.told) and standing.told[0].kind == "session-cancelled"
    found = [*_lost(standing), *_fresh(standing)] if gave_up else [*_fresh(standing)]
    if course.state == CourseState.HELD:
        found += _held(standing, unsigned, asked)
    if course.state == CourseState.PAUSED:
        entry = next((entry for entry in standing.told if entry.kind == "paused"), None)
        found.append(Hint("hourglass", _("The course is paused."), entry.reason if entry else "", "amber"))
    found += _visits(standing) if gave_up else [*_visits(standing), *_lost(standing)]
    found += _unconfirmed(standing)
    found += _undelivered(standing, mails)
    found += _reach(standing, decides=decides)
    if course.state == CourseState.ACTIVE:
        found += _to_plan(standing, decides=decides)
    return found


def _ended(standing: Standing) -> Iterator[Hint]:
    """How a course came to its end, and what can follow."""
    course, zone = standing.course, standing.course.site.zone
    icon = {CourseState.CANCELLED: "x", CourseState.STOPPED: "ban"}.get(CourseState(course.state), "circle-check")
    entry = next((entry for entry in standing.told if entry.kind in ("hold-expired", course.state)), None)
    when = wording.short(entry.at if entry else course.ended_at or standing.now, zone)
    text = _("%(when)s, by %(who)s.") % {"when": when, "who": entry.by} if entry and entry.by else when
    title = entry.text if entry else _("The course has ended: %(state)s.") % {"state": course.get_state_display()}
    steps = [Step(_("Plan a new course"), reverse("new-course", args=[course.patient_id]), "calendar-plus")]
    yield Hint(icon, title, text, "", tuple(steps if standing.books else ()))


def _fresh(standing: Standing) -> Iterator[Hint]:
    """Dates were changed a moment ago: the patient takes a new list home."""
    latest = standing.told[0] if standing.told else None
    if latest and latest.kind in NEW_DATES and standing.now - latest.at < FRESH and standing.coming:
        step = Step(_("Print the dates"), reverse("course-dates", args=[standing.course.pk]), "printer", key="p")
        text = _("A list without any clinical word, in the patient's language.")
        if not standing.course.patient.email:
            text = _("There is no mail address: the list is all that the patient gets.")
        yield Hint("calendar", _("The dates are new: give the patient the list."), text, "green", (step,))


def _held(standing: Standing, unsigned: Collection[str], asked: Asked | None) -> Iterator[Hint]:
    course, zone = standing.course, standing.course.site.zone
    assert course.held_until is not None  # noqa: S101 a constraint of the database
    until = wording.short(course.held_until, zone)
    if course.held_until <= standing.now:
        yield Hint(
            "hourglass", _("The hold ran out %(when)s; its times are free for others.") % {"when": until}, "", "red"
        )
        return
    left = wording.length(course.held_until - standing.now)
    title = _("Held until %(when)s, %(left)s left. Then the times are free again.") % {"when": until, "left": left}
    yield Hint("hourglass", title, _("Nothing is mailed before these visits are booked."), "grey")
    if not unsigned:
        return
    names = ", ".join(wording.rule(code) for code in sorted(unsigned))
    text = _("A prescriber has to sign: %(rules)s.") % {"rules": names}
    if asked is None:
        yield Hint("signature", text, "", "plum")
        return
    values = {"who": asked.by or _("Somebody"), "whom": asked.whom, "when": wording.short(asked.since, zone)}
    told = _("%(who)s asked %(whom)s %(when)s.") if asked.whom else _("%(who)s asked for it %(when)s.")
    words = [told % values, _("“%(reason)s”") % {"reason": asked.reason}] if asked.reason else [told % values]
    yield Hint("signature", text, " ".join(words), "plum")


def _visits(standing: Standing) -> Iterator[Hint]:
    """Visits that need somebody now: without a time, not come, not written down."""
    zone = standing.course.site.zone
    rows = {row.session.pk: row for row in standing.rows}
    for session in standing.live:
        row, when = rows[session.pk], wording.short(session.starts_at, zone)
        if session.needs_replan and session.state in OPEN:
            yield Hint("arrows-exchange", _("%(when)s no longer fits.") % {"when": when}, "", "amber", row.steps[:1])
        elif row.late:
            values = {"late": wording.length(row.late.by), "when": wording.short(session.starts_at, zone)}
            title = _("%(when)s: late %(late)s.") % values
            if session.expected_at:
                clock = wording.clock(session.expected_at, zone)
                title = _("%(when)s: late, comes at %(clock)s.") % (values | {"clock": clock})
            # Who has said when to come is waited for; no step is recommended before that.
            if standing.agreed(session):
                yield Hint("clock-exclamation", title, "", "amber")
            else:
                yield Hint("clock-exclamation", title, _call(standing), "amber", row.steps[:1])
        elif session.state in AWAITED and session.ends_at <= standing.now:
            text = _("Nobody has written down what came of it.")
            yield Hint("clock-exclamation", _("%(when)s is past.") % {"when": when}, text, "amber", row.steps[:1])


def _lost(standing: Standing) -> Iterator[Hint]:
    """A visit that fell out and can be made up."""
    for session in standing.to_make_up[:1] if standing.books else ():
        title = _("%(when)s fell out: %(state)s.") % {
            "when": wording.short(session.starts_at, standing.course.site.zone),
            "state": session.get_state_display().lower(),
        }
        yield Hint("calendar-plus", title, _counted(standing), "amber", (standing.make_up(session),))


def _unconfirmed(standing: Standing) -> Iterator[Hint]:
    """Visits so near that the patient should have said yes."""
    near = [one for one in standing.coming if one.state == SessionState.BOOKED and one.starts_at < standing.now + NEAR]
    if near:
        dates = ", ".join(wording.short(session.starts_at, standing.course.site.zone) for session in near)
        yield Hint("check", _("Not confirmed yet: %(dates)s") % {"dates": dates}, _call(standing))


def _call(standing: Standing) -> str:
    phone = standing.course.patient.phone
    return _("Call %(phone)s.") % {"phone": phone} if phone else _("There is no phone number.")


def _undelivered(standing: Standing, mails: Sequence[Mail]) -> Iterator[Hint]:
    """The last thing that the patient should have read about the dates did not arrive."""
    news = [mail for mail in mails if mail.kind in NEWS and mail.state in (MailState.SENT, MailState.FAILED)]
    if news and news[0].state == MailState.FAILED and standing.coming:
        title = _("“%(mail)s” could not be mailed: tell the patient by phone.") % {"mail": news[0].get_kind_display()}
        yield Hint("mail-x", title, " ".join([_call(standing), reminded.reason(news[0].error)]), "red")


def _reach(standing: Standing, *, decides: bool) -> Iterator[Hint]:
    """The minimum cannot be reached any more: what a clinic can do about it."""
    for finding in standing.findings:
        if finding.rule != "reach":
            continue
        steps = []
        if standing.books:
            movable = [session for session in standing.coming if session.phase == PhaseChoice.INITIAL]
            if movable:
                move = reverse("session-move", args=[movable[-1].pk])
                steps.append(Step(_("Move the last visit"), move, "arrows-exchange"))
            steps.append(Step(_("Add visits by override"), standing.add(), "signature"))
        if decides:
            decide = reverse("course-decide", args=[standing.course.pk])
            steps.append(Step(_("Close the phase early"), decide, "circle-check"))
        yield Hint("alert-triangle", wording.sentence(finding.text, finding.values), "", "amber", tuple(steps))


def _to_plan(standing: Standing, *, decides: bool) -> Iterator[Hint]:
    """Dates that the course still lacks, or the decision that it waits for."""
    steps = (lambda step: (step,)) if standing.books else (lambda step: ())
    if standing.course.phase == PhaseChoice.MAINTENANCE:
        if not standing.coming:
            step = Step(_("Plan the dates"), standing.add(), "calendar-plus", key="a")
            yield Hint("calendar-plus", _("Maintenance has no date to come."), "", "amber", steps(step))
        elif month := owed_month(standing):
            name = date_format(month, "F Y")
            start = max(month, standing.today + timedelta(days=1))
            step = Step(_("Plan %(month)s") % {"month": name}, standing.add(1, start), "calendar-plus", key="a")
            yield Hint("calendar-plus", _("%(month)s has no visit yet.") % {"month": name}, "", "", steps(step))
    elif standing.missing and not standing.to_make_up:
        step = Step(_("Add visits"), standing.add(), "calendar-plus", key="a")
        yield Hint("calendar-plus", _counted(standing), "", "", steps(step))
    elif standing.live and not standing.missing and not any(one.state in OPEN for one in standing.live):
        decide = Step(_("Decide"), reverse("course-decide", args=[standing.course.pk]), "circle-check")
        title = _("All planned visits are over: a prescriber decides how it goes on.")
        yield Hint("list-check", title, "", "amber", (decide,) if decides else ())


def owed_month(standing: Standing) -> date | None:
    """The first of this and the next two months that owes a maintenance visit and has none (rule `month-min`)."""
    least = standing.protocol.month_min
    earlier = [session.local_date for session in standing.live if session.phase != PhaseChoice.MAINTENANCE]
    if not least or not earlier:
        return None
    there = [
        (session.local_date.year, session.local_date.month)
        for session in standing.live
        if session.phase == PhaseChoice.MAINTENANCE
    ]
    month = max(standing.today.replace(day=1), progress.first_owed_month(max(earlier)))
    for _later in range(3):
        if there.count((month.year, month.month)) < least:
            return month
        month = (month + timedelta(days=31)).replace(day=1)
    return None


def _counted(standing: Standing) -> str:
    """How many of the planned initial visits stand."""
    planned = standing.protocol.initial_plan
    if standing.course.phase == PhaseChoice.MAINTENANCE:
        return ""
    return ngettext(
        "%(there)s of %(planned)s planned visit is booked or given.",
        "%(there)s of %(planned)s planned visits are booked or given.",
        planned,
    ) % {"there": planned - standing.missing, "planned": planned}


def asked_of(task: Mapping[str, Any] | None, standing: Standing) -> Asked | None:
    """The open request for an override, as the course's row carries it."""
    if not task:
        return None
    details = task["details"]
    entry = next((entry for entry in standing.told if entry.kind in ("held", "moved", "added")), None)
    return Asked(
        rules=tuple(details.get("rules", ())),
        since=datetime.fromisoformat(task["since"]),
        by=str(entry.by) if entry and entry.by else "",
        whom=details.get("asked_name", ""),
        reason=details.get("reason", ""),
    )
