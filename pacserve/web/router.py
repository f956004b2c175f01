"""The way of a request to the front that answers it, and of the answer to the client."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.errors import RequestError
from pacserve.http.request import query_of, split_target
from pacserve.network.addresses import IPAddress, parse_address
from pacserve.web.access_log import AccessLog, Asked
from pacserve.web.answers import Answer, EventsAnswer, FileAnswer, RedirectAnswer, StreamAnswer
from pacserve.web.asking import Answered, Ask, Front, Witness
from pacserve.web.bodies.body import Sent, send_document, send_file, send_stream
from pacserve.web.bodies.pacing import Pacing
from pacserve.web.hosts import Hosts, stated_host
from pacserve.web.server.responses import Responder, abort, field_value, header_getter

_METHODS = {b"GET": "GET", b"HEAD": "HEAD", b"POST": "POST"}


def _unlimited(_: IPAddress) -> None:
    return None


class _Exchange:
    """
    A request and what becomes of it.

    Attributes:
        front: The first part of the path, as soon as there is a front for it.
    """

    __slots__ = ("asked", "front", "gone", "request")

    def __init__(self, request: Request, started: float) -> None:
        self.request = request
        self.asked = Asked(request.method, request.uri, parse_address(request.getClientAddress().host), started)
        self.front = ""
        self.gone = False


class Router(Resource):
    """
    Answers every request: the first part of its path picks the front.

    It is a leaf: the path is split here, so that a request does not travel through a tree of resources.  A front that answers without waiting is
    answered at once, without a Deferred.

    Attributes:
        running: The responses that are under way.
    """

    isLeaf = True  # noqa: N815
    _log = Logger()

    def __init__(
        self,
        fronts: Mapping[str, Front],
        log: AccessLog,
        clock: IReactorTime,
        *,
        wall: Callable[[], float] | None = None,
        pacing: Callable[[IPAddress], Pacing | None] = _unlimited,
        hosts: Hosts | None = None,
        witnesses: Sequence[Witness] = (),
    ) -> None:
        """
        Takes the fronts and what each request needs.

        Args:
            fronts: By the first part of the path; the empty one is `/`.
            pacing: Gives the limit for what a client is sent of files.
            wall: Gives the seconds since the epoch, for Date; without it the clock does, as Twisted's reactors can.
            hosts: Knows by which names this host may be asked; without it by any.
            witnesses: Are told of every request that was answered.
        """
        super().__init__()
        self.running = 0
        self._fronts = dict(fronts)
        self._access = log
        self._clock = clock
        self._pacing = pacing
        self._hosts = hosts
        self._witnesses = tuple(witnesses)
        self._responder = Responder(clock.seconds if wall is None else wall)
        self._waiting: list[Deferred[None]] = []

    async def drained(self) -> None:
        """Returns when no response is under way any more."""
        while self.running:
            idle: Deferred[None] = Deferred()
            self._waiting.append(idle)
            await idle

    def render(self, request: Request) -> int:
        self.running += 1
        exchange = _Exchange(request, self._clock.seconds())
        try:
            coroutine = self._ask(exchange)
            coroutine.send(None)
        except StopIteration as end:
            answer: Answer = end.value
        except Exception:
            self._fail(exchange, Failure())
            return NOT_DONE_YET
        else:
            self._wait(exchange, coroutine)
            return NOT_DONE_YET
        self._deliver(exchange, answer)
        return NOT_DONE_YET

    def _ask(self, exchange: _Exchange) -> Coroutine[Any, Any, Answer]:
        request = exchange.request
        parts = split_target(request.uri)
        front = None if parts is None else self._fronts.get(parts[0])
        if parts is None or front is None:
            raise RequestError(404, "there is nothing here")
        exchange.front = parts[0]
        header = header_getter(request)
        method = _METHODS.get(request.method)
        if method is None or (method == "POST") != front.changes:
            raise RequestError(405, "only POST is answered here" if front.changes else "only GET and HEAD are answered")
        if not front.audience.admits(exchange.asked.client):
            raise RequestError(403, f"{exchange.asked.client} is not answered here")
        if self._hosts is not None:
            self._hosts.check(parts[0], stated_host(request.uri, header("Host")), exchange.asked.client)
        query = query_of(request.uri) if b"?" in request.uri else ""
        return front.answer(Ask(method, parts[1:], exchange.asked.client, header, query))

    def _wait(self, exchange: _Exchange, coroutine: Coroutine[Any, Any, Answer]) -> None:
        """Goes on with a coroutine that has begun to wait: a Deferred that it waits for is yielded again as long as it has no result."""
        pending = Deferred.fromCoroutine(coroutine)

        def client_left(_: Failure) -> None:
            exchange.gone = True
            pending.cancel()

        exchange.request.notifyFinish().addErrback(client_left)
        pending.addCallbacks(lambda answer: self._deliver(exchange, answer), lambda failure: self._fail(exchange, failure))

    def _deliver(self, exchange: _Exchange, answer: Answer) -> None:
        if exchange.gone:
            if isinstance(answer, FileAnswer):
                answer.held.file.close()
            self._left(exchange)
            return
        try:
            self._send(exchange, answer)
        except Exception:
            self._fail(exchange, Failure())

    def _send(self, exchange: _Exchange, answer: Answer) -> None:
        if isinstance(answer, RedirectAnswer):
            fields = f"Location: {field_value(answer.url)}\r\nContent-Length: 0\r\n"
            self._responder.send(exchange.request, 307, fields)
            self._finished(exchange, 307, answer.origin, answer.size, redirected=True)
        elif isinstance(answer, FileAnswer):
            self._follow(
                exchange, send_file(exchange.request, self._responder, answer.held, self._pacing(exchange.asked.client)), lambda: answer.origin
            )
        elif isinstance(answer, StreamAnswer):
            self._follow(
                exchange, send_stream(exchange.request, self._responder, answer.file, self._pacing(exchange.asked.client)), lambda: _origin(answer)
            )
        elif isinstance(answer, EventsAnswer):
            self._follow(exchange, answer.events.send(exchange.request, self._responder), str, quiet=True)
        else:
            fields = "".join([f"{name}: {field_value(value)}\r\n" for name, value in answer.headers])
            sending = send_document(exchange.request, self._responder, answer.status, fields, answer.body)
            self._follow(exchange, sending, str, quiet=answer.quiet)

    def _follow(self, exchange: _Exchange, sending: Coroutine[Any, Any, Sent], origin: Callable[[], str], *, quiet: bool = False) -> None:
        """Logs a body when it was sent, or when the client has left."""

        def sent(result: Sent) -> None:
            self._finished(exchange, result.status, origin(), result.size, cut_short=not result.complete, quiet=quiet)

        Deferred.fromCoroutine(sending).addCallbacks(sent, lambda failure: self._fail(exchange, failure))

    def _fail(self, exchange: _Exchange, failure: Failure) -> None:
        request, error = exchange.request, failure.value
        if exchange.gone:
            if not isinstance(error, (CancelledError, RequestError)):
                self._log.failure("{request} failed", failure=failure, request=exchange.asked)
            self._left(exchange)
            return
        if isinstance(error, RequestError):
            status, message, origin = error.status, str(error), error.origin
        else:
            self._log.failure("{request} failed", failure=failure, request=exchange.asked)
            status, message, origin = 500, "pacserve has failed here; its log says more", ""
        if request.startedWriting:
            abort(request)
            self._finished(exchange, status, origin, None, cut_short=True)
            return
        fields = "Allow: GET, HEAD\r\n" if status == 405 else ""
        self._finished(exchange, status, origin, self._responder.send_line(request, status, message, fields))

    def _left(self, exchange: _Exchange) -> None:
        self._access.client_left(exchange.asked)
        self._ended()

    def _finished(
        self,
        exchange: _Exchange,
        status: int,
        origin: str,
        size: int | None,
        *,
        redirected: bool = False,
        cut_short: bool = False,
        quiet: bool = False,
    ) -> None:
        self._access.answered(exchange.asked, status, origin, size, redirected=redirected, cut_short=cut_short, quiet=quiet)
        if self._witnesses:
            asked = exchange.asked
            seconds = self._clock.seconds() - asked.started
            method = asked.method.decode("latin-1")
            answered = Answered(
                exchange.front, method, asked.target, asked.client, status, origin, size, seconds, redirected, complete=not cut_short, quiet=quiet
            )
            for witness in self._witnesses:
                witness.answered(answered)
        self._ended()

    def _ended(self) -> None:
        self.running -= 1
        if not self.running and self._waiting:
            waiting, self._waiting = self._waiting, []
            for idle in waiting:
                idle.callback(None)


def _origin(answer: StreamAnswer) -> str:
    """Returns where a file came from, once that is known."""
    return f"{answer.file.giver}, {answer.origin}" if answer.file.giver else answer.origin
