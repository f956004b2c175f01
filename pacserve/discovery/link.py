"""The link that announcements travel over."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class LANLink(Protocol):
    """Carries datagrams between the hosts of the LANs that this machine is in."""

    @abstractmethod
    def start(self, listener: LANListener) -> None:
        """
        Begins to listen.

        Raises:
            StartError: The port can't be had; nothing is left open.
        """

    @abstractmethod
    def stop(self) -> None:
        """Listens and sends no more; the listener is not called again."""

    @abstractmethod
    def send(self, payload: bytes, version: int) -> None:
        """
        Sends to the groups of an IP version on every interface in use.  What can't be sent is lost as any datagram may be; never raises.

        Args:
            version: 4 or 6.
        """


class LANListener(Protocol):
    """Takes what arrives from the LAN."""

    @abstractmethod
    def datagram_received(self, payload: bytes, source: str) -> None:
        """
        Takes a datagram that came to one of the groups, by an interface that is in use.

        Args:
            payload: At most 1,024 bytes, which any host may have made.
            source: The address that it came from, an IPv6 link-local one with `%zone`; never an IPv4-mapped one.
        """

    @abstractmethod
    def network_changed(self) -> None:
        """Starts discovery afresh: an interface came, went or changed its addresses, or the machine was suspended."""
