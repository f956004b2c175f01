"""The parts of the daemon that know other pacservers, wired together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import SystemRandom
from typing import Any

from pacserve.app.lan import LAN, LocalMachine
from pacserve.app.mirroring import USER_AGENT
from pacserve.claims.claiming import PeerClaiming
from pacserve.claims.claims import LEASE, LONGEST_LEASE, Claims
from pacserve.config.settings import Settings
from pacserve.fetch.agents import peer_agent
from pacserve.fetch.connections import read_of
from pacserve.fetch.hosts import resolve_host
from pacserve.fetch.stream import StreamingClient
from pacserve.lateness import Lateness
from pacserve.network.addresses import Endpoint, LocalAddresses
from pacserve.packages.inventory import LocalPackages
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Myself, named
from pacserve.peers.roster import Roster
from pacserve.peers.source import Neighbourhood, PeerSource
from pacserve.peers.watch import PeerWatch


@dataclass(frozen=True, slots=True)
class Time:
    """
    The time of this process.

    Attributes:
        lateness: How late its timers are.
    """

    reactor: Any
    lateness: Lateness


class Peering:
    """
    Knows the other pacservers: those that the user names, and with `--multicast` those that announce themselves.

    Args:
        packages: The files of this host, whose changes are announced.

    Attributes:
        roster: The peers that are in use.
        holdings: The files that they hold.
        stated: The names of packages that they have stated, as far as these are known.
        source: Where the resolver finds these files.
        claims: The claims that this host keeps for others.
        claiming: Claims files for downloads of this host.
    """

    def __init__(self, settings: Settings, myself: Myself, local: LocalAddresses, packages: LocalPackages, time: Time) -> None:
        reactor, lateness = time.reactor, time.lateness
        client = StreamingClient(peer_agent(reactor, read_of(settings.lan_limit)), reactor, {"User-Agent": USER_AGENT})
        random = SystemRandom()
        self.roster, self.holdings = Roster(), Holdings()
        for endpoint in settings.pacservers:
            self.roster.add(partial(named, endpoint=endpoint))
        self._watch = PeerWatch(self.roster, self.holdings, client, myself, lambda name: resolve_host(reactor, reactor, name), reactor)
        self.stated = self._watch.stated
        self.source = PeerSource(self.roster, self.holdings, client, Neighbourhood(local, self._watch.suspect, random, lateness), reactor)
        self.claims = Claims(self.roster.reputations, lambda: lateness.widened(LEASE, LONGEST_LEASE))
        self.claiming = PeerClaiming(self.roster, self.claims, client, reactor, myself.instance, lateness)
        self._lan: LAN | None = None
        if settings.multicast:
            self._lan = LAN(settings, self.roster, self._watch, packages, myself, LocalMachine(local, random, reactor))

    def heard(self) -> float | None:
        """Returns when another host was last heard by multicast; None if none ever was."""
        return None if self._lan is None else self._lan.heard()

    def left_out(self) -> Sequence[Endpoint]:
        """Returns the endpoints of the hosts that announced themselves and that the filters leave out."""
        return () if self._lan is None else self._lan.left_out()

    def start(self, port: int) -> None:
        """
        Begins to poll peers, and announces this host at a TCP port.

        Raises:
            StartError: The UDP port can't be had.
        """
        self._watch.start()
        if self._lan is not None:
            self._lan.start(port)

    def stop(self) -> None:
        """Says goodbye, and polls no more."""
        if self._lan is not None:
            self._lan.stop()
        self._watch.stop()
