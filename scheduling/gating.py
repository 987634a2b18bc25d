"""Who may be treated, as bookings see it: what the latest screening of a patient says to a course at a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from django.utils.translation import gettext_lazy

from clinic.findings import Finding, Level, by_severity
from clinic.models import Site
from patients import eligibility, screening
from patients.answers import Answers, Decision
from scheduling.judging import Verdict
from scheduling.models import Course
from scheduling.protocols.types import Protocol

#: What a booking is told that the screening refuses.
SCREENING_LACKS = gettext_lazy("The screening is not complete: %(lacks)s. Open it, or hold the times meanwhile.")


def findings(
    *, patient: int, site: Site, protocol: Protocol, course: Course | None = None, now: datetime
) -> tuple[Finding, ...]:
    """What part 2 of protocol.md says, without what a prescriber has passed over for this course.

    A signature counts for what it was given for: one for a psychosis does not pass over a pregnancy. One query, two
    for a course that somebody may have signed for.
    """
    found = screening.eligibility_of(
        patient,
        drug=protocol.drug,
        today=now.astimezone(site.zone).date(),
        certified=site.rems_certified,
    ).findings
    if course is None or all(finding.level is not Level.OVERRIDE for finding in found):
        return found
    signed = set(course.overrides.values_list("rule", "observed"))
    return tuple(
        finding
        for finding in found
        if finding.level is not Level.OVERRIDE or (finding.rule, finding.observed) not in signed
    )


def lacking(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Of findings those of the screening that say what is missing; without a screening, what an empty one lacks."""
    mine = tuple(one for one in found if one.rule in eligibility.RULES and one.level is not Level.WARN)
    if any((one.rule, one.observed) == ("not-screened", "none") for one in mine):
        mine = eligibility.judge(Answers(), Decision.OPEN, drug="", today=date.max)
    return tuple(one for one in mine if one.rule != "not-screened") or mine


def join(
    verdict: Verdict, *, patient: int, site: Site, protocol: Protocol, course: Course | None = None, now: datetime
) -> Verdict:
    """The verdict on places with `findings` among its own."""
    found = findings(patient=patient, site=site, protocol=protocol, course=course, now=now)
    return replace(verdict, findings=by_severity([*verdict.findings, *found])) if found else verdict
