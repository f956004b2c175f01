"""The questions to the mirrors that run, so that clients which want the same index at the same moment share one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from pacserve.errors import AbsentError, FetchError
from pacserve.indexes.freshness import Copy
from pacserve.indexes.revalidation import Revalidation
from pacserve.packages.files import FileRequest
from pacserve.transfer.download import Download

# Indexes that are fetched at the same time.
REVALIDATIONS_LIMIT = 32

Work = Callable[[FileRequest, Revalidation, bool], Coroutine[Any, Any, None]]


class Revalidations:
    """
    Keeps the questions that run, by file and by whether the client forces it.

    Args:
        work: Asks the mirrors for a file, forced or not, and tells the revalidation what came of it; it never raises.
        unconfirmed: Says whether no mirror could be asked a moment ago whether a copy is of today.
    """

    def __init__(self, work: Work, unconfirmed: Callable[[Copy], bool]) -> None:
        self._work = work
        self._unconfirmed = unconfirmed
        self._running: dict[tuple[FileRequest, bool], Revalidation] = {}

    async def outcome(self, request: FileRequest, *, forced: bool) -> Download | Copy:
        """
        Returns what comes of the question that runs, or of a new one.

        A client that forces a file shares what is fetched for others, and not a copy that was found to be of the same date.

        Raises:
            PacserveError: Neither a file nor a copy.
        """
        running, unforced = self._running.get((request, True)), self._running.get((request, False))
        if running is None and not forced:
            running = unforced
        elif running is None and unforced is not None:
            with contextlib.suppress(AbsentError, FetchError):
                outcome = await unforced.outcome()
                if isinstance(outcome, Download) or self._unconfirmed(outcome):
                    return outcome
            running = self._running.get((request, True))
        return await (self._begin(request, forced=forced) if running is None else running).outcome()

    async def checked(self, request: FileRequest) -> None:
        """Waits while a file is checked all bytes of which have arrived."""
        for forced in (False, True):
            revalidation = self._running.get((request, forced))
            if revalidation is not None:
                await revalidation.checked()

    def stop(self) -> None:
        """Ends all of them."""
        for revalidation in list(self._running.values()):
            revalidation.stop()

    def _begin(self, request: FileRequest, *, forced: bool) -> Revalidation:
        if len(self._running) >= REVALIDATIONS_LIMIT:
            raise FetchError("too many databases are fetched already")
        key, revalidation = (request, forced), Revalidation()
        self._running[key] = revalidation
        revalidation.start(self._work(request, revalidation, forced), lambda: self._running.pop(key, None))
        return revalidation
