"""Mirrors as hosts that files are downloaded from."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from pacserve.fetch.stream import StreamingClient
from pacserve.mirrors.health import Absences, MirrorHealth
from pacserve.mirrors.mirror import Mirror, MirrorList
from pacserve.mirrors.upstream import Means, MirrorUpstream
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.upstreams import Upstream, Upstreams


class MirrorUpstreams(Upstreams):
    """
    The mirrors of a repository in their order, but for those that failed lately; none for a package that no mirror had a moment ago.

    Args:
        client: Asks the mirrors themselves.
        guarded: Asks hosts that mirrors redirect to: it reaches neither this host nor its link.

    Attributes:
        means: How mirrors are asked, and how well they did.
    """

    def __init__(
        self,
        mirrors: MirrorList,
        client: StreamingClient,
        guarded: StreamingClient,
        health: MirrorHealth,
        absences: Absences,
        clock: IReactorTime,
    ) -> None:
        self._mirrors = mirrors
        self._absences = absences
        self.means = Means(client, guarded, health, clock)

    def rate(self, origin: str) -> float | None:
        """Returns the bytes per second that a mirror gave lately, by scheme, host and port of its URL; None where that is not known."""
        return self.means.rate(origin)

    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        now = self.means.clock.seconds()
        if request.kind is not FileKind.DATABASE and self._absences.get(request, now) is not None:
            return ()
        mirrors = self._mirrors.mirrors(request.repo, request.arch)
        in_order = self.means.health.in_order(mirrors, lambda mirror: mirror.url.origin, now)
        return [self.of(mirror) for mirror in in_order]

    def of(self, mirror: Mirror) -> Upstream:
        """Returns the upstream that downloads from a mirror."""
        return MirrorUpstream(mirror, self.means)
