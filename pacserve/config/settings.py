"""What the command line settles."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from pacserve.model import Endpoint, IPAddress
from pacserve.network.addresses import IPNetwork
from pacserve.peers.filters import Filter

DEFAULT_PORT = 15678
DEFAULT_MULTICAST_PORT = 15679
# All hosts of the link: groups of which no switch has a membership to age out (RFC 4541, 2.1.2; RFC 2710, 5), and which no router passes on
# (RFC 5771, 4; RFC 4291, 2.7).
DEFAULT_GROUPS: tuple[IPAddress, ...] = (IPv4Address("224.0.0.1"), IPv6Address("ff02::1"))
# Seconds.
DEFAULT_MULTICAST_INTERVAL = 60.0
DEFAULT_PACMAN_CONF = "/etc/pacman.conf"
LOG_LEVELS = ("debug", "info", "warn", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The options of the daemon, checked.

    @ivar bind: Addresses to listen on; empty for all of this host, IPv6 and IPv4.
    @ivar cache_dirs: Empty for every CacheDir of pacman.conf.
    @ivar pacservers: Static peers.
    @ivar clients: Who besides this host may ask C{/request}.
    @ivar peers: Who besides the LAN may ask C{/package} and C{/info}.
    @ivar multicast: Whether this host announces itself and uses the peers that announce themselves.
    @ivar multicast_filters: Which of those it uses; they mean nothing to C{pacservers}.
    @ivar multicast_groups: IPv4 groups go out by IPv4, the others by IPv6.
    @ivar multicast_port: UDP, to send to and to listen on.
    @ivar multicast_interval: Seconds between two announcements.
    @ivar interfaces: Those to find peers on; empty for every usable one.
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
