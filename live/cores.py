"""Which cores decide where there are but two: the recognizer's thread keeps to one, the model's helper to the other.

Why, and what it gave: ``docs/decisions/0014-two-cores.md``.
"""

from __future__ import annotations

import os


def pair_of_cores() -> tuple[int, ...]:
    """Returns the numbers of the two cores that this program may use; empty where there are more, or fewer.

    Empty too where the system keeps no thread to a core when asked: all but Linux, and a sandbox that forbids it.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, usable)
    except OSError:
        return ()
    return tuple(sorted(usable)) if len(usable) == 2 else ()


def keep_to(core: int) -> None:
    """Keeps the calling thread, and those that it starts from now on, to one core of :func:`pair_of_cores`."""
    os.sched_setaffinity(0, {core})
