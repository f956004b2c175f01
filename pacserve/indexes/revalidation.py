"""One question to the mirrors, shared by all clients that want an index at the same moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import FetchError, PacserveError, RequestError
from pacserve.fetch.answers import IncomingBody
from pacserve.fetch.hedging import first_yes
from pacserve.indexes.freshness import Copy
from pacserve.indexes.judging import JudgedMirror, WantedIndex
from pacserve.indexes.rules import Examined
from pacserve.packages.files import FileRequest
from pacserve.sources.upstreams import rested_last
from pacserve.transfer.choosing import SECOND_SOURCE_DELAY
from pacserve.transfer.download import Download
from pacserve.transfer.growing import Progress
from pacserve.waiting import Waiters

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

_log = Logger()


@dataclass(frozen=True, slots=True)
class Plan:
    """
    The mirrors that a file is asked of, and the copies that it is compared with.

    Attributes:
        mirrors: Best first; none where only the copy will do.
        whole: For a signature the copy that it is to fit; otherwise None.
    """

    request: FileRequest
    wanted: WantedIndex
    mirrors: Sequence[JudgedMirror]
    copy: Copy | None
    whole: Copy | None = None


async def ask(plan: Plan, until: float, clock: IReactorTime) -> tuple[JudgedMirror, IncomingBody | None]:
    """
    Returns the first mirror that has the copy or something newer, and the newer file; None in place of the copy.

    Args:
        until: The time of the clock at which the mirrors have had their time.

    Raises:
        AbsentError: All say that they have no such file.
        FetchError: None has anything as new as the copy, as far as they could say.
    """

    async def inquire(mirror: JudgedMirror) -> tuple[JudgedMirror, IncomingBody | None]:
        left = until - clock.seconds()
        if left <= 0:
            raise FetchError(f"{mirror.label}: no time left")
        return mirror, await mirror.inquire(left)

    if not plan.mirrors:
        raise FetchError("no mirror")
    mirrors, reserve = rested_last(plan.mirrors)
    asking = [partial(inquire, mirror) for mirror in mirrors]
    return await first_yes(asking, clock, SECOND_SOURCE_DELAY, lambda number: mirrors[number].outrun(), reserve)


async def begun(download: Download, until: float, clock: IReactorTime) -> bool:
    """Returns whether bytes came that may be handed on, as long as there is time."""
    try:
        return await Deferred.fromCoroutine(download.begun()).addTimeout(max(0.0, until - clock.seconds()), clock)
    except DeferredTimeoutError:
        return False


async def examined(plan: Plan, download: Download, in_thread: InThread) -> Examined:
    """
    Returns whether a file that has arrived is complete, as far as can be told, and what else was found in it.

    Half an index that was kept would be confirmed by its mirror for ever, which compares no more than dates.  An index must have its end.  Of any
    other file the length must have been stated: the end of a connection may be that of the file, or not.

    Raises:
        OSError: The file can't be read.
    """
    name, path, rules = plan.request.name, download.file.file.name, plan.wanted.rules
    if rules.is_index(name):
        found: Examined = await in_thread(partial(_read, rules.examine, Path(str(path)), plan.wanted.wall()))
        if found.whole is not None:
            if not found.whole:
                _log.warn("{request} ends too early, and is not kept: {mirror}", request=plan.request, mirror=plan.wanted.giver)
                for mirror in plan.mirrors:
                    if mirror.identity == plan.wanted.giver:
                        mirror.failed()
            return found
    return Examined(download.version is not None and download.version.size is not None)


def is_as_new(plan: Plan, built: int | None) -> bool:
    """
    Returns whether an index that has arrived may take the place of the copy.

    Where the mirror has not said how old it is, its newest package tells.  Where that is not known of both, the client has to force it.
    """
    copy = plan.copy
    if copy is None or not plan.wanted.any_age:
        return True
    if copy.built is None or built is None:
        return plan.wanted.forced
    return built >= copy.built


def _read(examine: Callable[[Any, float], Examined], path: Path, now: float) -> Examined:
    with path.open("rb") as file:
        return examine(file, now)


class Revalidation:
    """Shares one question to the mirrors, and what comes of it, between all clients that ask for one file at the same moment."""

    def __init__(self) -> None:
        self._running: Deferred[None] | None = None
        self._over = False
        self._decided: Download | Copy | PacserveError | None = None
        self._waiting_for_decision = Waiters()
        self._waiting_for_end = Waiters()

    def start(self, work: Coroutine[Any, Any, None], ended: Callable[[], object]) -> None:
        """
        Begins the work, which calls `decide`.

        Args:
            work: It never raises.
            ended: Called when it has ended, before those that wait for that.
        """

        def finish(_: object) -> None:
            self._over = True
            ended()
            self._waiting_for_end.wake()

        self._running = Deferred.fromCoroutine(work)
        self._running.addBoth(finish)

    def stop(self) -> None:
        """Cancels the work."""
        if self._running is not None:
            self._running.cancel()

    def decide(self, outcome: Download | Copy | PacserveError) -> None:
        """Tells the outcome to all that wait.  What was decided first stands."""
        if self._decided is None:
            self._decided = outcome
            self._waiting_for_decision.wake()

    async def checked(self) -> None:
        """Waits for the end where all bytes have arrived: once they were checked they are the copy, or are to be fetched again."""
        if self._all_arrived and not self._over:
            await self._waiting_for_end.wait()

    async def outcome(self) -> Download | Copy:
        """
        Returns a download whose file has begun to arrive, or a copy.

        Raises:
            PacserveError: There is neither.
        """
        if self._decided is None:
            await self._waiting_for_decision.wait()
        decided = self._decided
        # Each client needs an error of its own: one that is raised twice would carry the traceback of both.
        if isinstance(decided, RequestError):
            raise RequestError(decided.status, str(decided), decided.origin)
        if isinstance(decided, PacserveError):
            raise type(decided)(str(decided))
        if decided is None:
            raise FetchError("nothing was decided")
        return decided

    @property
    def _all_arrived(self) -> bool:
        """True if all bytes of a download are here, so that its clients may be done, and only its end is still to be made."""
        if not isinstance(self._decided, Download):
            return False
        file = self._decided.file
        return file.progress is not Progress.ARRIVING or (file.size is not None and file.written >= file.size)
