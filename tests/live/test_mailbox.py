"""The mailbox: newest wins, nothing is lost uncounted, and waiting ends."""

from __future__ import annotations

import threading

from live.mailbox import Mailbox
from tests.live.fakes import WAIT_S


def test_the_newest_item_wins_and_the_unread_ones_are_counted() -> None:
    box: Mailbox[int] = Mailbox()
    assert box.take() is None
    for item in range(5):
        box.put(item)
    assert (box.take(), box.take(), box.replaced) == (4, None, 4)


def test_a_waiting_consumer_gets_the_item_of_another_thread() -> None:
    box: Mailbox[str] = Mailbox()
    taken: list[str | None] = []
    consumer = threading.Thread(target=lambda: taken.append(box.take(WAIT_S)))
    consumer.start()
    box.put("now")
    consumer.join(WAIT_S)
    assert taken == ["now"]


def test_closing_ends_the_waiting_and_leaves_the_item() -> None:
    box: Mailbox[str] = Mailbox()
    taken: list[str | None] = []
    consumer = threading.Thread(target=lambda: taken.append(box.take(WAIT_S)))
    consumer.start()
    box.close()
    consumer.join(WAIT_S / 2)
    assert taken == [None]
    box.put("last")
    assert box.take(WAIT_S) == "last"


def test_every_item_is_either_taken_or_counted() -> None:
    box: Mailbox[int] = Mailbox()
    taken: list[int] = []

    def consume() -> None:
        while (item := box.take(WAIT_S)) is not None:
            taken.append(item)

    consumer = threading.Thread(target=consume)
    consumer.start()
    for item in range(2000):
        box.put(item)
    box.close()
    consumer.join(WAIT_S)
    assert taken == sorted(taken)
    assert taken[-1] == 1999
    assert len(taken) + box.replaced == 2000
