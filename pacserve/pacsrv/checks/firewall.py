"""Whether this host hears others, and others reach it."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.config.settings import DEFAULT_MULTICAST_PORT
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, well, wrong
from pacserve.pacsrv.text import ago
from pacserve.report.status import HostStatus, Status

# Intervals: after so many a silent peer is dropped, too.
_INTERVALS = 3


def check(facts: Facts) -> Iterable[Finding]:
    """Announcements of others were heard lately, and others ask for this host's inventory."""
    status = facts.status
    if status is None:
        return
    young = facts.now - status.host.started < _INTERVALS * status.host.multicast_interval
    if status.host.multicast:
        yield _heard(status, young=young)
    elif not status.peers:
        yield doubtful("this host shares with nobody", "start pacserve with --multicast, or name other machines with --pacserver HOST")
    if status.peers:
        yield _asked(status, facts.port, young=young)


def _lately(seconds: float | None, host: HostStatus) -> bool:
    return seconds is not None and seconds <= _INTERVALS * host.multicast_interval


def _heard(status: Status, *, young: bool) -> Finding:
    heard = status.host.multicast_heard
    if _lately(heard, status.host):
        return well(f"multicast was heard {ago(heard)}")
    cure = f"open multicast UDP port {DEFAULT_MULTICAST_PORT} (contrib/iptables); see that switches and access points pass multicast on"
    if any(peer.discovered for peer in status.peers):
        return wrong(f"there are peers, but multicast was last heard: {ago(heard)}", cure)
    if young:
        return well("no multicast was heard yet; pacserve has just started")
    return doubtful(f"multicast was last heard: {ago(heard)}; this host is alone, or a firewall is in the way", cure)


def _asked(status: Status, port: int, *, young: bool) -> Finding:
    """Peers that hear this host ask only for changes, so an old question is no fault as long as announcements come through."""
    host: HostStatus = status.host
    if _lately(host.info_asked, host) or (host.info_asked is not None and _lately(host.multicast_heard, host)):
        return well(f"a peer asked for this host's inventory {ago(host.info_asked)}")
    if young:
        return well("no peer asked for this host's inventory yet; pacserve has just started")
    cure = f"open TCP port {port} to the LAN (contrib/iptables); see that pacserve is not bound to localhost alone (--bind)"
    text = f"a peer last asked for this host's inventory: {ago(host.info_asked)}"
    if any(peer.discovered for peer in status.peers):
        return wrong(text, cure)
    return doubtful(f"{text}; that is well where no peer names this host with --pacserver", cure)
