"""The resolver, as the fronts see it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from pacserve.network.addresses import IPAddress
from pacserve.packages.files import FileRequest
from pacserve.web.answers import Answer


class FileResolver(Protocol):
    """Finds a file, whatever it takes."""

    @abstractmethod
    async def resolve(self, request: FileRequest, client: IPAddress, *, local_only: bool = False, looking: bool = False, offset: int = 0) -> Answer:
        """
        Answers within 8 seconds.

        Args:
            local_only: Only the local caches are looked at: the question came from another pacserve, and must not travel on.
            offset: The first byte that the client wants.
            looking: The client does not want the file now, so that where it is sent to has not disappointed it when it comes back.

        Raises:
            RequestError: 404 when every source said that it has no such file, 504 when some could not say.
        """
