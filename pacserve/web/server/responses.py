"""
Response heads, written as one piece.

They go to the channel in one write, together with a small body.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from twisted.web.http import Request

from pacserve.http.validators import format_date
from pacserve.web.server.twisted_internals import begin_response, stays_open

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\nDate: " for status in HTTPStatus}
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def field_value(text: str) -> str:
    """Returns a text as the value of a header, which nothing in it can end: everything but printable ASCII becomes a question mark."""
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub("?", text)


def header_getter(request: Request) -> Callable[[str], str | None]:
    """Returns the lookup of a request's headers: those of one name are joined by a comma (RFC 9110, 5.3), bytes beyond ASCII are Latin-1."""
    return partial(_header, request)


def _header(request: Request, name: str) -> str | None:
    values = request.requestHeaders.getRawHeaders(name.encode("ascii"))
    return None if values is None else b", ".join(values).decode("latin-1")


def knows_chunks(request: Request) -> bool:
    """Returns whether a body whose length is not known can be sent to the client in chunks (RFC 9112, 7.1)."""
    return bool(request.clientproto == b"HTTP/1.1")


class Responder:
    """
    Writes responses.

    Attributes:
        _wall: Gives the seconds since the epoch, for Date (RFC 9110, 6.6.1).
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._second = -1
        self._date = ""

    def begin(self, request: Request, status: int, fields: str, body: bytes = b"") -> None:
        """
        Writes the head of a response and, where there is any yet, the beginning of its body.

        Args:
            fields: The header lines, each ended by CRLF; `field_value` has made their values safe.
        """
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._date = format_date(second)
        line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\nDate: "
        end = "\r\n" if stays_open(request) else "Connection: close\r\n\r\n"
        head = f"{line}{self._date}\r\n{fields}{end}".encode("latin-1")
        begin_response(request, status, head + body)

    def send(self, request: Request, status: int, fields: str, body: bytes = b"") -> None:
        """Writes a whole response, which leaves its body away for a HEAD, and finishes the request."""
        self.begin(request, status, fields, b"" if request.method == b"HEAD" else body)
        request.finish()

    def send_line(self, request: Request, status: int, line: str, fields: str = "") -> int:
        """
        Writes a whole response whose body is one line of text, and finishes the request.

        Returns:
            The bytes of the body that were sent.
        """
        body = f"{line}\n".encode("utf-8", "replace")
        self.send(request, status, f"{fields}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n", body)
        return 0 if request.method == b"HEAD" else len(body)
