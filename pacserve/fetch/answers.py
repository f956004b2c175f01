"""Answers of other hosts: the protocols by which the rest of the program reads them, and the values for heads and small documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from pacserve.errors import RemoteProtocolError

_DECIMAL = re.compile(r"[0-9]{1,18}\Z")  # ASCII digits that fit into 63 bits


class AnswerHead(Protocol):
    """The head of another host's answer."""

    @property
    def status(self) -> int:
        """The status code, from 200 to 599."""

    @property
    def length(self) -> int | None:
        """The Content-Length in bytes, None where none is stated."""

    def header(self, name: str) -> str | None:
        """Returns the value of a header; None where there is none."""


class IncomingBody(Protocol):
    """An answer whose body has not been read yet.  It must be either consumed or dropped."""

    @property
    def answer(self) -> AnswerHead:
        """Its status and headers."""

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        """
        Hands the body to `take` piece by piece, and returns when it ended as the host meant it to.

        Args:
            take: Returns the seconds until it wants the next piece.  What it raises ends the connection, and is raised here.
            stall: Seconds without a byte after which the connection is given up.

        Raises:
            FetchError: The body stalled, or the connection was lost.
        """

    def drop(self) -> None:
        """Lets go of the connection."""


@dataclass(frozen=True, slots=True)
class HeadAnswer:
    """
    A host's answer to a HEAD.

    Attributes:
        status: From 200 to 599.
        length: The Content-Length in bytes, None where none is stated.
    """

    status: int
    length: int | None
    headers: Headers = field(default_factory=Headers)

    def header(self, name: str) -> str | None:
        """Returns the value of a header, several of one name joined by a comma (RFC 9110, 5.3); None where there is none."""
        return _joined(self.headers, name)


@dataclass(frozen=True, slots=True)
class BodyAnswer:
    """
    A host's answer to a GET of a small document.

    Attributes:
        status: From 200 to 599.
        body: The bytes as they were transferred, before a Content-Encoding is undone.
    """

    status: int
    body: bytes
    headers: Headers = field(default_factory=Headers)

    def header(self, name: str) -> str | None:
        """Returns the value of a header, several of one name joined by a comma (RFC 9110, 5.3); None where there is none."""
        return _joined(self.headers, name)


def head_answer(response: IResponse) -> HeadAnswer:
    """
    Returns the status, length and headers of a response.

    Raises:
        RemoteProtocolError: The status is not one that HTTP knows.
    """
    return HeadAnswer(status_of(response), _length(response.headers), response.headers)


def _joined(headers: Headers, name: str) -> str | None:
    values = headers.getRawHeaders(name.encode("ascii"))
    return ", ".join(value.decode("latin-1") for value in values) if values else None


def status_of(response: IResponse) -> int:
    """Returns the status code; `int()` in Twisted's parser accepts more than three digits."""
    status = response.code
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise RemoteProtocolError("answered with a status that HTTP does not know")
    return status


def _length(headers: Headers) -> int | None:
    """Returns the Content-Length; repeated values must be equal (RFC 9110, 8.6), and a value that is no number counts as none."""
    stated = {value.strip() for value in (_joined(headers, "Content-Length") or "").split(",")}
    value = stated.pop()
    return int(value) if not stated and _DECIMAL.match(value) else None
