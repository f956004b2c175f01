"""Asks a mirror for a client, and passes its answer on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pacserve.apt.passing import PassedBody
from pacserve.errors import FetchError, RequestError
from pacserve.fetch.answers import IncomingBody
from pacserve.mirrors.repositories import RepositoryUpstreams
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import REFUSALS
from pacserve.web.answers import Answer, DocumentAnswer, PassedAnswer
from pacserve.web.front import Ask

# Seconds until the head of a mirror's answer: apt gives up after 30 s without a byte.
HEAD_TIMEOUT = 20.0
# The same for a file that this host has tried to download before: three attempts of 7 s at a mirror that hangs are behind the client.
LAST_TIMEOUT = 5.0
# What a mirror is told of what the client has, and who the client is.
_REQUEST_HEADERS = ("If-Modified-Since", "If-None-Match", "Range", "If-Range", "Cache-Control", "Authorization")
_ANSWER_HEADERS = ("Last-Modified", "ETag", "Content-Type", "Content-Range", "Accept-Ranges")
# Which of the client's headers each of these answers is one to: without one of them it would be taken for the file.
_ANSWER_TO: dict[int, tuple[str, ...]] = {200: (), 206: ("Range",), 304: ("If-Modified-Since", "If-None-Match"), 416: ("Range",)}


class PassingOn:
    """
    Passes the answers of mirrors on.

    Args:
        limit: Returns the seconds until more than so many bytes may come from mirrors.
    """

    def __init__(self, mirrors: RepositoryUpstreams, limit: Callable[[int], float]) -> None:
        self._mirrors = mirrors
        self._limit = limit

    async def pass_on(self, url: str, ask: Ask) -> Answer:
        """
        Passes a file on of which nothing is known.

        Raises:
            RequestError: 404 and the like where the mirror says so, 503 where it does not answer well.
        """
        headers = {name: value for name in _REQUEST_HEADERS if (value := ask.header(name)) is not None}
        body = await self._asked((url,), headers, HEAD_TIMEOUT)
        status = body.answer.status
        if status in REFUSALS:
            body.drop()
            return _refused(url, body)
        asked_for = _ANSWER_TO.get(status)
        if asked_for is None or (asked_for and headers.keys().isdisjoint(asked_for)):
            body.drop()
            raise RequestError(503, f"{url}: the mirror answers {status}")
        return self._passed(body, url, status)

    async def pass_stated(self, urls: Sequence[str], expected: ExpectedFile) -> Answer:
        """
        Passes a file on that is stated, where it can't be kept: all of it, and the last byte only when it is right.

        Raises:
            RequestError: 404 and the like where the mirror says so, 503 where it does not give the file.
        """
        body = await self._asked(urls, {}, LAST_TIMEOUT)
        answer = body.answer
        if answer.status in REFUSALS:
            body.drop()
            raise RequestError(answer.status, f"{urls[-1]}: the mirror answers {answer.status}")
        if answer.status != 200 or answer.length not in (None, expected.size):
            body.drop()
            stated = f"{answer.length} bytes in place of {expected.size}" if answer.status == 200 else str(answer.status)
            raise RequestError(503, f"{urls[-1]}: the mirror answers {stated}")
        return self._passed(body, urls[-1], 200, expected)

    async def _asked(self, urls: Sequence[str], headers: dict[str, str], timeout: float) -> IncomingBody:
        try:
            return await self._mirrors.of(urls).open("", headers, timeout)
        except FetchError as error:
            raise RequestError(503, f"{urls[-1]}: the mirror can't be asked: {error}") from error

    def _passed(self, body: IncomingBody, url: str, status: int, expected: ExpectedFile | None = None) -> PassedAnswer:
        answer = body.answer
        names = _ANSWER_HEADERS if expected is None else _ANSWER_HEADERS[:3]
        headers = tuple([(name, value) for name in names if (value := answer.header(name)) is not None])
        origin = f"{self._mirrors.of((url,)).label}, sent through"
        if status in (304, 416):
            body.drop()
            return PassedAnswer(status, headers, 0, None, origin)
        length = answer.length if expected is None else expected.size
        return PassedAnswer(status, headers, length, PassedBody(body, expected, self._limit), origin)


def _refused(url: str, body: IncomingBody) -> Answer:
    """Returns the refusal of a mirror; to a client that it wants to know it says how it can be told."""
    status, wanted = body.answer.status, body.answer.header("WWW-Authenticate")
    if status == 401 and wanted is not None:
        headers = (("Content-Type", "text/plain; charset=utf-8"), ("WWW-Authenticate", wanted))
        return DocumentAnswer(f"{url}: the mirror wants a password\n".encode(), headers, 401)
    raise RequestError(status, f"{url}: the mirror answers {status}")
