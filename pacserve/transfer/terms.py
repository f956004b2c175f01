"""The terms on which files are downloaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pacserve.fetch.rate import UNLIMITED, Limits
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.packages.files import ExpectedFile
from pacserve.transfer.lines import Lines
from pacserve.transfer.pieces import Pieces

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


async def at_once(work: Callable[[], Any]) -> Any:
    """Does work without a thread."""
    return work()


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The terms on which files are downloaded, the same for all downloads of this host.

    Attributes:
        limits: How fast bytes may come.
        lateness: How late the timers of this process are.
        lines: How downloads share the mirrors.
        in_thread: Reads and hashes files in a thread.
        describe: Gives the digests of the pieces of a file, from memory; None where they are not known.
    """

    limits: Limits = UNLIMITED
    lateness: Lateness = PUNCTUAL
    lines: Lines = field(default_factory=Lines)
    in_thread: InThread = at_once
    describe: Callable[[ExpectedFile], Pieces | None] = lambda _: None
