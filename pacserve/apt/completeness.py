"""
Fetches the indexes of a new release before it is handed out, where the mirror can be asked for them by name alone.

A mirror that is being updated has the new release beside the old indexes, or the other way round.  Where a client would get no index for the new
release, and the former one is whole here, it gets the former one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.apt.content import StatedFile, label_of
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.release_rules import KeptRelease
from pacserve.apt.releases import IndexEntry
from pacserve.apt.targets import Target
from pacserve.complaints import Complaints
from pacserve.errors import FetchError, RequestError
from pacserve.waiting import Waiters

# Seconds for the indexes of one release: on a slow line they take longer than any client waits for the release.
INDEXES_TIMEOUT = 1800.0
BY_HASH = ("by-hash", "SHA256")

Hold = Callable[[KnownFile], Coroutine[Any, Any, bool]]


class _Run:
    """
    The indexes of one release, while they are fetched.

    Attributes:
        verdict: None as long as it is not known.
    """

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.verdict: bool | None = None
        self.ended = Waiters()
        self.work: Deferred[Any] | None = None


class Completeness:
    """
    Fetches the indexes of new releases into the spool.

    Args:
        hold: Fetches an index into the spool; returns whether the mirror, or the spool, has it as it is stated.
    """

    _log = Logger()

    def __init__(self, hold: Hold, clock: IReactorTime) -> None:
        self._hold = hold
        self._clock = clock
        self._running: dict[str, _Run] = {}
        self._complaints = Complaints(self._log)

    async def of(self, found: KeptRelease, former: KeptRelease, names: Sequence[str], complete: Callable[[], None], until: float) -> bool | None:
        """
        Says whether a new release can be handed out.

        Args:
            names: The indexes that clients ask for by their names.
            complete: Called when it can be, be it after this has returned.
            until: When the client is answered, by the clock.

        Returns:
            None where that is not known yet; its indexes go on coming.
        """
        run = self._running.get(found.url)
        if run is None or run.digest != found.release.digest:
            if run is not None and run.work is not None:
                run.work.cancel()
            run = self._running[found.url] = _Run(found.release.digest)
            working = Deferred.fromCoroutine(self._work(run, found, former, names)).addTimeout(INDEXES_TIMEOUT, self._clock)
            working.addCallbacks(lambda verdict: complete() if verdict else None, lambda failure: None if failure.check(TimedOutError) else failure)
            run.work = self._complaints.hear(working, "fetching the indexes of a release")
        if run.verdict is None:
            await run.ended.wait_for(until - self._clock.seconds(), self._clock)
        return run.verdict

    async def _work(self, run: _Run, found: KeptRelease, former: KeptRelease, names: Sequence[str]) -> bool:
        try:
            run.verdict = await self._can_be_had(found, former, names)
            return run.verdict
        finally:
            if self._running.get(found.url) is run:
                del self._running[found.url]
            run.ended.wake()

    async def _can_be_had(self, found: KeptRelease, former: KeptRelease, names: Sequence[str]) -> bool:
        """Returns whether each index can be had, but for those of which the former release has none either."""
        for name in names:
            new, old = found.release.named(name), former.release.named(name)
            if new is None or old is None or new.sha256 == old.sha256:
                continue
            if not await self._held(found, new) and await self._held(former, old):
                trouble = f"{found.url}: the mirror has another {name} than it names: apt gets the release before, and its indexes"
                self._complaints.about(found.url, trouble)
                return False
        self._complaints.about(found.url, "")
        return True

    async def _held(self, kept: KeptRelease, entry: IndexEntry) -> bool:
        try:
            return await self._hold(known_file(kept, entry))
        except (FetchError, RequestError):
            return False


def known_file(kept: KeptRelease, entry: IndexEntry) -> KnownFile:
    """Returns an index with the URLs by which the mirror has it."""
    folder = kept.url.rpartition("/")[0]
    plain = Target("", tuple(entry.path.split("/"))).url
    if not kept.release.by_hash:
        return KnownFile(stated_file(entry), (folder + plain,), folder + plain)
    by_hash = "/".join((plain.rpartition("/")[0], *BY_HASH, entry.sha256.hex()))
    return KnownFile(stated_file(entry), (folder + by_hash, folder + plain), folder + plain)


def stated_file(entry: IndexEntry) -> StatedFile:
    """Returns an index as hosts share it."""
    return StatedFile(entry.size, entry.sha256, label_of(entry.path.rpartition("/")[2]))
