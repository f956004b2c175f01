"""Mirrors that have every fault at any byte and moment of a clock that is moved by hand, and clients that see what comes of it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import FileIO
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError
from pacserve.fetch.answers import IncomingBody
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.download import Download
from pacserve.transfer.reading import DownloadedFile
from pacserve.transfer.terms import Terms

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
DATA = bytes(range(256)) * 40
EXPECTED = ExpectedFile(len(DATA), hashlib.sha256(DATA).digest())
MIDDLE = DATA[:5000] + b"X" + DATA[5001:]
# What mirrors have, by a name that is shorter than what it stands for.
CONTENTS = {
    "right": DATA,
    "first byte": b"X" + DATA[1:],
    "middle": MIDDLE,
    "last byte": DATA[:-1] + b"X",
    "shorter": DATA[:-1],
    "half": DATA[:5000],
    "longer": DATA + b"x",
    "longer, middle": MIDDLE + b"xyz",
    "shorter, middle": MIDDLE[:-1],
    "empty": b"",
    "all wrong": bytes(reversed(range(256))) * 40,
}
MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"
# How often a second the clock is moved.
TICKS = 4


@dataclass(frozen=True)
class Fault:
    """
    What is wrong with one answer.

    Attributes:
        at: The byte of the file at which it shows.
        kind: `breaks` the connection, `ends` as if that were all, `stalls` for `seconds` and goes on.
    """

    at: int
    kind: str
    seconds: float = 1e6


class Line:
    """
    A line that several mirrors share, and the bytes of each take as much longer.

    Attributes:
        flows: Bodies that come over it.
    """

    def __init__(self) -> None:
        self.flows = 0


class Traffic:
    """
    Watches what mirrors are asked of one file by those that ask for parts of it.

    Attributes:
        mirrors: Mirrors that were asked at the same time, at most.
        of_one: Parts that one mirror was asked for at the same time, at most.
        of_byte: Mirrors that were asked for one byte at the same time, at most.
        given: The first byte, and the one behind the last, of each piece that came.
    """

    def __init__(self) -> None:
        self.mirrors = self.of_one = self.of_byte = 0
        self.given: list[tuple[int, int]] = []
        self._asked: list[tuple[int, int, int]] = []

    def asked(self, mirror: int, first: int, end: int) -> Callable[[], None]:
        """Takes note of a question; the result is to be called when it is over."""
        question = (mirror, first, end)
        self._asked.append(question)
        labels = [label for label, _, _ in self._asked]
        self.mirrors = max(self.mirrors, len(set(labels)))
        self.of_one = max(self.of_one, *(labels.count(label) for label in labels))
        self.of_byte = max(self.of_byte, _most_over([(start, behind) for _, start, behind in self._asked]))
        return partial(self._asked.remove, question)

    @property
    def times_given(self) -> int:
        """How often a byte came, at most."""
        return _most_over(self.given)


def _most_over(spans: Sequence[tuple[int, int]]) -> int:
    """Returns how many spans have a byte in common, at most."""
    changes = sorted([(first, 1) for first, end in spans if first < end] + [(end, -1) for first, end in spans if first < end])
    return max(accumulate(change for _, change in changes), default=0)


@dataclass(frozen=True)
class Behaviour:
    """
    How a mirror answers.

    Attributes:
        content: Which of `CONTENTS` it has.
        file: It has this file instead.
        wrong: Which bytes of that are others in its file.
        faults: One for each answer, the last one for all that follow; None for an answer without.
        refuses: The reason why there is no answer.
        status: The only thing that it answers.
        delay: Seconds until the head of an answer.
        piece: Bytes that come at once.
        interval: Seconds between two pieces.
        more_stated: Bytes that Content-Length states and that never come.
        chunked: It states no Content-Length.
        line: The line of its bytes; none where it has one of its own.
        near: It is in the LAN.
        resting: It has asked to be left alone.
        sound: False if it failed lately.
        speed: The bytes per second that it gave lately.
    """

    content: str = "right"
    file: bytes | None = None
    wrong: frozenset[int] = frozenset()
    faults: tuple[Fault | None, ...] = ()
    refuses: str = ""
    status: int | None = None
    delay: float = 0.0
    piece: int = 2000
    interval: float = 0.0
    more_stated: int = 0
    chunked: bool = False
    ranges: bool = True
    etag: str = '"same"'
    modified: str = MODIFIED
    line: Line | None = None
    near: bool = False
    resting: bool = False
    sound: bool = True
    speed: float | None = None

    @property
    def data(self) -> bytes:
        """The file that it has."""
        data = bytearray(CONTENTS[self.content] if self.file is None else self.file)
        for offset in self.wrong:
            data[offset] ^= 0xFF
        return bytes(data)


@dataclass(frozen=True)
class Head:
    """The head of an answer."""

    status: int
    length: int | None
    fields: Mapping[str, str]

    def header(self, name: str) -> str | None:
        return self.fields.get(name)


class Body(IncomingBody):
    """
    A body that comes piece by piece.

    Attributes:
        part: The first byte that it gives, and the one behind the last.
        used: Whether it was consumed or dropped.
        ended: Called when it gives no more.
        given: The pieces that it gave.
        whole: Whether all of the part was taken.
    """

    def __init__(self, clock: Clock, head: Head, part: tuple[int, int], behaviour: Behaviour, fault: Fault | None) -> None:
        self.ended: Callable[[], None] = lambda: None
        self.given: list[tuple[int, int]] = []
        self._clock = clock
        self._head = head
        self.part = part
        self._behaviour = behaviour
        self._fault = fault
        self.used = False
        self.whole = False

    @property
    def answer(self) -> Head:
        return self._head

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        self.used = True
        line = self._behaviour.line
        if line is not None:
            line.flows += 1
        try:
            await self._consume(take, stall)
        finally:
            if line is not None:
                line.flows -= 1
            self.ended()

    async def _consume(self, take: Callable[[bytes], float], stall: float) -> None:
        data, offset = self._behaviour.data, self.part[0]
        size = min(len(data), self.part[1])
        if self._head.status not in (200, 206):
            return
        fault = self._fault
        while True:
            if fault is not None and offset >= fault.at:
                if fault.kind == "breaks":
                    raise FetchError("the connection was lost")
                if fault.kind == "ends":
                    break
                await self._pause(fault.seconds, stall)
                fault = None
            if offset >= size:
                break
            end = min(offset + self._behaviour.piece, size)
            if fault is not None and offset < fault.at:
                end = min(end, fault.at)
            self.given.append((offset, end))
            wait = take(data[offset:end])
            before, offset = offset, end
            if wait > 0:
                await deferLater(self._clock, wait)
            if self._behaviour.interval:
                line = self._behaviour.line
                length = 1.0 if line is None else line.flows * (end - before) / self._behaviour.piece
                await self._pause(self._behaviour.interval * length, stall)
        if self._head.length is not None and offset - self.part[0] < self._head.length:
            raise FetchError("the connection ended before all of the body came")
        self.whole = True

    async def _pause(self, seconds: float, stall: float) -> None:
        await deferLater(self._clock, min(seconds, stall))
        if seconds >= stall:
            raise FetchError(f"nothing came for {stall:.3g} s")

    def drop(self) -> None:
        if not self.used:
            self.used = True
            self.ended()


class SimulatedMirror(Upstream):
    """
    A mirror.

    Attributes:
        asked: When it was asked, and from which byte on.
        verdicts: What was said of it.
    """

    divisible = True

    def __init__(
        self, clock: Clock, number: int, behaviour: Behaviour, traffic: Callable[[str], Traffic] = lambda _: Traffic(), *, trusted: bool = True
    ) -> None:
        self._clock = clock
        self._number = number
        self._traffic = traffic
        self._rate = behaviour.speed
        self._sound = behaviour.sound
        self.behaviour = behaviour
        self.trusted = trusted
        self.asked: list[tuple[float, int]] = []
        self.bodies: list[Body] = []
        self.verdicts: list[str] = []

    @property
    def label(self) -> str:
        return f"mirror {self._number}"

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> Body:
        first, _, last = headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        if not last:
            return await self._open(int(first), None, timeout)
        traffic = self._traffic(name)
        over = traffic.asked(self._number, int(first), int(last) + 1)
        try:
            body = await self._open(int(first), int(last) + 1, timeout)
        except BaseException:
            over()
            raise
        body.ended, body.given = over, traffic.given
        return body

    async def _open(self, asked_from: int, end: int | None, timeout: float) -> Body:
        behaviour = self.behaviour
        faults = behaviour.faults
        fault = faults[min(len(self.asked), len(faults) - 1)] if faults else None
        self.asked.append((self._clock.seconds(), asked_from))
        if behaviour.refuses:
            raise FetchError(behaviour.refuses)
        if behaviour.delay:
            await deferLater(self._clock, min(behaviour.delay, timeout))
        if behaviour.delay > timeout:
            raise FetchError("no answer")
        return self._answer(asked_from if behaviour.ranges else 0, end if behaviour.ranges else None, fault)

    def _answer(self, first: int, end: int | None, fault: Fault | None) -> Body:
        behaviour = self.behaviour
        size = len(behaviour.data)
        part = bool(first) or end is not None
        end = size if end is None else min(end, size)
        fields = {"ETag": behaviour.etag, "Last-Modified": behaviour.modified}
        if behaviour.status is not None:
            head = Head(behaviour.status, 0, fields)
        elif first and first >= size:
            head = Head(416, 0, fields)
        else:
            length = None if behaviour.chunked else end - first + behaviour.more_stated
            if part:
                fields["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
            head = Head(206 if part else 200, length, fields)
        self.bodies.append(Body(self._clock, head, (first, end), behaviour, fault))
        return self.bodies[-1]

    @property
    def sound(self) -> bool:
        return self._sound

    @property
    def resting(self) -> bool:
        return self.behaviour.resting

    @property
    def near(self) -> bool:
        return self.behaviour.near

    @property
    def rate(self) -> float | None:
        return self._rate

    def measured(self, rate: float) -> None:
        self._rate = rate

    def outrun(self) -> None:
        self._sound = False
        self.verdicts.append("outrun")

    def succeeded(self) -> None:
        self._sound = True
        self.verdicts.append("succeeded")

    def failed(self) -> None:
        self._sound = False
        self.verdicts.append("failed")

    def lied(self) -> None:
        self.verdicts.append("lied")


class Client:
    """
    A client that is sent a download, by the rules of `pacserve.web.bodies.following`: it was promised so many bytes, or the end
    says that it was all.

    Attributes:
        got: What it was sent.
        complete: Whether it takes that for all of what it asked for; None while more may come.
        first_after: Seconds that it waited for the first byte.
        longest: Seconds that it waited at most from one byte to the next.
    """

    def __init__(self, download: Download, clock: Clock, first: int = 0) -> None:
        file = DownloadedFile(download, clock)
        size = file.size
        self.first = first if size is not None and first < size else 0
        self._got = bytearray()
        self.complete: bool | None = None
        self.longest = self.first_after = 0.0
        self._came = clock.seconds()
        self._length = None if size is None else size - self.first
        self._clock = clock
        self._reader = file.reader()
        self._running = Deferred.fromCoroutine(self._read())
        self._running.addErrback(lambda failure: failure.trap(CancelledError) and None)

    @property
    def got(self) -> bytes:
        return bytes(self._got)

    async def _read(self) -> None:
        try:
            last = None
            while self._length is None or len(self._got) < self._length:
                offset = self.first + len(self._got)
                if not await self._reader.more(offset):
                    break
                piece = self._reader.read(offset, 3000 if self._length is None else min(3000, self._length - len(self._got)))
                if piece and last is None:
                    self.first_after = self._clock.seconds() - self._came
                elif piece and last is not None:
                    self.longest = max(self.longest, self._clock.seconds() - last)
                if piece:
                    last = self._clock.seconds()
                self._got += piece
            self.complete = self._reader.whole if self._length is None else len(self._got) == self._length
        finally:
            self._reader.close()

    def leave(self) -> None:
        """It wants nothing more."""
        self._running.cancel()


@dataclass
class Scene:
    """
    A download from some mirrors, in a folder of its own.

    Attributes:
        clock: What all of it goes by.
        traffic: What mirrors were asked for parts of a file, by its name.
    """

    folder: Path
    clock: Clock = field(default_factory=Clock)
    traffic: defaultdict[str, Traffic] = field(default_factory=lambda: defaultdict(Traffic))
    files: list[FileIO] = field(default_factory=list)

    def create(self) -> FileIO:
        """A new file of the spool."""
        self.files.append(FileIO(self.folder / f"{len(self.files)}", "x+b"))
        return self.files[-1]

    def mirrors(self, behaviours: Sequence[Behaviour], *, trusted: bool = True) -> list[SimulatedMirror]:
        """Mirrors that behave so."""
        traffic = self.traffic.__getitem__
        return [SimulatedMirror(self.clock, number, behaviour, traffic, trusted=trusted) for number, behaviour in enumerate(behaviours)]

    def download(
        self, mirrors: Sequence[Upstream], expected: ExpectedFile | None = EXPECTED, terms: Terms | None = None, name: str = NAME
    ) -> Download:
        """A download that has not begun."""
        return Download(name, Arrival(expected, Storage(self.create)), mirrors, self.clock, terms or Terms())

    def pass_time(self, seconds: float, ticks: int = TICKS) -> None:
        """Moves the clock, so many times a second."""
        self.clock.pump([1 / ticks] * int(seconds * ticks))

    def close(self) -> None:
        """Nothing of it is needed any more."""
        for file in self.files:
            file.close()
        self.files.clear()


class SceneCase(SynchronousTestCase):
    """Tests with a scene for each example."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self._folder = Path(folder.name)
        self._count = 0
        self._scene: Scene | None = None

    def scene(self) -> Scene:
        """An empty scene; the one before is over."""
        if self._scene is not None:
            self._scene.close()
        self._count += 1
        folder = self._folder / f"{self._count}"
        folder.mkdir()
        self._scene = Scene(folder)
        self.addCleanup(self._scene.close)
        return self._scene

    def assert_left_nothing(self, scene: Scene, mirrors: Sequence[SimulatedMirror]) -> None:
        """Every answer was taken or dropped, and nothing is left that the clock would start."""
        self.assertEqual(scene.clock.getDelayedCalls(), [])
        for mirror in mirrors:
            self.assertTrue(all(body.used for body in mirror.bodies), mirror.label)
