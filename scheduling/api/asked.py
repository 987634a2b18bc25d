"""What a request means: at which site, in which places, signed by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from clinic.api import actor
from clinic.errors import Invalid
from clinic.models import Site
from clinic.serializers import clocks_refuse
from patients.models import Patient
from scheduling import gating, judging
from scheduling.judging import Signature, Verdict
from scheduling.models import Course, ProtocolVersion
from scheduling.protocols.types import Place

Row = Mapping[str, Any]

#: Stands for the chair or the prescriber that a row does not name: an id that nothing has.
NOBODY = 0


def site_of(request: Request, site: int | None = None, *, chairs: Sequence[int] = ()) -> Site:
    """The site that is meant: the one named, else that of one of the chairs, else the actor's first by name.

    Raises Invalid when the actor does not work there, or anywhere. The request remembers it, for its refusals.
    """
    sites = actor(request).sites.order_by("name")
    found = (sites.filter(chairs__in=chairs).first() if chairs and site is None else None) or (
        sites.first() if site is None else sites.filter(pk=site).first()
    )
    if found is None:
        raise Invalid.at("site", _("You do not work at this site.") if site else _("You work at no site yet."))
    return remember(request, found)


def remember(request: Request, site: Site, protocol: ProtocolVersion | None = None) -> Site:
    """Let refusals of this request speak in the site's time, and of visits as long as the protocol's."""
    request.clinic_site = site  # type: ignore[attr-defined]  # read by clinic.api.to_json and outputs
    request.clinic_protocol = protocol  # type: ignore[attr-defined]  # likewise
    return site


def chairs_of(rows: Sequence[Row]) -> list[int]:
    """The chairs that rows name."""
    return [row["chair"] for row in rows if "chair" in row]


def require_real_times(given: Mapping[str, Any], site: Site) -> None:
    """Raise ValidationError, in the shape of the body, for the times in it that the site's clocks never show."""
    if errors := _unreal(given, site.zone):
        raise ValidationError(errors)


def _unreal(given: object, zone: tzinfo) -> Any:
    if isinstance(given, datetime):
        return [sentence] if (sentence := clocks_refuse(given, zone)) else []
    items = given.items() if isinstance(given, Mapping) else enumerate(given) if isinstance(given, list) else ()
    return {str(name): errors for name, item in items if (errors := _unreal(item, zone))}


def places_of(rows: Sequence[Row], field: str | None) -> list[Place]:
    """The rows as places; raises ValidationError for what they lack.

    `field` is the list that the rows stand in, None when the body itself is the row.
    """
    if errors := {index: missing for index, row in enumerate(rows) if (missing := _missing(row))}:
        raise ValidationError({field: {str(index): error for index, error in errors.items()}} if field else errors[0])
    return [Place(row["starts_at"], row["chair"], row["prescriber"]) for row in rows]


def judge_incomplete(
    rows: Sequence[Row],
    *,
    site: Site,
    patient: Patient,
    protocol: ProtocolVersion,
    course: Course | None = None,
    signature: Signature | None = None,
    hold: bool = False,
    now: datetime,
) -> None:
    """Let the rules speak before a missing chair or prescriber is asked for; raises RulesBroken.

    Does nothing for rows that are complete: the verbs judge these under lock. `doctor` is judged where a prescriber
    is named.
    """
    if not any(_missing(row) for row in rows):
        return
    rules = protocol.protocol
    places = [Place(row["starts_at"], row.get("chair", NOBODY), row.get("prescriber", NOBODY)) for row in rows]
    known: dict[str, Any] = {"site": site, "patient": patient.pk, "protocol": rules, "course": course}
    verdict = gating.join(judging.weigh_new(**known, places=places), **known, now=now)
    found = [
        finding
        for finding in verdict.findings
        if finding.rule != "doctor" or all("prescriber" in rows[row] for row in finding.sessions)
    ]
    if course is None and Course.objects.running().filter(patient=patient).exclude(held_until__lte=now).exists():
        found = [*judging.second_course(rules), *found]
    judging.require_passable(Verdict(tuple(found)), signature, hold=hold)


def _missing(row: Row) -> dict[str, list[str]]:
    return {name: [_("This field is required.")] for name in ("chair", "prescriber") if name not in row}


def signature_of(request: Request, given: Mapping[str, Any]) -> Signature | None:
    """The override in a body, signed by whoever asks; the verbs refuse a signature that does not count."""
    override = given["override"]
    if override is None:
        return None
    return Signature(by=actor(request), rules=frozenset(override["rules"]), reason=override["reason"])
