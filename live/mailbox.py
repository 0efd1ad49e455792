"""One place for the newest of something: putting replaces, and what was replaced unread is counted.

A consumer that stalls for three seconds then finds the newest item, not ninety old ones.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """A place for one item between threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._replaced = 0
        self._is_closed = False

    def put(self, item: Item) -> None:
        """Puts an item in place of the one that may be there; never waits for a consumer."""
        with self._condition:
            if self._item is not None:
                self._replaced += 1
            self._item = item
            self._condition.notify()

    def take(self, timeout_s: float = 0.0) -> Item | None:
        """Takes the item out, waiting at most ``timeout_s`` for one; None when none came or the box was closed."""
        with self._condition:
            if self._item is None and timeout_s > 0:
                self._condition.wait_for(lambda: self._item is not None or self._is_closed, timeout_s)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Ends all waiting, now and later; an item that is there can still be taken."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    @property
    def replaced(self) -> int:
        """How many items nobody took."""
        return self._replaced
