"""A peer that downloads a file already, and is followed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import FetchError
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.http.request import path_part
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import FileRequest
from pacserve.peers.reputation import Failure, Reputations, identity_of
from pacserve.sources.upstreams import Upstream

_DIGEST = re.compile(r'"(?P<hex>[0-9a-f]{64})(?:-[0-9]{1,4})?"\Z')


class Leader(Upstream):
    """
    Downloads a file from the peer that this host follows.

    The peer's entity tag says which file it downloads.  Nothing is taken where that is another one than this host expects, or none.

    Args:
        reputations: Those of all hosts: the peer may leave the roster meanwhile, and what it did counts all the same.
    """

    wan = False
    authoritative = False

    def __init__(
        self,
        endpoint: Endpoint,
        client: StreamingClient,
        request: FileRequest,
        sha256: bytes,
        reputations: Reputations,
        clock: IReactorTime,
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._request = request
        self._sha256 = sha256
        self._reputations = reputations
        self._clock = clock

    @property
    def label(self) -> str:
        return f"peer {self._endpoint}"

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> BodyStream:
        stream = await self._client.stream(fetch_url(self._endpoint, self._request), timeout=timeout, headers=headers)
        if stream.answer.status not in (200, 206):
            return stream
        problem = ""
        if stream.encoded:
            problem = "it gives some encoding of the file"
        elif stated_digest(stream.answer.header("ETag")) != self._sha256:
            problem = "it downloads another file"
        if problem:
            stream.drop()
            raise FetchError(f"{self.label}: {problem}")
        return stream

    def succeeded(self) -> None:
        reputation = self._reputations.find(identity_of(self._endpoint))
        if reputation is not None:
            reputation.served()

    def failed(self) -> None:
        self._reputations.of(identity_of(self._endpoint)).failed(Failure.MISLED, self._clock.seconds())

    def lied(self) -> None:
        self._reputations.of(identity_of(self._endpoint)).lied(self._clock.seconds())


def fetch_url(peer: Endpoint, request: FileRequest) -> str:
    """Returns the URL at which a peer hands on a file while it downloads it (docs/protocol.md)."""
    return f"{peer.url}/fetch/{request.repo}/{request.arch}/{path_part(request.name)}"


def stated_digest(etag: str | None) -> bytes | None:
    """Returns the SHA-256 that the entity tag of a `/fetch` states, None where it states none."""
    match = _DIGEST.match((etag or "").strip())
    return None if match is None else bytes.fromhex(match["hex"])
