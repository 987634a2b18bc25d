"""What happened to a course, in sentences: who did what and when, with the dates that were meant then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from clinic.findings import Level
from clinic.models import Staff
from scheduling import wording
from scheduling.models import Course, CourseEvent

#: What is said about each kind of event.
TOLD = {
    "booked": ngettext_lazy("Booked: %(count)s visit, %(dates)s.", "Booked: %(count)s visits, %(dates)s.", "count"),
    "held": ngettext_lazy("Held: %(count)s visit, %(dates)s.", "Held: %(count)s visits, %(dates)s.", "count"),
    "added": ngettext_lazy("Added: %(count)s visit, %(dates)s.", "Added: %(count)s visits, %(dates)s.", "count"),
    "session-cancelled": gettext_lazy("%(dates)s cancelled: %(reason)s"),
    "cancelled": gettext_lazy("The course was cancelled: %(reason)s"),
    "no-show": gettext_lazy("%(dates)s, nobody came: %(reason)s"),
    "rolled-on": ngettext_lazy(
        "Planned on: %(count)s visit, %(dates)s.", "Planned on: %(count)s visits, %(dates)s.", "count"
    ),
    "hold-expired": gettext_lazy("The hold has run out; the times are free."),
    "confirmed": gettext_lazy("%(dates)s: the patient said yes."),
    "not-confirmed": gettext_lazy("%(dates)s: the patient has taken back the yes."),
    "call-asked": gettext_lazy("The patient asked for a call."),
    "call-taken-back": gettext_lazy("The patient needs no call any more."),
    "escort-named": gettext_lazy("%(dates)s: the patient said who takes them home."),
    "escort-taken-back": gettext_lazy("%(dates)s: the patient no longer knows who takes them home."),
    "expected": gettext_lazy("%(dates)s: the patient comes at %(at)s."),
    "move-asked": gettext_lazy("%(dates)s: the patient asks for another time."),
    "move-taken-back": gettext_lazy("%(dates)s: the patient needs no other time any more."),
    "offered": gettext_lazy("%(dates)s: other times were offered."),
    "needs-time": ngettext_lazy(
        "%(count)s visit no longer fits: %(dates)s.", "%(count)s visits no longer fit: %(dates)s.", "count"
    ),
    "fits-again": ngettext_lazy(
        "%(count)s visit fits again: %(dates)s.", "%(count)s visits fit again: %(dates)s.", "count"
    ),
    "paused": gettext_lazy("Paused: %(reason)s"),
    "stopped": gettext_lazy("Stopped: %(reason)s"),
    "completed": gettext_lazy("Completed: %(reason)s"),
    "checked-in": gettext_lazy("%(dates)s: checked in."),
    "reviewed": gettext_lazy("%(dates)s, what is new was reviewed: %(reason)s"),
    "dose-started": gettext_lazy("%(dates)s: dose begun, %(drug)s %(mg)s mg."),
    "dose-ended": gettext_lazy("%(dates)s: dose ended, %(mg_given)s mg given."),
    "discharged": gettext_lazy("%(dates)s: discharged."),
    "left-early": gettext_lazy("%(dates)s, left against advice: %(reason)s"),
    "transferred": gettext_lazy("%(dates)s, emergency transfer: %(reason)s"),
    "not-dosed": gettext_lazy("%(dates)s, no dose was given: %(reason)s"),
    "undone": gettext_lazy("%(dates)s: the last step was undone."),
    "vitals-voided": gettext_lazy("%(dates)s: a round of measurements was voided."),
    "vitals-acted-on": gettext_lazy("%(dates)s, about a round of measurements: %(reason)s"),
    "amended": gettext_lazy("%(dates)s: what was said at check-in was corrected."),
    "adverse-event": gettext_lazy("%(dates)s, adverse event of severity %(severity)s: %(type)s"),
    "addendum": gettext_lazy("%(dates)s: an addendum was written."),
    "answered": gettext_lazy("%(dates)s: the patient has sent the questionnaire."),
    "form-sent": gettext_lazy("%(dates)s: the monitoring form was sent."),
    "chair-changed": gettext_lazy("%(dates)s: another chair during the visit."),
    "handed-over": gettext_lazy("%(dates)s: handed over to another prescriber."),
}
#: What is said about each decision.
DECIDED = {
    "go-on": gettext_lazy("Go on: %(reason)s"),
    "extend": gettext_lazy("Initial phase extended: %(reason)s"),
    "change-dose": gettext_lazy("Dose %(dose)s: %(reason)s"),
    "maintenance": gettext_lazy("Maintenance every %(days)s days: %(reason)s"),
    "new-initial": gettext_lazy("A new initial phase begins with a new course: %(reason)s"),
    "pause": TOLD["paused"],
    "close-early": TOLD["completed"],
    "stop": TOLD["stopped"],
}
MISSING = ngettext_lazy("%(count)s date found no place", "%(count)s dates found no place", "count")
#: The same where nobody said why, or took back what was said.
UNEXPLAINED = {
    "no-show": gettext_lazy("%(dates)s: nobody came."),
    "expected": gettext_lazy("%(dates)s: the patient comes as planned."),
}
#: What patients do alone, behind a link: then nobody of the staff stands beside it.
ALONE = frozenset(
    {
        "confirmed",
        "not-confirmed",
        "answered",
        "escort-named",
        "escort-taken-back",
        "call-asked",
        "call-taken-back",
        "move-asked",
        "move-taken-back",
        "moved",
    }
)


@dataclass(frozen=True, slots=True)
class Noted:
    """A finding that was known when something was done: its level, the rule's code and what was observed."""

    level: Level
    rule: str
    observed: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. `sessions` are the visits it concerned, `reason` what was typed, `by` None for what runs by itself."""

    at: datetime
    by: Staff | None
    kind: str
    text: str
    reason: str
    sessions: frozenset[int]
    noted: tuple[Noted, ...]

    @property
    def alone(self) -> bool:
        """The patient did it, behind a link."""
        return self.by is None and self.kind in ALONE


def entries(course: Course) -> tuple[Entry, ...]:
    """The events of a course, the latest first. Expects its sessions and events fetched; no query then.

    A visit is named by the date it had when the event happened: moves are followed back in time.
    """
    zone = course.site.zone
    starts = {session.pk: session.starts_at for session in course.sessions.all()}
    told = []
    for event in reversed(course.events.all()):
        details: Mapping[str, Any] = event.details
        told.append(
            Entry(
                at=event.at,
                by=event.by,
                kind=event.kind,
                text=_tell(event, starts, zone),
                reason=details.get("reason", ""),
                sessions=frozenset(details.get("sessions", ())),
                noted=tuple(
                    Noted(Level(found["level"]), found["rule"], found["observed"])
                    for found in details.get("findings", ())
                ),
            )
        )
        for move in details.get("moved", ()):
            starts[move["session"]] = datetime.fromisoformat(move["from"]["starts_at"])
    return tuple(told)


def about(told: tuple[Entry, ...], session: int) -> Entry | None:
    """The latest event that concerned a visit."""
    return next((entry for entry in told if session in entry.sessions), None)


def _tell(event: CourseEvent, starts: Mapping[int, datetime], zone: tzinfo) -> str:
    details: Mapping[str, Any] = event.details
    if event.kind == "moved":
        return " ".join(_moved(move, zone, alone=details.get("alone", False)) for move in details.get("moved", ()))
    meant = sorted(starts[pk] for pk in details.get("sessions", ()) if pk in starts)
    at = details.get("expected_at")
    values = {
        "count": len(details.get("sessions", ())),
        "dates": _span(meant, zone),
        "reason": details.get("reason", ""),
        "days": details.get("interval_days", ""),
        "dose": f"{details.get('dose')} {details.get('unit')}",
        **{name: details.get(name, "") for name in ("drug", "mg", "mg_given", "severity", "type")},
        "at": wording.clock(datetime.fromisoformat(at), zone) if at else "",
    }
    if event.kind == "decided":
        return _decided(details, values)
    texts = UNEXPLAINED if event.kind in UNEXPLAINED and not (values["reason"] or at) else TOLD
    return str(texts[event.kind] % values) if event.kind in texts else event.kind


def _decided(details: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The decision, and what of it found no place."""
    text = str(DECIDED[details.get("decision", "maintenance")] % values)
    missing = details.get("missing", 0)
    return f"{text} ({MISSING % {'count': missing}})" if missing else text


def _moved(move: Mapping[str, Any], zone: tzinfo, *, alone: bool) -> str:
    old, new = (datetime.fromisoformat(move[end]["starts_at"]) for end in ("from", "to"))
    if old == new:
        return _("%(when)s: another chair or prescriber.") % {"when": wording.short(new, zone)}
    text = _("The patient has moved it: %(old)s to %(new)s.") if alone else _("Moved: %(old)s to %(new)s.")
    return text % {"old": wording.short(old, zone), "new": wording.short(new, zone)}


def _span(meant: Sequence[datetime], zone: tzinfo) -> str:
    """The one date, or the first and the last of several."""
    if len(meant) < 2:
        return wording.short(meant[0], zone) if meant else ""
    first, last = (date_format(at.astimezone(zone), "D j M") for at in (meant[0], meant[-1]))
    return _("%(first)s to %(last)s") % {"first": first, "last": last}
