"""The front for pacman: `/request/REPO/ARCH/FILE`."""

from __future__ import annotations

from functools import lru_cache

from pacserve.delivery.delivering import FileDelivery
from pacserve.errors import RequestError
from pacserve.http.ranges import resumed_at
from pacserve.http.request import names_pacserve
from pacserve.packages.files import FileKind, FileRequest
from pacserve.packages.names import file_name, kind_of
from pacserve.pacman.configuration import ConfigurationSource
from pacserve.web.answers import Answer
from pacserve.web.front import Ask, Front

_LONGEST_NAME = 255
"""Characters.  Longer names are not remembered either, so that requests can't fill the memory."""

_CONDITIONS = ("If-Modified-Since", "If-None-Match")


class PacmanFront(Front):
    """Resolves the files that pacman asks for; a path that pacman would not ask for is refused before any source is asked."""

    def __init__(self, configuration: ConfigurationSource, delivery: FileDelivery) -> None:
        self._configuration = configuration
        self._delivery = delivery

    async def answer(self, ask: Ask) -> Answer:
        if len(ask.parts) != 3:
            raise RequestError(404, "ask for /request/REPO/ARCH/FILE")
        repo, arch, name = ask.parts
        configuration = self._configuration.current()
        if configuration.missing:
            raise RequestError(404, f"no pacman here: {configuration.missing}")
        if repo not in configuration.repositories:
            raise RequestError(404, "there is no such repository in pacman.conf")
        if arch not in configuration.architectures:
            raise RequestError(404, f"pacman.conf is for {' '.join(configuration.architectures)}")
        request = _file_request(repo, arch, name) if len(name) <= _LONGEST_NAME else None
        if request is None:
            raise RequestError(404, "no file of a repository has such a name")
        via = ask.header("Via")
        local_only = via is not None and names_pacserve(via)
        head_only, asked_range = ask.method == "HEAD", ask.header("Range")
        unconditional = request.kind is FileKind.DATABASE and not head_only and asked_range is None
        forced = unconditional and not any(ask.header(name) for name in _CONDITIONS)
        return await self._delivery.deliver(
            request, ask.client, local_only=local_only, head_only=head_only, offset=resumed_at(asked_range), forced=forced
        )


@lru_cache(maxsize=4096)
def _file_request(repo: str, arch: str, name: str) -> FileRequest | None:
    return FileRequest(repo, arch, name, kind_of(name)) if file_name(name) else None
