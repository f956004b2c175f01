"""Witnesses: they are told how each request ended."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from pacserve.network.addresses import IPAddress


@dataclass(frozen=True, slots=True)
class Answered:
    """
    A request that was answered, and how.

    Attributes:
        front: The first part of the path; empty for `/`, and for what no front answers.
        target: The request target as the client sent it, which may be any bytes.
        client: The address that the request came from.
        origin: The source of the answer, or for an error the hosts that were asked; as in the access log, may be empty.
        size: The bytes of the body, for a redirect those of the file behind it; None where they are not known.
        seconds: From the request to the end of the answer.
        redirected: True if the client was sent elsewhere.
        complete: True if the connection did not end before the answer did.
        quiet: True for what peers and open pages ask again and again in the background.
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


@dataclass(frozen=True, slots=True)
class ClientLeft:
    """
    A request whose client closed the connection before an answer began.

    Attributes:
        front: The first part of the path.
        target: The request target as the client sent it, which may be any bytes.
        client: The address that the request came from.
        seconds: From the request until nothing was done for it any more.
    """

    front: str
    method: str
    target: bytes
    client: IPAddress
    seconds: float


class Witness(Protocol):
    """
    Is told how each request ended.

    Its methods are called for every request, thousands of times a second: they must be cheap, and never raise.
    """

    @abstractmethod
    def answered(self, answered: Answered) -> None:
        """Takes note of a request that was answered."""

    def client_left(self, left: ClientLeft) -> None:
        """Takes note of a client that left before its answer began; most witnesses have no use for it."""
        return
