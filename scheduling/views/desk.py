"""The page on which visits are planned, for a new course and for a running one: reads the form, changes the draft,
shows what the rules say. It writes nothing; the views hand its places to the verbs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import uuid4

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from clinic.errors import DomainError, RequestReused, RulesBroken
from clinic.findings import Finding, Level
from clinic.forms import add_error
from clinic.http import actor
from clinic.models import Site, Staff
from patients.models import Patient
from scheduling import booking, drafts, queries
from scheduling.booking import Proposal, Signature, SlotTaken
from scheduling.drafts import Row, Rows
from scheduling.forms import MOST_SESSIONS, AskForm, AwayForms, EditForm, SignForm
from scheduling.models import Course, ProtocolVersion
from scheduling.protocols import library
from scheduling.protocols.types import Place, Wishes
from scheduling.views.signing import request_id_of, sign

#: The plan that is chosen at first: the nearest to wishes and to the protocol's pattern that is offered.
FIRST_CHOICE = ("wishes", "even", "soonest")

#: Buttons that would write.
COMMITTING = ("book", "hold")


class Desk:
    """One request to the page. Whatever a button asks for is done to the rows before anything is shown."""

    def __init__(
        self,
        request: HttpRequest,
        *,
        site: Site,
        patient: Patient,
        now: datetime,
        course: Course | None = None,
    ) -> None:
        self.request = request
        self.actor: Staff = actor(request)
        self.site, self.patient, self.course, self.now = site, patient, course, now
        self.act, *self.arguments = request.POST.get("act", "plan").split(":")
        self.errors: list[str] = []
        self.notes: list[str] = []
        self.judged = True
        self.status = 200
        self.data = self._data() if request.method == "POST" else None
        initial = self._initial() if self.data is None else {}
        self.ask = AskForm(self.data, initial=initial, running=course is not None)
        self.away = AwayForms(self.data, prefix="away")
        self.edit: EditForm | None = None
        self.editing: int | None = None
        self.sign = SignForm(site=site, actor=self.actor, prefix="sign")
        self.request_id = request_id_of(request) or uuid4()
        self.rows: Rows = self._rows()
        self.label = request.POST.get("label", "")
        if self.valid:
            self._act()

    # What the form says

    def _initial(self) -> dict[str, Any]:
        standard = library.builtin()[0].code
        known = {version.code: version for version in queries.protocols()} if self.course is None else {}
        version = known.get(standard) or next(iter(known.values()), None)
        return {
            "protocol": version,
            "sessions": version.protocol.initial_plan if version else None,
            "earliest": self.now.astimezone(self.site.zone).date(),
        }

    def _data(self) -> QueryDict:
        """What was sent; another protocol brings its own number of sessions along, a first date its date."""
        data = self.request.POST.copy()
        protocol, before = data.get("protocol", ""), data.get("protocol-before", "")
        if self.course is None and protocol != before and data.get("sessions") == data.get("sessions-before"):
            version = next((version for version in queries.protocols() if str(version.pk) == protocol), None)
            if version is not None:
                data["sessions"] = str(version.protocol.initial_plan)
        if self.act == "from" and self.arguments:
            data["earliest"] = self.arguments[0]
        return data

    def _rows(self) -> Rows:
        try:
            return tuple(drafts.decode_row(text) for text in self.request.POST.getlist("row")[: 2 * MOST_SESSIONS])
        except ValueError as error:
            raise SuspiciousOperation("rows of a draft") from error

    def _index(self, place: int = 0) -> int:
        try:
            index = int(self.arguments[place])
        except (IndexError, ValueError) as error:
            raise SuspiciousOperation("a button that the page does not have") from error
        if not 0 <= index < len(self.rows):
            raise SuspiciousOperation("a button that the page does not have")
        return index

    @cached_property
    def valid(self) -> bool:
        """Whether the planner can be asked at all."""
        if self.data is None:
            return True
        return self.ask.is_valid() & self.away.is_valid()

    @property
    def protocol(self) -> ProtocolVersion:
        """The one that is chosen, or the running course's."""
        if self.course is not None:
            return self.course.protocol
        version = self._asked("protocol")
        if not isinstance(version, ProtocolVersion):
            raise SuspiciousOperation("no protocol to plan by")
        return version

    def _asked(self, name: str) -> Any:
        return (
            self.ask.cleaned_data[name]
            if self.data is not None
            else self.ask.get_initial_for_field(self.ask.fields[name], name)
        )

    def _wishes(self) -> Wishes:
        return self.ask.wishes(self.away) if self.data is not None else Wishes()

    # What a button does

    def _act(self) -> None:
        match self.act:
            case "choose":
                self.label = self.arguments[0] if self.arguments else ""
                self._propose_rows()
            case "take":
                row = self.rows[index := self._index()]
                chosen = self.arguments[1:]
                if chosen not in (["0"], ["1"]) or int(chosen[0]) >= len(row.others):
                    raise SuspiciousOperation("a button that the page does not have")
                self._put(index, drafts.moved(row, row.others[int(chosen[0])]))
            case "edit":
                self._open(self._index())
            case "drop" | "restore":
                index = self._index()
                row = self.rows[index]
                self._put(index, Row(row.place, row.others, row.was, dropped=self.act == "drop"))
            case "set" | "look" | "book" | "hold":
                self._set()
            case "leave":
                pass
            case _:
                self.label = ""
                self._propose_rows()

    def _propose_rows(self) -> None:
        offers = {offer.label: offer for offer in self.proposal.offers}
        self.label = next((label for label in (self.label, *FIRST_CHOICE) if label in offers), "")
        self.rows = drafts.from_offer(offers[self.label]) if self.label else ()

    def _put(self, index: int, row: Row) -> None:
        self.rows = drafts.in_order(row if place == index else old for place, old in enumerate(self.rows))

    def _open(self, index: int, data: QueryDict | None = None) -> EditForm:
        self.editing = index
        values = EditForm.values(self.rows[index].place, self.site)
        self.edit = EditForm(data, initial=values, site=self.site, prefix="edit")
        self.edit.fields["date"].widget.attrs["autofocus"] = True
        return self.edit

    def _set(self) -> None:
        """Take over an open row. A change is shown before anything is booked; what cannot be meant stays open."""
        given = self.request.POST.get("editing", "")
        if not given.isdecimal() or int(given) >= len(self.rows):
            return
        index = int(given)
        edit = self._open(index, self.data)
        if not edit.is_valid():
            self.status = 422
            return
        if edit.place != self.rows[index].place:
            self._put(index, drafts.moved(self.rows[index], edit.place))
            if self.act in COMMITTING:
                self.notes.append(_("A row was changed just now. Nothing was booked yet: look at it, then book."))
                self.status = 422
        self.edit = self.editing = None

    @property
    def commits(self) -> bool:
        """Whether the button wants to write, and nothing stands in the way that the page can see."""
        return bool(self.act in COMMITTING and self.valid and self.edit is None and not self.notes and self.places)

    @property
    def holds(self) -> bool:
        return self.act == "hold"

    @property
    def places(self) -> tuple[Place, ...]:
        """The places of the rows that are not dropped."""
        return tuple(row.place for row in drafts.kept(self.rows))

    def signature(self) -> Signature | None:
        """What a prescriber has signed on this page; raises NotSigned when the signature does not stand."""
        self.sign = SignForm(self.data, site=self.site, actor=self.actor, prefix="sign")
        return sign(self.request, self.sign)

    # What came of it

    def refused(self, error: DomainError) -> None:
        """A verb has refused: keep everything that was typed and say why."""
        self.status = 409 if error.status == 409 else 422
        if isinstance(error, SlotTaken):
            self.rows = drafts.after_loss(self.rows, error)
        elif isinstance(error, RequestReused):
            self.request_id = uuid4()
            self.errors.append(_("This page has booked already. Look at the patient's page before you book more."))
        elif not isinstance(error, RulesBroken):
            self.errors.append(error.message)
        elif all(finding.level != Level.BLOCK for finding in error.findings):
            self.errors.append(_("A prescriber has to sign first."))
        else:
            self.errors.append(_("A row breaks a rule that nobody can pass over."))

    @cached_property
    def proposal(self) -> Proposal:
        """Up to three plans, or why there is none."""
        try:
            return booking.propose(
                actor=self.actor,
                site=self.site,
                patient=self.patient,
                protocol=self.protocol,
                course=self.course,
                count=self._asked("sessions"),
                earliest=self._asked("earliest"),
                wishes=self._wishes(),
                now=self.now,
            )
        except DomainError as error:
            if self.data is not None:
                add_error(self.ask, error)
            else:
                self.errors.append(error.message)
            self.status = 422
            return Proposal((), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the rules say to the rows as they are now."""
        if not self.places:
            return ()
        try:
            return booking.judge(
                actor=self.actor,
                site=self.site,
                patient=self.patient,
                protocol=self.protocol,
                course=self.course,
                places=self.places,
                now=self.now,
            )
        except DomainError as error:
            self.judged = False
            if error.message not in self.errors:
                self.errors.append(error.message)
            return ()

    def render(self, template: str, **context: Any) -> HttpResponse:
        """The page as it stands."""
        if not self.valid:
            return render(self.request, template, self._frame() | context, status=422)
        proposal, findings = self.proposal, self.findings
        shape = self.protocol.protocol.visit
        names = drafts.Names.of(self.site)
        needed = sorted({finding.rule for finding in findings if finding.level == Level.OVERRIDE})
        return render(
            self.request,
            template,
            self._frame()
            | {
                "protocol": self.protocol,
                "shape": shape,
                "none": proposal.none,
                "wished": self._wishes() != Wishes(),
                "cards": drafts.cards(proposal.offers, self.label, self.rows, findings, self.site),
                "lines": drafts.lines(self.rows, findings, names, shape, self._first_day()),
                "elsewhere": drafts.elsewhere(findings),
                "warnings": [finding for finding in findings if finding.level == Level.WARN],
                "judged": self.judged,
                "needed": needed,
                "blocked": any(finding.level == Level.BLOCK for finding in findings),
            }
            | context,
            status=self.status,
        )

    def _first_day(self) -> date | None:
        """The date from which a running course counts its days."""
        if self.course is None:
            return None
        return self.course.sessions.live().in_order().values_list("local_date", flat=True).first()

    def _frame(self) -> dict[str, Any]:
        return {
            "section": "patients",
            "site": self.site,
            "patient": self.patient,
            "course": self.course,
            "ask": self.ask,
            "away": self.away,
            "rows": [drafts.encode_row(row) for row in self.rows],
            "label": self.label,
            "edit": self.edit,
            "editing": self.editing,
            "sign": self.sign,
            "errors": self.errors,
            "notes": self.notes,
            "request_id": self.request_id,
            "places": self.places,
            "lost": [row for row in self.rows if row.taken],
        }
