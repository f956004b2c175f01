"""
The table of everything that a daemon can be asked: path, methods, audience, and the front that answers.

SECURITY.md has the same table for readers; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pacserve.web.front import Front
from pacserve.web.routes import Audience, HostHeader, Methods, Route

# apt sends CONNECT for https sources where a proxy is set for them, and shows this line.
_NO_TUNNEL = (
    "only GET and HEAD can be used here: there is no tunnel for https sources; to share one, write it as http://localhost:{port}/https://HOST/PATH"
)


@dataclass(frozen=True, slots=True)
class ReportFronts:
    """The fronts that tell people and programs of the daemon, by what they tell."""

    page: Front
    static: Front
    events: Front
    search: Front
    status: Front
    why: Front
    metrics: Front


@dataclass(frozen=True, slots=True)
class Fronts:
    """
    The fronts of a daemon.

    Attributes:
        pacman: Finds the files that pacman asks for.
        fetch: Hands on downloads; None where nothing is downloaded.
    """

    pacman: Front
    package: Front
    info: Front
    claim: Front
    fetch: Front | None
    report: ReportFronts


def routes(fronts: Fronts) -> Sequence[Route]:
    """
    Returns the routes of a daemon.

    Peers change nothing by GET, since a browser can be made to send one.  What they ask is answered under any name of this host: they may know it
    by any, and the answers are for the whole LAN.
    """
    read, change = Methods.READ, Methods.CHANGE
    clients, peers = Audience.CLIENTS, Audience.PEERS
    checked, any_host = HostHeader.CHECKED, HostHeader.ANY
    report = fronts.report
    table = [
        Route("request", read,   clients, checked,  fronts.pacman),
        Route("",        read,   clients, checked,  report.page),
        Route("static",  read,   clients, checked,  report.static),
        Route("events",  read,   clients, checked,  report.events),
        Route("search",  read,   clients, checked,  report.search),
        Route("status",  read,   clients, checked,  report.status),
        Route("why",     read,   clients, checked,  report.why),
        Route("metrics", read,   clients, checked,  report.metrics),
        Route("package", read,   peers,   any_host, fronts.package),
        Route("info",    read,   peers,   any_host, fronts.info),
        Route("claim",   change, peers,   any_host, fronts.claim),
    ]  # fmt: skip
    if fronts.fetch is not None:
        table.append(Route("fetch", read, peers, any_host, fronts.fetch))
    return table


def apt_route(front: Front, port: int) -> Route:
    """Returns the only route of the port for apt, which takes every path."""
    return Route("apt", Methods.READ, Audience.CLIENTS, HostHeader.ORIGIN, front, rest=True, refusal=_NO_TUNNEL.format(port=port))
