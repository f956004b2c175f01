"""Fronts: each answers the requests below one first part of the path."""

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


class Audience(Protocol):
    """Who may ask."""

    @abstractmethod
    def admits(self, client: IPAddress) -> bool:
        """Returns whether this client is answered; others get 403."""


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
