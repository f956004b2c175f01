"""The order of tests that run in several processes at once: some need the machine for themselves."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """
    Lets either any number of tests run at once, or one alone.

    Args:
        folder: Where the processes that run tests have their locks; the kernel takes back those of a process that was killed.
    """

    def __init__(self, folder: Path) -> None:
        self._gate, self._room = folder / "gate.lock", folder / "room.lock"

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        """Waits until a test may run, and keeps others from what it must not share meanwhile."""
        with self._gate.open("w") as gate, self._room.open("w") as room:
            # A test that waits to be alone keeps the gate, or tests that begin one after the other would keep it waiting to the end.
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
            yield
