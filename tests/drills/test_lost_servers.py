"""Servers that die under what is being sent."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta

from scheduling.models import Mail, MailState
from tests.drills.post_office import Orders
from tests.drills.visits import ALL_DUE, book, due, recorded, results
from tests.drills.works import Works

logger = logging.getLogger(__name__)

REMINDERS = 150
#: After so many mails.
MOMENTS = (20, 40, 60)


def test_redis_comes_back_empty_twice_and_every_reminder_goes_out_once(works: Works) -> None:
    addresses = book(REMINDERS)
    later = ALL_DUE + timedelta(minutes=10)
    half = addresses[::2]
    Mail.objects.filter(due_at__lte=ALL_DUE, patient__email__in=half).update(due_at=later, try_at=later)
    works.it_is(ALL_DUE)
    works.post.order(Orders(before=0.02))
    works.post.open()
    works.start("beat", "worker")
    works.until_arrived(20)
    works.redis.kill()
    works.wait(lambda: due(ALL_DUE) == 0)
    works.kill("worker")
    works.knock(5)
    works.redis.kill()  # with all that the worker was asked for
    works.it_is(later)
    works.wait(lambda: due(later) == 0)

    assert results(later) == {(MailState.SENT, ""): REMINDERS}
    assert works.post.arrived == recorded() == Counter(addresses)


def test_postgresql_breaks_off_and_only_what_it_could_not_write_down_comes_twice(works: Works) -> None:
    addresses = book(REMINDERS)
    works.it_is(ALL_DUE)
    works.post.order(Orders(before=0.02, after=0.01))
    works.post.open()
    works.start("beat", "worker")
    for number in MOMENTS:
        works.until_arrived(number)
        works.crash_postgres()
        works.knock()
    check(works, addresses)


def test_workers_whose_connections_to_postgresql_are_cut_send_nothing_that_others_send(works: Works) -> None:
    addresses = book(REMINDERS)
    works.it_is(ALL_DUE)
    works.post.order(Orders(before=0.02, after=0.01))
    works.post.open()
    works.start("beat", "worker-1", "worker-2")
    for number in MOMENTS:
        works.knock(2)
        works.until_arrived(number)
        works.cut_connections()
    check(works, addresses)


def check(works: Works, addresses: list[str]) -> None:
    """The rest goes out; twice came only what a drain had handed over last when it lost the database."""
    works.post.order(Orders())
    works.wait(lambda: due(ALL_DUE) == 0 and not works.post.look().in_conversation)
    doubles = works.post.repeated
    logger.info("%s interruptions, %s mails twice.", len(MOMENTS), len(doubles))
    assert results(ALL_DUE) == {(MailState.SENT, ""): REMINDERS}
    assert works.post.arrived == Counter(addresses) + Counter(mail.to for mail in doubles)
    assert [mail for mail in doubles if mail not in works.post.last_words] == []
    # A record whose commit was not confirmed may have been written again.
    assert recorded().keys() == {*addresses}
