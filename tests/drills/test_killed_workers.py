"""Whoever carries the mail is killed, or is not alone."""

from __future__ import annotations

import logging
import os
import random
import time
from collections import Counter

from scheduling.models import MailState
from tests.drills.post_office import Orders
from tests.drills.visits import ALL_DUE, ENTERED, book, due, recorded, results
from tests.drills.works import Works

logger = logging.getLogger(__name__)

REMINDERS = 2000
KILLS = 50
#: One is killed while the others start again: a worker needs some seconds for that.
WORKERS = ("worker-1", "worker-2", "worker-3")


def test_2000_reminders_outlive_50_kills_and_only_those_between_acceptance_and_record_come_twice(works: Works) -> None:
    seed = int(os.environ.get("DRILL_SEED") or time.time())
    logger.info("DRILL_SEED=%s makes the same moments again.", seed)
    chance = random.Random(seed)  # noqa: S311 moments, no secrets
    addresses = book(REMINDERS)
    works.it_is(ALL_DUE)
    works.post.open()
    works.start("beat", *WORKERS)
    for kill in range(KILLS):
        # The more are ahead of the kills, the slower: some are left for each, and not too many at the end.
        ahead = len(works.post.arrived) - REMINDERS * kill / KILLS
        works.post.order(Orders(before=min(max(ahead, 0) / 200, 1.0), after=0.01))
        victim = WORKERS[kill % len(WORKERS)]
        works.bring_to_work(victim)
        time.sleep(chance.uniform(0, 0.5))
        assert len(works.post.arrived) < REMINDERS
        works.kill(victim)
        works.child(victim).start()
    works.post.order(Orders())
    works.wait(lambda: due(ALL_DUE) == 0 and not works.post.look().in_conversation)

    doubles, cut_short = works.post.repeated, works.post.cut_short
    logger.info("%s kills cut %s conversations short; %s mails twice.", KILLS, len(cut_short), len(doubles))
    assert results(ALL_DUE) == {(MailState.SENT, ""): REMINDERS}
    assert works.post.arrived == Counter(addresses) + Counter(mail.to for mail in doubles)
    # Each mail that came again was the last one that its worker gave to the mail server before it was killed, ...
    assert [mail for mail in doubles if mail not in cut_short] == []
    # ... and was not recorded by then: there is one record of each mail, and who finds one sends no more. (The record
    # of a worker that was killed may still be under way while the next one looks; then there are two.)
    assert (recorded() - Counter(addresses)).keys() <= {mail.to for mail in doubles}
    assert recorded().keys() == {*addresses}
    assert len(doubles) <= len(cut_short) <= 2 * KILLS  # a worker has two processes


def test_two_beats_and_four_workers_send_each_reminder_once(works: Works) -> None:
    addresses = book(400)
    works.it_is(ENTERED)
    works.post.order(Orders(after=0.02))
    works.post.open()
    workers = [f"worker-{number}" for number in range(1, 5)]
    works.start("beat-1", "beat-2", *workers)
    works.bring_to_work(*workers)
    works.it_is(ALL_DUE)
    together = set()

    def all_sent() -> bool:
        works.knock()
        together.add(len(works.post.look().in_conversation))
        return due(ALL_DUE) == 0 and not works.post.in_conversation

    works.wait(all_sent)

    assert max(together) > 1
    assert results(ALL_DUE) == {(MailState.SENT, ""): 400}
    assert works.post.arrived == recorded() == Counter(addresses)
