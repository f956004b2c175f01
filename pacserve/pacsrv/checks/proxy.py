"""Whether a proxy stands between pacman and the LAN."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.network.addresses import parse_endpoint
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, some, well, wrong
from pacserve.pacsrv.proxies import bypassed, http_proxy, no_proxy


def check(facts: Facts) -> Iterable[Finding]:
    """pacman asks this host and the peers without the proxy."""
    variable = http_proxy(facts.environment)
    if not variable:
        yield well("no proxy between pacman and the LAN")
        return
    here = bypassed("localhost", facts.environment)
    proxied = [] if here and _relays(facts) else [host for host in _peers(facts) if not bypassed(host, facts.environment)]
    wanted = ",".join(filter(None, (no_proxy(facts.environment).strip(), "" if here else "localhost", *proxied[:3])))
    cure = f"set no_proxy={wanted} where pacman runs (sudo: env_keep)"
    if not here:
        yield wrong(f"{variable} is set and no_proxy lacks localhost: plain pacman asks the proxy for pacserve", cure)
    if proxied:
        yield wrong(
            f"{variable} is set and no_proxy lacks {some(proxied)}: pacman, sent to a peer, asks the proxy for it",
            f"{cure}; curl 7.86 and later take networks, such as 10.0.0.0/24",
        )
    if here and not proxied:
        yield well(f"{variable} is set, and no_proxy excepts this host and its peers")


def _relays(facts: Facts) -> bool:
    """Returns whether pacman is never sent to a peer."""
    return facts.status is not None and facts.status.host.hits == "relay"


def _peers(facts: Facts) -> list[str]:
    hosts = []
    for peer in facts.status.peers if facts.status is not None else ():
        try:
            hosts.append(parse_endpoint(peer.address, facts.port).host)
        except ValueError:
            continue
    return list(dict.fromkeys(hosts))
