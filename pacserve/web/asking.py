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

    Attributes:
        method: `GET` or `HEAD`.
        parts: The parts of the path behind the first one, each percent-decoded once.  Undecodable bytes are surrogates, which pass no grammar.
        client: Who asks, IPv4-mapped addresses unmapped.
        header: Gives the value of a request header (several of one name joined by a comma, RFC 9110, 5.3), None where there is none.
        query: What follows the first question mark, as it was sent; empty where there is none.
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

    Attributes:
        front: The first part of the path; empty for `/`, and for what no front answers.
        target: The request target as it came: of anybody's making.
        client: Who asked.
        origin: Where the answer is from, or for an error who was asked; as in the access log, may be empty.
        size: The bytes of the body, for a redirect those of the file behind it; None where they are not known.
        seconds: From the request to the end of the answer.
        redirected: The client was sent elsewhere.
        complete: The connection did not end before the answer did.
        quiet: What peers ask again and again in the background.
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
        """Returns whether this client is answered; others get 403."""


class Witness(Protocol):
    """Is told of each request that was answered."""

    @abstractmethod
    def answered(self, answered: Answered) -> None:
        """Takes note.  It is called for every request, thousands of times a second: it must be cheap, and never raises."""


class Front(Protocol):
    """
    Answers everything below one first path part.

    Attributes:
        changes: True if what is asked of it changes something: it is asked by POST then, otherwise by GET and HEAD.
    """

    changes: bool = False

    @property
    @abstractmethod
    def audience(self) -> Audience:
        """Who may ask this front."""

    @abstractmethod
    async def answer(self, ask: Ask) -> Answer:
        """
        Answers a GET or HEAD, or a POST where it `changes` something; for both alike, the body of a HEAD's answer is left away by who sends it.

        Raises:
            RequestError: The answer is an HTTP error.
        """
