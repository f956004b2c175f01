"""One question to the mirrors, for all who want a database at the same moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
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
from pacserve.indexes.archives import is_whole
from pacserve.indexes.freshness import Copy, is_database
from pacserve.indexes.judging import JudgedMirror, WantedIndex
from pacserve.packages.files import FileRequest
from pacserve.transfer.choosing import SECOND_SOURCE_DELAY
from pacserve.transfer.download import Download
from pacserve.transfer.growing import Progress

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

_log = Logger()


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Whom a file is asked for.

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
    Returns the first mirror that has the copy or something newer, and what it has; None in place of the copy.

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
    return await first_yes([partial(inquire, mirror) for mirror in plan.mirrors], clock, SECOND_SOURCE_DELAY)


async def begun(download: Download, until: float, clock: IReactorTime) -> bool:
    """Returns whether something came that may be handed on, as long as there is time."""
    try:
        return await Deferred.fromCoroutine(download.begun()).addTimeout(max(0.0, until - clock.seconds()), clock)
    except DeferredTimeoutError:
        return False


async def is_to_be_kept(plan: Plan, download: Download, in_thread: InThread) -> bool:
    """
    Returns whether a file that has arrived is all that it should be, as far as anybody can tell: half a database that was kept would be confirmed by
    its mirror for ever, which compares no more than dates.

    An archive must have its end.  Of anything else the length must have been stated: the end of a connection may be that of the file, or not.

    Raises:
        OSError: It can't be read.
    """
    name, path = plan.request.name, download.file.file.name
    if is_database(name):
        whole: bool | None = await in_thread(partial(_is_whole, Path(str(path))))
        if whole is not None:
            if not whole:
                _log.warn("{request} ends too early, and is not kept: {mirror}", request=plan.request, mirror=plan.wanted.giver)
                for mirror in plan.mirrors:
                    if mirror.identity == plan.wanted.giver:
                        mirror.failed()
            return whole
    return download.version is not None and download.version.size is not None


def _is_whole(path: Path) -> bool | None:
    with path.open("rb") as file:
        return is_whole(file)


class Revalidation:
    """
    What all who ask for one file at the same moment wait for.

    Attributes:
        running: Ends when nothing of it runs any more.
    """

    def __init__(self) -> None:
        self.running: Deferred[None] = Deferred()
        self._decided: Download | Copy | PacserveError | None = None
        self._waiting: list[Deferred[None]] = []

    def decide(self, outcome: Download | Copy | PacserveError) -> None:
        """Tells everybody.  What was decided first stands."""
        if self._decided is None:
            self._decided = outcome
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.called:
                    one.callback(None)

    @property
    def arrived(self) -> bool:
        """True if all bytes of a download are here, so that whoever reads it may be done, and only its end is still to be made."""
        if not isinstance(self._decided, Download):
            return False
        file = self._decided.file
        return file.progress is not Progress.ARRIVING or (file.size is not None and file.written >= file.size)

    async def over(self) -> None:
        """Waits until nothing of it runs any more."""
        waiting: Deferred[None] = Deferred()

        def ended(result: None) -> None:
            if not waiting.called:
                waiting.callback(None)
            return result

        self.running.addBoth(ended)
        await waiting

    async def outcome(self) -> Download | Copy:
        """
        A download whose file has begun to arrive, or a copy.

        Raises:
            PacserveError: Neither.
        """
        if self._decided is None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        decided = self._decided
        if isinstance(decided, RequestError):
            raise RequestError(decided.status, str(decided), decided.origin)
        if isinstance(decided, PacserveError):
            raise type(decided)(str(decided))
        if decided is None:
            raise FetchError("nothing was decided")
        return decided


async def checked(revalidation: Revalidation | None) -> None:
    """Waits for a file where all of it has arrived: when it has been checked it is the copy, or is to be fetched again."""
    if revalidation is not None and revalidation.arrived:
        await revalidation.over()
