"""Checks of the network: proxies, firewalls, mirrors, and the instance ids of other daemons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pacserve.config.settings import DEFAULT_MULTICAST_PORT
from pacserve.network.addresses import parse_endpoint
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.proxies import bypassed, http_proxy, no_proxy
from pacserve.pacsrv.text import ago
from pacserve.report.status import HostStatus, Status

# Announcement intervals that count as lately: a peer that is silent for longer is dropped, too.
_RECENT_INTERVALS = 3

_IDENTITY_CURE = "restart pacserve on each of them: it draws a new id at every start"


def check_proxy(facts: Facts) -> Iterable[Finding]:
    """Checks that pacman asks this host and the peers without the proxy of its environment."""
    variable = http_proxy(facts.environment)
    if not variable:
        yield well("no proxy between pacman and the LAN")
        return
    here = bypassed("localhost", facts.environment)
    proxied = [] if here and _relays(facts) else [host for host in _peer_hosts(facts) if not bypassed(host, facts.environment)]
    wanted = ",".join(filter(None, (no_proxy(facts.environment).strip(), "" if here else "localhost", *proxied[:3])))
    cure = f"set no_proxy={wanted} where pacman runs (sudo: env_keep)"
    if not here:
        yield wrong(f"{variable} is set and no_proxy lacks localhost: plain pacman sends its requests for pacserve to the proxy", cure)
    if proxied:
        yield wrong(
            f"{variable} is set and no_proxy lacks {some(proxied)}: pacman, redirected to a peer, asks the proxy instead",
            f"{cure}; curl 7.86 and later take networks, such as 10.0.0.0/24",
        )
    if here and not proxied:
        yield well(f"{variable} is set, and no_proxy excepts this host and its peers")


def _relays(facts: Facts) -> bool:
    """Returns whether pacman is never redirected to a peer."""
    return facts.status is not None and facts.status.host.hits == "relay"


def _peer_hosts(facts: Facts) -> list[str]:
    hosts = []
    for peer in facts.status.peers if facts.status is not None else ():
        try:
            hosts.append(parse_endpoint(peer.address, facts.port).host)
        except ValueError:
            continue
    return list(dict.fromkeys(hosts))


def check_firewall(facts: Facts) -> Iterable[Finding]:
    """Checks that announcements of other hosts were heard lately, and that peers ask for this host's inventory."""
    status = facts.status
    if status is None:
        return
    young = facts.now - status.host.started < _RECENT_INTERVALS * status.host.multicast_interval
    if status.host.multicast:
        yield _judged_multicast(status, young=young)
    elif not status.peers:
        yield doubtful("this host shares with no other host", "start pacserve with --multicast, or name other machines with --pacserver HOST")
    if status.peers:
        yield _judged_questions(status, facts.port, young=young)


def _lately(seconds: float | None, host: HostStatus) -> bool:
    return seconds is not None and seconds <= _RECENT_INTERVALS * host.multicast_interval


def _judged_multicast(status: Status, *, young: bool) -> Finding:
    heard = status.host.multicast_heard
    if _lately(heard, status.host):
        return well(f"multicast was heard {ago(heard)}")
    cure = f"open multicast UDP port {DEFAULT_MULTICAST_PORT} (sudo pacsrv setup does that); check that switches and access points pass it on"
    if any(peer.discovered for peer in status.peers):
        return wrong(f"there are peers, but multicast was last heard: {ago(heard)}", cure)
    if young:
        return well("no multicast was heard yet; pacserve has just started")
    return doubtful(f"multicast was last heard: {ago(heard)}; this host is alone, or a firewall is in the way", cure)


def _judged_questions(status: Status, port: int, *, young: bool) -> Finding:
    """
    Judges when a peer last asked for this host's inventory.

    Peers that hear this host ask only for changes, so a question long ago is no fault as long as announcements come through.
    """
    host = status.host
    if _lately(host.info_asked, host) or (host.info_asked is not None and _lately(host.multicast_heard, host)):
        return well(f"a peer asked for this host's inventory {ago(host.info_asked)}")
    if young:
        return well("no peer asked for this host's inventory yet; pacserve has just started")
    cure = f"open TCP port {port} to the LAN (sudo pacsrv setup does that); check that pacserve is not bound to localhost alone (--bind)"
    text = f"a peer last asked for this host's inventory: {ago(host.info_asked)}"
    if any(peer.discovered for peer in status.peers):
        return wrong(text, cure)
    return doubtful(f"{text}; that is normal where no peer names this host with --pacserver", cure)


def check_mirrors(facts: Facts) -> Iterable[Finding]:
    """Checks that the mirrors that pacserve asked lately answered: one that does not costs time whenever it is its turn again."""
    mirrors = facts.status.mirrors if facts.status is not None else ()
    failed = [mirror.url for mirror in mirrors if mirror.state == "failed"]
    if failed and len(failed) == len(mirrors):
        yield wrong(f"no mirror answered lately: {some(failed)}", f"check the way to the Internet, DNS and proxies: curl -I {failed[0]}/")
    elif failed:
        yield doubtful(f"did not answer lately, and come last for some minutes: {some(failed)}", "if that lasts, remove them from the mirrorlist")
    elif mirrors:
        yield well("no mirror has failed lately")


def check_identity(facts: Facts) -> Iterable[Finding]:
    """Checks that no two daemons have the same instance id, as copies of a running machine do."""
    if facts.status is None:
        return
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for peer in facts.status.peers:
        if peer.instance:
            holders[peer.instance].append(peer.address)
    same_as_this = holders.pop(facts.status.host.instance, [])
    twins = [addresses for addresses in holders.values() if len(addresses) > 1]
    if same_as_this:
        yield wrong(f"{some(same_as_this)} has the same id as this host: each takes the other for itself", _IDENTITY_CURE)
    for addresses in twins:
        yield doubtful(
            f"{some(addresses)} have the same id: one machine under several names, or copies of one", f"{_IDENTITY_CURE}; name a machine only once"
        )
    if not same_as_this and not twins:
        yield well("no other pacserve has the id of this one")
