"""Another chair or another prescriber while a visit is under way. What is planned stays; from now on the visit takes
the time of the new one, and the old one is free."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, RulesBroken, Stale
from clinic.findings import Finding, Level, gettext_noop
from clinic.models import Chair, Shift, Staff
from clinic.permissions import Verb
from scheduling import openings, placing, writes
from scheduling.booking import Change, repeated
from scheduling.models import UNDER_WAY, Session, SessionState
from scheduling.visits import stepping

#: The drug is in the patient: a prescriber has so many of them at once at most.
UNDER_CARE = (SessionState.GIVING, SessionState.MONITORING, SessionState.READY)

_LIMIT = gettext_noop("The prescriber would have more patients under care than the limit.")
_DOCTOR = {
    "session_prescriber_on_shift": Finding("doctor", Level.BLOCK, openings.NO_DOCTOR),
    "session_prescriber_limit": Finding("doctor", Level.BLOCK, _LIMIT),
}


def change_chair(
    *,
    actor: Staff,
    session: Session,
    chair: Chair,
    swap: Session | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The patient moves to another chair of the site; with `swap`, a visit under way there takes this one's chair in
    the same act.

    Locks the session's day, then the patients. Raises Invalid for a chair that cannot be meant, RulesBroken (`hours`)
    for one that is out of order until the visit ends, Stale when another visit needs it before, when the visit is
    there already and when one of the two is not under way.
    """
    site = session.course.site
    permissions.require(actor, Verb.RUN_VISIT, at=site)
    asked = {"chair": chair.pk, "swap": swap and swap.pk}
    once = stepping.once_of("change-chair", request_id, actor, session, **asked)
    if chair.site_id != session.site_id or not chair.active:
        raise Invalid.at("chair", _("There is no such chair at this site."))
    if swap is not None and (swap.pk == session.pk or swap.site_id != session.site_id):
        raise Invalid.at("swap", _("There is no such visit at this site."))

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        meant = [session] if swap is None else [session, swap]
        fresh = _lock_all(meant, now)
        mine, left = fresh[0], fresh[0].chair
        _require_to_be_had(fresh, chair, now)
        placing.sit(list(zip(fresh, (chair, left), strict=False)), now)
        for one, (old, new) in zip(fresh, ((left, chair), (chair, left)), strict=False):
            placing.record(
                one.course, "chair-changed", by=actor, now=now, sessions=[one], from_chair=old.pk, to_chair=new.pk
            )
        once.remember(course=mine.course_id, sessions=[one.pk for one in fresh])
        return Change(mine.course, tuple(fresh))

    try:
        return writes.commit(work)
    except IntegrityError as error:
        if (name := writes.constraint_of(error)) in _DOCTOR:
            raise _refused(name) from error
        if name != "session_chair_free":
            raise
        raise Stale(_("Another visit needs this chair before this one ends.")) from error


def _lock_all(sessions: Sequence[Session], now: datetime) -> list[Session]:
    """The sessions, of one site, read again under the lock of their days and patients, the patients in one order."""
    site = sessions[0].course.site
    known = set(Session.objects.filter(pk__in=[one.pk for one in sessions]).values_list("local_date", flat=True))
    first, *others = sorted({one.patient_id for one in sessions})
    placing.lock(site, known, first, now)
    for patient in others:
        writes.lock_patient(patient)
    fresh = [stepping.again(one) for one in sessions]
    placing.require_locked(fresh, known)
    return fresh


def _require_to_be_had(visits: Sequence[Session], chair: Chair, now: datetime) -> None:
    """Raise Stale unless the first visit can take this chair from the second, or from nobody, and RulesBroken when
    it is out of order until the visit ends."""
    for visit in visits:
        stepping.require_state(visit, UNDER_WAY)
    mine, *other = visits
    if mine.chair_id == chair.pk:
        raise Stale(_("The visit is in this chair already."))
    if any(visit.chair_id != chair.pk for visit in other):
        raise Stale(_("The other visit is not in this chair any more."))
    sitting = Session.objects.filter(chair=chair, state__in=UNDER_WAY, local_date=mine.local_date)
    if sitting.exclude(pk__in=[visit.pk for visit in visits]).exists():
        raise Stale(_("Another patient is in this chair; swap the two."))
    facts = openings.read(mine.course.site, [mine.local_date])[mine.local_date]
    outages = [span for place, span in facts.outages if place == chair.pk]
    if any(starts < mine.ends_at and now < ends for starts, ends in outages):
        found = Finding("hours", Level.BLOCK, openings.OUT_OF_ORDER)
        raise RulesBroken(_(found.text), findings=[found])


def hand_over(
    *, actor: Staff, session: Session, prescriber: Staff, request_id: UUID | None = None, now: datetime
) -> Change:
    """Another prescriber has the patient from now on.

    Locks the session's day, then the patient. Raises Invalid for somebody who prescribes not at this site,
    RulesBroken (`doctor`) when they are not on shift from now until the planned discharge or have as many patients as
    they may, Stale when they have the visit already and when it is not under way.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    once = stepping.once_of("hand-over", request_id, actor, session, prescriber=prescriber.pk)

    def act(fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, UNDER_WAY)
        works = prescriber.is_prescriber and prescriber.is_active
        if not works or not prescriber.sites.filter(pk=fresh.site_id).exists():
            raise Invalid.at("prescriber", _("There is no such prescriber at this site."))
        if fresh.prescriber_id == prescriber.pk:
            raise Stale(_("This prescriber has the visit already."))
        shift = Shift.objects.filter(staff=prescriber, site=fresh.site_id, during__contains=now).first()
        if shift is None:
            raise _refused("session_prescriber_on_shift")
        # The guard counts by the planned times; of visits that run over only what is true now tells.
        here = Session.objects.filter(prescriber=prescriber, local_date=fresh.local_date, state__in=UNDER_CARE)
        if fresh.state in UNDER_CARE and here.count() >= shift.patients_at_once:
            raise _refused("session_prescriber_limit")
        before = fresh.prescriber_id
        placing.care(fresh, prescriber, now)
        placing.record(
            fresh.course,
            "handed-over",
            by=actor,
            now=now,
            sessions=[fresh],
            from_prescriber=before,
            to_prescriber=prescriber.pk,
        )
        return ()

    try:
        return stepping.take(once, session, act, now=now)
    except IntegrityError as error:
        if (name := writes.constraint_of(error)) not in _DOCTOR:
            raise
        raise _refused(name) from error


def _refused(constraint: str) -> RulesBroken:
    found = _DOCTOR[constraint]
    return RulesBroken(_(found.text), findings=[found])
