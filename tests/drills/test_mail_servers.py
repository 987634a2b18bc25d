"""A mail server that dawdles, refuses, hangs up or is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min

from scheduling.models import Mail, MailState
from tests.drills.post_office import Orders
from tests.drills.visits import ALL_DUE, book, due, failures_on_the_worklist, recorded, results
from tests.drills.works import Works

REMINDERS = 12
SECOND = timedelta(seconds=1)
#: How long a mail rests after the first try without success, the second, and so on.
PAUSES = (10, 20, 40, 60, 60, 60)


def begin(works: Works, orders: Orders) -> list[str]:
    """A worker and a beat at a dozen reminders that are due, and a mail server in such a mood; returns whom to."""
    addresses = book(REMINDERS)
    works.it_is(ALL_DUE)
    works.post.order(orders)
    works.post.open()
    works.start("beat", "worker")
    works.knock()
    return addresses


def until(works: Works, condition: Callable[[], bool]) -> None:
    """Wait; whenever all mails are put off, the clock skips to when the first of them is tried again."""

    def skipping() -> bool:
        first = Mail.objects.filter(state=MailState.DUE, due_at__lte=ALL_DUE).aggregate(first=Min("try_at"))["first"]
        if first is not None and first > works.now():
            works.it_is(first)
            works.knock()
        return condition()

    works.wait(skipping)


def test_a_mail_server_that_takes_its_time_gets_each_reminder_once(works: Works) -> None:
    addresses = begin(works, Orders(before=1.0))
    works.until_arrived(4)
    works.post.order(Orders(after=settings.EMAIL_TIMEOUT + 3))  # over one mail it thinks for so long
    works.until_arrived(5)
    works.post.order(Orders())
    works.wait(lambda: due(ALL_DUE) == 0)

    assert results(ALL_DUE) == {(MailState.SENT, ""): REMINDERS}
    assert works.post.arrived == recorded() == Counter(addresses)


def test_what_is_refused_for_now_is_tried_at_growing_distances_up_to_a_minute_and_then_sent_once(works: Works) -> None:
    addresses = begin(works, Orders(refuses={"*": "451 4.7.1 Try again later"}))
    # Of each mail after so many tries: when the next one is, and what the clock showed when that was read.
    seen: dict[tuple[int, int], tuple[datetime, datetime]] = {}

    def tried_often() -> bool:
        there = list(Mail.objects.filter(due_at__lte=ALL_DUE).values_list("pk", "attempts", "try_at"))
        for mail, tries, try_at in there:
            seen.setdefault((mail, tries), (try_at, works.now()))
        return min(tries for _, tries, _ in there) >= len(PAUSES)

    until(works, tried_often)
    works.post.order(Orders())
    until(works, lambda: due(ALL_DUE) == 0)

    between = [
        # It was tried after it was due, and before it was seen to have been tried.
        before + pause * SECOND <= try_at <= read_at + pause * SECOND
        for (mail, tries), (try_at, read_at) in seen.items()
        for pause in PAUSES[tries - 1 : tries]
        for before in [seen[mail, tries - 1][0] if tries > 1 else ALL_DUE]
    ]
    assert between == [True] * REMINDERS * len(PAUSES)
    assert results(ALL_DUE) == {(MailState.SENT, ""): REMINDERS}
    tries = Mail.objects.filter(due_at__lte=ALL_DUE).values_list("patient__email", "attempts")
    assert works.post.look().refused == Counter({address: number - 1 for address, number in tries})
    assert works.post.arrived == recorded() == Counter(addresses)
    assert failures_on_the_worklist() == Counter()


def test_what_is_refused_for_good_fails_at_once_onto_the_worklist_and_holds_nobody_up(works: Works) -> None:
    addresses = book(REMINDERS)
    gone = addresses[::4]
    works.it_is(ALL_DUE)
    works.post.order(Orders(refuses=dict.fromkeys(gone, "550 5.1.1 No such mailbox")))
    works.post.open()
    works.start("beat", "worker")
    works.wait(lambda: due(ALL_DUE) == 0)

    assert results(ALL_DUE) == {
        (MailState.SENT, ""): REMINDERS - len(gone),
        (MailState.FAILED, "550 5.1.1 No such mailbox"): len(gone),
    }
    assert works.post.look().refused == failures_on_the_worklist() == Counter(gone)
    assert works.post.arrived == recorded() == Counter(addresses) - Counter(gone)


def test_of_a_server_that_dies_after_a_mail_instead_of_answering_only_that_mail_comes_twice(works: Works) -> None:
    addresses = book(REMINDERS)
    unlucky = addresses[::3]
    works.it_is(ALL_DUE)
    works.post.order(Orders(hangs_up_on=unlucky))
    works.post.open()
    works.start("beat", "worker")
    until(works, lambda: due(ALL_DUE) == 0)

    assert results(ALL_DUE) == {(MailState.SENT, ""): REMINDERS}
    assert works.post.arrived == Counter(addresses) + Counter(unlucky)
    assert Counter(mail.to for mail in works.post.repeated) == Counter(unlucky)
    assert [mail for mail in works.post.repeated if mail not in works.post.cut_short] == []
    assert recorded() == Counter(addresses)


def test_while_the_mail_server_is_away_nothing_is_lost_and_when_it_is_back_each_reminder_goes_out_once(
    works: Works,
) -> None:
    addresses = book(REMINDERS)
    works.it_is(ALL_DUE)
    works.start("beat", "worker")
    until(works, lambda: not Mail.objects.filter(due_at__lte=ALL_DUE, attempts__lt=2).exists())
    works.post.open()
    until(works, lambda: due(ALL_DUE) == 0)

    assert results(ALL_DUE) == {(MailState.SENT, ""): REMINDERS}
    assert works.post.arrived == recorded() == Counter(addresses)
    assert failures_on_the_worklist() == Counter()
