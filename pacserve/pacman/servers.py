"""Tells which Server lines of pacman.conf are mirrors, and under which URLs they have a file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pacserve.fetch.urls import URL, is_localhost, literal_address, parse_url
from pacserve.mirrors.mirror import Mirror, MirrorList
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.pacman.configuration import ConfigurationSource


class Servers(MirrorList):
    """
    Tells mirrors from other Server lines: only http and https count, and those that lead back to this daemon do not.

    Args:
        configuration: Knows the Server lines.
        names: The names of this host; compared without regard to case and a trailing dot.
        port: Where this daemon listens.
    """

    def __init__(self, configuration: ConfigurationSource, local: LocalAddresses, names: Iterable[str], port: int) -> None:
        self._configuration = configuration
        self._local = local
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._port = port

    def mirrors(self, repo: str, arch: str) -> tuple[Mirror, ...]:
        configuration = self._configuration.current()
        repository = configuration.repositories.get(repo)
        if repository is None:
            return ()
        first = configuration.architectures[0] if configuration.architectures else arch
        found: dict[str, Mirror] = {}
        for server in repository.servers:
            understood = _understood(server, first, arch)
            if understood is None:
                continue
            base, url, address = understood
            here = self._is_this_host(url.host, address)
            if base not in found and not (here and url.port == self._port):
                found[base] = Mirror(base, url, here or (address is not None and address.is_link_local))
        return tuple(found.values())

    def _is_this_host(self, host: str, address: IPAddress | None) -> bool:
        if address is not None:  # connecting to 0.0.0.0 or :: reaches this host
            return address.is_loopback or address.is_unspecified or self._local.owns(address)
        return is_localhost(host) or host in self._names


@lru_cache(maxsize=1024)
def _understood(server: str, first: str, arch: str) -> tuple[str, URL, IPAddress | None] | None:
    """Returns a Server line for an architecture, its URL, and the address in it if it has one; None for what is no http or https URL."""
    try:
        base = for_architecture(server, first, arch)
        url = parse_url(base)
    except ValueError:
        return None
    return base, url, literal_address(url.host)


def for_architecture(server: str, first: str, arch: str) -> str:
    """
    Returns the Server line for another architecture than the first, which pacman-conf has put in the place of `$arch`.

    Path parts that equal the first become `arch`.
    """
    server = server.rstrip("/")
    if arch == first:
        return server
    scheme, separator, rest = server.partition("://")
    host, *path = rest.split("/")
    return scheme + separator + "/".join([host, *(arch if part == first else part for part in path)])
