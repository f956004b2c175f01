"""The way of a request to the front that answers it, and of the answer back to the client."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.complaints import Complaints
from pacserve.errors import PacserveError, RequestError, plain_reason, reason_of
from pacserve.http.heads import WaitingHead
from pacserve.http.request import split_target
from pacserve.network.addresses import IPAddress, parse_address
from pacserve.waiting import Done, Waiters, begin
from pacserve.web.access_log import printable
from pacserve.web.admission import AccessRules
from pacserve.web.answers import Answer, EventsAnswer, FileAnswer, PassedAnswer, RedirectAnswer, SizeAnswer, StreamAnswer, discard
from pacserve.web.bodies.body import PassedBytes, Sent, send_document, send_file, send_passed, send_stream
from pacserve.web.bodies.pacing import Pacing
from pacserve.web.bodies.whole import whole
from pacserve.web.origins import source_text
from pacserve.web.routes import Route
from pacserve.web.server.pipeline import Ahead
from pacserve.web.server.responses import Responder, field_value, header_getter, knows_chunks
from pacserve.web.server.twisted_internals import abort, response_has_begun
from pacserve.web.table import Entry, RouteTable
from pacserve.web.witness import Answered, ClientLeft, Witness

T = TypeVar("T")


def _unlimited(_: IPAddress) -> None:
    return None


class _Exchange:
    """
    A request until it has ended.

    Attributes:
        started: When the request came, by the router's clock.
        entry: The route, as soon as there is one.
        gone: True if the client left before an answer began.
    """

    __slots__ = ("client", "entry", "gone", "method", "request", "started", "target")

    def __init__(self, request: Request, started: float) -> None:
        self.request = request
        self.method = request.method.decode("latin-1")
        self.target: bytes = request.uri
        self.client = parse_address(request.getClientAddress().host)
        self.started = started
        self.entry: Entry | None = None
        self.gone = False

    @property
    def front(self) -> str:
        """The first part of the path; empty where there is no route for it."""
        return "" if self.entry is None else self.entry.route.path

    def __str__(self) -> str:
        return printable(f"{self.method} {self.target.decode('latin-1')}")


class Router(Resource):
    """
    Answers every request: the first part of its path picks the route, which says who may ask and which front answers.

    It is a leaf: the path is split here, so that a request does not travel through a tree of resources.  The answer of a front that does not wait is
    sent at once, without a Deferred.

    Attributes:
        running: Requests that have not ended yet.
        ahead: Tells the front that a request waits on its connection, where the route allows it; None where no front has a use for that.
    """

    isLeaf = True  # noqa: N815
    _log = Logger()

    def __init__(
        self,
        routes: Iterable[Route],
        rules: AccessRules,
        clock: IReactorTime,
        *,
        wall: Callable[[], float] | None = None,
        pacing: Callable[[IPAddress], Pacing | None] = _unlimited,
        witnesses: Iterable[Witness] = (),
    ) -> None:
        """
        Takes the routes and what each request needs.

        Args:
            routes: Those of this daemon, each with a path of its own, and at most one for the rest.
            rules: The audiences, and the names of this host, that the routes refer to.
            pacing: Gives the limit for what a client is sent of files.
            wall: Gives the seconds since the epoch, for Date; without it the clock does, as Twisted's reactors can.
            witnesses: Are told how each request ended.
        """
        super().__init__()  # it is a resource only so that tests can put it into a tree
        self.running = 0
        self._table = RouteTable(routes, rules)
        self.ahead: Ahead | None = self._look_ahead if self._table.looks_ahead else None
        self._clock = clock
        self._pacing = pacing
        self._witnesses = tuple(witnesses)
        self._responder = Responder(clock.seconds if wall is None else wall)
        self._complaints = Complaints(self._log)
        self._unanswered = 0
        self._all_answered = Waiters()

    async def answered(self) -> None:
        """Returns when no client waits for a front to answer; bodies may still be under way."""
        while self._unanswered:
            await self._all_answered.wait()

    def render(self, request: Request) -> int:
        self.running += 1
        exchange = _Exchange(request, self._clock.seconds())
        try:
            asked = begin(self._ask(exchange))
        except Exception:
            self._fail(exchange, Failure())
            return NOT_DONE_YET
        if isinstance(asked, Done):
            self._deliver(exchange, asked.result)
        else:
            self._wait(exchange, asked)
        return NOT_DONE_YET

    def _ask(self, exchange: _Exchange) -> Coroutine[Any, Any, Answer]:
        """
        Begins to ask the front, where the route of the request allows it.

        Raises:
            RequestError: 403, 404, 405 or 421; no front was asked.
        """
        request = exchange.request
        method, target = request.method, request.uri
        parts = split_target(target)
        exchange.entry = entry = self._table.find(method, parts)
        return entry.route.front.answer(self._table.admit(entry, method, target, parts, exchange.client, header_getter(request)))

    def _look_ahead(self, head: WaitingHead, client: IPAddress) -> None:
        """Tells the front of a request that waits, where the route of that allows it."""
        try:
            parts = split_target(head.target)
            entry = self._table.find(head.method, parts)
            if entry.looks_ahead:
                entry.route.front.ahead(self._table.admit(entry, head.method, head.target, parts, client, head.header))
        except RequestError:
            pass  # its client is told when its turn has come
        except Exception:
            self._log.failure("{request} failed before its turn", request=printable(head.target.decode("latin-1")))

    def _wait(self, exchange: _Exchange, coroutine: Coroutine[Any, Any, Answer]) -> None:
        """Delivers the answer of a front that waits when it is there.  A client that leaves cancels the front."""
        pending = Deferred.fromCoroutine(coroutine)

        def client_left(_: Failure) -> None:
            exchange.gone = True
            pending.cancel()

        exchange.request.notifyFinish().addErrback(client_left)
        self._unanswered += 1
        pending.addBoth(self._asked)
        pending.addCallbacks(lambda answer: self._deliver(exchange, answer), lambda failure: self._fail(exchange, failure))
        self._complaints.hear(pending, "answering a request")

    def _asked(self, result: T) -> T:
        self._unanswered -= 1
        if not self._unanswered:
            self._all_answered.wake()
        return result

    def _deliver(self, exchange: _Exchange, answer: Answer) -> None:
        if exchange.gone:
            # A front that was cancelled may have had its answer already.
            discard(answer)
            self._left(exchange)
            return
        try:
            self._send(exchange, answer)
        except Exception:
            self._fail(exchange, Failure())

    def _send(self, exchange: _Exchange, answer: Answer) -> None:
        request = exchange.request
        if isinstance(answer, RedirectAnswer):
            fields = f"Location: {field_value(answer.url)}\r\nContent-Length: 0\r\n"
            self._responder.send(request, 307, fields)
            self._finished(exchange, Sent(307, answer.size), answer.origin, redirected=True)
        elif isinstance(answer, SizeAnswer):
            self._responder.send(request, 200, "" if answer.size is None else f"Content-Length: {answer.size}\r\n")
            self._finished(exchange, Sent(200, 0), answer.origin)
        elif isinstance(answer, FileAnswer):
            pacing, named, ranges = self._pacing(exchange.client), answer.named, answer.ranges
            sending = send_file(request, self._responder, answer.held, pacing, named=named, ranges=ranges)
            self._follow(exchange, sending, lambda: answer.origin)
        elif isinstance(answer, StreamAnswer) and answer.file.size is None and request.method == b"GET" and not knows_chunks(request):
            self._wait(exchange, whole(answer, self._clock))
        elif isinstance(answer, StreamAnswer):
            pacing = self._pacing(exchange.client)
            sending = send_stream(request, self._responder, answer.file, pacing, answer.reader, ranges=answer.ranges)
            self._follow(exchange, sending, lambda: _origin(answer))
        elif isinstance(answer, PassedAnswer):
            body = PassedBytes(answer.length, answer.reader)
            passing = send_passed(request, self._responder, answer.status, _fields(answer.headers), body, self._pacing(exchange.client))
            self._follow(exchange, passing, lambda: answer.origin)
        elif isinstance(answer, EventsAnswer):
            self._follow(exchange, answer.events.send(request, self._responder), str, quiet=True)
        else:
            sending = send_document(request, self._responder, answer.status, _fields(answer.headers), answer.body)
            self._follow(exchange, sending, lambda: answer.origin, quiet=answer.quiet)

    def _follow(self, exchange: _Exchange, sending: Coroutine[Any, Any, Sent], origin: Callable[[], str], *, quiet: bool = False) -> None:
        """Tells the witnesses of a body when it was sent, or when the client has left."""

        def sent(result: Sent) -> None:
            self._finished(exchange, result, origin(), quiet=quiet)

        answered = Deferred.fromCoroutine(sending).addCallbacks(sent, lambda failure: self._fail(exchange, failure))
        self._complaints.hear(answered, "answering a request")

    def _fail(self, exchange: _Exchange, failure: Failure) -> None:
        request, error = exchange.request, failure.value
        if exchange.gone:
            # Nobody waits for the error any more, but a defect is one all the same.
            if not isinstance(error, (CancelledError, PacserveError, OSError)):
                self._log.failure("{request} failed", failure=failure, request=str(exchange))
            self._left(exchange)
            return
        silent = False
        if isinstance(error, RequestError):
            status, message, origin, silent = error.status, str(error), error.origin, error.silent
        elif isinstance(error, OSError):  # this machine is short of something, or one of its disks is broken
            status, message, origin = 500, f"this host can't answer now: {plain_reason(error)}", ""
            self._complaints.about("answering", f"requests can't be answered now: {reason_of(error)}; see what the system's log says of that")
        else:
            self._log.failure("{request} failed", failure=failure, request=str(exchange))
            status, message, origin = 500, "pacserve has failed here; its log says more", ""
        if silent or response_has_begun(request):
            # A status would mislead, or was sent and is not true any more: all that can be said is that the connection broke.
            abort(request)
            self._finished(exchange, Sent(status, None, complete=False), origin)
            return
        fields = f"Allow: {exchange.entry.route.methods.allowed}\r\n" if status == 405 and exchange.entry is not None else ""
        self._finished(exchange, Sent(status, self._responder.send_line(request, status, message, fields)), origin)

    def _left(self, exchange: _Exchange) -> None:
        left = ClientLeft(exchange.front, exchange.method, exchange.target, exchange.client, self._clock.seconds() - exchange.started)
        for witness in self._witnesses:
            witness.client_left(left)
        self._ended()

    def _finished(self, exchange: _Exchange, sent: Sent, origin: str, *, redirected: bool = False, quiet: bool = False) -> None:
        seconds = self._clock.seconds() - exchange.started
        request = exchange.front, exchange.method, exchange.target, exchange.client
        answered = Answered(*request, sent.status, origin, sent.size, seconds, redirected, sent.complete, quiet)
        for witness in self._witnesses:
            witness.answered(answered)
        self._ended()

    def _ended(self) -> None:
        self.running -= 1


def _fields(headers: Iterable[tuple[str, str]]) -> str:
    return "".join([f"{name}: {field_value(value)}\r\n" for name, value in headers])


def _origin(answer: StreamAnswer) -> str:
    """Returns the hosts that gave a file, once one has, and how the file arrives."""
    source = source_text(answer.file.shares)
    return f"{source}, {answer.origin}" if source else answer.origin
