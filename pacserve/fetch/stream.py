"""Bodies that are processed as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IResponse

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.client import HeadAnswer, HTTPClient, head_answer
from pacserve.fetch.gathering import Gathering, HostRates
from pacserve.fetch.reasons import translate
from pacserve.fetch.urls import parse_url


class StreamingClient(HTTPClient):
    """
    Asks for bodies that are too large to be kept in memory.

    Args:
        rates: Remembers how fast hosts are; None where each body is judged by itself.
    """

    def __init__(self, agent: IAgent, clock: IReactorTime, headers: Mapping[str, str] = {}, rates: HostRates | None = None) -> None:
        super().__init__(agent, clock, headers)
        self._rates = rates

    async def stream(self, url: str, *, timeout: float, headers: Mapping[str, str] = {}) -> BodyStream:
        """
        Asks by GET.  Redirects are never followed.

        Args:
            timeout: Seconds from the name lookup to the last header.

        Raises:
            FetchError: There was no answer; the message has a few words without the URL.
            RemoteProtocolError: The answer is not HTTP, or exceeds a limit.
        """
        if timeout <= 0:
            raise FetchError("no time left to ask")
        # The bytes of the file itself are wanted, not an encoded form of them.
        response = await self._request(b"GET", url, {"Accept-Encoding": "identity", **headers}, timeout)
        try:
            head = head_answer(response)
        except RemoteProtocolError:
            _drop(response, self._clock)
            raise
        # Twisted removes the Content-Length from the headers of an answer with a body.
        length = None if response.length is UNKNOWN_LENGTH else response.length
        answer = HeadAnswer(head.status, length, head.headers)
        return BodyStream(response, answer, self._clock, _HostRate(self._rates, parse_url(url).origin, self._clock))


@dataclass(frozen=True, slots=True)
class _HostRate:
    """How fast a host gave its latest body, where that is remembered."""

    rates: HostRates | None
    origin: str
    clock: IReactorTime

    def get(self) -> float | None:
        return None if self.rates is None else self.rates.get(self.origin, self.clock.seconds())

    def learn(self, rate: float | None) -> None:
        if self.rates is not None and rate is not None:
            self.rates.remember(self.origin, rate, self.clock.seconds())


class BodyStream:
    """
    An answer whose body has not been read yet.  It must be either consumed or dropped.

    Attributes:
        answer: Its status and headers.
    """

    def __init__(self, response: IResponse, answer: HeadAnswer, clock: IReactorTime, rate: _HostRate) -> None:
        self.answer = answer
        self._response = response
        self._clock = clock
        self._rate = rate
        self._taken = False
        self._flow: _Flow | None = None

    @property
    def encoded(self) -> str:
        """The Content-Encoding in lower case, under which the bytes are not those of the file; empty where there is none."""
        stated = (self.answer.header("Content-Encoding") or "").strip().lower()
        return "" if stated == "identity" else stated

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        """
        Hands the body to `take` piece by piece, and returns when it ended as the host meant it to.

        A body without a stated length ends with its connection (RFC 9112, 6.3).

        Args:
            take: Returns the seconds until it wants the next piece.  What it raises ends the connection, and is raised here.
            stall: Seconds without a byte after which the connection is given up; those that `take` asks for do not count.

        Raises:
            FetchError: The body stalled, or the connection was lost.
        """
        self._taken = True
        ended: Deferred[None] = Deferred()
        gathering = Gathering(self.answer.length, self._clock.seconds(), self._rate.get())
        flow = self._flow = _Flow(ended, take, stall, self._clock, gathering)
        self._response.deliverBody(flow)
        try:
            await ended
        except BaseException:
            flow.drop()
            raise
        finally:
            self._rate.learn(gathering.rate)

    def hurry(self) -> None:
        """Has the next piece come now, whatever `take` said when it was given the last one."""
        if self._flow is not None:
            self._flow.hurry()

    def drop(self) -> None:
        """Closes the connection, unless the body was consumed and the connection may have other users by now."""
        if not self._taken:
            self._taken = True
            _drop(self._response, self._clock)


class _Flow(Protocol):
    """
    Passes a body on as it arrives.

    Args:
        stall: Seconds without a byte after which the connection is given up; None for a body that is not wanted.
        gathering: Says when the body is not read for a moment.
    """

    def __init__(self, ended: Deferred[None], take: Callable[[bytes], float], stall: float | None, clock: IReactorTime, gathering: Gathering) -> None:
        self._ended: Deferred[None] | None = ended
        self._take = take
        self._stall = stall
        self._clock = clock
        self._gathering = gathering
        self._timer: IDelayedCall | None = None
        self._paused = False

    def connectionMade(self) -> None:  # noqa: N802
        if self._stall is not None:
            self._timer = self._clock.callLater(self._stall, self._time_is_up)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._ended is None:
            return
        try:
            wait = self._take(data)
        except Exception:
            self._end(Failure())
            self.drop()
            return
        timer = self._timer
        if timer is None or self._stall is None:  # `take` led to a cancellation
            return
        gathering = self._gathering.arrived(len(data), self._clock.seconds())
        if wait <= 0 and not self._paused:
            wait = gathering  # of this pause `take` knows nothing: it is no limit, and the source goes on sending meanwhile
        if wait > 0:
            # Even a paused connection may deliver more: a read may hold several chunks, and Twisted resumes the connection after delivering them.
            self._pause()
            timer.reset(wait)
        elif not self._paused:
            timer.reset(self._stall)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if reason.check(ResponseDone, PotentialDataLoss):
            self._end(None)
        else:
            known = None if reason.value is None else translate(reason.value)
            self._end(reason if known is None else Failure(known))

    def drop(self) -> None:
        """Takes nothing more, reports no end, and closes the connection, unless the body has ended and others use the connection by now."""
        self._ended = None
        self._end(None)
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()

    def hurry(self) -> None:
        """Ends a pause, if there is one, in the next turn of the reactor: the caller may be about to be paused again."""
        if self._paused and self._timer is not None:
            self._timer.reset(0)

    def _pause(self) -> None:
        self._paused = True
        transport: Any = self.transport
        transport.pauseProducing()

    def _time_is_up(self) -> None:
        """Resumes a connection that was paused, or gives up one on which nothing came for too long."""
        if self._paused and self._stall is not None:
            self._paused = False
            self._timer = self._clock.callLater(self._stall, self._time_is_up)
            transport: Any = self.transport
            transport.resumeProducing()
        else:
            self._end(Failure(FetchError(f"nothing came for {self._stall:.3g} s")))
            self.drop()

    def _end(self, failure: Failure | None) -> None:
        ended, self._ended = self._ended, None
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if ended is None or ended.called:
            return
        if failure is None:
            ended.callback(None)
        else:
            ended.errback(failure)


def _drop(response: IResponse, clock: IReactorTime) -> None:
    """Closes the connection of a response whose body is not wanted: a body that is not taken keeps its connection for ever."""
    flow = _Flow(Deferred(), lambda _: 0.0, None, clock, Gathering(None, clock.seconds()))
    response.deliverBody(flow)
    flow.drop()
