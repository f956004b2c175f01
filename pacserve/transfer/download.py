"""One file that is fetched once, from whoever gives it, for any number of readers."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import AbsentError, FetchError, IntegrityError
from pacserve.fetch.answers import IncomingBody
from pacserve.fetch.hedging import first_yes
from pacserve.http.partial import Version
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival, Create, OtherVersionError
from pacserve.transfer.growing import GrowingFile, Progress
from pacserve.transfer.limits import UNLIMITED, Limits
from pacserve.transfer.overtaking import Overtaking
from pacserve.transfer.pace import Pace

# Seconds after which a second source is asked as well, while nothing has come from the first.
FIRST_PATIENCE = 2.0
# Seconds for the head of an answer; for that of a host of the LAN.
HEAD_TIMEOUT = 7.0
LEADER_TIMEOUT = 2.0
# Seconds without a byte after which another source is asked as well, and after which a host of the LAN is followed no more.
STALL = 3.0
LEADER_STALL = 2.0
# How often all sources are tried before the download is given up.
ROUNDS = 3
# Bytes per second that any other mirror is taken to give when it is asked whether one is far slower, and that any host of the LAN is that
# is followed, or that has the file: to leave one costs one more request.
TOO_SLOW = 100 << 10
LEADER_TOO_SLOW = 20 << 10
LAN_TOO_SLOW = 2 << 20
# Bytes of a file whose size no database states.  pacman takes no larger signature.
UNSTATED_LIMIT = 4 << 30
SIGNATURE_LIMIT = 16 << 10
# Bytes from which on a transfer says how fast a source is.
_TELLING = 256 << 10

_T = TypeVar("_T")
Leader = Callable[[float, int], Awaitable[Upstream | None]]


async def _nobody(_: float, __: int) -> None:
    return None


class Download:
    """
    Fetches a file into the spool, and goes on with the next source at the exact byte where one fails.

    Args:
        expected: What the sync database states; None where no database knows the file.
        upstreams: The sources, best first; at least one.
        create: Makes an empty file in the spool.
        has_room: True if the disk takes a file of so many bytes.
        late: Gives what the database states when the file has arrived, should it not have been known before.

    Attributes:
        began: When, by the clock.
    """

    _log = Logger()

    def __init__(  # noqa: PLR0917
        self,
        name: str,
        expected: ExpectedFile | None,
        upstreams: Sequence[Upstream],
        create: Create,
        clock: IReactorTime,
        limits: Limits = UNLIMITED,
        late: Callable[[], ExpectedFile | None] = lambda: None,
        has_room: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self.name = name
        self._arrival = Arrival(expected, create, late, SIGNATURE_LIMIT if name.endswith(".sig") else UNSTATED_LIMIT, has_room)
        self._upstreams = upstreams
        self._clock = clock
        self._limits = limits
        self._left: set[Upstream] = set()
        self._unreliable: set[Upstream] = set()
        self._arrived_at = self.began = clock.seconds()

    @property
    def expected(self) -> ExpectedFile | None:
        """What the database states."""
        return self._arrival.expected

    @property
    def file(self) -> GrowingFile:
        """What has arrived."""
        return self._arrival.file

    @property
    def files(self) -> Sequence[GrowingFile]:
        """That, and what had arrived each time that it was begun again."""
        return self._arrival.files

    @property
    def giver(self) -> str:
        """Who gave the last of what has arrived; empty where nobody has."""
        return self._arrival.giver

    @property
    def version(self) -> Version | None:
        """What the source of it said."""
        return self._arrival.version

    async def begun(self) -> bool:
        """Waits for the first byte; False where the download failed."""
        file = self.file
        while file.progress is Progress.REPLACED or (file.progress is Progress.ARRIVING and not file.written):
            await file.news()
            file = self.file
        return file.progress is not Progress.FAILED

    async def run(self, leader: Leader = _nobody) -> None:
        """
        Fetches the whole file and checks it.

        Args:
            leader: Told when the last byte arrived and how many have, gives the host of the LAN to follow; None where the sources are to be asked.

        Raises:
            AbsentError: Every source said that it has no such file.
            FetchError: The file could not be fetched, or only in a wrong form.
            OSError: The spool can't be written.
        """
        try:
            self.file.reserve()
            if not await self._follow(leader):
                await self._fetch()
        except BaseException:
            self.file.end(Progress.FAILED)
            raise
        self.file.end(Progress.COMPLETE)

    async def _follow(self, leader: Leader) -> bool:
        """Returns whether the file came from hosts of the LAN that download it."""
        while (host := await leader(self._arrived_at, self._arrival.total)) is not None:
            try:
                body = await self._ask(host, LEADER_TIMEOUT)
                self._begin(host, body)
                pace = Pace(LEADER_TOO_SLOW, self._clock.seconds())
                await self._unless_all_here(body.consume(partial(self._arrived, host, pace), LEADER_STALL))
                self._arrival.finish()
            except IntegrityError as error:
                self._log.warn("{name}: {host} gave a wrong file: {error}", name=self.name, host=host.label, error=error)
                if self._arrival.is_of(host):
                    host.lied()
                else:
                    host.failed()
                self._arrival.restart()
            except FetchError as error:
                self._log.debug("{name}: {host}: {error}", name=self.name, host=host.label, error=error)
            else:
                host.succeeded()
                return True
        return False

    async def _fetch(self) -> None:
        sources = deque(self._upstreams)
        failures: list[FetchError] = []
        overtaken: tuple[Upstream, IncomingBody] | None = None
        turns = ROUNDS * len(sources)
        while turns > 0 and sources:
            if overtaken is None:
                turns -= 1
                try:
                    overtaken = await self._race(sources)
                except AbsentError:
                    raise
                except FetchError as error:
                    failures.append(error)
                    break
            (source, body), overtaken = overtaken, None
            before = self._arrival.total
            try:
                overtaken = await self._take(source, body, sources)
                if overtaken is None:
                    self._arrival.finish()
                    source.succeeded()
                    return
            except FetchError as error:
                failures.append(FetchError(f"{source.label}: {error}"))
                self._failed(source, error, sources)
            else:
                failures.append(FetchError(f"{source.label}: nothing more came"))
                source.failed()
                _put_last(sources, source)
                if self._arrival.total == before:
                    # Whoever goes on with this file may be as mute, for ever, while another one would give all of it.
                    overtaken[1].drop()
                    overtaken = None
        if overtaken is not None:  # the last turn was used up while another source took over
            overtaken[1].drop()
        raise FetchError("; ".join(dict.fromkeys(str(error) for error in failures)) or "no source")

    def _failed(self, source: Upstream, error: FetchError, sources: deque[Upstream]) -> None:
        """A source gave what is of no use."""
        if isinstance(error, OtherVersionError):
            _put_first(sources, source)
        elif not isinstance(error, IntegrityError):
            source.failed()
            self._unreliable.add(source)
            _put_last(sources, source)
        else:
            self._log.warn("{name}: {source} gave a wrong file: {error}", name=self.name, source=source.label, error=error)
            if self._arrival.is_of(source):
                source.lied()
                sources.remove(source)
            else:
                _put_first(sources, source)
            self._arrival.restart()

    async def _race(self, sources: Sequence[Upstream] | deque[Upstream], *, going_on: bool = False) -> tuple[Upstream, IncomingBody]:
        """
        Returns the first source that answers well, and its answer.

        Args:
            going_on: Only an answer will do that goes on where the file is.
        """
        opened: list[IncomingBody] = []

        async def ask(source: Upstream) -> tuple[Upstream, IncomingBody]:
            try:
                body = await self._ask(source, HEAD_TIMEOUT)
            except FetchError:
                if isinstance(sources, deque):
                    _put_last(sources, source)
                raise
            opened.append(body)
            if going_on and not self._arrival.goes_on(body.answer):
                raise FetchError(f"{source.label}: it does not go on")
            return source, body

        try:
            source, body = await first_yes([partial(ask, source) for source in sources], self._clock, FIRST_PATIENCE)
            opened.remove(body)
        finally:
            for unwanted in opened:
                unwanted.drop()
        return source, body

    async def _ask(self, source: Upstream, timeout: float) -> IncomingBody:
        body = await source.open(self.name, self._arrival.wanted, timeout)
        status = body.answer.status
        if status in (200, 206, 416):
            return body
        body.drop()
        raise (AbsentError if status in (404, 410) else FetchError)(f"{source.label}: {status}")

    async def _take(self, source: Upstream, body: IncomingBody, sources: deque[Upstream]) -> tuple[Upstream, IncomingBody] | None:
        """Takes what a source gives; who has overtaken it, if somebody has."""
        self._begin(source, body)
        others = [other for other in sources if other is not source and other not in self._left]
        best = max(
            [TOO_SLOW if source.wan else LAN_TOO_SLOW, *(other.rate for other in others if other.rate is not None and other not in self._unreliable)]
        )
        pace = Pace(best if others else None, self._clock.seconds())
        asked_next = [*others, source]
        arrived = partial(self._arrived, source, pace)

        def patience() -> float:
            return STALL if pace.total else FIRST_PATIENCE

        try:
            return await self._unless_all_here(
                Overtaking(body, arrived, self._clock, patience, HEAD_TIMEOUT, lambda: self._race(asked_next, going_on=True)).run()
            )
        finally:
            rate = pace.rate(self._clock.seconds())
            if rate is not None and pace.total >= _TELLING:
                source.measured(rate)

    async def _unless_all_here(self, consuming: Awaitable[_T]) -> _T | None:
        """What that gives, or nothing when it fails though all is here: a source that does not say that this was the end has given the file."""
        try:
            return await consuming
        except FetchError as error:
            if isinstance(error, IntegrityError) or not self._arrival.all_here:
                raise
            return None

    def _begin(self, source: Upstream, body: IncomingBody) -> None:
        """Decides what becomes of an answer; the body of one that is no use is dropped."""
        try:
            self._arrival.begin(source, body.answer)
        except BaseException:
            body.drop()
            raise

    def _arrived(self, source: Upstream, pace: Pace, data: bytes) -> float:
        self._arrival.add(source, data)
        self._arrived_at = self._clock.seconds()
        wait = (self._limits.wan if source.wan else self._limits.lan)(len(data))
        left = self._arrival.missing
        if left != 0 and pace.arrived(len(data), wait, left, self._arrived_at) and source not in self._left:
            self._left.add(source)
            raise FetchError("it is far slower than others were")
        if left != 0 and pace.crawls:
            raise FetchError("it gives next to nothing")
        return wait


def _put_first(sources: deque[Upstream], source: Upstream) -> None:
    """A source is asked next."""
    sources.rotate(-sources.index(source))


def _put_last(sources: deque[Upstream], source: Upstream) -> None:
    """A source is asked after all others, so that the first is in the end one that failed nobody and was only outrun."""
    sources.remove(source)
    sources.append(source)
