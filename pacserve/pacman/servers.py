"""Tells which Server lines of pacman.conf are mirrors, under which URLs they have a file, and which are folders of this host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from pacserve.fetch.urls import URL, is_localhost, literal_address, parse_url, repaired
from pacserve.mirrors.folders import FolderList, Folders
from pacserve.mirrors.mirror import Mirror, MirrorList
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration

# The forms that libcurl takes for a file of this host; it ignores what follows `?` and `#`.
_FILE_URL = re.compile(r"file:(?://(?:localhost|127\.0\.0\.1)?(?=/)|(?!//))(?P<path>/[^?#]*)", re.IGNORECASE)


class Servers(MirrorList, FolderList):
    """
    Tells mirrors from other Server lines: http and https count, and those that lead back to this daemon do not; file:// names folders of this host.

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
        # The repositories that have a folder, of the configuration that was looked at last: nearly every request is for one that has none, and a
        # mirrorlist may have hundreds of lines.
        self._looked_at: PacmanConfiguration | None = None
        self._with_folders: frozenset[str] = frozenset()

    def mirrors(self, repo: str, arch: str) -> tuple[Mirror, ...]:
        configuration = self._configuration.current()
        repository = configuration.repositories.get(repo)
        if repository is None:
            return ()
        first = configuration.architectures[0] if configuration.architectures else arch
        found: dict[str, Mirror] = {}
        for server in repository.servers:
            mirror = self._mirror(server, first, arch)
            if mirror is not None:
                found.setdefault(mirror.base, mirror)
        return tuple(found.values())

    def folders(self, repo: str, arch: str) -> Folders:
        configuration = self._configuration.current()
        if configuration is not self._looked_at:
            self._looked_at = configuration
            found = configuration.repositories.items()
            self._with_folders = frozenset(name for name, repository in found if any(map(folder_of, repository.servers)))
        if repo not in self._with_folders:
            return Folders()
        servers = configuration.repositories[repo].servers
        first = configuration.architectures[0] if configuration.architectures else arch
        # Lines behind the first mirror are not looked at one by one.
        place = next((place for place, server in enumerate(servers) if self._mirror(server, first, arch) is not None), len(servers))
        early, late = _folders_of(servers[:place], first, arch), _folders_of(servers[place:], first, arch)
        return Folders(early, tuple(path for path in late if path not in early), alone=place == len(servers))

    def _mirror(self, server: str, first: str, arch: str) -> Mirror | None:
        """Returns the mirror that a Server line names; None for this daemon, and for what is no http or https URL."""
        understood = _understood(server, first, arch)
        if understood is None:
            return None
        base, url, address = understood
        here = self._is_this_host(url.host, address)
        if here and url.port == self._port:
            return None
        return Mirror(base, url, here or (address is not None and address.is_link_local))

    def _is_this_host(self, host: str, address: IPAddress | None) -> bool:
        if address is not None:  # connecting to 0.0.0.0 or :: reaches this host
            return address.is_loopback or address.is_unspecified or self._local.owns(address)
        return is_localhost(host) or host in self._names


@lru_cache(maxsize=1024)
def _understood(server: str, first: str, arch: str) -> tuple[str, URL, IPAddress | None] | None:
    """Returns a Server line for an architecture, its URL, and the address in it if it has one; None for what is no http or https URL."""
    try:
        base = repaired(for_architecture(server, first, arch))
        url = parse_url(base)
    except ValueError:
        return None
    return base, url, literal_address(url.host)


@lru_cache(maxsize=64)
def _folders_of(servers: tuple[str, ...], first: str, arch: str) -> tuple[str, ...]:
    """Returns the folders that some Server lines name, each once."""
    return tuple(dict.fromkeys(filter(None, (folder_of(for_architecture(server, first, arch)) for server in servers))))


def folder_of(server: str) -> str:
    """Returns the folder of this host that a Server line names by file://, without a trailing slash; empty for all other lines."""
    match = _FILE_URL.match(server)
    path = os.fsdecode(unquote_to_bytes(os.fsencode(match["path"]))).rstrip("/") if match is not None else ""
    return "" if "\0" in path else path


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
