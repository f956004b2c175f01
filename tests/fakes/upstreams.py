"""Mirrors that a file is downloaded from, with every fault that one may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import FetchError
from pacserve.fetch.answers import IncomingBody
from pacserve.sources.upstreams import Upstream


@dataclass(frozen=True)
class Head:
    """The head of an answer, made by hand."""

    status: int
    length: int | None
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


class Body(IncomingBody):
    """
    A body that comes in pieces and then ends, stalls or breaks.

    Attributes:
        dropped: Whether nobody wanted it.
    """

    def __init__(self, clock: IReactorTime, answer: Head, data: bytes, piece: int, end: str) -> None:
        self._clock = clock
        self._answer = answer
        self._data, self._piece, self._end = data, piece, end
        self.dropped = False
        self.consumed = False

    @property
    def answer(self) -> Head:
        return self._answer

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        self.consumed = True
        self._take = take
        for offset in range(0, len(self._data), self._piece):
            take(self._data[offset : offset + self._piece])
        if self._end == "stalls":
            self._stall = stall
            self._waiting: Deferred[None] = Deferred()
            self._timer = self._clock.callLater(stall, self._waiting.errback, FetchError("nothing came"))
            try:
                await self._waiting
            finally:
                if self._timer.active():
                    self._timer.cancel()
        if self._end == "breaks":
            raise FetchError("connection lost")

    def go_on(self, data: bytes, *, last: bool = True) -> None:
        """A body that has stalled gives more."""
        if self._waiting.called:
            return
        try:
            self._timer.reset(self._take(data) + self._stall)
        except FetchError:
            self._waiting.errback()
            return
        if last:
            self._waiting.callback(None)

    def drop(self) -> None:
        self.dropped = True


class Mirror(Upstream):
    """
    A mirror that has a file.

    Attributes:
        dies_at: Offsets at which the connection breaks or stalls, one for each answer; None for an answer that is whole.
        asked: The headers of each request.
        verdicts: What was said of it.
        outruns: How often another one answered before it.
        known: Bytes per second that it is known to give.
        rests: Whether it has asked to be left alone.
        at_home: Whether it is in the LAN.
    """

    known: float | None = None
    rests: bool = False
    at_home: bool = False

    def __init__(self, clock: IReactorTime, label: str, data: bytes, **faults: object) -> None:
        self.clock = clock
        self._label = label
        self.data = data
        self.faults = faults
        self.asked: list[Mapping[str, str]] = []
        self.bodies: list[Body] = []
        self.verdicts: list[str] = []
        self.outruns = 0

    @property
    def label(self) -> str:
        return self._label

    @property
    def rate(self) -> float | None:
        return self.known

    @property
    def resting(self) -> bool:
        return self.rests

    @property
    def near(self) -> bool:
        return self.at_home

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> Body:
        self.asked.append(dict(headers))
        faults = self.faults
        number = len(self.asked) - 1
        if faults.get("silent"):
            waiting: Deferred[None] = Deferred()
            timer = self.clock.callLater(timeout, waiting.errback, FetchError("no answer"))
            try:
                await waiting
            finally:
                if timer.active():
                    timer.cancel()
        if faults.get("refuses"):
            raise FetchError("refused")
        status = faults.get("status")
        if isinstance(status, int):
            return self._body(Head(status, 0), b"", "ends")
        if faults.get("vanishes") and number > 0:
            return self._body(Head(404, 0), b"", "ends")
        changed = faults.get("changes") if number > 0 else None
        data = changed if isinstance(changed, bytes) else self.data
        etag = '"changed"' if changed else str(faults.get("etag", '"same"'))
        fields = {"ETag": etag, "Last-Modified": str(faults.get("modified", "Thu, 01 Jan 2026 00:00:00 GMT"))}
        first = 0
        code = 200
        same = faults.get("ignores_if_range") or headers.get("If-Range") in (None, etag)
        if "Range" in headers and same and not faults.get("ignores_range"):
            first = int(headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if first >= len(data):
                return self._body(Head(416, 0, fields), b"", "ends")
            code = 206
            fields["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        rest = data[first:]
        stated: int | None = len(rest)
        if faults.get("unstated"):
            stated = None
        elif "states" in faults:
            stated = int(str(faults["states"]))
        end = "ends"
        deaths = faults.get("dies_at", ())
        assert isinstance(deaths, (list, tuple))
        if number < len(deaths) and deaths[number] is not None and deaths[number] < len(data):
            rest = data[first : max(first, deaths[number])]
            end = str(faults.get("dying", "breaks"))
        return self._body(Head(code, stated, fields), rest, end)

    def _body(self, head: Head, data: bytes, end: str) -> Body:
        body = Body(self.clock, head, data, int(str(self.faults.get("piece", 1000))), end)
        self.bodies.append(body)
        return body

    def outrun(self) -> None:
        self.outruns += 1

    def succeeded(self) -> None:
        self.verdicts.append("succeeded")

    def failed(self) -> None:
        self.verdicts.append("failed")

    def lied(self) -> None:
        self.verdicts.append("lied")
