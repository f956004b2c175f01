"""A peer that a file is fetched from, to be checked before it is handed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import FetchError
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.http.request import path_part
from pacserve.network.addresses import Endpoint
from pacserve.sources.upstreams import Upstream

# Seconds without an answer after which a peer counts as failed, though another source was faster: it is near, and has just confirmed that it has the
# file.
MUTE_TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class Relaying:
    """
    The means of fetching files of peers.

    Attributes:
        failed: Told of a peer that said that it has a file and did not give it, or not all of it.
        lied: Told of a peer that gave wrong bytes.
    """

    client: StreamingClient
    clock: IReactorTime
    failed: Callable[[Endpoint], object]
    lied: Callable[[Endpoint], object]


class PeerUpstream(Upstream):
    """A peer that said that it has the file."""

    trusted = False
    wan = False
    authoritative = False

    def __init__(self, endpoint: Endpoint, relaying: Relaying) -> None:
        self._endpoint = endpoint
        self._relaying = relaying

    @property
    def label(self) -> str:
        return f"peer {self._endpoint}"

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> BodyStream:
        clock = self._relaying.clock
        began = clock.seconds()
        try:
            stream = await self._relaying.client.stream(package_url(self._endpoint, name), timeout=timeout, headers=headers)
        except FetchError:
            self.failed()
            raise
        except CancelledError:  # another source was faster
            if clock.seconds() - began >= MUTE_TIMEOUT:
                self.failed()
            raise
        if stream.encoded:
            stream.drop()
            self.failed()
            raise FetchError("it gives some encoding of the file")
        if stream.answer.status not in (200, 206):
            self.failed()
        return stream

    def succeeded(self) -> None:
        return

    def failed(self) -> None:
        self._relaying.failed(self._endpoint)

    def lied(self) -> None:
        self._relaying.lied(self._endpoint)


def package_url(peer: Endpoint, name: str) -> str:
    """Returns the URL at which this host asks a peer for a package file or signature (docs/protocol.md)."""
    return f"{peer.url}/package/{path_part(name)}/data"


def redirect_url(peer: Endpoint, name: str) -> str:
    """
    Returns the URL to which a client is sent for it.

    The last part of the path is `data` and not the file's name: pacman then asks its own host, not the peer, for the signature (observed with pacman
    6 and 7).  The query, which peers of every version ignore, has `pacman -U` of several URLs save each under a name of its own: pacman 6 takes the
    end of the URL for that, unless the peer states the name.
    """
    return f"{package_url(peer, name)}?{path_part(name)}"
