"""What speaks against places for sessions: every rule that the calendar, the protocol and the course know, and what
other bookings have taken. Reads and judges, writes nothing; the verbs of `booking.py` act on its verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from django.utils.translation import gettext as _

from clinic.errors import Invalid, RoleRefused, RulesBroken
from clinic.findings import Finding, Level, by_severity, gettext_noop
from clinic.models import Chair, Site, Staff
from patients import eligibility
from scheduling import openings
from scheduling.models import DOSED, LIVE, Course, CourseState, Session
from scheduling.protocols import spacing
from scheduling.protocols.types import Phase, Place, Protocol, Spot, VisitTimes

#: More sessions at once are a mistake, whatever a protocol says; further ahead, nobody plans (both P).
MOST_PLACES = 60
LONGEST_AHEAD = timedelta(days=730)


TAKEN = gettext_noop("This time belongs to another booking.")

#: Rules about the initial phase as a whole: which of its sessions a finding names is no part of the breach.
OF_THE_PHASE = frozenset({"initial-min", "initial-max", "span-min", "reach"})


@dataclass(frozen=True, slots=True)
class Signature:
    """A prescriber passes over rules, by their codes, for a reason that is kept with the course."""

    by: Staff
    rules: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `taken` holds the indexes of places that another booking has, `phases` those of new sessions."""

    findings: tuple[Finding, ...]
    taken: tuple[int, ...] = ()
    phases: tuple[Phase, ...] = ()

    def at(self, level: Level) -> tuple[Finding, ...]:
        """The findings of one level."""
        return tuple(finding for finding in self.findings if finding.level == level)


def check_places(*, actor: Staff, places: Sequence[Place], site: Site | None, now: datetime) -> Site:
    """Whether the places can be meant at all; returns their site. One query for chairs, one for prescribers.

    Raises Invalid for none or too many, past, naive or far times, chairs and people of another site than the
    actor's, or of more than one.
    """
    if not places:
        raise Invalid.at("sessions", _("Name at least one session."))
    if len(places) > MOST_PLACES:
        raise Invalid.at("sessions", _("At most %(most)s sessions at once.") % {"most": MOST_PLACES})
    for place in places:
        check_start(place.starts_at, now)
    chairs = {
        chair.pk: chair
        for chair in Chair.objects.filter(
            pk__in={place.chair for place in places}, active=True, site__staff=actor
        ).select_related("site")
    }
    if any(place.chair not in chairs for place in places):
        raise Invalid.at("chair", _("There is no such chair at your site."))
    sites = {chair.site for chair in chairs.values()} | ({site} if site else set())
    if len(sites) > 1:
        raise Invalid.at("chair", _("This chair is at another site."))
    here = sites.pop()
    prescribers = {place.prescriber for place in places}
    known = set(
        Staff.objects.filter(pk__in=prescribers, is_prescriber=True, is_active=True, sites=here).values_list(
            "pk", flat=True
        )
    )
    if known != prescribers:
        raise Invalid.at("prescriber", _("There is no such prescriber at this site."))
    return here


def check_start(starts_at: datetime, now: datetime) -> None:
    """Raise Invalid for a time without a zone, a past one, and one further ahead than anybody plans."""
    if starts_at.tzinfo is None:
        raise Invalid.at("starts_at", _("A time needs its zone."))
    if starts_at <= now:
        raise Invalid.at("starts_at", _("This time is past."))
    if starts_at > now + LONGEST_AHEAD:
        raise Invalid.at("starts_at", _("This time is more than two years ahead."))


def weigh(
    *,
    site: Site,
    protocol: Protocol,
    places: Sequence[Place],
    spots: Sequence[Spot],
    standing: Sequence[Spot],
    leaving: Collection[int] = (),
) -> Verdict:
    """Judge places (as `spots`, in the same order) beside the sessions that stand.

    Findings that stood before and do not change are not blamed on these places. `leaving` are the ids of sessions
    that give up their time for them; `standing` holds them too, so that what they break now is known. Four queries.
    """
    zone = site.zone
    refs = dict(enumerate(spot.ref for spot in spots))
    findings, taken = _look(site, protocol, dict(enumerate(places)), leaving)
    findings = [replace(finding, sessions=tuple(refs[row] for row in finding.sessions)) for finding in findings]
    findings += new_findings(protocol=protocol, zone=zone, standing=standing, spots=spots, leaving=leaving)
    return Verdict(by_severity(findings), tuple(taken))


def calendar_findings(
    *, site: Site, protocol: Protocol, places: Mapping[int, Place], leaving: Collection[int] = ()
) -> list[Finding]:
    """What hours, shifts and other bookings say to places, named by their keys; `taken` for another booking's.
    `leaving` are the ids of sessions that give up their time for them."""
    findings, taken = _look(site, protocol, places, leaving)
    return [*map(taken_finding, taken), *findings]


def taken_finding(row: int) -> Finding:
    """For pages and proposals: another booking has this row. The verbs raise SlotTaken instead."""
    return Finding("taken", Level.BLOCK, TAKEN, sessions=(row,))


def _look(
    site: Site, protocol: Protocol, places: Mapping[int, Place], leaving: Collection[int]
) -> tuple[list[Finding], list[int]]:
    """`hours` and `doctor` for places, and the keys of those that are taken."""
    days = openings.read(site, {_date(site, place) for place in places.values()}, list(places.values()))
    findings, taken = [], []
    for row, place in places.items():
        times = protocol.visit.at(place.starts_at)
        facts = days[_date(site, place)]
        refused = list(facts.refusals(row, place, times))
        findings += refused
        if not refused and facts.taken(place, times, leaving):
            taken.append(row)
    return findings, taken


def _date(site: Site, place: Place) -> date:
    return place.starts_at.astimezone(site.zone).date()


def new_findings(
    *, protocol: Protocol, zone: tzinfo, standing: Sequence[Spot], spots: Sequence[Spot], leaving: Collection[int] = ()
) -> list[Finding]:
    """What the schedule rules say once `spots` stand and `leaving` are gone, and did not say before."""
    before = spacing.judge(protocol=protocol, sessions=standing, zone=zone)
    kept = [spot for spot in standing if spot.ref not in leaving]
    after = spacing.judge(protocol=protocol, sessions=[*kept, *spots], zone=zone)
    return [finding for finding in after if not any(_no_worse(finding, known) for known in before)]


def _no_worse(finding: Finding, known: Finding) -> bool:
    """The same breach as before, or less of it."""
    same = finding.rule in OF_THE_PHASE or set(finding.sessions) <= set(known.sessions)
    return finding.rule == known.rule and same and finding.beyond <= known.beyond


def weigh_new(
    *,
    site: Site,
    patient: int,
    protocol: Protocol,
    course: Course | None,
    places: Sequence[Place],
    phases: Sequence[Phase] | None = None,
) -> Verdict:
    """Judge places for new sessions, of a new course or of `course`, beside all that the patient has standing.

    `phases` are theirs; None: those of the course, by their days. Findings name the places by index. Five queries.
    """
    standing = standing_of(patient)
    phases = phases_of(course, protocol, places, standing) if phases is None else phases
    verdict = weigh(
        site=site,
        protocol=protocol,
        places=places,
        spots=[
            Spot(row, place.starts_at, phase) for row, (place, phase) in enumerate(zip(places, phases, strict=True))
        ],
        standing=spots_of(standing, course, by_id=False),
    )
    found = verdict.findings
    if course is not None:
        for phase in dict.fromkeys(phases):
            found = (*found, *course_findings(protocol, course, phase))
    return Verdict(only_indexes(by_severity(found)), verdict.taken, tuple(phases))


def weigh_moves(course: Course, moves: Sequence[tuple[Session, Place]]) -> Verdict:
    """Judge other places for sessions of a course that stand, all together; findings name sessions by id, `taken` the
    moves by index. Five queries."""
    verdict = weigh(
        site=course.site,
        protocol=course.protocol.protocol,
        places=[place for _, place in moves],
        spots=[Spot(session.pk, place.starts_at, Phase(session.phase)) for session, place in moves],
        standing=spots_of(standing_of(course.patient_id), course, by_id=True),
        leaving={session.pk for session, _ in moves},
    )
    phase = Phase(moves[0][0].phase)
    ended = [one for one in course_findings(course.protocol.protocol, course, phase) if one.rule == "stopped"]
    return Verdict(by_severity([*verdict.findings, *ended]), verdict.taken)


def weigh_standing(course: Course, sessions: Sequence[Session]) -> Verdict:
    """Judge sessions of a course again in the places they have; findings name sessions by id. Five queries."""
    site, protocol = course.site, course.protocol.protocol
    ids = {session.pk for session in sessions}
    others = [session for session in standing_of(course.patient_id) if session.pk not in ids]
    return weigh(
        site=site,
        protocol=protocol,
        places=[place_of(session) for session in sessions],
        spots=spots_of(sessions, course, by_id=True),
        standing=spots_of(others, course, by_id=True),
        leaving=ids,
    )


def weigh_leaving(course: Course, leaving: Collection[int]) -> tuple[Finding, ...]:
    """What the course breaks once these sessions are gone, and did not break before."""
    return weigh(
        site=course.site,
        protocol=course.protocol.protocol,
        places=(),
        spots=(),
        standing=spots_of(standing_of(course.patient_id), course, by_id=True),
        leaving=leaving,
    ).findings


def weigh_closing(course: Course, sessions: Sequence[Session]) -> Verdict:
    """Whether the initial phase can be closed with the sessions in which drug was given: `initial-min`, `span-min`."""
    if course.phase == Phase.MAINTENANCE:
        return Verdict(())
    given = [session for session in sessions if session.state in DOSED and session.phase == Phase.INITIAL]
    protocol = course.protocol.protocol
    found = spacing.judge(
        protocol=protocol, sessions=spots_of(given, course, by_id=True), zone=course.site.zone, closed=True
    )
    return Verdict(tuple(finding for finding in found if finding.rule in ("initial-min", "span-min")))


def phases_of(
    course: Course | None, protocol: Protocol, places: Sequence[Place], standing: Sequence[Standing]
) -> list[Phase]:
    """The phase each new session belongs to: that of its course, or by its day the taper of protocols that have one."""
    if course is None:
        return [Phase.INITIAL] * len(places)
    if course.phase == Phase.MAINTENANCE or not protocol.taper_sessions:
        return [Phase(course.phase)] * len(places)
    zone = course.site.zone
    mine = [session.local_date for session in standing if session.course_id == course.pk]
    dates = [place.starts_at.astimezone(zone).date() for place in places]
    first = min([*mine, *dates])
    return [Phase.TAPER if (day - first).days >= protocol.taper_start else Phase.INITIAL for day in dates]


def only_indexes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings about proposed rows: sessions that stand already (negative references) are left out of `sessions`."""
    return tuple(
        replace(finding, sessions=tuple(sorted(ref for ref in finding.sessions if ref >= 0))) for finding in findings
    )


def place_of(session: Session) -> Place:
    """Where a session stands."""
    return Place(session.starts_at, session.chair_id, session.prescriber_id)


def still_unsigned(course: Course, verdict: Verdict) -> Verdict:
    """The verdict without the overrides that a prescriber has signed for this course. One query."""
    signed = set(course.overrides.values_list("rule", flat=True))
    return replace(
        verdict,
        findings=tuple(
            finding for finding in verdict.findings if finding.level != Level.OVERRIDE or finding.rule not in signed
        ),
    )


def spots_of(sessions: Iterable[Session | Standing], course: Course | None, *, by_id: bool) -> list[Spot]:
    """Sessions that stand, as the rules see them; those of other courses only keep their distance.

    `by_id` names them by their ids, otherwise by negative numbers, which `only_indexes` leaves out.
    """
    return [
        Spot(
            ref=session.pk if by_id else -session.pk,
            starts_at=session.starts_at,
            phase=Phase(session.phase),
            counts=course is not None and session.course_id == course.pk,
        )
        for session in sessions
    ]


class Standing(NamedTuple):
    """What the rules need of a session that stands."""

    pk: int
    course_id: int
    phase: str
    local_date: date
    prescriber_id: int
    starts_at: datetime


def standing_of(patient: int) -> list[Standing]:
    """Every live session of a patient, of any course, in order of time. One query."""
    rows = Session.objects.filter(patient=patient, state__in=LIVE).order_by("during__startswith")
    return [
        Standing(*row)
        for row in rows.values_list("pk", "course_id", "phase", "local_date", "prescriber_id", "during__startswith")
    ]


def course_findings(protocol: Protocol, course: Course, phase: Phase) -> tuple[Finding, ...]:
    """Whether the course takes a session of this phase at all."""
    decided = Phase(course.phase) is Phase.MAINTENANCE
    return spacing.judge_course(protocol=protocol, state=course.state, phase=phase, decided=decided)


def second_course(protocol: Protocol) -> tuple[Finding, ...]:
    """What speaks against a new course beside one that is running: `one-course` (P)."""
    return spacing.judge_course(
        protocol=protocol, state=CourseState.ACTIVE, phase=Phase.INITIAL, decided=False, other_running=True
    )


def require_passable(verdict: Verdict, signature: Signature | None, *, hold: bool = False) -> tuple[Finding, ...]:
    """Raise RulesBroken unless what was found can pass; returns the findings that the signature passes over.

    A block never passes. A finding of level override passes when a prescriber signs its rule. While the times are only
    held these pass, and so does what blocks the treatment but not the times (`eligibility.BLOCKS`). Raises RoleRefused
    when somebody signs who is no prescriber, and Invalid without a reason.
    """
    if signature is not None and not (signature.by.is_prescriber and signature.by.is_active):
        raise RoleRefused(_("Only a prescriber can pass over a rule."))
    signed = signature.rules if signature else frozenset()
    overrides = verdict.at(Level.OVERRIDE)
    unsigned = [finding for finding in overrides if finding.rule not in signed]
    blocks = [finding for finding in verdict.at(Level.BLOCK) if not (hold and finding.rule in eligibility.BLOCKS)]
    if blocks or (unsigned and not hold):
        raise RulesBroken(_refusal(verdict), findings=verdict.findings)
    if signature is not None and not signature.reason.strip():
        raise Invalid.at("override", _("An override needs a reason."))
    return tuple(finding for finding in overrides if finding.rule in signed)


def dates_of(site: Site, protocol: Protocol, places: Iterable[Place]) -> set[date]:
    """The local dates that visits in these places touch."""
    dates = set()
    for place in places:
        times: VisitTimes = protocol.visit.at(place.starts_at)
        dates.add(times.starts_at.astimezone(site.zone).date())
        dates.add(times.ends_at.astimezone(site.zone).date())
    return dates


def _refusal(verdict: Verdict) -> str:
    first = verdict.findings[0]
    text = _(first.text) % dict(first.values)
    if verdict.at(Level.BLOCK):
        return text
    return _("%(finding)s A prescriber can pass over this with a reason.") % {"finding": text}


def in_utc(places: Sequence[Place]) -> tuple[Place, ...]:
    """The same places with their times in UTC, as they are stored and compared."""
    return tuple(
        place
        if place.starts_at.tzinfo is UTC or place.starts_at.tzinfo is None
        else replace(place, starts_at=place.starts_at.astimezone(UTC))
        for place in places
    )
