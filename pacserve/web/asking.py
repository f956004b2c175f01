"""What is asked of the web server, who may ask, and who is told of it."""

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
    An HTTP request as the fronts see it.

    @ivar method: C{GET} or C{HEAD}.
    @ivar parts: The parts of the path behind the first one, each percent-decoded once.  Undecodable bytes are surrogates, which pass no grammar.
    @ivar client: Who asks, IPv4-mapped addresses unmapped.
    @ivar header: Gives the value of a request header (several of one name joined by a comma, RFC 9110, 5.3), None where there is none.
    @ivar query: What follows the first question mark, as it was sent; empty where there is none.
    """

    method: str
    parts: tuple[str, ...]
    client: IPAddress
    header: Callable[[str], str | None]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """
    A request that was answered, and how.

    @ivar front: The first part of the path; empty for C{/}, and for what no front answers.
    @ivar target: The request target as it came: of anybody's making.
    @ivar client: Who asked.
    @ivar origin: Where the answer is from, or for an error who was asked; as in the access log, may be empty.
    @ivar size: The bytes of the body, for a redirect those of the file behind it; None where they are not known.
    @ivar seconds: From the request to the end of the answer.
    @ivar redirected: The client was sent elsewhere.
    @ivar complete: The connection did not end before the answer did.
    @ivar quiet: What peers ask again and again in the background.
    """

    front: str
    method: str
    target: bytes
    client: IPAddress
    status: int
    origin: str
    size: int | None
    seconds: float
    redirected: bool = False
    complete: bool = True
    quiet: bool = False


class Audience(Protocol):
    """Who may ask."""

    @abstractmethod
    def admits(self, client: IPAddress) -> bool:
        """Whether this client is answered; others get 403."""


class Witness(Protocol):
    """Is told of each request that was answered."""

    @abstractmethod
    def answered(self, answered: Answered) -> None:
        """Takes note.  It is called for every request, thousands of times a second: it must be cheap, and never raises."""


class Front(Protocol):
    """
    Answers everything below one first path part.

    @cvar changes: Whether what is asked of it changes something: it is asked by POST then, otherwise by GET and HEAD.
    """

    changes: bool = False

    @property
    @abstractmethod
    def audience(self) -> Audience:
        """Who may ask this front."""

    @abstractmethod
    async def answer(self, ask: Ask) -> Answer:
        """
        Answers a GET or HEAD, or a POST where it L{changes} something; for both alike, the body of a HEAD's answer is left away by who sends it.

        @raise RequestError: The answer is an HTTP error.
        """
