"""The parts of the daemon that `--multicast` adds, wired together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pacserve.cache.watch import CacheWatch
from pacserve.config.settings import Settings
from pacserve.discovery.announcement import Announcement, Kind, concerns
from pacserve.discovery.announcer import Announcer, Timing
from pacserve.discovery.discovery import Discovery, Vicinity
from pacserve.discovery.filters import PeerFilters
from pacserve.discovery.multicast import Kernel, MulticastLink, MulticastSettings
from pacserve.discovery.neighbours import Neighbours
from pacserve.network.addresses import Endpoint, LocalAddresses
from pacserve.network.machine import interfaces, suspended
from pacserve.packages.inventory import Inventory, LocalPackages
from pacserve.packages.names import is_content
from pacserve.peers.peer import Myself
from pacserve.peers.roster import Roster
from pacserve.peers.watch import PeerWatch


@dataclass(frozen=True, slots=True)
class LocalMachine:
    """
    The machine that this daemon runs on.

    Attributes:
        local: Its addresses.
        reactor: Time and sockets.
    """

    local: LocalAddresses
    random: Random
    reactor: Any


class LAN:
    """Announces this host, and brings the hosts that announce themselves into the roster."""

    def __init__(self, settings: Settings, peers: Roster, watch: PeerWatch, packages: LocalPackages, myself: Myself, machine: LocalMachine) -> None:
        self._myself = myself
        self._port = settings.port
        self._generation = 0
        self._content = myself.content
        reactor, random = machine.reactor, machine.random
        where = MulticastSettings(settings.multicast_groups, settings.multicast_port, settings.interfaces)
        self._link = MulticastLink(where, Kernel(interfaces, suspended), reactor, reactor)
        neighbours = Neighbours(random.randrange)
        timing = Timing(reactor, random, settings.multicast_interval)
        self._announcer = Announcer(self._link, timing, self._describe, lambda: len(neighbours))
        vicinity = Vicinity(machine.local, PeerFilters(settings.multicast_filters), neighbours, self._concerns)
        self._discovery = Discovery(self._announcer, vicinity, peers, watch, myself, timing)
        watch.notify(self._discovery.polled)
        self._cache_watch = CacheWatch(packages, reactor, self._changed)

    def heard(self) -> float | None:
        """Returns when another host was last heard by multicast; None where none ever was."""
        return self._discovery.heard_at

    def left_out(self) -> Sequence[Endpoint]:
        """Returns the endpoints of the hosts that announced themselves and that the filters leave out."""
        return self._discovery.left_out()

    def start(self, port: int) -> None:
        """
        Listens, and announces this host at a TCP port.

        Raises:
            StartError: The UDP port can't be had.
        """
        self._port = port
        self._link.start(self._discovery)
        self._discovery.start()
        self._cache_watch.start()

    def stop(self) -> None:
        """Says goodbye.  A host that asks after that must find that nothing listens here any more."""
        self._cache_watch.stop()
        self._discovery.stop()
        self._link.stop()

    def _changed(self, inventory: Inventory) -> None:
        self._generation = inventory.generation
        self._content = self._myself.content or any(map(is_content, inventory.files))
        self._announcer.changed()

    def _describe(self, kind: Kind) -> Announcement:
        return Announcement(kind, self._myself.instance, self._port, self._generation, tuple(self._myself.architectures()), self._content)

    def _concerns(self, announcement: Announcement) -> bool:
        return concerns(announcement, self._myself.architectures(), content=self._content)
