"""Hosts that answer HTTP from memory, or that don't."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError as RefusedError
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request
from zope.interface import implementer


class Line(enum.Enum):
    """A host that can't be talked to."""

    REFUSES = "refuses"
    SILENT = "silent"
    """It takes what is sent and never answers."""


class Page(Resource):
    """
    Answers every path with the same, HEAD with the length that GET has.

    Attributes:
        asked: The headers of each request.
    """

    isLeaf = True  # noqa: N815

    def __init__(self, body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.body, self.status, self.headers = body, status, dict(headers or {})
        self.asked: list[Headers] = []

    def render(self, request: Request) -> bytes:
        """Answers."""
        self.asked.append(request.requestHeaders.copy())
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name.encode(), value.encode())
        if self.status != 304:
            request.setHeader(b"Content-Length", str(len(self.body)).encode())
        return b"" if request.method == b"HEAD" else self.body


@implementer(IAgent)
class Network:
    """
    An agent to hosts in memory.

    Attributes:
        hosts: What answers, by `HOST:PORT`; who is not named refuses.
        asked: Each request as `METHOD URL`, in order.
        cancelled: The requests to silent hosts that were given up, for whatever reason.
    """

    def __init__(self, hosts: Mapping[str, IResource | Line | Exception] | None = None) -> None:
        self.hosts = dict(hosts or {})
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    def request(self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: Any = None) -> Deferred[IResponse]:  # noqa: N803
        """Asks a host."""
        url = uri.decode("ascii")
        line = f"{method.decode()} {url}"
        self.asked.append(line)
        host = self.hosts.get(url.split("/")[2], Line.REFUSES)
        if host is Line.REFUSES:
            return fail(RefusedError())
        if host is Line.SILENT:
            return Deferred(lambda _: self.cancelled.append(line))
        if isinstance(host, Exception):
            return fail(host)
        answered: Deferred[IResponse] = RequestTraversalAgent(host).request(method, uri, headers, bodyProducer)
        return answered
