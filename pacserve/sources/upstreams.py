"""Hosts that files can be downloaded from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from pacserve.fetch.answers import IncomingBody
from pacserve.packages.files import FileRequest

REFUSALS = frozenset({401, 403, 404, 410})
"""What a GET is answered with where there is no such file, or none for this host.  It says nothing of the host (RFC 9110, 15.5): stores whose content
may not be listed say 403 for each file that they do not have."""


class Upstream(Protocol):
    """
    A host that a file can be downloaded from.

    Attributes:
        trusted: True if its bytes may be handed on before the whole file was checked.
        wan: True if its bytes come from outside the LAN.
        authoritative: True if it speaks for the repository, as mirrors do.  What another host gives is as good where it can be checked; of a
            signature only the package manager can tell.
        divisible: True if it may be asked for any part of a file while other hosts are asked for other parts, as mirrors may.
    """

    trusted: bool = True
    wan: bool = True
    authoritative: bool = True
    divisible: bool = False

    @property
    @abstractmethod
    def label(self) -> str:
        """For messages and the log."""

    @property
    def machine(self) -> str:
        """Tells which machine it is, as far as its address says: a mirror that is reached by http and by https is one."""
        return self.label

    @abstractmethod
    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> IncomingBody:
        """
        Asks for a file.  Redirects have been followed.

        Args:
            timeout: Seconds for everything up to the last header.

        Raises:
            FetchError: No answer.
        """

    @property
    def sound(self) -> bool:
        """False if it failed lately, or was much slower than others, so that it is asked after them."""
        return True

    @property
    def rate(self) -> float | None:
        """Bytes per second that it gave lately; None where that is not known."""
        return None

    @property
    def resting(self) -> bool:
        """True as long as it has asked to be left alone (RFC 9110, 10.2.3): others are asked before it."""
        return False

    @property
    def near(self) -> bool:
        """True if it is on this host or in its LAN, as far as its address tells, so that what it gives costs nothing: it is never left for others."""
        return False

    def measured(self, rate: float) -> None:
        """Takes note of the bytes per second that the host gave."""
        return

    def outrun(self) -> None:
        """Takes note that another host, which was asked no earlier, has answered before this one."""
        return

    @abstractmethod
    def succeeded(self) -> None:
        """Takes note that the host gave the file."""

    @abstractmethod
    def failed(self) -> None:
        """Takes note that the host gave nothing, or not the whole file."""

    @abstractmethod
    def lied(self) -> None:
        """Takes note that the host gave wrong bytes."""


U = TypeVar("U", bound=Upstream)


def rested_last(upstreams: Iterable[U]) -> tuple[list[U], int]:
    """Returns the hosts in their order but for those that rest, which come last, and how many these are."""
    first: list[U] = []
    rest: list[U] = []
    for upstream in upstreams:
        (rest if upstream.resting else first).append(upstream)
    return first + rest, len(rest)


class Upstreams(Protocol):
    """Knows where files can be downloaded from."""

    @abstractmethod
    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        """Returns the hosts that may have a file, best first.  Nobody is asked."""
