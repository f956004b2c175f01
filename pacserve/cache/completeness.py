"""When a file in a package cache is complete.  Rules only."""

from __future__ import annotations

from collections.abc import Sequence

from pacserve.packages.files import SIGNATURE_LIMIT

# Seconds for which a file that no database knows must not have changed: whoever copies a package into the folder writes more often than that.
SETTLING_TIME = 2.0


def complete(size: int, changed: float, now: float, stated: Sequence[int], *, signature: bool) -> bool:
    """
    Returns whether a file under its final name may be handed on.

    Args:
        size: Its size in bytes.
        changed: Its ctime, in seconds since the epoch.
        now: The time by the same clock.
        stated: The sizes that sync databases state for it.  Where there is one, it decides.
        signature: It is a detached signature, which no database states the size of.
    """
    if signature:
        return size <= SIGNATURE_LIMIT and settled(size, changed, now)
    return size in stated if stated else settled(size, changed, now)


def settled(size: int, changed: float, now: float) -> bool:
    """Returns whether a file is not empty and has not changed lately."""
    return size > 0 and not changed_lately(changed, now)


def changed_lately(changed: float, now: float) -> bool:
    """
    Returns whether a time stamp is so near that whoever wrote there may not have finished.

    One far ahead is old as well: after the clock was set back, files must not be hidden until it has caught up.
    """
    return abs(now - changed) < SETTLING_TIME
