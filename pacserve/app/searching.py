"""Finds packages on the LAN: their versions, and the hosts that hold each.  No other host is asked: everything is what this daemon knows now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cmp_to_key

from pacserve.app.reporting import Parts
from pacserve.packages.names import package_file, parse_package_file
from pacserve.pacman.versions import compare_versions, newest
from pacserve.page.found import Found
from pacserve.page.layout import SHORTEST_QUERY
from pacserve.peers.peer import Peer

FOUND_LIMIT = 50
"""Files that a search finds in the databases, and likewise in the caches of this host and at peers."""

_PEERS_LIMIT = 64
"""Peers that a search names for one file."""

_THIS_HOST = "this host"

_by_version = cmp_to_key(compare_versions)


class Searching:
    """Answers searches of the status page."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def search(self, text: str) -> list[Found]:
        """
        Returns the package files whose name contains `text`: the best matches first, of each package the newest version first.

        Names come from the databases, the caches of this host, and the peers.
        """
        if len(text) < SHORTEST_QUERY:
            return []
        parts = self._parts
        await parts.databases.refresh_all()
        held = (await parts.caches.inventory()).files
        files: dict[tuple[str, int], list[str]] = defaultdict(list)
        for repo, name in parts.databases.find(text, FOUND_LIMIT):
            files[name, parts.databases.size(repo, name) or 0].append(repo)
        for name in _some(name for name in held if text in name and package_file(name)):
            files[name, held[name]] += ()
        known = {name for name, _ in files}
        for name in _some(name for name in parts.stated.find(text) if name not in known):
            _, size = next(parts.holdings.holders(name), (0, None))
            if size is not None:
                files[name, size] += ()
        return _in_order(text, [self._found(name, size, repos, own=held.get(name) == size) for (name, size), repos in files.items()])

    def _found(self, name: str, size: int, repositories: list[str], *, own: bool) -> Found:
        parts = self._parts
        holders = [_THIS_HOST] if own else []
        for slot, held in parts.holdings.holders(name):
            peer = parts.peers.at(slot)
            if held == size and peer is not None and len(holders) < _PEERS_LIMIT:
                holders.append(_called(peer))
        parsed = parse_package_file(name)
        package, version = (name, "") if parsed is None else (parsed.name, parsed.version)
        return Found(package, version, tuple(repositories), size, tuple(holders))


def _some(names: Iterable[str]) -> Sequence[str]:
    """Returns so many names as a search finds."""
    return sorted(names)[:FOUND_LIMIT]


def _called(peer: Peer) -> str:
    """Returns the name that a peer tells with its address beside it, since any host may claim a name; the address alone where it tells none."""
    address = str(peer.endpoint or peer.configured)
    return f"{peer.name} ({address})" if peer.name else address


def _in_order(text: str, files: list[Found]) -> list[Found]:
    """Returns files with the best matches first, the versions of a package together, and the newest one marked."""
    packages: dict[str, list[Found]] = defaultdict(list)
    for file in files:
        packages[file.package].append(file)
    ordered = []
    for package in sorted(packages, key=lambda package: (text != package, not package.startswith(text), package)):
        latest = newest([file.version for file in packages[package]])
        by_version = sorted(packages[package], key=lambda file: _by_version(file.version), reverse=True)
        ordered += [replace(file, newest=not compare_versions(file.version, latest)) for file in by_version]
    return ordered
