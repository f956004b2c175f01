"""The parts of the daemon that ask mirrors, wired together."""

from __future__ import annotations

from typing import Any

from pacserve import __version__
from pacserve.config.settings import Settings
from pacserve.fetch.agents import mirror_agent
from pacserve.fetch.connections import READ, READ_LIMITED
from pacserve.fetch.guard import AddressGuard
from pacserve.fetch.proxy import Proxies
from pacserve.fetch.stream import StreamingClient
from pacserve.http.request import via_value
from pacserve.mirrors.health import Absences, MirrorHealth
from pacserve.mirrors.inquiry import Inquiry
from pacserve.mirrors.mirror import MirrorList
from pacserve.mirrors.mirrors import Mirrors
from pacserve.mirrors.upstreams import MirrorUpstreams
from pacserve.network.machine import Machine

USER_AGENT = f"pacserve/{__version__}"


def mirrors_of(  # noqa: PLR0917
    settings: Settings,
    servers: MirrorList,
    health: MirrorHealth,
    proxies: Proxies,
    machine: Machine,
    instance: str,
    reactor: Any,
) -> tuple[Mirrors, MirrorUpstreams]:
    """Returns the mirrors as what pacman is sent to, and as what files are downloaded from."""
    headers = {"User-Agent": USER_AGENT, "Via": via_value(instance)}
    read, absences = read_of(settings.wan_limit), Absences()
    client = StreamingClient(mirror_agent(reactor, proxies, read=read), reactor, headers)
    guarded = StreamingClient(mirror_agent(reactor, proxies, AddressGuard(machine), read=read), reactor, headers)
    upstreams = MirrorUpstreams(servers, client, guarded, health, absences, reactor)
    return Mirrors(servers, Inquiry(client, guarded, reactor), health, absences, upstreams.of, reactor), upstreams


def read_of(limit: int | None) -> int:
    """Returns how much is read at once of what comes in under a limit."""
    return READ if limit is None else READ_LIMITED
