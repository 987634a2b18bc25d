"""What a patient answers behind the link of a mail: written as the desk's verbs write, once."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, Stale
from patients import contact
from patients.models import AddressFault, Consent, ConsentSource, ContactLevel, Patient, Task, TaskKind
from scheduling import moving
from scheduling.mails import links
from scheduling.models import Course, CourseEvent, Mail, MailKind, MailState, Reply, Session, SessionState
from scheduling.portal import access, answering
from scheduling.portal import moving as moves
from scheduling.portal.access import Access
from scheduling.portal.answering import BestTime
from scheduling.protocols.types import Place, Wanted
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, SessionFactory, local


@pytest.fixture
def link(reminder: Mail) -> Access:
    """What the reminder of the second visit opens."""
    return access.read(links.token(reminder.seed), now=NOW)


def seen(*sessions: Session) -> dict[int, int]:
    return {session.pk: session.times_version for session in sessions}


def own(link: Access) -> Session:
    assert link.session is not None
    return link.session


def states(course: Course) -> list[str]:
    return [session.state for session in course.sessions.in_order()]


def events(course: Course) -> list[tuple[str, object, list[int]]]:
    """What the course's events say but for its booking: kind, by whom, of which visits."""
    found = CourseEvent.objects.filter(course=course).exclude(kind="booked").order_by("pk")
    return [(event.kind, event.by, event.details["sessions"]) for event in found]


def locks(asked: CaptureQueriesContext) -> int:
    """How often days were locked: that raises their version, by which boards see what has changed."""
    return sum("lock_days" in query["sql"] for query in asked)


# I'll come


def test_a_yes_confirms_the_visit_and_shows_on_the_board(link: Access, course: Course) -> None:
    session = own(link)
    with CaptureQueriesContext(connection) as asked:
        changed = answering.come(access=link, visits=seen(session), now=NOW)

    assert [(one.pk, one.state, one.confirmed_at) for one in changed] == [(session.pk, SessionState.CONFIRMED, NOW)]
    assert states(course) == ["booked", "confirmed", "booked", "booked", "booked", "booked"]
    assert events(course) == [("confirmed", None, [session.pk])]
    assert locks(asked) == 1


def test_a_second_tap_changes_nothing(link: Access, course: Course) -> None:
    answering.come(access=link, visits=seen(own(link)), now=NOW)
    again = answering.come(access=link, visits=seen(own(link)), now=NOW + timedelta(minutes=1))

    assert again == ()
    assert [kind for kind, *_ in events(course)] == ["confirmed"]
    assert Session.objects.get(pk=own(link).pk).confirmed_at == NOW


def test_a_yes_can_be_taken_back(link: Access, course: Course) -> None:
    answering.come(access=link, visits=seen(own(link)), now=NOW)
    answering.come(access=link, visits=seen(own(link)), coming=False, now=NOW)

    assert states(course) == ["booked"] * 6
    assert [kind for kind, *_ in events(course)] == ["confirmed", "not-confirmed"]
    assert Session.objects.get(pk=own(link).pk).confirmed_at is None


def test_one_tap_says_yes_to_all_dates(link: Access, course: Course) -> None:
    changed = answering.come(access=link, visits=seen(*link.sessions), now=NOW)

    assert len(changed) == 6
    assert states(course) == ["confirmed"] * 6
    assert events(course) == [("confirmed", None, [session.pk for session in link.sessions])]


def test_a_page_that_showed_another_time_changes_nothing(clinic: Clinic, link: Access, course: Course) -> None:
    other = link.sessions[3]
    place = Place(local(MONDAY + timedelta(days=11)), other.chair_id, other.prescriber_id)
    moving.move_session(actor=clinic.desk, session=other, place=place, now=NOW)

    with pytest.raises(Stale):
        answering.come(access=link, visits=seen(*link.sessions), now=NOW)
    assert states(course) == ["booked"] * 6


def test_somebody_else_s_visit_is_not_the_link_s(clinic: Clinic, link: Access) -> None:
    stranger = SessionFactory.create(
        course=CourseFactory.create(site=clinic.site), chair=clinic.chairs[3], prescriber=clinic.prescriber
    )
    with pytest.raises(Stale):
        answering.come(access=link, visits=seen(stranger), now=NOW)
    with pytest.raises(Stale):
        answering.escort(access=link, visits=[stranger.pk], name="Jo", phone="", now=NOW)

    assert Session.objects.get(pk=stranger.pk).state == stranger.state
    assert not Reply.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"state": SessionState.CANCELLED, "freed_at": NOW}, {"needs_replan": True}], ids=["freed", "unfit"]
)
def test_a_visit_that_does_not_stand_cannot_be_confirmed(link: Access, changes: dict[str, object]) -> None:
    Session.objects.filter(pk=own(link).pk).update(**changes)
    with pytest.raises(Stale):
        answering.come(access=link, visits=seen(own(link)), now=NOW)


def test_a_visit_that_has_begun_cannot_be_confirmed(link: Access) -> None:
    with pytest.raises(Stale):
        answering.come(access=link, visits=seen(own(link)), now=own(link).starts_at)


# Call me


def test_a_wish_for_a_call_is_one_line_on_the_worklist(link: Access, course: Course) -> None:
    request = uuid4()
    Patient.objects.filter(pk=link.patient.pk).update(phone="+1 555 1234")
    link.patient.refresh_from_db()
    first = answering.call(access=link, best=BestTime.MORNING, request_id=request, now=NOW)
    again = answering.call(access=link, best=BestTime.MORNING, request_id=request, now=NOW)
    Task.objects.update(snoozed_until=NOW + timedelta(hours=1))
    another = answering.call(access=link, phone="555 12345", request_id=uuid4(), now=NOW)
    task = Task.objects.get(kind=TaskKind.CALL_ASKED)

    assert (first, again, another) == (True, False, False)
    assert (task.patient, task.course, task.key) == (link.patient, course, "")
    said = {"best": "", "phone": "555 12345", "session": own(link).pk}
    assert (task.details, task.snoozed_until) == (said, None)  # what was said last
    assert events(course) == [("call-asked", None, [own(link).pk])]

    for _ in range(2):
        answering.call_off(access=link, now=NOW)
    assert not Task.objects.filter(done_at=None).exists()
    assert [kind for kind, *_ in events(course)] == ["call-asked", "call-taken-back"]


def test_the_same_request_asks_for_no_second_call_after_the_first(link: Access) -> None:
    request = uuid4()
    answering.call(access=link, phone="555 12345", request_id=request, now=NOW)
    Task.objects.update(done_at=NOW)

    assert answering.call(access=link, phone="555 12345", request_id=request, now=NOW) is False
    assert not Task.objects.filter(kind=TaskKind.CALL_ASKED, done_at=None).exists()


@pytest.mark.parametrize("phone", ["", "call me", "5" * 41])
def test_a_call_needs_a_number(link: Access, phone: str) -> None:
    Patient.objects.filter(pk=link.patient.pk).update(phone="")
    link.patient.refresh_from_db()
    with pytest.raises(Invalid) as refused:
        answering.call(access=link, phone=phone, now=NOW)

    assert list(refused.value.fields) == ["phone"]


# Who takes the patient home


def test_who_takes_the_patient_home_is_kept_with_the_visits(link: Access, course: Course) -> None:
    with CaptureQueriesContext(connection) as asked:
        for _ in range(2):
            visits = [session.pk for session in link.sessions[:2]]
            answering.escort(access=link, visits=visits, name=" Marta  Lund ", phone="555 0199", now=NOW)

    assert list(Reply.objects.order_by("pk").values_list("pk", "escort_name", "escort_phone", "updated_at")) == [
        (session.pk, "Marta Lund", "555 0199", NOW) for session in link.sessions[:2]
    ]
    assert [kind for kind, *_ in events(course)] == ["escort-named"]
    assert locks(asked) == 2


def test_an_empty_name_takes_it_back(link: Access, course: Course) -> None:
    answering.escort(access=link, visits=[own(link).pk], name="Marta Lund", phone="", now=NOW)
    answering.escort(access=link, visits=[own(link).pk], name="", phone="", now=NOW)

    assert Reply.objects.get().escort_name == ""
    assert [kind for kind, *_ in events(course)] == ["escort-named", "escort-taken-back"]


@pytest.mark.parametrize(
    ("name", "phone", "field"),
    [("x" * 101, "", "escort_name"), ("", "555 0199", "escort_name"), ("Jo", "soon", "escort_phone")],
)
def test_what_is_no_name_or_number_is_refused_at_its_field(link: Access, name: str, phone: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        answering.escort(access=link, visits=[own(link).pk], name=name, phone=phone, now=NOW)

    assert list(refused.value.fields) == [field]


def test_nobody_is_taken_back_where_nobody_was_named(link: Access, course: Course) -> None:
    with pytest.raises(Invalid) as refused:
        answering.escort(access=link, visits=[own(link).pk], name=" ", phone="", now=NOW)

    assert refused.value.fields == {"escort_name": ["Please write a name."]}
    assert (Reply.objects.count(), events(course)) == (0, [])


def test_what_no_screen_shows_is_left_out_of_what_was_typed(link: Access) -> None:
    answering.escort(access=link, visits=[own(link).pk], name="Jo\x00 Vance\u202e", phone="555\x0012345", now=NOW)
    answering.call(access=link, phone="555\x0012345", now=NOW)
    moves.ask(session=own(link), text="After\x00noon", now=NOW)

    reply = Reply.objects.get()
    assert (reply.escort_name, reply.escort_phone) == ("Jo Vance", "555 12345")
    said = Task.objects.order_by("pk").values_list("details__phone", "details__text")
    assert list(said) == [("555 12345", None), (None, "After noon")]


def test_during_the_visit_the_desk_is_told_instead(link: Access) -> None:
    Session.objects.filter(pk=own(link).pk).update(state=SessionState.CHECKED_IN, checked_in_at=NOW)
    with pytest.raises(Stale):
        answering.escort(access=link, visits=[own(link).pk], name="Jo", phone="", now=NOW)


# Mails and address


def test_a_press_of_a_button_shows_that_the_mailbox_is_the_patient_s(link: Access) -> None:
    Mail.objects.filter(pk=link.mail.pk).update(state=MailState.SENT, sent_at=NOW, settled_at=NOW)
    answering.acted(access=access.read(link.token, now=NOW), now=NOW)
    answering.acted(access=access.read(link.token, now=NOW), now=NOW + timedelta(hours=1))

    assert Patient.objects.get(pk=link.patient.pk).email_verified_at == NOW
    assert Mail.objects.get(pk=link.mail.pk).opened_at == NOW


def test_an_address_that_works_after_all_hears_what_was_withheld(clinic: Clinic, link: Access) -> None:
    Mail.objects.filter(Q(pk=link.mail.pk) | Q(kind=MailKind.BOOKED)).update(
        state=MailState.SENT, sent_at=NOW, settled_at=NOW
    )
    contact.fault(fault=AddressFault.BOUNCED, patient=link.patient, now=NOW)
    last = Session.objects.select_related("course__patient", "course__site", "course__protocol").in_order()[5]
    later = Wanted(last.starts_at + timedelta(hours=1), None, None)
    moving.move_session(actor=clinic.desk, session=last, place=later, now=NOW)

    answering.acted(access=access.read(link.token, now=NOW), now=NOW)

    due = Mail.objects.filter(state=MailState.DUE)
    assert due.filter(kind=MailKind.CHANGED).count() == 1
    assert due.filter(session=last).count() == 4


def test_mails_come_in_the_language_that_was_chosen(link: Access) -> None:
    answering.speak(access=link, language="es", now=NOW)

    assert Patient.objects.get(pk=link.patient.pk).language == "es"


def test_detailed_mails_are_agreed_to_in_the_words_that_were_read(link: Access) -> None:
    with pytest.raises(Invalid):
        answering.agree(access=link, level=ContactLevel.DETAILED, language="en", now=NOW)
    Patient.objects.filter(pk=link.patient.pk).update(email_verified_at=NOW)
    consent = answering.agree(access=link, level=ContactLevel.DETAILED, language="en", now=NOW)

    assert (consent.level, consent.source, consent.by) == (ContactLevel.DETAILED, ConsentSource.PAGE, None)
    assert Consent.objects.filter(level=ContactLevel.DETAILED).count() == 1


def test_a_mailbox_of_somebody_else_gets_no_more_mails(link: Access) -> None:
    answering.not_mine(access=link, now=NOW)

    assert Patient.objects.get(pk=link.patient.pk).email_fault == AddressFault.NOT_MINE
    assert Task.objects.filter(kind=TaskKind.BAD_ADDRESS, done_at=None).count() == 1
