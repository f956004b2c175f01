"""One file that is fetched once, from whichever source gives it, for any number of readers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pacserve.errors import FetchError, IntegrityError
from pacserve.http.partial import Version
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival
from pacserve.transfer.choosing import OpenedSource
from pacserve.transfer.failover import Failover
from pacserve.transfer.growing import GrowingFile, Progress
from pacserve.transfer.pace import Pace
from pacserve.transfer.terms import Terms
from pacserve.web.origins import Share

# Seconds for the head of a leader's answer, and seconds without a byte after which a leader is followed no more: it is near.  The latter outlast the
# claim of a host that has gone (`LEASE` in claims/claims.py): a host that asked before that would be told the one that has gone again.
LEADER_HEAD_TIMEOUT = 2.0
LEADER_STALL_TIMEOUT = 2.3
# Seconds that both may become on a host that is late itself: its own client gives up after 10 s without a byte.
LONGEST_LEADER_TIMEOUT = 5.0
# Bytes that must be missing for a download to join that of another host: less is here before that host has answered.
JOINING_BYTES = 64 << 10
# Bytes per second that another leader, or the mirrors, are taken to give when a leader is judged.
LEADER_RATE_ASSUMED = 20 << 10
# Bytes of an earlier download that are hashed at once: some milliseconds, in which no request is answered.
TAKING_UP_BYTES = 1 << 20


class Leaders(Protocol):
    """Knows the hosts of the LAN that download the file as well."""

    @abstractmethod
    async def next_leader(self, arrived_at: float, total: int) -> Upstream | None:
        """
        Returns the leader to ask for the bytes that are missing; None where the sources are to be asked.

        Args:
            arrived_at: When the last byte arrived.
            total: Bytes that have arrived.
        """

    @abstractmethod
    def watch(self, joined: Callable[[], object]) -> None:
        """Has a function called when another host is to be followed, which is the next leader then."""


class _NoLeaders(Leaders):
    async def next_leader(self, arrived_at: float, total: int) -> None:
        return None

    def watch(self, joined: Callable[[], object]) -> None:
        return


class Download:
    """
    Fetches a file, and goes on with the next source at the exact byte where one fails.

    Args:
        arrival: The file, empty.
        upstreams: The sources, best first; at least one.

    Attributes:
        began: When the download began, by the clock.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        arrival: Arrival,
        upstreams: Sequence[Upstream],
        clock: IReactorTime,
        terms: Terms,
    ) -> None:
        self.name = name
        self._arrival = arrival
        self._failover = Failover(name, arrival, upstreams, clock, terms)
        self._clock = clock
        self._lateness = terms.lateness
        self.began = clock.seconds()
        self._has_joined = False

    @property
    def expected(self) -> ExpectedFile | None:
        """The size and digest that the database states; None where no database knows the file."""
        return self._arrival.expected

    @property
    def file(self) -> GrowingFile:
        """The bytes that have arrived."""
        return self._arrival.file

    @property
    def files(self) -> Sequence[GrowingFile]:
        """That file, and the earlier ones where the download began again."""
        return self._arrival.files

    @property
    def giver(self) -> str:
        """The label of the source that gave the last bytes; empty where none has."""
        return self._arrival.giver

    @property
    def shares(self) -> Sequence[Share]:
        """The hosts that gave the bytes that are here, in their order in the file."""
        return [Share(label, size) for label, size in self._arrival.givers.shares.items()]

    @property
    def authoritative(self) -> bool:
        """True if all bytes of the file came from sources that speak for the repository."""
        return self._arrival.authoritative

    @property
    def version(self) -> Version | None:
        """The size and validators that the source of the file stated."""
        return self._arrival.version

    async def begun(self) -> bool:
        """Waits for the first byte; returns False where the download failed."""
        return await self._until(lambda file: file.written > 0)

    async def identified(self) -> bool:
        """
        Waits until a byte is here and it is known of which version the file is; returns False where the download failed.

        Of bytes that an earlier download brought only the digest of the whole is known, until a source has gone on behind them.
        """
        return await self._until(lambda file: file.written > 0 and self.version is not None)

    async def ended(self) -> bool:
        """Waits until all of the file is here and checked; returns False where the download failed."""
        return await self._until(lambda _: False)

    async def _until(self, enough: Callable[[GrowingFile], bool]) -> bool:
        """Waits until enough of the file is here, or all of it; returns False where the download failed."""
        file = self.file
        while file.progress is Progress.REPLACED or (file.progress is Progress.ARRIVING and not enough(file)):
            await file.changed()
            file = self.file
        return file.progress is not Progress.FAILED

    async def run(self, leaders: Leaders | None = None) -> None:
        """
        Fetches the whole file and checks it.

        Args:
            leaders: The hosts of the LAN to follow; None where the sources are to be asked.

        Raises:
            AbsentError: Every source said that it has no such file.
            FetchError: The file could not be fetched, or only in a wrong form.
            OSError: The file can't be written.
        """
        try:
            self.file.reserve()
            known = _NoLeaders() if leaders is None else leaders
            if not await self._take_up():
                while not (await self._follow(known) or await self._fetch_or_join(known)):
                    pass
        except BaseException:
            self.file.end(Progress.FAILED)
            raise
        self.file.end(Progress.COMPLETE)

    async def _take_up(self) -> bool:
        """
        Takes in what an earlier download brought, in steps between which other work is done.

        Returns:
            True if that is the whole file.
        """
        file = self.file
        while file.take_in(TAKING_UP_BYTES) and file.ahead.end_of(file.written) > file.written:
            await deferLater(self._clock, 0.0)
        self._failover.heard_at = self._clock.seconds()
        if not file.written or not self._arrival.all_here:
            return False
        try:
            self._arrival.finish()
        except IntegrityError as error:
            self._log.debug("{name}: the part that was here is wrong: {error}", name=self.name, error=error)
            self._arrival.restart()
            return False
        return True

    async def _follow(self, leaders: Leaders) -> bool:
        """Fetches the file from hosts of the LAN that download it, one after the other; returns whether it is all here then."""
        while (leader := await leaders.next_leader(self._failover.heard_at, self._arrival.total)) is not None:
            try:
                body = await self._failover.sources.ask(leader, self._lateness.widened(LEADER_HEAD_TIMEOUT, LONGEST_LEADER_TIMEOUT))
                self._failover.begin(OpenedSource(leader, body))
                pace = Pace(LEADER_RATE_ASSUMED, self._clock.seconds())
                stall = self._lateness.widened(LEADER_STALL_TIMEOUT, LONGEST_LEADER_TIMEOUT)
                taking = body.consume(partial(self._failover.arrived, leader, pace), stall)
                if not await self._unless_sent_elsewhere(leaders, self._failover.unless_all_here(taking)):
                    self._log.debug("{name}: {host} is left for a better leader", name=self.name, host=leader.label)
                    continue
                self._arrival.finish()
            except IntegrityError as error:
                self._log.warn("{name}: {host} gave a wrong file: {error}", name=self.name, host=leader.label, error=error)
                if self._arrival.is_all_from(leader):
                    leader.lied()
                else:
                    leader.failed()
                self._arrival.restart()
            except FetchError as error:
                # The bytes that have arrived stay, and the next leader or mirror goes on behind them.
                self._log.debug("{name}: {host}: {error}", name=self.name, host=leader.label, error=error)
            else:
                leader.succeeded()
                return True
        return False

    async def _fetch_or_join(self, leaders: Leaders) -> bool:
        """
        Fetches from the sources what is missing, until another host turns out to download the file as well.

        Returns:
            False in that case: the source was dropped, and that host goes on at the byte that is missing.

        Raises:
            AbsentError: Every source said that it has no such file.
            FetchError: No source gave the file.
        """
        if self._has_joined:  # each time a source is dropped that may be as good as any, and a keeper could have that done again and again
            await self._failover.fetch()
            return True
        if await self._unless_sent_elsewhere(leaders, self._failover.fetch()):
            return True
        self._has_joined = True
        self._log.debug("{name}: another host downloads it as well, and is followed", name=self.name)
        return False

    async def _unless_sent_elsewhere(self, leaders: Leaders, fetching: Coroutine[Any, Any, object]) -> bool:
        """
        Runs something that fetches the file, until another host is to be followed.

        Returns:
            False in that case: it was cancelled.

        Raises:
            Exception: It failed.
        """
        running = Deferred.fromCoroutine(fetching)
        sent = False

        def send() -> None:
            nonlocal sent
            missing = self._arrival.missing
            if not running.called and (missing is None or missing > JOINING_BYTES):
                sent = True
                running.cancel()

        leaders.watch(send)
        try:
            await running
        except CancelledError:
            if not sent:  # the daemon stops
                raise
            return False
        finally:
            leaders.watch(_not_again)
        return True


def _not_again() -> None:
    return
