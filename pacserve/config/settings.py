"""The options of the daemon, as values."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from pacserve.delivery.table import Hits, Misses
from pacserve.discovery.filters import Filter
from pacserve.network.addresses import Endpoint, IPAddress, IPNetwork

DEFAULT_PORT = 15678
# The port of DebTorrent, whose form of URLs is answered as well.
DEFAULT_APT_PORT = 9988
DEFAULT_MULTICAST_PORT = 15679
# All hosts of the link: groups of which no switch has a membership to age out (RFC 4541, 2.1.2; RFC 2710, 5), and which no router passes on
# (RFC 5771, 4; RFC 4291, 2.7).
DEFAULT_GROUPS: tuple[IPAddress, ...] = (IPv4Address("224.0.0.1"), IPv6Address("ff02::1"))
# Seconds.
DEFAULT_MULTICAST_INTERVAL = 60.0
DEFAULT_PACMAN_CONF = "/etc/pacman.conf"
LOG_LEVELS = ("debug", "info", "warn", "error")


DEFAULT_STATE = "/var/lib/pacserve"
DEFAULT_SPOOL = "/var/cache/pacserve"
DEFAULT_SPOOL_SIZE = 5 << 30
# More bring little on most lines, and each of them is a connection more for its operator.
DEFAULT_MIRRORS_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The options of the daemon, checked.

    Attributes:
        bind: Addresses to listen on; empty for all of this host, IPv6 and IPv4.
        cache_dirs: Empty for every CacheDir of pacman.conf.
        pacservers: Static peers.
        clients: Who besides this host may ask `/request`.
        peers: Who besides the LAN may ask `/package` and `/info`.
        names: Further names of this host, in lower case.
        private: The repositories whose packages the LAN does not learn of, besides those that only this host can get at.
        multicast: True if this host announces itself and uses the peers that announce themselves.
        multicast_filters: Which of those it uses; they mean nothing to `pacservers`.
        multicast_groups: IPv4 groups go out by IPv4, the others by IPv6.
        multicast_port: UDP, to send to and to listen on.
        multicast_interval: Seconds between two announcements.
        misses: What becomes of a file that no one on the LAN has.
        hits: What becomes of a file that a peer has.
        state: Where the history of the traffic and what the databases state are kept.
        metrics_peers: True if `/metrics` has series of each peer.
        spool: Where downloads are kept.
        spool_size: Bytes of all complete downloads.
        wan_limit: Bytes per second that come from mirrors, None for no limit.
        lan_limit: Bytes per second that go to other hosts and come from peers, None for no limit.
        mirrors_at_once: Mirrors that one file is taken from at the same time, at most.
        interfaces: Those to find peers on; empty for every usable one.
        pacman_required: True if the user named pacman.conf, so that the daemon does not start without it.
        host_name: The name that other hosts are told of this one; empty to tell none, None for the one that the machine has.
        history: False to keep no history of the traffic over restarts.
        apt: True if apt is answered as well.
        apt_port: TCP port for apt.
        apt_mirrors: URLs below which apt of this host or of a client may ask for files, besides the sources of this host's own apt.
        apt_diffs: True if apt may update its indexes by differences (`Packages.diff`).
    """

    bind: tuple[str, ...] = ()
    port: int = DEFAULT_PORT
    pacman_conf: str = DEFAULT_PACMAN_CONF
    cache_dirs: tuple[str, ...] = ()
    pacservers: tuple[Endpoint, ...] = ()
    clients: tuple[IPNetwork, ...] = ()
    peers: tuple[IPNetwork, ...] = ()
    log_level: str = "info"
    multicast: bool = False
    multicast_filters: tuple[Filter, ...] = ()
    multicast_groups: tuple[IPAddress, ...] = DEFAULT_GROUPS
    multicast_port: int = DEFAULT_MULTICAST_PORT
    multicast_interval: float = DEFAULT_MULTICAST_INTERVAL
    interfaces: tuple[str, ...] = ()
    misses: Misses = Misses.AUTO
    hits: Hits = Hits.AUTO
    names: tuple[str, ...] = ()
    state: str = DEFAULT_STATE
    metrics_peers: bool = False
    spool: str = DEFAULT_SPOOL
    spool_size: int = DEFAULT_SPOOL_SIZE
    wan_limit: int | None = None
    lan_limit: int | None = None
    mirrors_at_once: int = DEFAULT_MIRRORS_AT_ONCE
    pacman_required: bool = False
    private: tuple[str, ...] = ()
    host_name: str | None = None
    history: bool = True
    apt: bool = False
    apt_port: int = DEFAULT_APT_PORT
    apt_mirrors: tuple[str, ...] = ()
    apt_diffs: bool = True
