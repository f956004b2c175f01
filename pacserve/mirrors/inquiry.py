"""The question to one mirror: does it have this file?"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.client import HeadAnswer, HTTPClient
from pacserve.fetch.urls import URL, parse_url, resolve_reference
from pacserve.mirrors.mirror import Mirror

REDIRECTS_LIMIT = 5

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ABSENT = frozenset({404, 410})
_NO_HEAD = frozenset({405, 501})


class UnfitError(FetchError):
    """The mirror answered well, but what it has is not the file that is wanted: another mirror is asked, and this one is not to blame."""


@dataclass(frozen=True, slots=True)
class Question:
    """
    What mirrors are asked.

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
    The mirror has the file.

    Attributes:
        size: The bytes that it stated, None where it stated none.
    """

    size: int | None


class Inquiry:
    """
    Asks mirrors by HEAD, and follows their redirects to know what pacman will find there.

    Args:
        client: Asks the mirrors themselves.
        guarded: Asks hosts that mirrors redirect to: it reaches neither this host nor its link.
    """

    def __init__(self, client: HTTPClient, guarded: HTTPClient, clock: IReactorTime) -> None:
        self._client = client
        self._guarded = guarded
        self._clock = clock

    async def ask(self, mirror: Mirror, question: Question) -> Found:
        """
        Returns whether the mirror has a file.

        Raises:
            AbsentError: It has not.
            UnfitError: It has one of another size.
            FetchError: It did not say.
        """
        text = mirror.file_url(question.name)
        url = parse_url(text)
        for _ in range(1 + REDIRECTS_LIMIT):
            client = self._client if mirror.local or url.host == mirror.url.host else self._guarded
            answer = await client.head(text, timeout=question.deadline - self._clock.seconds())
            if answer.status not in REDIRECTS:
                return _verdict(answer.status, answer.length, question.size)
            url = target(url, answer)
            text = str(url)
        raise FetchError(f"redirected more than {REDIRECTS_LIMIT} times")


def target(url: URL, answer: HeadAnswer) -> URL:
    """
    Returns where a redirect leads.

    Raises:
        FetchError: To nowhere, or to what is no http or https URL.
    """
    location = answer.header("Location")
    if not location:
        raise FetchError(f"{answer.status} without a Location")
    try:
        return resolve_reference(url, location)
    except ValueError:
        raise FetchError(f"{answer.status} to what is no http or https URL") from None


def _verdict(status: int, length: int | None, size: int | None) -> Found:
    if status in _NO_HEAD:
        return Found(None)
    if status in _ABSENT:
        raise AbsentError(str(status))
    if status != 200:  # 204 is an empty file, which makes pacman fail for good
        raise FetchError(str(status))
    if size is not None and length is not None and length != size:
        raise UnfitError(f"has {length} bytes instead of {size}")
    return Found(length)
