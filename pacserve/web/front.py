"""Fronts: each answers the requests below one first path part."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pacserve.network.addresses import IPAddress
from pacserve.web.answers import Answer


@dataclass(frozen=True, slots=True)
class Ask:
    """
    An HTTP request as a front sees it.

    Attributes:
        method: One of those that the route allows.
        parts: The parts of the path behind the first one, for the route of the rest all of them, each percent-decoded once.  Undecodable bytes are
            surrogates, which pass no grammar.
        client: The address that the request came from; IPv4-mapped ones are unmapped.
        header: Gives the value of a request header (several of one name joined by a comma, RFC 9110, 5.3), None where there is none.
        query: The text behind the first question mark, as it was sent; empty where there is none.
        authority: The host, with a port where there is one, that a target in absolute form names, which proxies are sent (RFC 9112, 3.2.2); None for
            any other target.
        path: The path of the target as it was sent, with its first slash; the query is not part of it.
    """

    method: str
    parts: tuple[str, ...]
    client: IPAddress
    header: Callable[[str], str | None]
    query: str = ""
    authority: str | None = None
    path: str = ""


class Front(Protocol):
    """
    Answers everything below one first path part.

    Its route says by which methods it is asked, and by whom; a front sees only requests that its route has admitted.
    """

    @abstractmethod
    async def answer(self, ask: Ask) -> Answer:
        """
        Answers a request.  A HEAD is answered like a GET: the router leaves the body away.

        Raises:
            RequestError: The answer is an HTTP error.
        """

    def ahead(self, ask: Ask) -> None:
        """
        Takes note of a GET that waits on its connection behind one that is being answered, so that it can be started on.

        It is asked as well when its turn has come, unless its client leaves before: nothing is answered here, and this returns at once.
        """
        return
