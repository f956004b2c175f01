"""The parts of the daemon that ask mirrors, wired together."""

from __future__ import annotations

from typing import Any

from pacserve import __version__
from pacserve.config.settings import Settings
from pacserve.fetch.agents import mirror_agent
from pacserve.fetch.connections import read_of
from pacserve.fetch.gathering import HostRates
from pacserve.fetch.guard import AddressGuard
from pacserve.fetch.proxy import Proxies
from pacserve.fetch.stream import StreamingClient
from pacserve.http.request import via_value
from pacserve.mirrors.health import Absences, MirrorHealth
from pacserve.mirrors.inquiry import Inquiry
from pacserve.mirrors.mirror import MirrorList
from pacserve.mirrors.mirrors import Mirrors
from pacserve.mirrors.repositories import RepositoryUpstreams
from pacserve.mirrors.upstreams import MirrorUpstreams
from pacserve.network.addresses import LocalAddresses

USER_AGENT = f"pacserve/{__version__}"


class Mirroring:
    """
    Knows the mirrors.

    Args:
        servers: The mirrors of each repository.
        instance: This daemon's own instance id, which each request to a mirror names.

    Attributes:
        servers: The mirrors of each repository.
        health: The faults of mirrors.
        source: Where the resolver finds their files.
        upstreams: The hosts that pacman's files are downloaded from.
        repositories: The same for package systems that name the mirror with each file.
    """

    def __init__(self, settings: Settings, servers: MirrorList, proxies: Proxies, local: LocalAddresses, instance: str, reactor: Any) -> None:
        headers = {"User-Agent": USER_AGENT, "Via": via_value(instance)}
        read, absences = read_of(settings.wan_limit), Absences()
        rates = HostRates()
        client = StreamingClient(mirror_agent(reactor, proxies, read=read), reactor, headers, rates)
        guarded = StreamingClient(mirror_agent(reactor, proxies, AddressGuard(local), read=read), reactor, headers, rates)
        self.servers = servers
        self.health = MirrorHealth()
        self.upstreams = MirrorUpstreams(servers, client, guarded, self.health, absences, reactor)
        self.repositories = RepositoryUpstreams(self.upstreams.means)
        self.source = Mirrors(servers, Inquiry(client, guarded, reactor), self.health, absences, self.upstreams.of, reactor)
