"""Peers that download a file already, and are followed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pacserve.errors import FetchError
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import FileRequest
from pacserve.peers.conduct import Outcome
from pacserve.peers.urls import fetch_url
from pacserve.sources.upstreams import Upstream

_DIGEST = re.compile(r'"(?P<hex>[0-9a-f]{64})(?:-[0-9]{1,4})?"\Z')


class Leader(Upstream):
    """
    A peer that downloads the file, and is followed.

    Its entity tag says which file it downloads.  Nothing is taken where that is another one than this host expects, or none.

    Args:
        tell: Called with what came of it.
    """

    wan = False

    def __init__(
        self,
        endpoint: Endpoint,
        client: StreamingClient,
        request: FileRequest,
        sha256: bytes,
        tell: Callable[[Outcome], object],
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._request = request
        self._sha256 = sha256
        self._tell = tell

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
        self._tell(Outcome.WELL)

    def failed(self) -> None:
        self._tell(Outcome.NOTHING)

    def lied(self) -> None:
        self._tell(Outcome.LIE)


def stated_digest(etag: str | None) -> bytes | None:
    """Returns the SHA-256 that the entity tag of a `/fetch` states, None where it states none."""
    match = _DIGEST.match((etag or "").strip())
    return None if match is None else bytes.fromhex(match["hex"])
