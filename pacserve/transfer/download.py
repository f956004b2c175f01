"""One file that is fetched once, from whichever source gives it, for any number of readers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pacserve.errors import AbsentError, FetchError, IntegrityError
from pacserve.http.partial import Version
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival, OtherVersionError, WrongDigestError
from pacserve.transfer.choosing import (
    LONGEST_SECOND_SOURCE_DELAY,
    LONGEST_STALL_TIMEOUT,
    SECOND_SOURCE_DELAY,
    STALL_TIMEOUT,
    OpenedSource,
    Overtaking,
    Sources,
)
from pacserve.transfer.division import Division
from pacserve.transfer.growing import GrowingFile, Progress
from pacserve.transfer.pace import Pace
from pacserve.transfer.pieces import PieceCheck
from pacserve.transfer.recheck import Recheck
from pacserve.transfer.striping import Striping
from pacserve.transfer.terms import Terms
from pacserve.web.origins import Share

# Seconds for the head of a leader's answer, and seconds without a byte after which a leader is followed no more: it is near.
LEADER_HEAD_TIMEOUT = 2.0
LEADER_STALL_TIMEOUT = 2.0
# Seconds that both may become on a host that is late itself: its own client gives up after 10 s without a byte.
LONGEST_LEADER_TIMEOUT = 5.0
# Bytes that must be missing for a download to join that of another host: less is here before that host has answered.
JOINING_BYTES = 64 << 10
# Bytes per second that another leader, or the mirrors, are taken to give when a leader is judged.
LEADER_RATE_ASSUMED = 20 << 10
# Bytes of an earlier download that are hashed at once: some milliseconds, in which no request is answered.
TAKING_UP_BYTES = 1 << 20
# Bytes from which on a transfer tells how fast a source is.
_MEASURED_BYTES = 256 << 10

_WRONG_PIECE = IntegrityError("the digest of a piece is not the one that is known")

T = TypeVar("T")


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
        self._sources = Sources(name, upstreams, arrival, clock, terms.lateness)
        self._clock = clock
        self._terms = terms
        self._lateness = terms.lateness
        self._arrived_at = self.began = clock.seconds()
        self._has_joined = False
        self._was_divided = False
        self._was_rechecked = False

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
        self._arrived_at = self._clock.seconds()
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
        while (leader := await leaders.next_leader(self._arrived_at, self._arrival.total)) is not None:
            try:
                body = await self._sources.ask(leader, self._lateness.widened(LEADER_HEAD_TIMEOUT, LONGEST_LEADER_TIMEOUT))
                self._begin(OpenedSource(leader, body))
                pace = Pace(LEADER_RATE_ASSUMED, self._clock.seconds())
                stall = self._lateness.widened(LEADER_STALL_TIMEOUT, LONGEST_LEADER_TIMEOUT)
                if not await self._unless_sent_elsewhere(leaders, self._unless_all_here(body.consume(partial(self._arrived, leader, pace), stall))):
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
            await self._fetch()
            return True
        if await self._unless_sent_elsewhere(leaders, self._fetch()):
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

    async def _fetch(self) -> None:
        """
        Fetches from the sources what is missing.

        Raises:
            AbsentError: Every source said that it has no such file.
            FetchError: No source gave the file.
        """
        failures: list[FetchError] = []
        self._sources.reorder(lambda order: self._terms.lines.honest(self.expected, order, self._clock.seconds()))
        try:
            if await self._divide():
                return
        except IntegrityError as error:
            failures.append(error)
            if await self._settle(error):
                return
        except FetchError as error:
            failures.append(error)
        self._sources.reorder(self._terms.lines.spread)
        overtaking: OpenedSource | None = None  # the source that has just overtaken another one
        while len(self._sources):
            if overtaking is None:
                try:
                    overtaking = await self._sources.first()
                except FetchError as error:
                    if isinstance(error, AbsentError) and not failures:
                        raise
                    failures.append(error)  # every one of them failed in this race, or has had all its attempts
                    break
            current, overtaking = overtaking, None
            source, before = current.source, self._arrival.total
            try:
                overtaking = await self._take(current)
                if overtaking is None:
                    self._arrival.finish()
                    source.succeeded()
                    return
            except FetchError as error:
                failures.append(FetchError(f"{source.label}: {error}"))
                if await self._failed(source, error):
                    return
                continue
            failures.append(FetchError(f"{source.label}: nothing more came"))
            source.failed()
            self._sources.ask_last(source)
            if self._arrival.total == before:
                # Two sources that give no byte could overtake each other for ever, while a third would give the whole file: the order decides.
                overtaking.body.drop()
                overtaking = None
        raise FetchError("; ".join(dict.fromkeys(str(error) for error in failures)) or "no source")

    async def _divide(self) -> bool:
        """
        Fetches what is missing from several mirrors at once, where there are any and the file is worth it.

        Returns:
            False where there are not, or it is not.

        Raises:
            FetchError: They do not give all of it: the next source goes on at the byte that is missing.
            IntegrityError: It is not the file that the database states.
        """
        file, lines = self.file, self._terms.lines
        mirrors = () if self._was_divided else lines.divided(self.expected, self._sources.order, self._clock.seconds(), gaps=len(file.ahead) > 0)
        if not mirrors or file.size is None:
            return False
        sizes, check = lines.sizes, None
        pieces = None if self.expected is None else self._terms.describe(self.expected)
        if pieces is not None:
            sizes = replace(sizes, window=max(sizes.window, 2 * pieces.length))  # a piece is checked when all of it is here
            check = PieceCheck(pieces, self._arrival, self._name_liar)
        striping = Striping(
            self.name,
            self._arrival,
            mirrors,
            Division(file.ahead.missing(file.written, file.size), sizes),
            self._clock,
            self._terms,
        )
        try:
            await striping.run(check)
            self._arrival.finish()
        except FetchError:
            self._was_divided = True
            raise
        finally:
            self._arrived_at = max(self._arrived_at, striping.heard_at)
        return True

    async def _take(self, opened: OpenedSource) -> OpenedSource | None:
        """
        Takes what a source gives, as long as it is not much slower than others.

        Returns:
            The source that has overtaken this one; None where the body ended.
        """
        self._begin(opened)
        source = opened.source
        pace = Pace(self._sources.rate_to_beat(source), self._clock.seconds())

        def silence() -> float:
            if pace.total:
                return self._lateness.widened(STALL_TIMEOUT, LONGEST_STALL_TIMEOUT)
            return self._lateness.widened(SECOND_SOURCE_DELAY, LONGEST_SECOND_SOURCE_DELAY)

        take = partial(self._arrived, source, pace)
        self._terms.lines.begin(source)
        try:
            return await self._unless_all_here(Overtaking(opened.body, take, silence, partial(self._sources.successor, source), self._clock).run())
        finally:
            self._terms.lines.end(source)
            rate = pace.rate(self._clock.seconds())
            if rate is not None and pace.total >= _MEASURED_BYTES:
                source.measured(rate)

    def _begin(self, opened: OpenedSource) -> None:
        """Gets ready for the body of an answer, or drops the body of an answer that is of no use."""
        try:
            self._arrival.begin(opened.source, opened.body.answer)
        except BaseException:
            opened.body.drop()
            raise

    def _arrived(self, source: Upstream, pace: Pace, data: bytes) -> float:
        """
        Takes bytes of a source.

        Returns:
            The seconds until the source may give more.

        Raises:
            FetchError: The source is too slow.
            IntegrityError: It gave too much.
            OSError: The bytes can't be written.
        """
        self._arrival.add(source, data)
        self._arrived_at = self._clock.seconds()
        wait = (self._terms.limits.wan if source.wan else self._terms.limits.lan)(len(data))
        missing = self._arrival.missing
        if missing != 0 and pace.arrived(len(data), wait, missing, self._arrived_at) and self._sources.leave(source):
            raise FetchError("it is far slower than others were")
        if missing != 0 and pace.crawls:
            raise FetchError("it gives next to nothing")
        return wait

    async def _unless_all_here(self, consuming: Coroutine[Any, Any, T]) -> T | None:
        """Returns the result, or None where it failed with every byte here: a source that does not mark the end has given the whole file as well."""
        try:
            return await consuming
        except FetchError as error:
            if isinstance(error, IntegrityError) or not self._arrival.all_here:
                raise
            return None

    async def _failed(self, source: Upstream, error: FetchError) -> bool:
        """Decides when a source that failed is asked again, and what of the file is kept; returns whether all of it is here then, and right."""
        if isinstance(error, IntegrityError):
            return await self._settle(error, source)
        if isinstance(error, OtherVersionError):
            self._sources.ask_next(source)  # for the whole file: nothing is kept, and it answered well
        else:
            source.failed()
            self._sources.doubt(source)
        return False

    async def _settle(self, error: IntegrityError, last: Upstream | None = None) -> bool:
        """
        Finds out which source gave wrong bytes, and begins the file again where they can't be replaced.

        Args:
            last: The source that gave the last of them; None where several gave some at once.

        Returns:
            True if the file is here now, and right.

        Raises:
            OSError: There is no room for one more file.
        """
        liar = last if last is not None and self._arrival.is_all_from(last) else self._arrival.only_giver
        if liar is None and isinstance(error, WrongDigestError):
            liar = await self._recheck()
            if liar is not None:
                self._name_liar(liar, error)
                self._arrival.finish()
                return True
        if liar is not None:
            self._name_liar(liar, error)
        else:
            source = "one of several mirrors" if last is None else last.label
            self._log.warn("{name}: {source} gave a wrong file: {error}", name=self.name, source=source, error=error)
            if last is not None:
                self._sources.ask_next(last)  # for the whole file: then it is known which of them gave wrong bytes
        self._arrival.restart()
        return False

    async def _recheck(self) -> Upstream | None:
        """Returns the source that gave wrong bytes, with the right ones in their place; None where it can't be told."""
        mirrors = () if self._was_rechecked else self._terms.lines.divided(self.expected, self._sources.order, self._clock.seconds())
        if not mirrors:
            return None
        self._was_rechecked = True
        return await Recheck(self.name, self._arrival, self._clock, self._terms).run(mirrors)

    def _name_liar(self, source: Upstream, error: FetchError = _WRONG_PIECE) -> None:
        """Takes note that a source gave wrong bytes: it is never asked again for this file."""
        self._log.warn("{name}: {source} gave a wrong file: {error}", name=self.name, source=source.label, error=error)
        source.lied()
        self._terms.lines.lied(source, self.expected, self._clock.seconds())
        self._sources.reorder(lambda order: [other for other in order if other is not source])


def _not_again() -> None:
    return
