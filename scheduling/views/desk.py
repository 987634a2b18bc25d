"""The page on which visits are planned, for a new course and for a running one: reads the form, changes the draft,
shows what the rules say. It writes nothing; the views hand its places to the verbs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _

from clinic.errors import DomainError, RequestReused, RulesBroken
from clinic.findings import Finding, Level
from clinic.http import actor
from clinic.models import Site, Staff
from patients import eligibility
from patients.models import Patient
from patients.templatetags.screenings import gates_of
from scheduling import booking, cards, drafts, gating
from scheduling.booking import Offer, Signature, SlotTaken
from scheduling.drafts import Row, Rows
from scheduling.forms import MOST_SESSIONS, WEEKDAYS, EditForm, SignForm, prescribers_of
from scheduling.models import Course, ProtocolVersion
from scheduling.protocols.types import Phase, Place, Wishes
from scheduling.views import asking
from scheduling.views.signing import NotSigned, request_id_of, sign

#: The plan that is chosen at first: the nearest to wishes and to the protocol's pattern that is offered.
FIRST_CHOICE = ("wishes", "even", "soonest")

#: Buttons that would write.
COMMITTING = ("book", "hold", "send")

#: Buttons that change what is asked; the rows are planned anew.
ASKING = ("plan", "again", "from", "count", "more", "fewer", "unwish")


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
        self.edits_lost = False
        self.judged = True
        self.status = 200
        self.rows: Rows = self._rows()
        self.asked = asking.Asked(
            request,
            site=site,
            patient=patient,
            course=course,
            rows=len(drafts.kept(self.rows)),
            act=self.act,
            arguments=self.arguments,
            now=now,
        )
        self.edit: EditForm | None = None
        self.editing: int | None = None
        self.sign = self._typed_signature()
        self.request_id = request_id_of(request) or uuid4()
        self.label = request.POST.get("label", "")
        self.picked = request.POST.get("picked", "")
        self.planned_for = request.POST.get("asked", "")
        if self.asked.valid:
            self._act()

    # What the form says

    def _rows(self) -> Rows:
        try:
            return tuple(drafts.decode_row(text) for text in self.request.POST.getlist("row")[: 2 * MOST_SESSIONS])
        except ValueError as error:
            raise SuspiciousOperation("rows of a draft") from error

    def _typed_signature(self) -> SignForm:
        """What was typed of a signature stays on the page; a password is never sent back."""
        typed = {name: self.request.POST.get(f"sign-{name}") for name in ("prescriber", "reason")}
        kept = {name: value for name, value in typed.items() if value}
        return SignForm(site=self.site, actor=self.actor, prefix="sign", initial=kept)

    def _index(self, place: int = 0) -> int:
        try:
            index = int(self.arguments[place])
        except (IndexError, ValueError) as error:
            raise SuspiciousOperation("a button that the page does not have") from error
        if not 0 <= index < len(self.rows):
            raise SuspiciousOperation("a button that the page does not have")
        return index

    @property
    def protocol(self) -> ProtocolVersion:
        """The one that is chosen, or the running course's."""
        return self.asked.protocol

    # What a button does

    def _act(self) -> None:
        """Rows that were planned for something else than what is asked now are planned anew, whatever was pressed."""
        asked = self.asked.digest
        if self.act == "choose":
            self.label = self.picked = self.arguments[0] if self.arguments else ""
            self._plan(keeping=())
        elif self.act == "again":
            self._plan(keeping=())
        elif self.act in ASKING or self.planned_for != asked:
            self._set()
            if self.edit is not None:
                return  # what is open there is no time: nothing is planned around it
            if self.act in COMMITTING:
                self.notes.append(_("What is asked for has changed. Look at the new plan, then book."))
                self.status = 422
            self._plan(keeping=drafts.edited(self.rows))
        else:
            self._change()
        self.planned_for = asked

    def _change(self) -> None:
        match self.act:
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
            case "set" | "look" | "book" | "hold" | "send":
                self._set()
            case "leave":
                pass
            case _:
                raise SuspiciousOperation("a button that the page does not have")

    def _plan(self, keeping: Rows) -> None:
        """The rows of the chosen plan, around those of `keeping` where that is possible."""
        offers = {offer.label: offer for offer in self.asked.proposal.offers}
        choice = (self.picked, *FIRST_CHOICE)
        self.label = next((label for label in choice if label in offers), "")
        around = self._around(keeping) if keeping and self.label else {}
        label = next((label for label in (self.label, *FIRST_CHOICE) if label in around), "")
        if label:
            self.rows = drafts.from_offer(around[label], keeping)
        else:
            self.rows = drafts.from_offer(offers[self.label]) if self.label else ()
            self.edits_lost = bool(keeping and self.label)

    def _around(self, keeping: Rows) -> dict[str, Offer]:
        """Plans in which these rows stay, by label."""
        try:
            found = self.asked.propose(self.asked.wishes, fixed=[row.place for row in keeping])
        except DomainError:  # a row that cannot stand, a past one for example
            return {}
        count = self.asked.count
        return {offer.label: offer for offer in found.offers if count in (None, len(offer.sessions))}

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
        edit = self._open(index, self.request.POST)
        if not edit.is_valid():
            self.status = 422
            return
        if edit.place != self.rows[index].place:
            self._put(index, drafts.moved(self.rows[index], edit.place))
            if self.act in COMMITTING:
                self.notes.append(_("A row was changed just now. Look at it, then book."))
                self.status = 422
        self.edit = self.editing = None

    @property
    def commits(self) -> bool:
        """Whether the button wants to write, and nothing stands in the way that the page can see."""
        settled = self.asked.valid and self.edit is None and not self.notes
        return bool(self.act in COMMITTING and settled and self.places)

    @property
    def holds(self) -> bool:
        return self.act in ("hold", "send")

    @property
    def places(self) -> tuple[Place, ...]:
        """The places of the rows that are not dropped."""
        return tuple(row.place for row in drafts.kept(self.rows))

    def signature(self) -> Signature | None:
        """What a prescriber has signed on this page; raises NotSigned when the signature does not stand."""
        if self.act == "send":
            self.sign = SignForm(self.request.POST, site=self.site, actor=self.actor, asking=True, prefix="sign")
            if not self.sign.is_valid():
                raise NotSigned(_("Nobody is asked yet: choose a prescriber, and say why."))
            return None
        if self.holds and not self.request.POST.get("sign-password"):
            return None  # it is asked for, not given
        self.sign = SignForm(self.request.POST, site=self.site, actor=self.actor, prefix="sign")
        return sign(self.request, self.sign)

    @property
    def reason(self) -> str:
        """Why a prescriber is asked to pass over a rule, as far as it was typed."""
        return self.request.POST.get("sign-reason", "").strip()[:500]

    @property
    def asks(self) -> Staff | None:
        """The prescriber who is chosen on the page."""
        chosen = self.request.POST.get("sign-prescriber", "")
        if not chosen.isdecimal() or len(chosen) > 18:
            return None
        return prescribers_of(self.site).filter(pk=chosen).first()

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
        elif taken := [index for finding in self.findings if finding.rule == "taken" for index in finding.sessions]:
            for index in taken:
                self.errors.append(_("Row %(number)s is taken: choose another time.") % {"number": index + 1})
        elif all(finding.level != Level.BLOCK for finding in error.findings):
            self.errors.append(_("A prescriber has to sign first."))
        elif all(found.rule in eligibility.RULES for found in error.findings if found.level == Level.BLOCK):
            lacks = "; ".join(gate.word for gate in gates_of(self.patient.pk, gating.lacking(error.findings))[:2])
            self.errors.append(gating.SCREENING_LACKS % {"lacks": lacks})
        else:
            self.errors.append(_("A row breaks a rule that nobody can pass over."))
        if self.sign.is_bound and (wrong := next(iter(self.sign.errors), None)):
            self.sign.fields[wrong].widget.attrs["autofocus"] = True

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
                protocol=self.asked.protocol,
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
        if not self.asked.valid:
            return render(self.request, template, self._frame() | context, status=422)
        planned = self._planned()
        if self.asked.refusal:
            self.status = 422
        return render(self.request, template, self._frame() | planned | context, status=self.status)

    def _planned(self) -> dict[str, Any]:
        """The plans, the rows of one, and what the rules say to them."""
        asked, found = self.asked, self.findings if self.places else self.asked.screened
        findings = tuple(finding for finding in found if finding.rule not in eligibility.RULES)
        proposal, rules = asked.proposal, asked.protocol.protocol
        initial = self.course is None or self.course.phase == Phase.INITIAL
        last_day = rules.limits["span-max"].value if initial else None
        names = drafts.Names.of(self.site)
        if self.judged:
            self.rows = drafts.possible(
                self.rows,
                site=self.site,
                patient=self.patient.pk,
                protocol=rules,
                course=self.course,
                names=names,
                now=self.now,
            )
        lines = [
            replace(line, unmet=cards.unmet(asked.wishes, line.row.place, rules.visit, self.site.zone))
            for line in drafts.lines(self.rows, findings, names, rules.visit, self._first_day(), last_day)
        ]
        levels = {level: [finding for finding in found if finding.level == level] for level in Level}
        signed = [line for line in lines if any(found.level == Level.OVERRIDE for found in line.findings)]
        return {
            "protocol": asked.protocol,
            "none": proposal.none,
            "in_the_way": asked.in_the_way,
            "ways_out": asked.ways_out(),
            "room": asked.room,
            "wished": asked.wishes != Wishes(),
            "cards": self._cards(findings),
            "lines": lines,
            "signed_at": signed[-1].index if signed else len(lines) - 1,
            "signed_rows": [str(line.number) for line in signed],
            "elsewhere": drafts.elsewhere(findings),
            "warnings": levels[Level.WARN],
            "overrides": levels[Level.OVERRIDE],
            "blocked": any(finding.level == Level.BLOCK for finding in findings),
            "barred": any(finding.rule in eligibility.BLOCKS for finding in found),
            "gates": gates_of(self.patient.pk, found, self.request.path),
            "needed": sorted({finding.rule for finding in levels[Level.OVERRIDE]}),
            "judged": self.judged,
        }

    def _cards(self, findings: tuple[Finding, ...]) -> tuple[cards.Card, ...]:
        asked, offers = self.asked, self.asked.proposal.offers
        shown = cards.shown(offers, self.rows, self.site.zone)
        if shown is None:
            return ()
        return cards.cards(
            offers=offers,
            label=self.label,
            rows=self.rows,
            findings=findings,
            calendar=cards.Calendar.of(self.site, asked.hours, asked.wishes.except_dates, *shown),
            wishes=asked.wishes,
            shape=asked.protocol.protocol.visit,
        )

    def _first_day(self) -> date | None:
        """The date from which a running course counts its days."""
        if self.course is None:
            return None
        return self.course.sessions.live().in_order().values_list("local_date", flat=True).first()

    def _dates(self) -> str:
        """From when to when: "25 Nov–16 Dec"."""
        days = [place.starts_at.astimezone(self.site.zone).date() for place in self.places]
        return asking.dates(min(days), max(days)) if days else ""

    def _frame(self) -> dict[str, Any]:
        return {
            "section": "patients",
            "site": self.site,
            "patient": self.patient,
            "course": self.course,
            "running": Course.objects.running().filter(patient=self.patient).exclude(held_until__lte=self.now).first(),
            "ask": self.asked.form,
            "valid": self.asked.valid,
            "away": self.asked.away,
            "chips": self.asked.chips,
            "wish_open": self.asked.wish_open,
            "left_out": [str(name) for day, name in WEEKDAYS if day not in self.asked.weekdays],
            "asked": self.planned_for,
            "rows": [drafts.encode_row(row) for row in self.rows],
            "label": self.label,
            "picked": self.picked,
            "edit": self.edit,
            "editing": self.editing,
            "edits_lost": self.edits_lost,
            "sign": self.sign,
            "errors": [*self.errors, *([self.asked.refusal] if self.asked.refusal and not self.asked.data else [])],
            "notes": self.notes,
            "now": self.now,
            "request_id": self.request_id,
            "places": self.places,
            "dates": self._dates(),
            "lost": [row for row in self.rows if row.taken],
            "replaced": [row for row in self.rows if row.taken and row.was],
        }
