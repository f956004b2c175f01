"""Releases of repositories, as apt-ftparchive(1) and gpg(1) write them; the signatures are none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pacserve.errors import FetchError
from pacserve.sources.upstreams import Upstream
from tests.fakes.upstreams import Body, Head, Mirror

DATE = "Thu, 01 Jan 2026 00:00:00 UTC"


def digest_of(data: bytes) -> bytes:
    """Returns the SHA-256 of an index."""
    return hashlib.sha256(data).digest()


def release_text(files: Mapping[str, bytes], *, date: str = DATE, by_hash: bool = False) -> bytes:
    """Returns a Release with these indexes."""
    lines = ["Origin: example", "Suite: a", f"Date: {date}", *(["Acquire-By-Hash: yes"] if by_hash else []), "MD5Sum:"]
    lines += [f" {hashlib.md5(data).hexdigest()} {len(data):>8} {path}" for path, data in files.items()]
    lines += ["SHA256:", *[f" {digest_of(data).hex()} {len(data):>8} {path}" for path, data in files.items()]]
    return "\n".join(lines).encode() + b"\n"


def in_release(files: Mapping[str, bytes], *, date: str = DATE, by_hash: bool = False) -> bytes:
    """Returns an InRelease with these indexes."""
    text = release_text(files, date=date, by_hash=by_hash)
    return b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n%s-----BEGIN PGP SIGNATURE-----\n\nwsF=\n-----END PGP SIGNATURE-----\n" % text


class Repository:
    """
    The mirror of a repository, whose files a test changes while they are asked for.

    Attributes:
        files: The bytes by URL, or a status.
        headers: The headers of answers, by URL.
        asked: The URLs that were asked for, each with the headers.
        upon: Called with the URL and the number of questions for it, before each is answered.
        silent: True if nothing is answered until the time is up.
        stalls: True if no body ends.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.files: dict[str, bytes | int] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.upon: Callable[[str, int], None] = lambda url, number: None
        self.silent = self.stalls = False

    def of(self, urls: Sequence[str]) -> Upstream:
        """Returns the mirror."""
        return _File(self, urls[-1])

    def count(self, url: str) -> int:
        """Returns how often a file was asked for."""
        return [asked for asked, _ in self.asked].count(url)


class _File(Mirror):
    def __init__(self, repository: Repository, url: str) -> None:
        super().__init__(repository.clock, "mirror", b"")
        self._repository, self._url = repository, url

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> Body:
        repository, url = self._repository, self._url
        repository.asked.append((url, dict(headers)))
        repository.upon(url, repository.count(url))
        if repository.silent:
            await deferLater(repository.clock, timeout)
            raise FetchError("no answer")
        found, fields = repository.files.get(url, 404), repository.headers.get(url, {})
        if isinstance(found, bytes):
            modified = fields.get("Last-Modified")
            if modified is not None and headers.get("If-Modified-Since") == modified:
                return Body(repository.clock, Head(304, None, fields), b"", 1, "ends")
            return Body(repository.clock, Head(200, len(found), fields), found, 100, "stalls" if repository.stalls else "ends")
        return Body(repository.clock, Head(found, 0, fields), b"", 1, "ends")
