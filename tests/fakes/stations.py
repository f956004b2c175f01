"""Whole hosts of a LAN in memory: they announce themselves, and answer `/info`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from pacserve.discovery.announcement import Announcement, Kind, concerns
from pacserve.discovery.announcer import Announcer, Timing
from pacserve.discovery.discovery import Discovery, Vicinity
from pacserve.discovery.filters import PeerFilters, parse_filter
from pacserve.discovery.link import LANListener
from pacserve.discovery.neighbours import Neighbours
from pacserve.errors import FetchError
from pacserve.fetch.client import BodyAnswer, HTTPClient
from pacserve.fetch.urls import parse_url
from pacserve.network.addresses import Endpoint, IPAddress, IPNetwork, LocalAddresses, parse_address, parse_network
from pacserve.packages.names import is_content
from pacserve.peers.holdings import Holdings
from pacserve.peers.inventory import PeerInfo, encode
from pacserve.peers.peer import Myself, PeerState, named
from pacserve.peers.roster import Roster
from pacserve.peers.watch import PeerWatch
from tests.fakes.lan import MemoryLAN, MemoryLink

PORT = 15678
NETWORKS = ("10.0.0.0/16", "fd77::/64", "fe80::/64")


class Attached(LocalAddresses):
    """
    A host with these addresses in these networks.

    Attributes:
        networks: Those that it is directly attached to now.
    """

    def __init__(self, own: Sequence[str], networks: Sequence[str] = NETWORKS) -> None:
        self.own = {parse_address(text) for text in own}
        self.networks: list[IPNetwork] = [parse_network(text) for text in networks]

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback or address in self.own

    def attached(self, address: IPAddress) -> bool:
        return any(address in network for network in self.networks if network.version == address.version)


class Infos(HTTPClient):
    """
    Answers `/info` for the stations that are up, at once; those in `silent` never.

    Attributes:
        hosts: Who answers where.
        silent: The endpoints that take what is sent and never answer.
        asked: The endpoints that were asked, with the query.
    """

    def __init__(self, clock: Clock, agent: IAgent) -> None:
        super().__init__(agent, clock)
        self._time = clock
        self.hosts: dict[Endpoint, Station] = {}
        self.silent: set[Endpoint] = set()
        self.asked: list[tuple[Endpoint, str]] = []

    async def get(self, url: str, *, timeout: float, limit: int, headers: Mapping[str, str] = {}) -> BodyAnswer:
        place = parse_url(url)
        endpoint = Endpoint(place.host, place.port)
        query = url.partition("?")[2]
        self.asked.append((endpoint, query))
        if endpoint in self.silent:
            timed_out: Deferred[None] = Deferred()
            timer = self._time.callLater(timeout, timed_out.errback, FetchError("no answer in time"))
            try:
                await timed_out
            finally:
                if timer.active():
                    timer.cancel()
        host = self.hosts.get(endpoint)
        if host is None:
            raise FetchError("connection refused")
        return BodyAnswer(200, host.info(int(query.removeprefix("since=")) if query else None), Headers())

    def count(self, host: Station | Endpoint) -> int:
        """How often a host was asked."""
        endpoint = host.endpoint if isinstance(host, Station) else host
        return sum(asked == endpoint for asked, _ in self.asked)


class Station:
    """
    One host, with everything that finds peers.

    Args:
        v4: Its IPv4 address; where it has no address at all it gets one by its number.
        v6: Its IPv6 address.
        apt: True if it answers apt, and so takes part in sharing content.

    Attributes:
        files: What it holds.
    """

    def __init__(  # noqa: PLR0917
        self,
        lan: MemoryLAN,
        infos: Infos,
        number: int,
        random: Random,
        filters: Sequence[str] = (),
        architectures: Sequence[str] = ("x86_64",),
        instance: str = "",
        interval: float = 60.0,
        static: Sequence[Endpoint] = (),
        v4: str = "",
        v6: str = "",
        apt: bool = False,
    ) -> None:
        self.instance = instance or f"{number:032x}"
        self.architectures = tuple(architectures)
        self.apt = apt
        if not v4 and not v6:
            v4 = f"10.0.{number >> 8}.{number & 255}"
        self.addresses = {version: address for version, address in ((4, v4), (6, v6)) if address}
        self.endpoint = Endpoint(next(iter(self.addresses.values())), PORT)
        self.files: dict[str, int] = {}
        self.generation = 1
        self.clock, self.infos = lan.clock, infos
        self.local = Attached(list(self.addresses.values()))
        self.link = MemoryLink(lan, self.addresses)
        self.neighbours = Neighbours(random.randrange)
        self.roster = Roster()
        for endpoint in static:
            self.roster.add(partial(named, endpoint=endpoint))
        self.holdings = Holdings()
        myself, timing = Myself(self.instance, lambda: self.architectures, content=apt), Timing(self.clock, random, interval)
        self.watch = PeerWatch(self.roster, self.holdings, infos, myself, _unknown, self.clock)
        self.announcer = Announcer(self.link, timing, self.describe, lambda: len(self.neighbours))
        vicinity = Vicinity(self.local, PeerFilters([parse_filter(text) for text in filters]), self.neighbours, self._concerns)
        self.discovery = Discovery(self.announcer, vicinity, self.roster, self.watch, myself, timing)
        self.watch.notify(self.discovery.polled)

    def _concerns(self, announcement: Announcement) -> bool:
        return concerns(announcement, self.architectures, content=self.content)

    @property
    def content(self) -> bool:
        """Whether it takes part in sharing content of other package systems."""
        return self.apt or any(map(is_content, self.files))

    def start(self) -> None:
        """Comes up."""
        self.answer()
        self.watch.start()
        self.link.start(self.discovery)
        self.discovery.start()

    def answer(self) -> None:
        """Answers `/info` from now on."""
        for address in self.addresses.values():
            self.infos.hosts[Endpoint(address, PORT)] = self

    def stop(self) -> None:
        """Goes down as it should."""
        self.vanish()
        self.discovery.stop()
        self.link.stop()
        self.watch.stop()

    def vanish(self) -> None:
        """Answers nobody any more."""
        for address in self.addresses.values():
            if self.infos.hosts.get(Endpoint(address, PORT)) is self:
                del self.infos.hosts[Endpoint(address, PORT)]

    def kill(self) -> None:
        """Goes down without a word."""
        self.vanish()
        self.link.stop()
        self.announcer.bye()
        self.discovery.stop()
        self.watch.stop()

    def hold(self, **files: int) -> None:
        """Holds more files, by the names of packages, and says so."""
        self.files.update({f"{name}-1-1-any.pkg.tar.zst": size for name, size in files.items()})
        self.generation += 1
        self.announcer.changed()

    def hold_content(self) -> None:
        """Holds content of another package system, and says so."""
        self.files[f"a@{'0' * 64}.blob"] = 5
        self.generation += 1
        self.announcer.changed()

    def describe(self, kind: Kind) -> Announcement:
        """What it announces."""
        return Announcement(kind, self.instance, PORT, self.generation, self.architectures, self.content)

    def info(self, since: int | None) -> bytes:
        """Its `/info`."""
        delta = since if since is not None and since == self.generation else None
        files = self.files if delta is None else {}
        return encode(PeerInfo(self.instance, self.generation, self.architectures, files, delta, shares_content=self.apt))

    def known(self) -> set[Endpoint]:
        """The peers that it may ask."""
        return {peer.configured for peer in self.roster if peer.state in (PeerState.KNOWN, PeerState.UNKNOWN) and not peer.leaving}


class Announcing(LANListener):
    """
    A host that announces itself as any does and asks nobody, so that there may be a thousand of them.

    Attributes:
        heard: The datagrams of each host that it has heard.
    """

    def __init__(self, lan: MemoryLAN, number: int, random: Random, *, ipv6: bool = False, interval: float = 60.0) -> None:
        self.heard: dict[str, int] = {}
        self._link = MemoryLink(lan, {4: f"10.0.{number >> 8}.{number & 255}", **({6: f"fd77::{number:x}"} if ipv6 else {})})
        instance = f"{number:032x}"

        def describe(kind: Kind) -> Announcement:
            return Announcement(kind, instance, PORT, 1, ("x86_64",))

        self.announcer = Announcer(self._link, Timing(lan.clock, random, interval), describe, lambda: len(self.heard))

    def start(self) -> None:
        """Comes up."""
        self._link.start(self)
        self.announcer.hello()

    def datagram_received(self, payload: bytes, source: str) -> None:
        self.heard[source] = self.heard.get(source, 0) + 1
        if b'"kind":"hello"' in payload and "." in source:  # what comes by IPv6 came by IPv4 before
            self.announcer.answer()

    def network_changed(self) -> None:
        raise AssertionError("this LAN does not change")


async def _unknown(_: str) -> Sequence[str]:
    return ()
