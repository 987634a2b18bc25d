"""The clinic's clock: where it is turned forward and back, and where it went on while nobody carried mail."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from icalendar import Calendar

from scheduling import cancelling, moving
from scheduling.mails import letters
from scheduling.models import Mail, MailKind, MailState
from scheduling.protocols.types import Place
from tests.drills.post_office import Accepted
from tests.drills.visits import book_at, failures_on_the_worklist
from tests.drills.works import Works
from tests.factories import (
    MONDAY,
    ChairFactory,
    Clinic,
    ScreeningFactory,
    ShiftFactory,
    SiteFactory,
    StaffFactory,
    local,
    make_clinic,
    protocol,
)

DAY = timedelta(days=1)

#: Visits around the nights on which the clocks change, each with the moments at which its reminders are due: three
#: days, two days and one day before at the same local time, and two hours before.
AROUND_THE_CHANGES = {
    "America/New_York": {
        # 2027-03-14: what is meant for 02:30, which is skipped, is due at 03:30.
        "2027-03-14T03:30-04:00": (
            "2027-03-11T03:30-05:00",
            "2027-03-12T03:30-05:00",
            "2027-03-13T03:30-05:00",
            "2027-03-14T00:30-05:00",
        ),
        "2027-03-15T02:30-04:00": (
            "2027-03-12T02:30-05:00",
            "2027-03-13T02:30-05:00",
            "2027-03-14T03:30-04:00",
            "2027-03-15T00:30-04:00",
        ),
        "2027-03-16T02:30-04:00": (
            "2027-03-13T02:30-05:00",
            "2027-03-14T03:30-04:00",
            "2027-03-15T02:30-04:00",
            "2027-03-16T00:30-04:00",
        ),
        # 2027-11-07: what is meant for 01:30, which comes twice, is due at the first.
        "2027-11-07T01:30-05:00": (
            "2027-11-04T01:30-04:00",
            "2027-11-05T01:30-04:00",
            "2027-11-06T01:30-04:00",
            "2027-11-07T00:30-04:00",
        ),
        "2027-11-07T03:30-05:00": (
            "2027-11-04T03:30-04:00",
            "2027-11-05T03:30-04:00",
            "2027-11-06T03:30-04:00",
            "2027-11-07T01:30-05:00",
        ),
        "2027-11-09T01:30-05:00": (
            "2027-11-06T01:30-04:00",
            "2027-11-07T01:30-04:00",
            "2027-11-08T01:30-05:00",
            "2027-11-08T23:30-05:00",
        ),
    },
    "Europe/Berlin": {
        # 2027-03-28
        "2027-03-28T03:30+02:00": (
            "2027-03-25T03:30+01:00",
            "2027-03-26T03:30+01:00",
            "2027-03-27T03:30+01:00",
            "2027-03-28T00:30+01:00",
        ),
        "2027-03-30T02:30+02:00": (
            "2027-03-27T02:30+01:00",
            "2027-03-28T03:30+02:00",
            "2027-03-29T02:30+02:00",
            "2027-03-30T00:30+02:00",
        ),
        # 2027-10-31
        "2027-10-31T02:30+01:00": (
            "2027-10-28T02:30+02:00",
            "2027-10-29T02:30+02:00",
            "2027-10-30T02:30+02:00",
            "2027-10-31T01:30+02:00",
        ),
        "2027-10-31T04:30+01:00": (
            "2027-10-28T04:30+02:00",
            "2027-10-29T04:30+02:00",
            "2027-10-30T04:30+02:00",
            "2027-10-31T02:30+01:00",
        ),
        "2027-11-02T02:30+01:00": (
            "2027-10-30T02:30+02:00",
            "2027-10-31T02:30+02:00",
            "2027-11-01T02:30+01:00",
            "2027-11-02T00:30+01:00",
        ),
    },
}
KINDS = (MailKind.PREPARATION, MailKind.TWO_DAYS, MailKind.SCORE_DUE, MailKind.TWO_HOURS)


def open_all_night(zone: str, starts: list[datetime]) -> Clinic:
    """A clinic in that zone without quiet hours, with a chair and a prescriber on shift for each of the visits."""
    site = SiteFactory.create(time_zone=zone, quiet_from=time(0), quiet_until=time(0))
    chairs = tuple(ChairFactory.create_batch(len(starts), site=site))
    prescribers = tuple(StaffFactory.create_batch(-(-len(starts) // 4), prescriber=True, sites=[site]))
    for day in sorted({at.date() for at in starts}):
        for prescriber in prescribers:
            begin = datetime.combine(day, time(0), ZoneInfo(zone))
            during = DateTimeTZRange(begin.astimezone(UTC), (begin + timedelta(hours=20)).astimezone(UTC))
            ShiftFactory.create(staff=prescriber, site=site, during=during)
    desk = StaffFactory.create(sites=[site])
    return Clinic(site, chairs, desk=desk, clinician=desk, nurse=desk, manager=desk, prescribers=prescribers)


def starts_in(mail: Accepted) -> datetime:
    """When the visit begins that a mail hands over to a calendar."""
    (part,) = mail.message.iter_attachments()
    calendar = Calendar.from_ical(part.get_content())
    assert isinstance(calendar, Calendar)
    (entry,) = calendar.walk("VEVENT")
    at: datetime = entry.decoded("DTSTART")
    return at.astimezone(UTC)


def test_over_both_changes_of_the_clocks_each_reminder_goes_out_once_at_its_local_time(works: Works) -> None:
    protocol()
    starts: dict[str, datetime] = {}
    calls: list[tuple[datetime, str, MailKind]] = []
    for zone, visits in AROUND_THE_CHANGES.items():
        at = [datetime.fromisoformat(start) for start in visits]
        entered = min(at) - 7 * DAY
        sessions = book_at(open_all_night(zone, at), [start.astimezone(UTC) for start in at], entered=entered)
        for session, due in zip(sessions, visits.values(), strict=True):
            address = session.patient.email
            starts[address] = session.starts_at
            calls += [(datetime.fromisoformat(at), address, kind) for kind, at in zip(KINDS, due, strict=True)]
    calls.sort()
    works.it_is(calls[0][0] - DAY)
    works.post.open()
    works.start("beat", "worker")

    expected: Counter[str] = Counter()
    for due_at, together in groupby(calls, key=lambda call: call[0]):
        works.it_is(due_at - timedelta(minutes=10))
        works.drain()
        assert works.post.arrived == expected, due_at
        expected.update(address for _, address, _ in together)
        works.it_is(due_at)
        works.drain()
        assert works.post.arrived == expected, due_at

    assert [(mail.to, starts_in(mail)) for mail in works.post.accepted] == [
        (mail.to, starts[mail.to]) for mail in works.post.accepted
    ]
    assert works.post.repeated == []
    rows = Mail.objects.filter(state=MailState.SENT).values_list("due_at", "patient__email", "kind")
    assert sorted(rows) == [(due_at.astimezone(UTC), address, kind) for due_at, address, kind in calls]


def test_after_two_days_of_standstill_what_is_worth_sending_goes_out_and_the_rest_is_on_the_worklist(
    works: Works,
) -> None:
    clinic = make_clinic(weeks=1)
    wednesday, thursday, friday = (MONDAY + number * DAY for number in (2, 3, 4))
    starts = {
        "over": local(wednesday, "08:00"),
        "soon": local(wednesday, "11:20"),
        "today": local(wednesday, "14:40"),
        "tomorrow": local(thursday, "08:00"),
        "cancelled": local(thursday, "11:20"),
        "moved": local(thursday, "14:40"),
    }
    sessions = dict(zip(starts, book_at(clinic, [*starts.values()], entered=local(MONDAY, "07:00")), strict=True))
    for session in sessions.values():
        ScreeningFactory.create(patient=session.patient)
    works.it_is(local(MONDAY, "08:30"))
    works.post.open()
    works.start("beat", "worker")
    works.wait(lambda: Mail.objects.filter(state=MailState.SENT).count() == 2)
    works.end_processes()

    desk, now = clinic.desk, local(MONDAY, "09:00")
    cancelling.cancel_session(actor=desk, session=sessions["cancelled"], reason="Ill", now=now)
    place = Place(local(friday, "11:20"), clinic.chairs[0].pk, clinic.prescriber.pk)
    moving.move_session(actor=desk, session=sessions["moved"], place=place, now=now)

    works.it_is(local(wednesday, "10:00"))
    works.start("beat", "worker")
    works.wait(lambda: not Mail.objects.filter(state=MailState.DUE, due_at__lte=local(wednesday, "10:00")).exists())
    works.wait(lambda: not works.post.look().in_conversation)
    works.end_processes()

    names = {session.patient.email: name for name, session in sessions.items()}
    became: dict[str, dict[str, list[str]]] = {name: {} for name in starts}
    for address, kind, state in Mail.objects.order_by("pk").values_list("patient__email", "kind", "state"):
        became[names[address]].setdefault(state, []).append(kind)
    assert became == {
        "over": {"sent": ["two-days"], "failed": ["score-due", "two-hours"]},
        "soon": {"sent": ["two-hours"], "failed": ["two-days", "score-due"]},
        "today": {"sent": ["two-days", "score-due"], "due": ["two-hours"]},
        "tomorrow": {"sent": ["preparation", "two-days", "score-due"], "due": ["two-hours"]},
        "cancelled": {"withdrawn": ["preparation", "two-days", "score-due", "two-hours"], "sent": ["cancelled"]},
        "moved": {
            "withdrawn": ["preparation", "two-days", "score-due", "two-hours"],
            "sent": ["preparation", "changed"],
            "due": ["two-days", "score-due", "two-hours"],
        },
    }
    assert {names[address]: count for address, count in works.post.arrived.items()} == {
        name: len(mails["sent"]) for name, mails in became.items()
    }
    assert works.post.repeated == []
    assert set(Mail.objects.filter(state=MailState.FAILED).values_list("error", flat=True)) == {letters.TOO_LATE}
    assert {names[address]: count for address, count in failures_on_the_worklist().items()} == {"over": 2, "soon": 2}
