"""Fronts for the downloads of peers: `/fetch/REPO/ARCH/FILE` hands on one that runs here, `/claim` keeps the list of all that run in the LAN."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from pacserve.claims.claiming import ClaimKeeper
from pacserve.errors import RequestError, plain_reason
from pacserve.http.request import query_number
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import FileKind, FileRequest, HeldFile
from pacserve.packages.inventory import LocalPackages
from pacserve.packages.marks import marked
from pacserve.packages.names import ContentName, architecture, kind_of, shared_file
from pacserve.transfer.downloads import RunningDownloads
from pacserve.web.answers import Answer, DocumentAnswer, FileAnswer, StreamAnswer
from pacserve.web.front import Ask, Front

_INSTANCE = re.compile(r"[0-9a-f]{32}\Z")
_VERBS = ("ask", "renew", "report", "finish", "release")
# The largest file that a host can say that it has, in bytes: that of an inventory's entry.
_SIZE_LIMIT = 1 << 40
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class FetchFront(Front):
    """
    `/fetch/REPO/ARCH/FILE`: a file that is downloaded here, or was.  No download is ever started: a peer can't make this host use its WAN.

    Args:
        knows: Returns whether this host has a repository of this name.
    """

    def __init__(
        self,
        downloads: RunningDownloads,
        packages: LocalPackages,
        databases: Catalogue,
        knows: Callable[[str], bool],
    ) -> None:
        self._downloads = downloads
        self._packages = packages
        self._databases = databases
        self._knows = knows

    async def answer(self, ask: Ask) -> Answer:
        if _is_file(ask.parts) and (self._knows(ask.parts[0]) or isinstance(shared_file(ask.parts[2]), ContentName)):
            repo, arch, name = ask.parts
            request = FileRequest(repo, arch, name, kind_of(name))
            running = await self._downloads.running(request)
            if running is not None:
                return _opened(StreamAnswer(running, "downloaded"), head_only=ask.method == "HEAD")
            if request.kind is not FileKind.DATABASE:
                held = self._packages.open(name, self._databases.size(repo, name))
                if held is not None:
                    return FileAnswer(self._stating(held, repo))
        raise RequestError(404, "not downloaded here")

    def _stating(self, held: HeldFile, repo: str) -> HeldFile:
        """Returns a file with the entity tag that its download had, which the peer compares with the SHA-256 that it expects."""
        parsed = shared_file(held.name)
        if isinstance(parsed, ContentName):
            digest: bytes | None = parsed.sha256
        elif parsed is not None and parsed.signature:
            digest = marked(held.file.fileno())  # one without a mark need not be a mirror's
        else:
            expected = self._databases.expected(repo, held.name)
            digest = None if expected is None else expected.sha256
        return held if digest is None else replace(held, etag=f'"{digest.hex()}"')


class ClaimFront(Front):
    """`/claim/ask|renew|report|finish|release/INSTANCE/KEY?written=BYTES`: claims that this host keeps."""

    def __init__(self, keeper: ClaimKeeper) -> None:
        self._keeper = keeper

    async def answer(self, ask: Ask) -> Answer:
        verb, instance, *key = ask.parts if len(ask.parts) > 2 else ("", "")
        if verb not in _VERBS or not _INSTANCE.match(instance) or not _is_key(key):
            raise RequestError(404, "ask for /claim/ask/INSTANCE/KEY")
        written = query_number(ask.query, "written")
        stated = written if written is not None and written <= _SIZE_LIMIT else None
        body = self._keeper.keep(verb, instance, "/".join(key), str(ask.client), stated)
        return DocumentAnswer(body, (("Content-Type", "application/json"), ("Cache-Control", "no-store")), quiet=True)


def _opened(answer: StreamAnswer, *, head_only: bool) -> StreamAnswer:
    """
    Returns an answer with its file opened, unless only the head of it is sent.

    Raises:
        RequestError: 503, no more files can be opened: the peer tries another host.
    """
    try:
        return answer if head_only else answer.opened()
    except OSError as error:
        raise RequestError(503, f"the file can't be opened now: {plain_reason(error)}") from error


def _is_file(parts: Sequence[str]) -> bool:
    """Returns whether the parts are REPO/ARCH/FILE."""
    return len(parts) == 3 and architecture(parts[1]) and shared_file(parts[2]) is not None


def _is_key(parts: Sequence[str]) -> bool:
    """Returns whether the parts are the key of a claim, FILE/SHA256."""
    return len(parts) == 2 and shared_file(parts[0]) is not None and _DIGEST.match(parts[1]) is not None
