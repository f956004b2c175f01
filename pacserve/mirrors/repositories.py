"""The mirrors of package systems that name themselves which mirror has a file: each request brings the URLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pacserve.bounded import ExpiringMemory
from pacserve.fetch.stream import BodyStream
from pacserve.fetch.urls import parse_url
from pacserve.mirrors.mirror import Mirror
from pacserve.mirrors.upstream import Means, MirrorUpstream
from pacserve.packages.files import FileRequest
from pacserve.sources.upstreams import REFUSALS, Upstream, Upstreams

# Seconds for which a client may have the beginning of a wrong file.
LIE_LIFETIME = 3600.0
# Seconds for which it is remembered that a mirror does not have a file: for the one answer that is made of it.
REFUSAL_LIFETIME = 5.0
_FILES_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Lies:
    """
    How often a mirror has given wrong bytes of a file.

    Attributes:
        latest: When it did so last, by the clock.
    """

    times: int
    latest: float


class _Memory:
    """The answers of mirrors that matter later, by the last of the URLs of a file, and the names of the files of which mirrors gave wrong bytes."""

    def __init__(self) -> None:
        self.refusals: ExpiringMemory[str, int] = ExpiringMemory(_FILES_LIMIT, REFUSAL_LIFETIME)
        self.lies: ExpiringMemory[str, Lies] = ExpiringMemory(_FILES_LIMIT, LIE_LIFETIME)
        self.spoilt: ExpiringMemory[str, bool] = ExpiringMemory(_FILES_LIMIT, LIE_LIFETIME)


class RepositoryUpstreams(Upstreams):
    """
    The mirror that a request names.  It is not one of several: the package system has chosen it.

    Wherever it is, it leads by redirects neither to this host nor to its link, but to itself: its URL may be one that a client of another host names.

    Args:
        means: Those by which all mirrors are asked.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._memory = _Memory()

    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        return (self.of(request.where),) if request.where else ()

    def of(self, urls: Sequence[str]) -> Upstream:
        """
        Returns the mirror that has a file.

        Args:
            urls: At least one, all of one mirror: where it does not know one, the next is asked for.
        """
        url = parse_url(urls[0])
        return RepositoryUpstream(Mirror(url.origin, url, local=False), urls, self._means, self._memory)

    def refusal(self, urls: Sequence[str]) -> int | None:
        """Returns the status by which the mirror has refused a file a moment ago: 401, 403, 404 or 410; None where it has not."""
        return self._memory.refusals.get(urls[-1], self._means.clock.seconds())

    def lies(self, urls: Sequence[str]) -> Lies | None:
        """Returns how often the mirror has given wrong bytes of a file within the last hour; None where it has not."""
        return self._memory.lies.get(urls[-1], self._means.clock.seconds())

    def is_spoilt(self, name: str) -> bool:
        """
        Returns whether clients may have wrong bytes of a file, since a mirror has given such within the last hour.

        A client that then asks another mirror for the rest would get the right end behind a wrong beginning.

        Args:
            name: That by which hosts share the file.
        """
        return self._memory.spoilt.get(name, self._means.clock.seconds()) is not None


class RepositoryUpstream(MirrorUpstream):
    """A mirror that is asked for one file, by the URLs under which it may have it, whatever the file is called in the LAN."""

    divisible = False

    def __init__(self, mirror: Mirror, urls: Sequence[str], means: Means, memory: _Memory) -> None:
        super().__init__(mirror, means)
        self._urls = tuple(urls)
        self._memory = memory
        self._name = ""

    async def _ask(self, name: str, headers: Mapping[str, str], deadline: float) -> BodyStream:
        self._name = name
        *others, last = self._urls
        for url in others:
            stream = await self.follow(url, headers, deadline)
            if stream.answer.status not in REFUSALS:
                return stream
            stream.drop()
        stream = await self.follow(last, headers, deadline)
        if stream.answer.status in REFUSALS:
            self._memory.refusals.remember(last, stream.answer.status, self._means.clock.seconds())
        return stream

    def lied(self) -> None:
        super().lied()
        now = self._means.clock.seconds()
        if self._name:
            self._memory.spoilt.remember(self._name, True, now)
        before = self._memory.lies.get(self._urls[-1], now)
        self._memory.lies.remember(self._urls[-1], Lies(1 if before is None else before.times + 1, now), now)
