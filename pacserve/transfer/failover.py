"""The bytes of a download that are missing, from its sources: from several mirrors at once or one source after the other, whichever gives them."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import AbsentError, FetchError, IntegrityError
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
from pacserve.transfer.lanes import MEASURED_BYTES
from pacserve.transfer.pace import Pace
from pacserve.transfer.pieces import PieceCheck
from pacserve.transfer.recheck import Recheck
from pacserve.transfer.striping import Striping
from pacserve.transfer.terms import Terms

_WRONG_PIECE = IntegrityError("the digest of a piece is not the one that is known")

T = TypeVar("T")


class Failover:
    """
    Fetches what is missing of one file, and goes on with the next source at the exact byte where one fails.

    Args:
        name: The file.
        arrival: The bytes that have arrived.
        upstreams: The sources, best first.

    Attributes:
        sources: Those that may still be asked.
        heard_at: When the last byte arrived, by the clock.
    """

    _log = Logger()

    def __init__(self, name: str, arrival: Arrival, upstreams: Sequence[Upstream], clock: IReactorTime, terms: Terms) -> None:
        self.sources = Sources(name, upstreams, arrival, clock, terms.lateness)
        self.heard_at = clock.seconds()
        self._name = name
        self._arrival = arrival
        self._clock = clock
        self._terms = terms
        self._was_divided = False
        self._was_rechecked = False

    async def fetch(self) -> None:
        """
        Fetches from the sources what is missing.

        Raises:
            AbsentError: Every source said that it has no such file.
            FetchError: No source gave the file.
        """
        failures: list[FetchError] = []
        self.sources.reorder(lambda order: self._terms.lines.honest(self._arrival.expected, order, self._clock.seconds()))
        if not await self._at_once(failures):
            self.sources.reorder(self._terms.lines.spread)
            await self._in_turn(failures)

    async def _at_once(self, failures: list[FetchError]) -> bool:
        """
        Fetches what is missing from several mirrors at once, where that can be done; returns whether all of it is here then, and right.

        Args:
            failures: Why it is not: added to.

        Raises:
            AbsentError: Every source said that it has no such file.
        """
        try:
            return await self._divide()
        except AbsentError:
            raise
        except IntegrityError as error:
            failures.append(error)
            return await self._settle(error)
        except FetchError as error:
            failures.append(error)
            return False

    async def _in_turn(self, failures: list[FetchError]) -> None:
        """
        Fetches what is missing from one source after the other.

        Args:
            failures: What other ways came to: added to.

        Raises:
            AbsentError: Every source said that it has no such file.
            FetchError: No source gave the file.
        """
        overtaking: OpenedSource | None = None  # the source that has just overtaken another one
        while len(self.sources):
            if overtaking is None:
                try:
                    overtaking = await self._first()
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
            self.sources.ask_last(source)
            if self._arrival.total == before:
                # Two sources that give no byte could overtake each other for ever, while a third would give the whole file: the order decides.
                overtaking.body.drop()
                overtaking = None
        raise FetchError("; ".join(dict.fromkeys(str(error) for error in failures)) or "no source")

    async def _first(self) -> OpenedSource:
        """
        Returns the first source that answers well.

        The one that is asked first counts as busy from now on, so that downloads that begin together do not begin at one mirror.

        Raises:
            FetchError: None does.
        """
        asked = self.sources.order[0]
        self._terms.lines.begin(asked)
        try:
            return await self.sources.first()
        finally:
            self._terms.lines.end(asked)

    async def _divide(self) -> bool:
        """
        Fetches what is missing from several mirrors at once, where there are any and the file is worth it.

        Returns:
            False where there are not, or it is not.

        Raises:
            FetchError: They do not give all of it: the next source goes on at the byte that is missing.
            IntegrityError: It is not the file that the database states.
        """
        file, lines = self._arrival.file, self._terms.lines
        mirrors = (
            () if self._was_divided else lines.divided(self._arrival.expected, self.sources.order, self._clock.seconds(), gaps=len(file.ahead) > 0)
        )
        if not mirrors or file.size is None:
            return False
        sizes, check = lines.sizes, None
        pieces = None if self._arrival.expected is None else self._terms.describe(self._arrival.expected)
        if pieces is not None:
            sizes = replace(sizes, window=max(sizes.window, 2 * pieces.length))  # a piece is checked when all of it is here
            check = PieceCheck(pieces, self._arrival, self._name_liar)
        striping = Striping(
            self._name,
            self._arrival,
            mirrors,
            Division(file.ahead.missing(file.written, file.size), sizes),
            self._clock,
            self._terms,
        )
        try:
            await striping.run(check)
            self._arrival.finish()
        except FetchError as error:
            self._was_divided = True
            self._leave_out(striping.lacking, error)
            raise
        finally:
            self.heard_at = max(self.heard_at, striping.heard_at)
        return True

    def _leave_out(self, lacking: Collection[Upstream], error: FetchError) -> None:
        """
        Asks no more of mirrors that have no such file.

        Raises:
            AbsentError: All sources said so.
        """
        self.sources.reorder(lambda order: [source for source in order if source not in lacking])
        if not len(self.sources):
            raise AbsentError(str(error)) from error

    async def _take(self, opened: OpenedSource) -> OpenedSource | None:
        """
        Takes what a source gives, as long as it is not much slower than others.

        Returns:
            The source that has overtaken this one; None where the body ended.
        """
        self.begin(opened)
        source = opened.source
        pace = Pace(self.sources.rate_to_beat(source), self._clock.seconds())

        def silence() -> float:
            if pace.total:
                return self._terms.lateness.widened(STALL_TIMEOUT, LONGEST_STALL_TIMEOUT)
            return self._terms.lateness.widened(SECOND_SOURCE_DELAY, LONGEST_SECOND_SOURCE_DELAY)

        take = partial(self.arrived, source, pace)
        self._terms.lines.begin(source)
        try:
            return await self.unless_all_here(Overtaking(opened.body, take, silence, partial(self.sources.successor, source), self._clock).run())
        finally:
            self._terms.lines.end(source)
            rate = pace.rate(self._clock.seconds())
            if rate is not None and pace.total >= MEASURED_BYTES:
                source.measured(rate)

    def begin(self, opened: OpenedSource) -> None:
        """Gets ready for the body of an answer, or drops the body of an answer that is of no use."""
        try:
            self._arrival.begin(opened.source, opened.body.answer)
        except BaseException:
            opened.body.drop()
            raise

    def arrived(self, source: Upstream, pace: Pace, data: bytes) -> float:
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
        self.heard_at = self._clock.seconds()
        wait = (self._terms.limits.wan if source.wan else self._terms.limits.lan)(len(data))
        missing = self._arrival.missing
        if missing != 0 and pace.arrived(len(data), wait, missing, self.heard_at) and self.sources.leave(source):
            raise FetchError("it is far slower than others were")
        if missing != 0 and pace.crawls:
            raise FetchError("it gives next to nothing")
        return wait

    async def unless_all_here(self, consuming: Coroutine[Any, Any, T]) -> T | None:
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
            self.sources.ask_next(source)  # for the whole file: nothing is kept, and it answered well
        else:
            source.failed()
            self.sources.doubt(source)
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
            source = "one of several mirrors" if last is None else f"{last.label} or a source before it"
            self._log.warn("{name}: {source} gave a wrong file: {error}", name=self._name, source=source, error=error)
            if last is not None:
                self.sources.ask_next(last)  # for the whole file: then it is known which of them gave wrong bytes
        self._arrival.restart()
        return False

    async def _recheck(self) -> Upstream | None:
        """Returns the source that gave wrong bytes, with the right ones in their place; None where it can't be told."""
        mirrors = () if self._was_rechecked else self._terms.lines.divided(self._arrival.expected, self.sources.order, self._clock.seconds())
        if not mirrors:
            return None
        self._was_rechecked = True
        return await Recheck(self._name, self._arrival, self._clock, self._terms).run(mirrors)

    def _name_liar(self, source: Upstream, error: FetchError = _WRONG_PIECE) -> None:
        """Takes note that a source gave wrong bytes: it is never asked again for this file."""
        self._log.warn("{name}: {source} gave a wrong file: {error}", name=self._name, source=source.label, error=error)
        source.lied()
        self._terms.lines.lied(source, self._arrival.expected, self._clock.seconds())
        self.sources.reorder(lambda order: [other for other in order if other is not source])
