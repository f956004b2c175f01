"""One file from several mirrors at once: each gives parts of it, and readers get the bytes in order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pacserve.errors import AbsentError, FetchError, IntegrityError
from pacserve.fetch.answers import IncomingBody
from pacserve.sources.upstreams import REFUSALS, Upstream
from pacserve.transfer.arrival import Arrival, OtherVersionError
from pacserve.transfer.checks import Check, Rejected
from pacserve.transfer.choosing import (
    BODY_TIMEOUT,
    HEAD_TIMEOUT,
    LONGEST_SECOND_SOURCE_DELAY,
    LONGEST_STALL_TIMEOUT,
    SECOND_SOURCE_DELAY,
    STALL_TIMEOUT,
)
from pacserve.transfer.division import Division, Lane, Part
from pacserve.transfer.lanes import MEASURED_BYTES, Lanes
from pacserve.transfer.terms import Terms

# Seconds between two looks at mirrors that may be asked again, and at parts that hold everything up.
LOOK_INTERVAL = 0.1
# Bytes that are read again and hashed at once, of parts that came before their turn: some 5 ms.
TAKE_IN_BYTES = 4 << 20
# Seconds without a byte after which a mirror that was overtaken counts as slow.
MUTE_TIME = 1.0


class _UndividedError(FetchError):
    """A mirror gives whole files only."""


class _EnoughError(Exception):
    """The rest of a part was asked of another mirror."""


class Striping:
    """
    Fetches the missing bytes of a file of known size from several mirrors.

    Each mirror gives one part at a time.  A part is written where it belongs; the bytes that follow on the beginning of the file are handed on.

    Args:
        name: The file.
        arrival: The bytes that have arrived.
        upstreams: The mirrors, best first.
        division: The parts.

    Attributes:
        heard_at: When the last byte came.
        lacking: The mirrors that said that they have no such file.
    """

    _log = Logger()

    def __init__(self, name: str, arrival: Arrival, upstreams: Sequence[Upstream], division: Division, clock: IReactorTime, terms: Terms) -> None:
        self._name = name
        self._arrival = arrival
        self._division = division
        self._clock = clock
        self._terms = terms
        self.heard_at = self._expected_from = self._clock.seconds()
        self.lacking: set[Upstream] = set()
        self._lanes = Lanes(upstreams, terms.lines, self.heard_at)
        self._running: dict[Lane, Deferred[None]] = {}
        self._troubles: dict[str, None] = {}
        self._timers: dict[str, IDelayedCall] = {}
        self._check: Check | None = None
        self._ended: Deferred[None] = Deferred()
        self._asking = False

    async def run(self, check: Check | None = None) -> None:
        """
        Returns when every byte is here, and was handed on as far as it may be.

        Args:
            check: Says how far bytes may be handed on; None where they may be at once.

        Raises:
            FetchError: No mirror gives more of it.
            OSError: The bytes can't be written.
        """
        self._check = check
        try:
            self._advance()
            self._look()
            await self._ended
        finally:
            if not self._ended.called:
                self._ended.callback(None)
            for timer in self._timers.values():
                if timer.active():
                    timer.cancel()
            for running in list(self._running.values()):
                running.cancel()

    def _look(self) -> None:
        """Looks again and again at what can be asked of whom."""
        if self._ended.called:
            return
        now = self._clock.seconds()
        self._timers["look"] = self._clock.callLater(LOOK_INTERVAL, self._look)
        if now - self._expected_from >= BODY_TIMEOUT:
            self._fail(FetchError(f"nothing came for {BODY_TIMEOUT:.3g} s"))
            return
        patience = self._terms.lateness.widened(SECOND_SOURCE_DELAY, LONGEST_SECOND_SOURCE_DELAY)
        silent = self._lanes.silent(self._division.first_lanes, patience, now)
        for running in [self._running[lane] for lane in silent]:  # to cancel one has others asked, which may end at once
            running.cancel()
        self._lanes.judge(self._division.left, now)
        self._ask()

    def _ask(self) -> None:
        """Asks each mirror that has nothing to do for a part, as far as there are any."""
        if self._asking:  # a question that fails at once leads here again
            return
        self._asking = True
        try:
            while not self._ended.called and self._ask_one():
                pass
        finally:
            self._asking = False
        if self._lanes.exhausted and self._division.left:
            self._fail(FetchError("; ".join(self._troubles) or "no mirror gives parts of it"))

    def _ask_one(self) -> bool:
        """Asks one mirror for a part; returns False where there is none to be asked."""
        now = self._clock.seconds()
        for lane in self._lanes.idle(now):
            part = self._division.next(lane, self._arrival.file.written, now, self._lanes.busy)
            if part is not None:
                self._terms.lines.begin(lane.upstream)
                running = self._running[lane] = Deferred.fromCoroutine(self._fetch(lane, part.have, part.end))
                running.addBoth(self._part_ended, lane)
                if self._ended.called:  # by bytes that came at once and could not be taken
                    running.cancel()
                return True
        return False

    async def _fetch(self, lane: Lane, first: int, end: int) -> None:
        """
        Fetches a part.

        Raises:
            FetchError: The mirror did not give it, or not all of it.
        """
        body = await self._open(lane.upstream, first, end)
        lane.answered(self._clock.seconds())
        stall = self._terms.lateness.widened(STALL_TIMEOUT, LONGEST_STALL_TIMEOUT)
        try:
            await body.consume(partial(self._arrived, lane, end), stall)
        except _EnoughError:
            return
        except FetchError as error:
            if isinstance(error, IntegrityError) or lane.part is None or not lane.part.whole:
                raise  # otherwise it has given all of the part, and only not said that this was the end
        if lane.part is not None and not lane.part.whole:
            raise FetchError(f"it ended after {lane.position - first} of {end - first} bytes")

    async def _open(self, upstream: Upstream, first: int, end: int) -> IncomingBody:
        headers = self._arrival.part_headers(upstream, first, end)
        body = await upstream.open(self._name, headers, HEAD_TIMEOUT)
        try:
            status = body.answer.status
            if status == 200 and "If-Range" in headers:
                raise OtherVersionError("the file has changed meanwhile")
            if status == 200:
                raise _UndividedError("it gives whole files only")
            if status in REFUSALS:
                raise AbsentError(f"{status}")
            self._arrival.begin_part(upstream, body.answer, first, end)
        except FetchError:
            body.drop()
            raise
        return body

    def _arrived(self, lane: Lane, end: int, data: bytes) -> float:
        """
        Takes bytes of a mirror.

        Returns:
            The seconds until it may give more.

        Raises:
            IntegrityError: It gives more than it was asked for.
            OSError: The bytes can't be written.
            _EnoughError: No more of it is wanted.
        """
        offset, part = lane.position, lane.part
        if part is None or offset + len(data) > end:
            raise IntegrityError("it sent more than it was asked for")
        self.heard_at = self._clock.seconds()
        data = data[: part.end - offset]
        known = self._division.arrived(lane, len(data), self.heard_at)
        try:
            if known < len(data):
                self._place(lane.upstream, offset + known, data[known:] if known else data)
        finally:
            if part.whole:
                for other in [other for other in part.lanes if other is not lane]:
                    self._running[other].cancel()
        self._advance()
        if part.whole and part.end < end:
            raise _EnoughError
        wait = (self._terms.limits.wan if lane.upstream.wan else self._terms.limits.lan)(len(data))
        if wait > 0:
            lane.held_back(self.heard_at + wait)
        self._expected_from = max(self._expected_from, self.heard_at + wait)
        return wait

    def _place(self, upstream: Upstream, offset: int, data: bytes) -> None:
        """
        Puts bytes where they belong.

        Raises:
            IntegrityError: They turned out to be wrong, and are the mirror's.
            OSError: They can't be written.
        """
        if self._check is None:
            self._arrival.place(upstream, offset, data)
            return
        self._arrival.set_aside(upstream, offset, data)
        if upstream in self._rejected(self._check.arrived(offset, offset + len(data))):
            raise IntegrityError("it gave wrong bytes")

    def _rejected(self, found: Sequence[Rejected]) -> Sequence[Upstream | None]:
        """Has wrong bytes asked for again, and returns the mirrors that gave them."""
        for rejected in found:
            for first, end in rejected.others:
                self._division.give_back(first, end)
            self._division.ask_again(*rejected.piece)
        return [rejected.giver for rejected in found]

    def _part_ended(self, result: Failure | None, lane: Lane) -> None:
        now = self._clock.seconds()
        self._terms.lines.end(lane.upstream)
        self._running.pop(lane, None)
        pace, part = lane.pace, lane.part
        rate = lane.judged(now)
        lane.pace = None
        self._division.ended(lane)
        if self._ended.called:
            return
        if result is None:
            self._arrival.file.write_down()
            lane.upstream.succeeded()
            if rate is not None and pace is not None and not pace.waited and lane.given >= MEASURED_BYTES:
                lane.upstream.measured(rate)
        elif result.check(CancelledError):
            self._left(lane, part, mute=pace is None or lane.position == lane.began, now=now)
        elif result.check(FetchError):
            self._failed(lane, result.value, now)
        else:
            self._fail(result)
        self._ask()

    def _left(self, lane: Lane, part: Part | None, *, mute: bool, now: float) -> None:
        """Decides what it says of a mirror that another one had its part sooner, or that it was silent where others could be asked."""
        if mute and now - lane.asked_at >= MUTE_TIME:
            lane.upstream.outrun()
            self._lanes.failed(lane, now)
        elif part is None or not part.whole:
            self._lanes.failed(lane, now)
        elif lane.asked_at <= min((other.asked_at for other in part.lanes), default=now):
            self._lanes.overtaken(lane, now)
        # One that was asked to help out, and was not needed, has done nothing wrong.

    def _failed(self, lane: Lane, error: BaseException | None, now: float) -> None:
        """Decides whether a mirror that gave nothing, or not all, is asked again for this file."""
        upstream = lane.upstream
        self._log.debug("{name}: {host}: {error}", name=self._name, host=upstream.label, error=error)
        self._troubles[f"{upstream.label}: {error}"] = None
        if isinstance(error, _UndividedError):
            self._terms.lines.refused_parts(upstream, now)
        elif isinstance(error, AbsentError):
            self.lacking.add(upstream)
        elif not isinstance(error, OtherVersionError):
            upstream.failed()
        self._lanes.failed(lane, now, gone=isinstance(error, (_UndividedError, AbsentError, OtherVersionError, IntegrityError)))

    def _advance(self) -> None:
        """Hands on the bytes that follow on the beginning of the file, a bounded number of them at once."""
        if self._ended.called:
            return
        try:
            taken = self._arrival.file.take_in(self._takable())
        except (FetchError, OSError):
            self._fail(Failure())
            return
        more = taken >= TAKE_IN_BYTES or (self._check is not None and taken > 0)
        if self._arrival.all_here or not (more or self._division.left):
            # Not here and now: the mirror that gave the last bytes is just about to end its answer, and its connection is good for the next one.
            if not self._is_due("end"):
                self._timers["end"] = self._clock.callLater(0, self._end)
        elif more and not self._is_due("advance"):
            self._timers["advance"] = self._clock.callLater(0, self._advance)

    def _end(self) -> None:
        if not self._ended.called:
            self._ended.callback(None)

    def _takable(self) -> int:
        """Returns how many bytes may be handed on now."""
        if self._check is None:
            return TAKE_IN_BYTES
        written = self._arrival.file.written
        self._rejected(self._check.review(written))
        return self._check.certain(written, TAKE_IN_BYTES) - written

    def _is_due(self, timer: str) -> bool:
        return timer in self._timers and self._timers[timer].active()

    def _fail(self, error: Failure | FetchError) -> None:
        if not self._ended.called:
            self._ended.errback(error)
