"""The parts of the daemon that `--multicast` adds, wired together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from pacserve.cache.watch import CacheWatch
from pacserve.config.settings import Settings
from pacserve.discovery.announcement import Announcement, Kind, concerns
from pacserve.discovery.announcer import Announcer
from pacserve.discovery.discovery import Discovery
from pacserve.discovery.filters import PeerFilters
from pacserve.discovery.multicast import MulticastLink
from pacserve.discovery.neighbours import Neighbours
from pacserve.network.addresses import Endpoint, LocalAddresses
from pacserve.network.machine import interfaces, suspended
from pacserve.packages.inventory import Inventory, LocalPackages
from pacserve.packages.names import is_content
from pacserve.peers.roster import Roster
from pacserve.peers.watch import PeerWatch


class LAN:
    """
    Announces this host, and brings those that announce themselves into the roster.

    Args:
        architectures: Gives the architectures of this host.
        instance: This daemon's own instance id.
    """

    def __init__(  # noqa: PLR0917
        self,
        settings: Settings,
        peers: Roster,
        watch: PeerWatch,
        packages: LocalPackages,
        local: LocalAddresses,
        architectures: Callable[[], Sequence[str]],
        instance: str,
        random: Random,
        reactor: Any,
    ) -> None:
        self._architectures = architectures
        self._instance = instance
        self._port = settings.port
        self._generation = 0
        self._content = False
        link = MulticastLink(
            settings.multicast_groups,
            settings.multicast_port,
            settings.interfaces,
            reactor=reactor,
            clock=reactor,
            read=interfaces,
            suspended=suspended,
        )
        neighbours = Neighbours(random.randrange)
        interval = settings.multicast_interval
        self._announcer = Announcer(link, reactor, random, self._describe, lambda: len(neighbours), interval)
        self._discovery = Discovery(
            link,
            self._announcer,
            neighbours,
            peers,
            watch,
            PeerFilters(settings.multicast_filters),
            local,
            lambda announcement: concerns(announcement, architectures(), content=self._content),
            reactor,
            random,
            instance,
            interval,
        )
        self._cache_watch = CacheWatch(packages, reactor, self._changed)

    def heard(self) -> float | None:
        """Returns when another host was last heard by multicast; None if none ever was."""
        return self._discovery.heard_at

    def left_out(self) -> Sequence[Endpoint]:
        """Returns where hosts announced themselves that the filters leave out."""
        return self._discovery.left_out()

    def start(self, port: int) -> None:
        """
        Listens, and announces what is found at a TCP port of this host.

        Raises:
            StartError: The UDP port can't be had.
        """
        self._port = port
        self._discovery.start()
        self._cache_watch.start()

    def stop(self) -> None:
        """Says goodbye.  Whoever looks then must find that nobody listens any more."""
        self._cache_watch.stop()
        self._discovery.stop()

    def _changed(self, inventory: Inventory) -> None:
        self._generation = inventory.generation
        self._content = any(map(is_content, inventory.files))
        self._announcer.changed()

    def _describe(self, kind: Kind) -> Announcement:
        return Announcement(kind, self._instance, self._port, self._generation, tuple(self._architectures()), self._content)
