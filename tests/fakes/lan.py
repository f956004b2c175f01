"""LANs in memory, on a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from twisted.internet.task import Clock

from pacserve.discovery.link import LANLink, LANListener

# Seconds that a datagram is on its way.
DELAY = 0.0005


class MemoryLAN:
    """
    A switch that carries datagrams to all who listen, the sender's own included, as multicast does.

    Args:
        loss: The part of the datagrams that each receiver loses.

    Attributes:
        sent: How many datagrams were sent, by IP version.
        received: How many arrived.
        size: The bytes of those that were sent.
    """

    def __init__(self, clock: Clock, random: Random, loss: float = 0.0) -> None:
        self.clock = clock
        self.loss = loss
        self.sent = {4: 0, 6: 0}
        self.received = 0
        self.size = 0
        self._random = random
        self._links: list[MemoryLink] = []

    def attach(self, link: MemoryLink) -> None:
        """From now on a link hears what is sent."""
        self._links.append(link)

    def detach(self, link: MemoryLink) -> None:
        """A link hears nothing any more."""
        if link in self._links:
            self._links.remove(link)

    def carry(self, payload: bytes, version: int, source: str) -> None:
        """Sends a datagram to all links of this LAN that have the IP version."""
        self.sent[version] += 1
        self.size += len(payload)
        receivers = [link for link in self._links if version in link.addresses and (not self.loss or self._random.random() >= self.loss)]
        self.clock.callLater(DELAY, self._deliver, receivers, payload, source)

    def _deliver(self, receivers: list[MemoryLink], payload: bytes, source: str) -> None:
        for link in receivers:
            if link.listener is not None:
                self.received += 1
                link.listener.datagram_received(payload, source)


class MemoryLink(LANLink):
    """
    A host's way into a LAN in memory.

    Args:
        addresses: The host's address by each IP version that it has.
    """

    def __init__(self, lan: MemoryLAN, addresses: Mapping[int, str]) -> None:
        self.lan = lan
        self.addresses = addresses
        self.listener: LANListener | None = None

    def start(self, listener: LANListener) -> None:
        self.listener = listener
        self.lan.attach(self)

    def stop(self) -> None:
        self.listener = None
        self.lan.detach(self)

    def send(self, payload: bytes, version: int) -> None:
        if version in self.addresses and self.listener is not None:
            self.lan.carry(payload, version, self.addresses[version])
