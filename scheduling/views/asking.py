"""What the desk asks of the planner, as the page's form says it: answers that buttons change, wishes as chips, and
what the planner says to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from clinic.errors import DomainError
from clinic.findings import Finding
from clinic.forms import add_error
from clinic.http import actor
from clinic.models import OpeningHours, Site
from patients.models import Patient
from scheduling import booking, gating, queries
from scheduling.booking import Proposal
from scheduling.forms import MOST_AWAY, MOST_SESSIONS, AskForm, AwayForms, DayForm
from scheduling.models import Course, ProtocolVersion
from scheduling.protocols import library
from scheduling.protocols.types import Place, Wishes

#: Limits that a calendar or a wish puts in the way of a plan; others refuse any plan.
IN_THE_WAY = ("except_dates", "doctor", "chair", "span-max", "gap-min", "month-max", "hours")

Span = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Chip:
    """A wish that can be dropped: what it says, and the button that drops it."""

    text: str
    drop: str

    @property
    def id(self) -> str:
        return self.drop.replace(":", "-")


@dataclass(frozen=True, slots=True)
class WayOut:
    """What would give a plan where there is none: the wish to drop, and the first date without it."""

    text: str
    drop: str
    first: date


class Asked:
    """The question of one request, and the planner's answer. `rows` are those that would be booked as they are."""

    def __init__(
        self,
        request: HttpRequest,
        *,
        site: Site,
        patient: Patient,
        course: Course | None,
        rows: int,
        act: str,
        arguments: Sequence[str],
        now: datetime,
    ) -> None:
        self.request, self.site, self.patient, self.course, self.now = request, site, patient, course, now
        self.hours = list(OpeningHours.objects.filter(site=site))
        self.weekdays = frozenset(row.weekday for row in self.hours)
        sent = request.POST if request.method == "POST" else None
        new = course is None
        self.data = None if sent is None else answers(sent, act, arguments, new=new, rows=rows)
        initial = self._initial() if self.data is None else {}
        self.form = AskForm(self.data, initial=initial, weekdays=self.weekdays, running=not new)
        self.away = AwayForms(self.data, prefix="away")
        self.refusal = ""

    def _initial(self) -> dict[str, Any]:
        """The protocol's plan from today on; for a running course what a link to the page says."""
        today = self.now.astimezone(self.site.zone).date()
        initial: dict[str, Any] = {"earliest": today, "weekdays": sorted(self.weekdays)}
        if self.course is not None:
            linked, day = self.request.GET.get("sessions", ""), DayForm({"date": self.request.GET.get("earliest")})
            if linked.isdecimal() and len(linked) < 3 and 1 <= int(linked) <= MOST_SESSIONS:
                initial["sessions"] = int(linked)
            if day.is_valid():
                initial["earliest"] = max(today, day.cleaned_data["date"])
            return initial
        known = {version.code: version for version in queries.protocols()}
        version = known.get(library.builtin()[0].code) or next(iter(known.values()), None)
        return initial | {"protocol": version, "sessions": version.protocol.initial_plan if version else None}

    @cached_property
    def valid(self) -> bool:
        """Whether the planner can be asked at all."""
        return self.data is None or self.form.is_valid() & self.away.is_valid()

    def _answer(self, name: str) -> Any:
        form = self.form
        return form.get_initial_for_field(form.fields[name], name) if self.data is None else form.cleaned_data[name]

    @property
    def protocol(self) -> ProtocolVersion:
        """The one that is chosen, or the running course's."""
        if self.course is not None:
            return self.course.protocol
        version = self._answer("protocol")
        if not isinstance(version, ProtocolVersion):
            raise SuspiciousOperation("no protocol to plan by")
        return version

    @property
    def count(self) -> int | None:
        """How many visits; None for all that a running course lacks."""
        count: int | None = self._answer("sessions")
        return count

    @cached_property
    def spans(self) -> list[Span]:
        """The dates on which the patient cannot come."""
        return self.away.spans() if self.data is not None else []

    @cached_property
    def wishes(self) -> Wishes:
        """What the patient wishes; nothing at first."""
        return self.form.wishes(self.spans) if self.data is not None else Wishes()

    @property
    def digest(self) -> str:
        """The question, so short that a form can carry it: rows that were planned for another one are known by it."""
        wishes = self.wishes
        wished = sorted(wishes.weekdays), wishes.not_before, wishes.home_by, sorted(wishes.except_dates)
        asked = repr((self.protocol.pk, self.count, self._answer("earliest"), *wished))
        return sha256(asked.encode()).hexdigest()[:16]

    def propose(self, wishes: Wishes, fixed: Sequence[Place] = ()) -> Proposal:
        """Plans for these wishes around fixed places. Raises what `booking.propose` raises."""
        return booking.propose(
            actor=actor(self.request),
            site=self.site,
            patient=self.patient,
            protocol=self.protocol,
            course=self.course,
            count=self.count,
            earliest=self._answer("earliest"),
            wishes=wishes,
            fixed=fixed,
            now=self.now,
        )

    @cached_property
    def proposal(self) -> Proposal:
        """Up to three plans, or why there is none; where the question is refused, the form or `refusal` says why."""
        try:
            return self.propose(self.wishes)
        except DomainError as error:
            if self.data is not None:
                add_error(self.form, error)
            self.refusal = error.message
            return Proposal()

    @property
    def screened(self) -> tuple[Finding, ...]:
        """What the patient's screening says, whatever is planned."""
        known: dict[str, Any] = {"patient": self.patient.pk, "site": self.site, "course": self.course}
        return gating.findings(**known, protocol=self.protocol.protocol, now=self.now)

    @property
    def in_the_way(self) -> bool:
        """Whether there is no plan for what the calendar or the wishes leave."""
        return self.proposal.none is not None and self.proposal.none.limit in IN_THE_WAY

    @property
    def chips(self) -> list[Chip]:
        """The wishes that stand, without the weekdays, which are chips of their own."""
        given = self.form.cleaned_data if self.form.is_bound else {}
        found = []
        if not_before := given.get("not_before"):
            found.append(Chip(_("not before %(time)s") % {"time": f"{not_before:%H:%M}"}, "unwish:not_before"))
        if home_by := given.get("home_by"):
            found.append(Chip(_("home by %(time)s") % {"time": f"{home_by:%H:%M}"}, "unwish:home_by"))
        return found + self._away_chips()

    def _away_chips(self) -> list[Chip]:
        spans = self.spans if self.away.is_bound and self.away.is_valid() else []
        return [
            Chip(_("not %(dates)s") % {"dates": dates(first, last)}, f"unwish:away-{number}")
            for number, (first, last) in enumerate(spans)
        ]

    @property
    def room(self) -> int | None:
        """How many visits the phase still takes, where more were asked for."""
        none = self.proposal.none
        if none is None or none.limit != "initial-max":
            return None
        most, standing = none.values.get("most"), none.values.get("standing")
        left = most - standing if isinstance(most, int) and isinstance(standing, int) else 0
        return left or None

    @property
    def wish_open(self) -> bool:
        """Whether something in the popover of wishes cannot be meant, and has to be seen."""
        return self.away.total_error_count() > 0 or bool({"not_before", "home_by"} & set(self.form.errors))

    def ways_out(self) -> list[WayOut]:
        """Spans without which there is a plan, each with its first date; all of them where no single one helps."""
        if not self.in_the_way:
            return []
        found = [
            WayOut(chip.text, chip.drop, first)
            for number, chip in enumerate(self._away_chips())
            if (first := self._first_without(number)) is not None
        ]
        if not found and len(self.spans) > 1 and (first := self._first_without(None)) is not None:
            found = [WayOut(_("all dates away"), "unwish:away", first)]
        return found

    def _first_without(self, dropped: int | None) -> date | None:
        """The first date of a plan without one span, or without any."""
        spans = [] if dropped is None else [span for number, span in enumerate(self.spans) if number != dropped]
        offers = self.propose(self.form.wishes(spans)).offers
        starts = [offer.sessions[0].place.starts_at for offer in offers]
        return min(starts).astimezone(self.site.zone).date() if starts else None


def answers(sent: QueryDict, act: str, arguments: Sequence[str], *, new: bool, rows: int) -> QueryDict:
    """What was sent, with what the button changes. Another protocol brings its own number of visits along."""
    data = sent.copy()
    protocol, before = data.get("protocol", ""), data.get("protocol-before", "")
    if new and protocol != before and data.get("sessions") == data.get("sessions-before"):
        version = next((version for version in queries.protocols() if str(version.pk) == protocol), None)
        if version is not None:
            data["sessions"] = str(version.protocol.initial_plan)
    argument = arguments[0] if arguments else ""
    if act == "from" and argument:
        data["earliest"] = argument
    elif act == "count" and argument:
        data["sessions"] = argument
    elif act in ("more", "fewer"):
        asked = data.get("sessions", "")
        count = int(asked) if asked.isdecimal() and len(asked) < 4 else rows
        data["sessions"] = str(min(max(count + (1 if act == "more" else -1), 1), MOST_SESSIONS))
    elif act == "unwish" and argument in ("not_before", "home_by"):
        data[argument] = ""
    _close_ranks(data, argument if act == "unwish" else "")
    return data


def _close_ranks(data: QueryDict, dropped: str) -> None:
    """The spans without the empty ones and without the dropped one, and an empty one for the next."""
    total = data.get("away-TOTAL_FORMS", "")
    if not total.isdecimal() or len(total) > 3:
        return  # the form set says what is wrong with it
    spans = []
    for number in range(min(int(total), MOST_AWAY + 1)):
        first, last = (data.get(f"away-{number}-{end}", "") for end in ("first", "last"))
        if (first or last) and dropped not in (f"away-{number}", "away"):
            spans.append((first, last))
    shown = spans + [("", "")] * (len(spans) < MOST_AWAY)
    for number, (first, last) in enumerate(shown):
        data[f"away-{number}-first"], data[f"away-{number}-last"] = first, last
    data["away-TOTAL_FORMS"] = str(len(shown))


def dates(first: date, last: date) -> str:
    """A span of dates: "3 Dec", "3–9 Dec", "28 Nov–3 Dec"."""
    end = date_format(last, "j M")
    if first == last:
        return end
    start = date_format(first, "j" if (first.year, first.month) == (last.year, last.month) else "j M")
    return f"{start}–{end}"
