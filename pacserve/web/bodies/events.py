"""Server-sent events (WHATWG HTML, 9.2), which tell open pages what has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

from pacserve.errors import RequestError, reason_of
from pacserve.network.addresses import parse_address
from pacserve.web.bodies.body import Sent
from pacserve.web.fairness import Places, Ranking, Source, loopback_first, source_of
from pacserve.web.server.responses import Responder
from pacserve.web.server.twisted_internals import close_after, write_body

MOST_LISTENERS = 16
"""Pages that get events at the same time.  Each has a connection for as long as it is open."""

_RESERVED = 4
"""Pages of this host that have a place whoever else has opened some."""

POLL_INTERVAL = 1.0
"""Seconds between two looks at the state, while any page is open."""

HEARTBEAT_INTERVAL = 15.0
"""Seconds without a change after which a comment is sent: the kernel finds out then that a client has vanished, and proxies keep the connection."""

LOOK_TIMEOUT = 10.0
"""Seconds that a look at the state may take; it reads folders and asks nobody."""

_FIELDS = "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
_BEGINNING = b"retry: 3000\n\n"
_BEAT = b":\n\n"

Parts = Mapping[str, str]
"""JSON on one line, by the name of what it describes."""


@implementer(IPushProducer)
class _Listener:
    """
    Sends events to one client.

    For a client that takes none only the newest state of each part is kept, so that a slow client costs no more than one state, and sees fewer steps.

    Attributes:
        source: The ones that the client shares its places with.
        sent: Bytes that were written.
        ended: Fires when the stream has ended, with True if that was this side's doing.
    """

    def __init__(self, request: Request, source: Source, sent: int) -> None:
        self.source = source
        self.sent = sent
        self.ended: Deferred[bool] = Deferred()
        self._request = request
        self._waiting: dict[str, str] = {}
        self._flowing = True
        self._gone = False

    def tell(self, parts: Parts) -> None:
        """Sends changed parts, now or when the client takes them."""
        self._waiting.update(parts)
        self._flush()

    def beat(self) -> None:
        """Sends a comment, which shows whether the connection is alive."""
        if self._flowing and not self._gone:
            self._write(_BEAT)

    def end(self, *, complete: bool) -> None:
        """Ends the stream."""
        if self._gone:
            return
        self._gone = True
        self._waiting.clear()
        if complete:
            self._request.unregisterProducer()
        self.ended.callback(complete)

    def pauseProducing(self) -> None:  # noqa: N802
        self._flowing = False

    def resumeProducing(self) -> None:  # noqa: N802
        self._flowing = True
        self._flush()

    def stopProducing(self) -> None:  # noqa: N802
        self.end(complete=False)

    def _flush(self) -> None:
        if not self._waiting or not self._flowing or self._gone:
            return
        parts = ",".join([f'"{name}":{text}' for name, text in self._waiting.items()])
        self._waiting.clear()
        self._write(f"data: {{{parts}}}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.sent += len(data)
        write_body(self._request, data)


class Events:
    """Looks at a state once a second while any client listens, and sends all of them what has changed."""

    _log = Logger()

    def __init__(
        self, look: Callable[[], Awaitable[Parts]], clock: IReactorTime, *, most: int = MOST_LISTENERS, ranking: Ranking = loopback_first
    ) -> None:
        """
        Begins without clients.

        Args:
            look: Gives all parts as they are now; their names are the same every time, and need no escaping in JSON.
            most: Clients that may listen at the same time.
        """
        self._look = look
        self._clock = clock
        self._most = most
        self._ranking = ranking
        self._places = Places(most, min(_RESERVED, most // 4))
        self._listeners: dict[_Listener, None] = {}
        self._state: dict[str, str] = {}
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._told = 0.0
        self._failing = False
        self._stopped = False

    def __len__(self) -> int:
        return len(self._listeners)

    async def send(self, request: Request, responder: Responder) -> Sent:
        """
        Answers a request with events, until the client leaves or `stop` is called.

        Where all places are taken, the stream ends that the client with most of them has had for longest; it may come back.

        Raises:
            RequestError: 503, there is no room for one more.
        """
        close_after(request)  # the body ends with the connection
        if self._stopped:
            raise RequestError(503, "pacserve stops")
        address: Any = request.getClientAddress()
        client = parse_address(address.host)
        source = source_of(client, self._ranking(client))
        if not self._places.has_room(source.rank) and (request.method == b"HEAD" or not self._end_one(source)):
            raise RequestError(503, f"{self._most} pages are open already: close one")
        if request.method == b"HEAD":
            responder.send(request, 200, _FIELDS)
            return Sent(200, 0)
        responder.begin(request, 200, _FIELDS, _BEGINNING)
        listener = _Listener(request, source, len(_BEGINNING))
        request.notifyFinish().addErrback(lambda _: listener.stopProducing())
        request.registerProducer(listener, True)
        self._listeners[listener] = None
        self._places.take(source)
        try:
            if self._state:
                listener.tell(self._state)
            if self._timer is None and self._looking is None:
                self._tick()
            complete = await listener.ended
        finally:
            self._leave(listener)
        if complete:
            request.finish()
        return Sent(200, listener.sent, complete)

    def stop(self) -> None:
        """Ends all streams, and takes no new clients."""
        self._stopped = True
        for listener in tuple(self._listeners):
            listener.end(complete=True)

    def _end_one(self, newcomer: Source) -> bool:
        """Ends the oldest stream of the source that must give way to a newcomer; returns whether there is one."""
        source = self._places.giving_way(newcomer)
        oldest = next((listener for listener in self._listeners if listener.source == source), None)
        if oldest is None:
            return False
        oldest.end(complete=True)
        return True

    def _leave(self, listener: _Listener) -> None:
        del self._listeners[listener]
        self._places.give_back(listener.source)
        if self._listeners:
            return
        self._state.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            self._looking.cancel()

    def _tick(self) -> None:
        self._timer = None
        self._looking = Deferred.fromCoroutine(self._tell())
        self._looking.addTimeout(LOOK_TIMEOUT, self._clock)
        self._looking.addErrback(self._failed)
        self._looking.addBoth(self._schedule)

    async def _tell(self) -> None:
        parts = await self._look()
        self._failing = False
        changed = {name: text for name, text in parts.items() if self._state.get(name) != text}
        self._state.update(changed)
        if changed:
            self._told = self._clock.seconds()
            self._all(lambda listener: listener.tell(changed))

    def _failed(self, failure: Failure) -> None:
        """Logs the first failure of several in a row, since the next look is a second later.  A folder that does not answer is no defect."""
        if not self._listeners or self._failing:
            return
        self._failing = True
        error = failure.value
        if isinstance(error, (OSError, DeferredTimeoutError)):
            reason = reason_of(error) if isinstance(error, OSError) else f"no answer within {LOOK_TIMEOUT:.0f} s"
            self._log.warn("open status pages don't learn of changes now: {reason}; see whether all package caches can be read", reason=reason)
        else:
            self._log.failure("looking for what has changed", failure)

    def _schedule(self, _: object) -> None:
        """Plans the next look, and sends a heartbeat where nothing was sent for long."""
        self._looking = None
        if self._listeners:
            now = self._clock.seconds()
            if now - self._told >= HEARTBEAT_INTERVAL:
                self._told = now
                self._all(_Listener.beat)
            self._timer = self._clock.callLater(POLL_INTERVAL, self._tick)

    def _all(self, do: Callable[[_Listener], None]) -> None:
        listeners: Iterable[_Listener] = tuple(self._listeners)
        for listener in listeners:
            do(listener)
