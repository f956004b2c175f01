"""What the command line settles."""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.model import Endpoint
from pacserve.network.addresses import IPNetwork

DEFAULT_PORT = 15678
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
    """

    bind: tuple[str, ...] = ()
    port: int = DEFAULT_PORT
    pacman_conf: str = DEFAULT_PACMAN_CONF
    cache_dirs: tuple[str, ...] = ()
    pacservers: tuple[Endpoint, ...] = ()
    clients: tuple[IPNetwork, ...] = ()
    peers: tuple[IPNetwork, ...] = ()
    log_level: str = "info"
