"""One mirror as a host that files are downloaded from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.bounded import ExpiringMemory
from pacserve.errors import FetchError
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.fetch.urls import DEFAULT_PORTS, URL, parse_url
from pacserve.mirrors.health import Fault, MirrorHealth
from pacserve.mirrors.inquiry import REDIRECTS, REDIRECTS_LIMIT, target
from pacserve.mirrors.mirror import Mirror
from pacserve.sources.upstreams import Upstream

# Seconds without an answer after which a mirror counts as slow when another one has given the file meanwhile.
SLOW_ANSWER = 2.0
# Seconds for which it is remembered how fast a mirror was: lines and mirrors change over the day.
RATE_LIFETIME = 3600.0
_RATES_LIMIT = 256
# What a server may call the compression that a file has by its very name, though it sends the file as it is (Apache's AddEncoding).
_COMPRESSIONS = {
    ".gz": ("gzip", "x-gzip"),
    ".bz2": ("bzip2", "x-bzip2"),
    ".xz": ("xz", "x-xz"),
    ".zst": ("zstd", "x-zstd"),
    ".Z": ("compress", "x-compress"),
}

# What a client of its own proves who it is by: it is for the mirror, and for no host that this redirects to.
_CREDENTIALS = "Authorization"


@dataclass(frozen=True, slots=True)
class Means:
    """
    The clients that ask mirrors, and the memory of how well mirrors did.

    Attributes:
        client: Asks the mirrors themselves.
        guarded: Asks hosts that mirrors redirect to: it reaches neither this host nor its link.
        rates: Bytes per second by mirror.
    """

    client: StreamingClient
    guarded: StreamingClient
    health: MirrorHealth
    clock: IReactorTime
    rates: ExpiringMemory[str, float] = field(default_factory=lambda: ExpiringMemory(_RATES_LIMIT, RATE_LIFETIME))

    def rate(self, origin: str) -> float | None:
        """Returns the bytes per second that a mirror gave lately; None where that is not known."""
        return self.rates.get(origin, self.clock.seconds())


class MirrorUpstream(Upstream):
    """A mirror of a repository, which has its files under one URL."""

    divisible = True

    def __init__(self, mirror: Mirror, means: Means) -> None:
        self._mirror = mirror
        self._means = means

    @property
    def label(self) -> str:
        return f"mirror {self._mirror.url.origin}"

    @property
    def machine(self) -> str:
        return self._mirror.url.origin.partition("://")[2]

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> BodyStream:
        began = self._means.clock.seconds()
        try:
            stream = await self._ask(name, headers, began + timeout)
        except FetchError:
            self.failed()
            raise
        except CancelledError:  # another source was faster
            now = self._means.clock.seconds()
            if now - began >= SLOW_ANSWER:
                self._means.health.blame(self._mirror.url.origin, Fault.SLOW, now)
            raise
        self._means.health.heard(self._mirror.url.origin, stream.answer, self._means.clock.seconds())
        # A refusal of one file (401, 403, 404) says nothing of the host.
        if stream.answer.status in (407, 429) or stream.answer.status >= 500:
            self.failed()
        return stream

    async def _ask(self, name: str, headers: Mapping[str, str], deadline: float) -> BodyStream:
        """Returns the answer to the question for a file."""
        return await self.follow(self._mirror.file_url(name), headers, deadline)

    async def follow(self, text: str, headers: Mapping[str, str], deadline: float) -> BodyStream:
        """
        Returns the answer at the end of all redirects.

        Raises:
            FetchError: There was none, or it is of no use.
        """
        mirror, means = self._mirror, self._means
        url = parse_url(text)
        name = url.target.partition("?")[0]
        for _ in range(1 + REDIRECTS_LIMIT):
            client = means.client if mirror.local or _is_same(url, mirror.url) else means.guarded
            allowed = headers if url.origin == mirror.url.origin else {key: value for key, value in headers.items() if key != _CREDENTIALS}
            stream = await client.stream(text, timeout=deadline - means.clock.seconds(), headers=allowed)
            if stream.answer.status not in REDIRECTS:
                return _unencoded(stream, name)
            stream.drop()
            url, text = target(mirror, url, stream.answer)
        raise FetchError(f"redirected more than {REDIRECTS_LIMIT} times")

    @property
    def sound(self) -> bool:
        return self._means.health.penalty(self._mirror.url.origin, self._means.clock.seconds()) is None

    @property
    def rate(self) -> float | None:
        return self._means.rate(self._mirror.url.origin)

    @property
    def resting(self) -> bool:
        return self._means.health.resting(self._mirror.url.origin, self._means.clock.seconds())

    @property
    def near(self) -> bool:
        return self._mirror.near

    def measured(self, rate: float) -> None:
        self._means.rates.remember(self._mirror.url.origin, rate, self._means.clock.seconds())

    def outrun(self) -> None:
        self._means.health.blame(self._mirror.url.origin, Fault.SLOW, self._means.clock.seconds())

    def succeeded(self) -> None:
        self._means.health.succeeded(self._mirror.url.origin)

    def failed(self) -> None:
        self._means.health.blame(self._mirror.url.origin, Fault.FAILED, self._means.clock.seconds())

    def lied(self) -> None:
        self._means.health.blame(self._mirror.url.origin, Fault.LIED, self._means.clock.seconds())


def _is_same(url: URL, mirror: URL) -> bool:
    """Returns whether a URL leads to the mirror itself: its name may mean this host by now, of which other ports are no mirrors."""
    return url.host == mirror.host and url.port in (mirror.port, *DEFAULT_PORTS.values())


def _unencoded(stream: BodyStream, name: str) -> BodyStream:
    """
    Returns the answer, if its bytes are those of the file.

    Raises:
        FetchError: It is encoded, though nobody asked for that.
    """
    if stream.encoded and stream.encoded not in _COMPRESSIONS.get(name[name.rfind(".") :], ()):
        stream.drop()
        raise FetchError("it gives some encoding of the file")
    return stream
