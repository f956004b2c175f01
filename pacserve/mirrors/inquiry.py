"""The question to one mirror: does it have this file?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError, RemoteProtocolError
from pacserve.fetch.client import HeadAnswer
from pacserve.fetch.stream import StreamingClient
from pacserve.fetch.urls import URL, parse_url, resolve_reference
from pacserve.mirrors.mirror import Mirror
from pacserve.sources.upstreams import REFUSALS

REDIRECTS_LIMIT = 5

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ABSENT = frozenset({404, 410})
_TOTAL = re.compile(r"bytes (?:0-0|\*)/([0-9]{1,18})\Z")


class UnfitError(FetchError):
    """The mirror answered well, but what it has is not the file that is wanted: another mirror is asked, and this one is not to blame."""


class InconclusiveError(FetchError):
    """
    The mirror answered, and said neither that it has the file nor that it has not: it is asked again by GET, if no other mirror has the file.

    Attributes:
        faulty: True if the answer shows a fault of the mirror, rather than a dislike of the question.
        answer: The answer; None for one that can't be understood.
    """

    def __init__(self, message: str, *, faulty: bool, answer: HeadAnswer | None = None) -> None:
        super().__init__(message)
        self.faulty = faulty
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question to mirrors: does it have this file?

    Attributes:
        name: A file name.
        size: The only size in bytes that will do, None for any.
        deadline: The time of the clock at which an answer is worth nothing any more.
    """

    name: str
    size: int | None
    deadline: float


@dataclass(frozen=True, slots=True)
class Found:
    """
    A mirror that pacman can be sent to.

    Attributes:
        size: The bytes that it stated, None where it stated none.
        conclusive: True if the mirror said that it has the file; False if it answered without saying yes or no.
    """

    size: int | None
    conclusive: bool = True


class Inquiry:
    """
    Asks mirrors, and follows their redirects to know what pacman will find there.

    Args:
        client: Asks the mirrors themselves.
        guarded: Asks hosts that mirrors redirect to: it reaches neither this host nor its link.
    """

    def __init__(self, client: StreamingClient, guarded: StreamingClient, clock: IReactorTime) -> None:
        self._client = client
        self._guarded = guarded
        self._clock = clock

    async def ask(self, mirror: Mirror, question: Question) -> Found:
        """
        Asks by HEAD whether the mirror has a file.

        Raises:
            AbsentError: It has not.
            UnfitError: It has one of another size.
            InconclusiveError: It answered, and did not say.
            FetchError: It did not answer.
        """
        answer = await self._answer(mirror, question, by_get=False)
        if answer.status in _ABSENT:
            raise AbsentError(str(answer.status))
        if answer.status != 200:  # 204 is an empty file, which makes pacman fail for good
            raise InconclusiveError(str(answer.status), faulty=answer.status >= 500 and answer.status != 501, answer=answer)
        return _fitting(answer.length, question.size)

    async def ask_by_get(self, mirror: Mirror, question: Question) -> Found:
        """
        Asks by a GET of one byte, which is what some mirrors answer well that refuse a HEAD.

        Raises:
            AbsentError: It has no such file, or not for this host.
            UnfitError: It has one of another size.
            InconclusiveError: It answered, and still did not say.
            FetchError: It did not answer.
        """
        answer = await self._answer(mirror, question, by_get=True)
        if answer.status in REFUSALS:
            raise AbsentError(str(answer.status))
        if answer.status == 206:
            total = _TOTAL.match((answer.header("Content-Range") or "").strip())
            return _fitting(None if total is None else int(total[1]), question.size)
        if answer.status != 200:
            raise InconclusiveError(str(answer.status), faulty=answer.status >= 500, answer=answer)
        return _fitting(answer.length, question.size)

    async def _answer(self, mirror: Mirror, question: Question, *, by_get: bool) -> HeadAnswer:
        """Returns the head of an answer; one that can't be understood says neither yes nor no."""
        try:
            return await self._follow(mirror, question, by_get=by_get)
        except RemoteProtocolError as error:
            raise InconclusiveError(str(error), faulty=True) from error

    async def _follow(self, mirror: Mirror, question: Question, *, by_get: bool) -> HeadAnswer:
        """Returns the head of the answer at the end of all redirects."""
        text = mirror.file_url(question.name)
        url = parse_url(text)
        for _ in range(1 + REDIRECTS_LIMIT):
            client = self._client if mirror.local or url.host == mirror.url.host else self._guarded
            timeout = question.deadline - self._clock.seconds()
            if by_get:
                stream = await client.stream(text, timeout=timeout, headers={"Range": "bytes=0-0"})
                stream.drop()
                answer = stream.answer
            else:
                answer = await client.head(text, timeout=timeout)
            if answer.status not in REDIRECTS:
                return answer
            url, text = target(mirror, url, answer)
        raise RemoteProtocolError(f"redirected more than {REDIRECTS_LIMIT} times")


def target(mirror: Mirror, url: URL, answer: HeadAnswer) -> tuple[URL, str]:
    """
    Returns where a redirect leads, and the URL to ask there.

    The user and the password of the mirror go to the same scheme, host and port, and nowhere else; those that a Location names go where it leads.

    Raises:
        RemoteProtocolError: To nowhere, to several places, or to what is no http or https URL.
    """
    locations = set(answer.headers.getRawHeaders(b"Location", ()))
    if len(locations) != 1 or not (location := locations.pop().decode("utf-8", "surrogateescape").strip()):
        raise RemoteProtocolError(f"{answer.status} without a Location" if len(locations) < 2 else f"{answer.status} with several Locations")
    try:
        found = resolve_reference(url, location)
    except ValueError:
        raise RemoteProtocolError(f"{answer.status} to what is no http or https URL") from None
    userinfo = found.userinfo or (mirror.url.userinfo if found.origin == mirror.url.origin else "")
    return found, str(found).replace("://", f"://{userinfo}@", 1) if userinfo else str(found)


def _fitting(length: int | None, size: int | None) -> Found:
    if size is not None and length is not None and length != size:
        raise UnfitError(f"has {length} bytes instead of {size}")
    return Found(length)
