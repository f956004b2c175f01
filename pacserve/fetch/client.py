"""Bounded requests to other hosts: a HEAD, or a GET of a small document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IResponse

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.reasons import translate
from pacserve.fetch.urls import basic_authorization, parse_url

T = TypeVar("T")

_DECIMAL = re.compile(r"[0-9]{1,18}\Z")  # ASCII digits that fit into 63 bits


@dataclass(frozen=True, slots=True)
class HeadAnswer:
    """
    A host's answer to a HEAD.

    Attributes:
        status: From 200 to 599.
        length: The Content-Length in bytes, None where none is stated.
    """

    status: int
    length: int | None
    headers: Headers = field(default_factory=Headers)

    def header(self, name: str) -> str | None:
        """Returns the value of a header, several of one name joined by a comma (RFC 9110, 5.3); None where there is none."""
        return _joined(self.headers, name)


@dataclass(frozen=True, slots=True)
class BodyAnswer:
    """
    A host's answer to a GET of a small document.

    Attributes:
        status: From 200 to 599.
        body: The bytes as they were transferred, before a Content-Encoding is undone.
    """

    status: int
    body: bytes
    headers: Headers = field(default_factory=Headers)

    def header(self, name: str) -> str | None:
        """Returns the value of a header, several of one name joined by a comma (RFC 9110, 5.3); None where there is none."""
        return _joined(self.headers, name)


class HTTPClient:
    """
    Asks other hosts, in bounded time and memory.

    Redirects are never followed, nothing is decoded, and a request that times out or is cancelled closes its connection.
    `USER:PASSWORD@` of a URL is sent as Basic authentication (RFC 7617).

    Args:
        headers: The headers that are sent with every request.
    """

    def __init__(self, agent: IAgent, clock: IReactorTime, headers: Mapping[str, str] = {}) -> None:
        self._agent = agent
        self._clock = clock
        self._headers = dict(headers)

    async def head(self, url: str, *, timeout: float) -> HeadAnswer:
        """
        Asks by HEAD.

        Args:
            timeout: Seconds for everything, from the name lookup to the last header.

        Raises:
            FetchError: There was no answer; the message has a few words without the URL.
            RemoteProtocolError: The answer is not HTTP, or exceeds a limit.
        """
        response = await self._request(b"HEAD", url, {}, timeout)
        return head_answer(response)

    async def get(self, url: str, *, timeout: float, limit: int, headers: Mapping[str, str] = {}) -> BodyAnswer:
        """
        Fetches a document.

        Args:
            timeout: Seconds for everything, from the name lookup to the last byte.
            limit: The most bytes of a body, as transferred.  A longer one is refused when it is announced, else as it arrives.
            headers: Further headers for this request.

        Raises:
            FetchError: There was no answer, or not all of it; the message has a few words without the URL.
            RemoteProtocolError: The answer is not HTTP, or exceeds a limit.
        """
        return await self._body(b"GET", url, timeout, limit, headers)

    async def post(self, url: str, *, timeout: float, limit: int) -> BodyAnswer:
        """
        Sends a POST without a body, since the URL says everything, and reads the answer as `get` does.

        Raises:
            FetchError: There was no answer, or not all of it; the message has a few words without the URL.
            RemoteProtocolError: The answer is not HTTP, or exceeds a limit.
        """
        return await self._body(b"POST", url, timeout, limit, {})

    async def _body(self, method: bytes, url: str, timeout: float, limit: int, headers: Mapping[str, str]) -> BodyAnswer:
        started = self._clock.seconds()
        response = await self._request(method, url, headers, timeout)
        finished: Deferred[bytes] = Deferred()
        body = _Body(finished, limit)
        # The body is taken even where it is refused at once: a response whose body is not taken keeps its connection for ever.
        response.deliverBody(body)
        if response.length is not UNKNOWN_LENGTH and response.length > limit:
            body.refuse()
        left = timeout - (self._clock.seconds() - started)
        content = await self._within(finished, left, timeout, body.drop)
        return BodyAnswer(_status(response), content, response.headers)

    async def _request(self, method: bytes, url: str, headers: Mapping[str, str], timeout: float) -> IResponse:
        try:
            place = parse_url(url)
        except ValueError as error:
            raise FetchError("no valid URL") from error
        sent = Headers()
        for name, value in {**self._headers, **headers}.items():
            sent.setRawHeaders(name, [value])
        if place.userinfo:
            sent.setRawHeaders("Authorization", [basic_authorization(place.userinfo)])
        if "%" in place.host:  # the zone means something on this host only (RFC 6874, 4)
            sent.setRawHeaders("Host", [f"[{place.host.partition('%')[0]}]:{place.port}"])
        # Twisted raises some errors at once, such as that of a name that no certificate can have.
        asked = maybeDeferred(self._agent.request, method, str(place).encode("ascii"), sent)
        return await self._within(asked, timeout, timeout, asked.cancel)

    async def _within(self, pending: Deferred[T], seconds: float, stated: float, stop: Callable[[], object]) -> T:
        """
        Waits for `pending`, and calls `stop` when the time is up or the caller is cancelled.

        Errors of `pending` after that are ignored: Twisted turns a cancellation into a failed lookup, a lost connection or an answer that never
        came, depending on how far the request was.

        Twisted lets timers expire before it reads what has arrived.  So a busy process gets one more turn, in which the answer may be found.

        Args:
            stated: The seconds that the error message states.
        """

        def cancelled(_: Deferred[T]) -> None:
            give_up(CancelledError())

        def give_up(error: Exception) -> None:
            outcome.errback(error)
            stop()

        def settled(result: Any) -> None:
            if outcome.called:
                return
            if isinstance(result, Failure):
                outcome.errback(result)
            else:
                outcome.callback(result)

        outcome: Deferred[T] = Deferred(cancelled)
        pending.addBoth(settled)
        if not outcome.called:
            error = FetchError(f"no answer within {stated:.3g} s")
            timer = self._clock.callLater(max(seconds, 0), lambda: outcome.addBoth(_cancelling(self._clock.callLater(0, give_up, error))))
            outcome.addBoth(_cancelling(timer))
        try:
            return await outcome
        except CancelledError:
            raise
        except Exception as error:
            known = translate(error)
            if known is None:
                raise
            raise known from error


class _Body(Protocol):
    """Collects a body up to a limit."""

    def __init__(self, finished: Deferred[bytes], limit: int) -> None:
        self._finished = finished
        self._limit = limit
        self._size = 0
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._size += len(data)
        if self._finished.called:
            return
        if self._size > self._limit:
            self.refuse()
        else:
            self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self._finished.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            body = b"".join(self._parts)
            self._parts.clear()  # the answer may be remembered for a while by those who made it
            self._finished.callback(body)
        else:
            self._finished.errback(reason)

    def refuse(self) -> None:
        """Ends with an error, since the body is longer than the limit."""
        if not self._finished.called:
            self._finished.errback(RemoteProtocolError(f"a body of more than {self._limit:,} bytes"))
        self.drop()

    def drop(self) -> None:
        """Closes the connection and discards what has arrived."""
        self._parts.clear()
        if self.transport is not None:
            self.transport.loseConnection()


def head_answer(response: IResponse) -> HeadAnswer:
    """
    Returns the status, length and headers of a response.

    Raises:
        RemoteProtocolError: The status is not one that HTTP knows.
    """
    return HeadAnswer(_status(response), _length(response.headers), response.headers)


def _joined(headers: Headers, name: str) -> str | None:
    values = headers.getRawHeaders(name.encode("ascii"))
    return ", ".join(value.decode("latin-1") for value in values) if values else None


def _status(response: IResponse) -> int:
    """Returns the status code; `int()` in Twisted's parser accepts more than three digits."""
    status = response.code
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise RemoteProtocolError("answered with a status that HTTP does not know")
    return status


def _length(headers: Headers) -> int | None:
    """Returns the Content-Length; repeated values must be equal (RFC 9110, 8.6), and a value that is no number counts as none."""
    stated = {value.strip() for value in (_joined(headers, "Content-Length") or "").split(",")}
    value = stated.pop()
    return int(value) if not stated and _DECIMAL.match(value) else None


def _cancelling(timer: IDelayedCall) -> Callable[[T], T]:
    def cancel(result: T) -> T:
        if timer.active():
            timer.cancel()
        return result

    return cancel
