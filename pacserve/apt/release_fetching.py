"""Asks a mirror for a release, and takes the two files of one that has its signature apart as a pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pacserve.apt.release_rules import KeptRelease, is_torn
from pacserve.apt.releases import SIZE_LIMIT, parse_release
from pacserve.apt.targets import Target
from pacserve.errors import FetchError
from pacserve.fetch.answers import AnswerHead
from pacserve.http.validators import believed_date, format_date
from pacserve.mirrors.repositories import RepositoryUpstreams
from pacserve.sources.upstreams import REFUSALS

# Seconds for all questions together, and without a byte: apt waits 30 s for the first byte.
FETCH_TIMEOUT = 20.0
STALL_TIMEOUT = 10.0
# How often a pair is fetched that is not one, since the mirror changes just then, and the seconds in between.
PAIR_ROUNDS = 3
PAIR_DELAY = 1.0
_SIGNATURE_LIMIT = 1 << 20
_ETAG_LIMIT = 256


class RefusedError(FetchError):
    """
    The mirror has no release here, or none for this host.

    Attributes:
        status: 401, 403, 404 or 410.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the mirror answers {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class _Fetched:
    data: bytes
    modified: int | None
    etag: str


class ReleaseFetching:
    """
    Fetches releases.

    Args:
        wall: Gives the seconds since the epoch.
    """

    def __init__(self, mirrors: RepositoryUpstreams, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._mirrors = mirrors
        self._clock = clock
        self._wall = wall

    async def newest(self, target: Target, known: KeptRelease | None) -> KeptRelease:
        """
        Returns the release that the mirror has now.

        Args:
            target: InRelease or Release.
            known: The one that it had before; returned where it has not changed.

        Raises:
            RefusedError: The mirror has none.
            FetchError: It can't be asked, what it gives is no release, or it changes all the time.
        """
        until = self._clock.seconds() + FETCH_TIMEOUT
        if target.name == "Release":
            return await self._pair(target, known, until)
        fetched = await self._fetch(target.url, known, until)
        return _found(target.url, fetched, known, b"")

    async def _pair(self, target: Target, known: KeptRelease | None, until: float) -> KeptRelease:
        """Returns a Release and its signature as they were on the mirror at one moment, as far as that can be seen."""
        for last in (*[False] * (PAIR_ROUNDS - 1), True):
            found = _found(target.url, await self._fetch(target.url, known, until), known, await self._signature(target, until))
            if found == known:
                return found
            again = await self._fetch(target.url, found, until)
            if again is None or again.data == found.release.data:
                # The same text with another signature was signed anew, unless it is about to be exchanged.
                signed_anew = known is not None and known.release.data == found.release.data and known.signature != found.signature
                if not (known is not None and is_torn(found, known)) and (last or not signed_anew):
                    return found
            await deferLater(self._clock, PAIR_DELAY)
        raise FetchError("Release and Release.gpg do not belong together")

    async def _signature(self, target: Target, until: float) -> bytes:
        try:
            fetched = await self._fetch(target.sibling("Release.gpg").url, None, until, _SIGNATURE_LIMIT)
        except RefusedError:
            return b""
        return b"" if fetched is None else fetched.data

    async def _fetch(self, url: str, known: KeptRelease | None, until: float, limit: int = SIZE_LIMIT) -> _Fetched | None:
        """Returns a file; None where it is the one that is known."""
        remaining = until - self._clock.seconds()
        if remaining <= 0:
            raise FetchError("it comes too slowly")
        headers = {"Cache-Control": "max-age=0", **({} if known is None else _conditions(known))}
        body = await self._mirrors.of((url,)).open("", headers, remaining)
        answer = body.answer
        if answer.status != 200 or (answer.length or 0) > limit:
            body.drop()
            if answer.status == 304 and known is not None:
                return None
            if answer.status in REFUSALS:
                raise RefusedError(answer.status)
            raise FetchError(f"the mirror answers {answer.status}" + ("" if answer.status != 200 else f", {answer.length} bytes"))
        data = bytearray()

        def take(piece: bytes) -> float:
            if len(data) + len(piece) > limit:
                raise FetchError("it has too many bytes for a release")
            if self._clock.seconds() > until:
                raise FetchError("it comes too slowly")
            data.extend(piece)
            return 0.0

        await body.consume(take, min(STALL_TIMEOUT, max(1.0, until - self._clock.seconds())))
        return _Fetched(bytes(data), *self._validators(answer))

    def _validators(self, answer: AnswerHead) -> tuple[int | None, str]:
        """Returns the time of the last change, where it can be, and the entity tag."""
        modified = believed_date((answer.header("Last-Modified") or "").strip(), self._wall())
        return modified, (answer.header("ETag") or "").strip()[:_ETAG_LIMIT]


def _conditions(known: KeptRelease) -> dict[str, str]:
    conditions = {}
    if known.etag:
        conditions["If-None-Match"] = known.etag
    if known.modified is not None:
        conditions["If-Modified-Since"] = format_date(known.modified)
    return conditions


def _found(url: str, fetched: _Fetched | None, known: KeptRelease | None, signature: bytes) -> KeptRelease:
    """
    Returns what was fetched; the known release with this signature where that has not changed.

    Raises:
        FetchError: It is no release.
    """
    if fetched is None:
        if known is None:
            raise FetchError("it says that nothing has changed, and was not asked that")
        return known if known.signature == signature else replace(known, signature=signature)
    release = parse_release(fetched.data)
    if release is None:
        raise FetchError("what it sent is no release")
    return KeptRelease(url, release, signature, fetched.modified, fetched.etag)
